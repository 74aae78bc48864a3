"""A project of one's own: what `scenebook new` writes, and how its notebooks differ from the published ones."""
