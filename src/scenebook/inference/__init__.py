"""New images, classified by a finished run."""
