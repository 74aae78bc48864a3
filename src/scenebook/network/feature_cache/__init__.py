"""What the frozen layers make of an image's views, kept on disk across runs."""
