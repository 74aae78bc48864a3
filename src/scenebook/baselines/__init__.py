"""Simple classifiers that learn from the same pictures as the network, to compare it with. No TensorFlow."""

from scenebook.baselines.fitting import Baselines, fit_linear, load_inputs, predict_baselines, shrink
from scenebook.baselines.reading import (
    READINGS,
    SIGNIFICANT,
    in_points,
    read_details,
    read_network,
    read_simple,
    read_transfer,
)
from scenebook.baselines.scoring import (
    COMPARISONS,
    NAMES,
    score_baselines,
    tabulate_scores,
    tabulate_tests,
)

__all__ = [
    "COMPARISONS",
    "NAMES",
    "READINGS",
    "SIGNIFICANT",
    "Baselines",
    "fit_linear",
    "in_points",
    "load_inputs",
    "predict_baselines",
    "read_details",
    "read_network",
    "read_simple",
    "read_transfer",
    "score_baselines",
    "shrink",
    "tabulate_scores",
    "tabulate_tests",
]
