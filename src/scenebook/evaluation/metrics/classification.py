"""The scores of a run's stored predictions: `metrics.json`, the confusion matrix, the classification report."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from scenebook.core.errors import ScenebookError
from scenebook.evaluation.metrics.intervals import (
    AVERAGES,
    SCORES,
    Score,
    average_matrix,
    bootstrap_mean,
    compute_averages,
    compute_class_score,
    compute_proportion,
)

MOST_KINDS = 3  # kinds of error, as glacier classified as mountain, that a sentence names


def check_predictions(predictions: pd.DataFrame, class_names: Sequence[str]) -> None:
    """Raises `ScenebookError` unless the table holds probabilities of the classes, and at least one row."""
    expected = [f"p_{name}" for name in class_names]
    columns = [name for name in predictions.columns if name.startswith("p_")]
    if columns != expected:
        raise ScenebookError(
            f"Expected a column of probabilities for each class. Received: columns={columns}. Run notebook 02 again."
        )
    probs = predictions[expected].to_numpy(dtype=float)
    if not len(probs) or not np.allclose(probs.sum(axis=1), 1, atol=1e-4) or (probs < 0).any():
        raise ScenebookError(
            f"Expected predictions whose probabilities sum to 1. Received: rows={len(probs)}. Run notebook 02 again."
        )


def as_arrays(predictions: pd.DataFrame, class_names: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Returns the probabilities, float64 `(n, num_classes)`, and the positions of the true classes, int64 `(n,)`."""
    positions = {name: index for index, name in enumerate(class_names)}
    probs = predictions[[f"p_{name}" for name in class_names]].to_numpy(dtype=float)
    return probs, predictions["label"].map(positions).to_numpy(dtype=np.int64)


def compute_scores(predictions: pd.DataFrame, class_names: Sequence[str], *, seed: int) -> dict[str, Score]:
    """Returns the scores of `evaluation/metrics.json`, each with its 95% interval.

    These are accuracy, top2_accuracy (of more than two classes), macro and weighted precision, recall and f1,
    log_loss, and ece, the expected calibration error.
    """
    # Imported here, as in the other functions: who only reads results would wait a second for it.
    from scenebook.evaluation.metrics.calibration import compute_calibration_error, compute_log_losses

    right = (predictions["label"] == predictions["predicted"]).to_numpy()
    matrix = compute_confusion(predictions, class_names).to_numpy()
    probs, positions = as_arrays(predictions, class_names)
    scores = {"accuracy": compute_proportion(int(right.sum()), len(right))}
    if len(class_names) > 2:  # of two classes, the true one is always among the two most probable
        most_probable = np.argsort(-probs, axis=1, kind="stable")[:, :2]  # of equals, the first ones count
        among = right | (most_probable == positions[:, None]).any(axis=1)
        scores["top2_accuracy"] = compute_proportion(int(among.sum()), len(among))
    return {
        **scores,
        **compute_averages(matrix, seed=seed),
        "log_loss": bootstrap_mean(compute_log_losses(probs, positions), seed=seed),
        "ece": compute_calibration_error(probs, positions, seed=seed),
    }


def compute_score_without(predictions: pd.DataFrame, paths: Collection[str]) -> dict[str, Any]:
    """Returns the accuracy on the test images that have no duplicate in training, for `evaluation/metrics.json`.

    That is `n_without_duplicates` and, unless it is 0, `accuracy_without_duplicates`; nothing where none of the `paths`
    of test images has one.
    """
    if not paths:
        return {}
    rest = predictions[~predictions["path"].isin(paths)]
    right = int((rest["label"] == rest["predicted"]).sum())
    score = {"accuracy_without_duplicates": compute_proportion(right, len(rest))} if len(rest) else {}
    return {"n_without_duplicates": len(rest), **score}


def compute_report(predictions: pd.DataFrame, class_names: Sequence[str]) -> pd.DataFrame:
    """Returns precision, recall, f1 and support: a row a class, then accuracy, macro avg and weighted avg.

    What would divide by nothing is missing: the precision of a class that is never predicted, the recall of one
    without test images. The macro average is over the classes that have test images, and counts a missing precision
    as 0. The accuracy row has its value in the column f1, as in scikit-learn's printed report.
    """
    from sklearn.metrics import precision_recall_fscore_support

    names = list(class_names)
    # Positions instead of names: a class may be called "accuracy".
    positions = {name: index for index, name in enumerate(names)}
    labels, predicted = predictions["label"].map(positions), predictions["predicted"].map(positions)
    values = precision_recall_fscore_support(labels, predicted, labels=range(len(names)), zero_division=np.nan)
    n = len(predictions)
    rows = [[name, *scores, int(support)] for name, *scores, support in zip(names, *values, strict=True)]
    rows.append(["accuracy", None, None, float((labels == predicted).mean()), n])
    averages = average_matrix(compute_confusion(predictions, names).to_numpy())
    rows += [[f"{name} avg", *scores, n] for name, scores in zip(AVERAGES, averages.tolist(), strict=True)]
    return pd.DataFrame(rows, columns=["class", *SCORES, "support"])


