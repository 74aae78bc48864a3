"""Figures as Displays: made from data, drawn by `plot`, which sets `figure_` and `ax_` and returns the Display."""
