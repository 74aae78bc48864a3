"""Scores of stored predictions, each with a 95% interval."""
