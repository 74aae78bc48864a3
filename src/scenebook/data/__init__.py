"""Labelled images: found, downloaded, decoded, split, audited; and the drawn scenes."""