def compute_class_scores(matrix: pd.DataFrame) -> dict[str, dict[str, Score | None]]:
    """Returns precision, recall and F1 of each class with 95% intervals.

    A class without test images has no recall, one that is never predicted no precision, and one of which both are
    true no F1: `None`.
    """
    counts = matrix.to_numpy()
    of_classes = zip(matrix.columns, counts.diagonal(), counts.sum(axis=0), counts.sum(axis=1), strict=True)
    return {name: compute_class_score(*map(int, of_class)) for name, *of_class in of_classes}


def tabulate_report(
    report: pd.DataFrame, class_scores: Mapping[str, Mapping[str, Score | None]], scores: Mapping[str, Score]
) -> pd.DataFrame:
    """Returns what `compute_report` gave, as it is shown: with a text column of the intervals of what stands under F1.

    The intervals come from `compute_class_scores`, and from the content of `evaluation/metrics.json`.
    """
    of_classes = [class_scores[name]["f1"] for name in report["class"].iloc[: len(class_scores)]]
    of_all = [scores[name] for name in ("accuracy", "macro_f1", "weighted_f1")]
    shown = report.assign(**{name: [round_down(value) for value in report[name]] for name in SCORES})
    columns = shown.drop(columns="support").rename(columns={"f1": "F1"})
    columns["95% interval"] = [_write_bounds(score) for score in [*of_classes, *of_all]]
    return columns.assign(support=report["support"])


def tabulate_intervals(
    class_scores: Mapping[str, Mapping[str, Score | None]], scores: Mapping[str, Score]
) -> pd.DataFrame:
    """Returns precision, recall and F1 with their intervals, a row a class, then the averages; as `tabulate_report`."""
    rows = [[name, *(_write_score(scored[score]) for score in SCORES)] for name, scored in class_scores.items()]
    for average in AVERAGES:
        rows.append([f"{average} avg", *(_write_score(scores[f"{average}_{score}"]) for score in SCORES)])
    return pd.DataFrame(rows, columns=["class", "precision", "recall", "F1"])


def _write_score(score: Score | None) -> str:
    return f"{round_down(score['value']):.2f} ({_write_bounds(score)})" if score else ""


def round_down(value: float) -> float:
    """Returns the value that two decimal places are to show: 1.00 is kept for what has no error at all."""
    return min(value, 0.99) if value < 1 else value


def _write_bounds(score: Score | None) -> str:
    return f"{score['low']:.2f} to {score['high']:.2f}" if score else ""


def compute_extremes_p(best: Sequence[Score], worst: Sequence[Score], k: int) -> float:
    """Returns how likely chance puts as much between the extremes of k equally good classes.

    The extremes of many such classes lie far apart: intervals of one class each need not overlap then. Tukey's
    studentized range takes that into account; the standard error comes from the intervals. The scores are those of the
    best and of the worst class, and of those that are shown as equal.
    """
    from scipy import special, stats

    distance = min(score["value"] for score in best) - max(score["value"] for score in worst)
    below = max(score["value"] - score["low"] for score in best)
    above = max(score["high"] - score["value"] for score in worst)
    standard_error = math.hypot(below, above) / special.ndtri(0.975)
    return float(stats.studentized_range.sf(math.sqrt(2) * distance / standard_error, k, np.inf))


def find_unlike_shares(counts: pd.DataFrame, split: str) -> list[str]:
    """Returns the classes whose share of a split is not that of train, the most different first.

    Not theirs, that is: larger or smaller by more than a quarter, and by more images than rounding explains.
    """
    expected = counts["train"] / counts["train"].sum() * counts[split].sum()
    difference = (counts[split] - expected).abs()
    smaller = np.minimum(counts[split], expected)
    differs = (difference > 2) & (smaller + difference > 1.25 * smaller)
    return list(difference[differs].sort_values(ascending=False, kind="stable").index)


def compute_confusion(predictions: pd.DataFrame, class_names: Sequence[str]) -> pd.DataFrame:
    """Returns the confusion matrix: int counts, a row a true class, a column a predicted class."""
    from sklearn.metrics import confusion_matrix

    matrix = confusion_matrix(predictions["label"], predictions["predicted"], labels=list(class_names))
    names = list(class_names)
    return pd.DataFrame(matrix, index=pd.Index(names, name="label"), columns=names)


def list_confusions(matrix: pd.DataFrame, most: int = MOST_KINDS) -> list[tuple[str, str, int]]:
    """Returns the most frequent errors: true class, predicted class, count; fewer where there are fewer."""
    counts = matrix.to_numpy().copy()
    np.fill_diagonal(counts, 0)
    order = np.argsort(-counts, axis=None, kind="stable")[:most]
    rows, columns = np.unravel_index(order, counts.shape)
    names = list(matrix.columns)
    return [(names[r], names[c], int(counts[r, c])) for r, c in zip(rows, columns, strict=True) if counts[r, c]]


def select_confused(
    predictions: pd.DataFrame, confusions: Sequence[tuple[str, str, int]], *, most: int = 6
) -> pd.DataFrame:
    """Returns the most confident errors of each kind of `list_confusions`, kind by kind, `most` rows in all."""
    each = most // max(1, len(confusions))
    chosen = [predictions.iloc[:0]]
    for true, predicted, _ in confusions:
        rows = predictions[(predictions["label"] == true) & (predictions["predicted"] == predicted)]
        chosen.append(rows.sort_values("confidence", ascending=False, kind="stable").head(each))
    return pd.concat(chosen).reset_index(drop=True)
