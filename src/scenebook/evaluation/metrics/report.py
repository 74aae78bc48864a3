"""The classification report: precision, recall and F1 of each class and their averages. No TensorFlow."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import special, stats
from sklearn.metrics import precision_recall_fscore_support

from scenebook.core.sentences import Sourced
from scenebook.core.wording import join_names
from scenebook.evaluation.metrics.averages import AVERAGES, SCORES, average_classes
from scenebook.evaluation.metrics.confusion import compute_confusion
from scenebook.evaluation.metrics.intervals import Score, score_class

_MOST_NAMES = 3
_FILE = "evaluation/classification_report.csv"


def compute_report(predictions: pd.DataFrame, class_names: Sequence[str]) -> pd.DataFrame:
    """Returns precision, recall, f1 and support: a row a class, then accuracy, macro avg and weighted avg.

    What would divide by nothing is missing: the precision of a class that is never predicted, the recall of one
    without test images. The macro average is over the classes that have test images, and counts a missing precision
    as 0. The accuracy row has its value in the column f1, as in scikit-learn's printed report.
    """
    names = list(class_names)
    # Positions instead of names: a class may be called "accuracy".
    positions = {name: index for index, name in enumerate(names)}
    labels, predicted = predictions["label"].map(positions), predictions["predicted"].map(positions)
    values = precision_recall_fscore_support(labels, predicted, labels=range(len(names)), zero_division=np.nan)
    n = len(predictions)
    rows = [[name, *scores, int(support)] for name, *scores, support in zip(names, *values, strict=True)]
    rows.append(["accuracy", None, None, float((labels == predicted).mean()), n])
    counts = compute_confusion(predictions, names).to_numpy().astype(float)
    averages = average_classes(counts.diagonal(), counts.sum(axis=0), counts.sum(axis=1))
    rows += [[f"{name} avg", *scores, n] for name, scores in zip(AVERAGES, averages.tolist(), strict=True)]
    return pd.DataFrame(rows, columns=["class", *SCORES, "support"])


def compute_class_scores(matrix: pd.DataFrame) -> dict[str, dict[str, Score | None]]:
    """Returns precision, recall and F1 of each class with 95% intervals.

    A class without test images has no recall, one that is never predicted no precision, and one of which both are
    true no F1: `None`.
    """
    counts = matrix.to_numpy()
    of_classes = zip(matrix.columns, counts.diagonal(), counts.sum(axis=0), counts.sum(axis=1), strict=True)
    return {name: score_class(int(right), int(predicted), int(true)) for name, right, predicted, true in of_classes}


def with_intervals(
    report: pd.DataFrame, class_scores: Mapping[str, Mapping[str, Score | None]], scores: Mapping[str, Score]
) -> pd.DataFrame:
    """Returns the classification report as it is shown: with a text column of the intervals of what stands under F1.

    Args:
        report: From `compute_report`.
        class_scores: From `compute_class_scores`.
        scores: The content of `evaluation/metrics.json`.
    """
    of_classes = [class_scores[name]["f1"] for name in report["class"].iloc[: len(class_scores)]]
    of_all = [scores[name] for name in ("accuracy", "macro_f1", "weighted_f1")]
    shown = report.assign(**{name: [_to_show(value) for value in report[name]] for name in SCORES})
    columns = shown.drop(columns="support").rename(columns={"f1": "F1"})
    columns["95% interval"] = [_write_bounds(score) for score in [*of_classes, *of_all]]
    return columns.assign(support=report["support"])


def tabulate_intervals(
    class_scores: Mapping[str, Mapping[str, Score | None]], scores: Mapping[str, Score]
) -> pd.DataFrame:
    """Returns precision, recall and F1 with their intervals, a row a class, then the macro and weighted averages.

    Args:
        class_scores: From `compute_class_scores`.
        scores: The content of `evaluation/metrics.json`.
    """
    rows = [[name, *(_write_score(scored[score]) for score in SCORES)] for name, scored in class_scores.items()]
    for average in AVERAGES:
        rows.append([f"{average} avg", *(_write_score(scores[f"{average}_{score}"]) for score in SCORES)])
    return pd.DataFrame(rows, columns=["class", "precision", "recall", "F1"])


def _write_score(score: Score | None) -> str:
    return f"{_to_show(score['value']):.2f} ({_write_bounds(score)})" if score else ""


def _to_show(value: float) -> float:
    """Returns the value that two decimal places are to show: 1.00 is kept for what has no error at all."""
    return min(value, 0.99) if value < 1 else value


def _write_bounds(score: Score | None) -> str:
    return f"{score['low']:.2f} to {score['high']:.2f}" if score else ""


def read_intervals(class_scores: Mapping[str, Mapping[str, Score | None]]) -> tuple[str, Mapping[str, Any]]:
    """Returns the sentence on the widest interval and on what is missing, for `say`."""
    known = [(name, kind, score) for name, of in class_scores.items() for kind, score in of.items() if score]
    name, kind, widest = max(known, key=lambda entry: _width(entry[2]))
    tied = sum(_width(score) == _width(widest) for *_, score in known) > 1
    sentence = (
        "The widest interval of a class in [@tbl:intervals] is {widest.low:.2f} to {widest.high:.2f}, that of the "
        f"{'F1' if kind == 'f1' else kind} of {{name}}{' and of others' if tied else ''}."
    )
    if any(score is None for of in class_scores.values() for score in of.values()):
        sentence += " Where a cell is empty, there is no image to take a share of."
    origins = {"widest": f"evaluation/per_class.json: {kind} of that class"}
    return sentence, Sourced({"name": name, "widest": widest}, origins=origins)


def _width(score: Score) -> float:
    return score["high"] - score["low"]


def read_report(
    report: pd.DataFrame, class_scores: Mapping[str, Mapping[str, Score | None]]
) -> tuple[str, Mapping[str, Any]]:
    """Returns the sentences on the best and the worst class and on classes that are never predicted, for `say`.

    Classes whose F1 is the same in the table are named together.
    """
    rows = report.iloc[: len(class_scores)]
    tested = rows[rows["support"] > 0]
    shown = tested["f1"].map(_to_show).round(2)
    best, worst = (tested[shown == extreme] for extreme in (shown.max(), shown.min()))
    values = {"best_f1": float(shown.max()), "worst_f1": float(shown.min()), "k": len(tested)}
    never = [name for name in tested["class"] if class_scores[name]["precision"] is None]
    if len(tested) == 1:
        sentence = "Only {best} has test images; its F1 in [@tbl:report] is {best_f1:.2f}."
    elif len(best) == len(tested):
        sentence = "The {k} classes in [@tbl:report] have the same F1 ({best_f1:.2f})."
    else:
        sentence = (
            f"By F1 in [@tbl:report], {{best}} {_be(best)} recognised best ({{best_f1:.2f}}) and {{worst}} "
            f"{'' if len(best) == len(worst) == 1 else _be(worst) + ' '}worst ({{worst_f1:.2f}}). "
            + _compare_extremes(best, worst, class_scores, len(tested))
        )
    if never:
        sentence += (
            " Never predicted, and so without a precision: {never}. In the averages this counts as a precision of 0."
        )
    names = {"best": _name_few(best), "worst": _name_few(worst), "never": join_names(never)}
    origins = dict.fromkeys(["best_f1", "worst_f1"], f"{_FILE}, f1 of that class") | {"k": f"{_FILE}, support above 0"}
    return sentence, Sourced({**values, **names}, origins=origins)


def _be(classes: pd.DataFrame) -> str:
    return "is" if len(classes) == 1 else "are"


def _name_few(classes: pd.DataFrame) -> str:
    names = list(classes["class"])
    return join_names(names) if len(names) <= _MOST_NAMES else f"{len(names)} classes"


def _compare_extremes(
    best: pd.DataFrame, worst: pd.DataFrame, class_scores: Mapping[str, Mapping[str, Score | None]], k: int
) -> str:
    """Returns whether chance explains what lies between the extremes of k classes.

    The extremes of many classes that are equally good lie far apart: intervals of one class each need not overlap then.
    Tukey's studentized range takes that into account; the standard error comes from the intervals.
    """
    high = [score for name in best["class"] if (score := class_scores[name]["f1"])]
    low = [score for name in worst["class"] if (score := class_scores[name]["f1"])]
    distance = min(score["value"] for score in high) - max(score["value"] for score in low)
    below = max(score["value"] - score["low"] for score in high)
    above = max(score["high"] - score["value"] for score in low)
    standard_error = math.hypot(below, above) / special.ndtri(0.975)
    if stats.studentized_range.sf(math.sqrt(2) * distance / standard_error, k, np.inf) < 0.05:
        return "That difference is hardly due to the choice of test images."
    return (
        "Chance alone may put as much between the best and the worst of {k} classes: other test images may give "
        "another order."
    )
