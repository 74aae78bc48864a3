"""Figures as Displays: made from data, drawn by `plot`, which sets `figure_` and `ax_` and returns the Display."""

from __future__ import annotations

from scenebook.figures.classes import ClassCountsDisplay
from scenebook.figures.confusion import ConfusionDisplay
from scenebook.figures.histories import HistoryDisplay
from scenebook.figures.network import NetworkDisplay

__all__ = ["ClassCountsDisplay", "ConfusionDisplay", "HistoryDisplay", "NetworkDisplay"]
