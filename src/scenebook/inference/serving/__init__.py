"""A page on which one image at a time is classified."""
