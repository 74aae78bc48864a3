"""Scores of stored predictions, each with a 95% interval. No TensorFlow."""

from scenebook.metrics.averages import average_scores
from scenebook.metrics.calibration import calibration_error
from scenebook.metrics.cautions import describe_cautions
from scenebook.metrics.comparison import compare_paired, difference_score, mcnemar_test
from scenebook.metrics.confidence import (
    describe_abstention,
    describe_calibration,
    describe_sets,
    describe_temperature,
    measure_calibration,
)
from scenebook.metrics.confusion import (
    compute_confusion,
    describe_confusion,
    describe_error,
    largest_confusions,
    read_confusions,
    select_confused,
)
from scenebook.metrics.intervals import RESAMPLES, Score, bootstrap_mean, f1_score, proportion_score, wilson_interval
from scenebook.metrics.leaks import describe_without, score_without
from scenebook.metrics.report import (
    compute_class_scores,
    compute_report,
    read_intervals,
    read_report,
    tabulate_intervals,
    with_intervals,
)
from scenebook.metrics.scores import check_predictions, compute_scores

__all__ = [
    "RESAMPLES",
    "Score",
    "average_scores",
    "bootstrap_mean",
    "calibration_error",
    "check_predictions",
    "compare_paired",
    "compute_class_scores",
    "compute_confusion",
    "compute_report",
    "compute_scores",
    "describe_abstention",
    "describe_calibration",
    "describe_cautions",
    "describe_confusion",
    "describe_error",
    "describe_sets",
    "describe_temperature",
    "describe_without",
    "difference_score",
    "f1_score",
    "largest_confusions",
    "mcnemar_test",
    "measure_calibration",
    "proportion_score",
    "read_confusions",
    "read_intervals",
    "read_report",
    "score_without",
    "select_confused",
    "tabulate_intervals",
    "wilson_interval",
    "with_intervals",
]
