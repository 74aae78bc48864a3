"""Figures as Displays: made from data, drawn by `plot`, which sets `figure_` and `ax_` and returns the Display."""

from __future__ import annotations

from scenebook.figures.ablations import AblationHistoriesDisplay, Histories
from scenebook.figures.classes import ClassCountsDisplay
from scenebook.figures.confusion import ConfusionDisplay
from scenebook.figures.coverage import CoverageDisplay
from scenebook.figures.differences import AblationDifferencesDisplay, Difference
from scenebook.figures.histories import HistoryDisplay
from scenebook.figures.network import NetworkDisplay
from scenebook.figures.overlays import overlay
from scenebook.figures.projection import ProjectionDisplay
from scenebook.figures.reliability import ReliabilityDisplay
from scenebook.figures.trunk import Part, TrunkDisplay

__all__ = [
    "AblationDifferencesDisplay",
    "AblationHistoriesDisplay",
    "ClassCountsDisplay",
    "ConfusionDisplay",
    "CoverageDisplay",
    "Difference",
    "Histories",
    "HistoryDisplay",
    "NetworkDisplay",
    "Part",
    "ProjectionDisplay",
    "ReliabilityDisplay",
    "TrunkDisplay",
    "overlay",
]
