"""Scores of stored predictions, each with a 95% interval. No TensorFlow."""

from scenebook.metrics.confusion import (
    compute_class_scores,
    compute_confusion,
    compute_report,
    describe_confusion,
    largest_confusions,
    with_intervals,
)
from scenebook.metrics.intervals import (
    RESAMPLES,
    Score,
    bootstrap_f1,
    bootstrap_mean,
    f1_score,
    proportion_score,
    wilson_interval,
)
from scenebook.metrics.leaks import describe_without, score_without
from scenebook.metrics.scores import check_predictions, compute_scores

__all__ = [
    "RESAMPLES",
    "Score",
    "bootstrap_f1",
    "bootstrap_mean",
    "check_predictions",
    "compute_class_scores",
    "compute_confusion",
    "compute_report",
    "compute_scores",
    "describe_confusion",
    "describe_without",
    "f1_score",
    "largest_confusions",
    "proportion_score",
    "score_without",
    "wilson_interval",
    "with_intervals",
]
