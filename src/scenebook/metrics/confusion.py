"""The confusion matrix, what it says of each class, and the classification report. No TensorFlow."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from sklearn.metrics import classification_report, confusion_matrix

from scenebook.metrics.intervals import Score, f1_score, proportion_score


def compute_confusion(predictions: pd.DataFrame, class_names: Sequence[str]) -> pd.DataFrame:
    """Returns the confusion matrix: int counts, a row a true class, a column a predicted class."""
    matrix = confusion_matrix(predictions["label"], predictions["predicted"], labels=list(class_names))
    names = list(class_names)
    return pd.DataFrame(matrix, index=pd.Index(names, name="label"), columns=names)


def compute_report(predictions: pd.DataFrame, class_names: Sequence[str]) -> pd.DataFrame:
    """Returns precision, recall, f1 and support: a row a class, then accuracy, macro avg and weighted avg.

    A class that is never predicted has no precision; it counts as 0, as scikit-learn's `zero_division=0` does.
    The accuracy row has its value in the column f1, as in scikit-learn's printed report.
    """
    names = list(class_names)
    # Positions instead of names: a class may be called "accuracy".
    positions = {name: index for index, name in enumerate(names)}
    labels, predicted = predictions["label"].map(positions), predictions["predicted"].map(positions)
    report = classification_report(labels, predicted, labels=range(len(names)), output_dict=True, zero_division=0)
    n = len(predictions)
    rows = [[name, *_report_row(report[str(index)])] for index, name in enumerate(names)]
    rows.append(["accuracy", None, None, float((labels == predicted).mean()), n])
    rows += [[name, *_report_row(report[name])] for name in ("macro avg", "weighted avg")]
    return pd.DataFrame(rows, columns=["class", "precision", "recall", "f1", "support"])


def _report_row(values: dict[str, float]) -> list[float]:
    return [values["precision"], values["recall"], values["f1-score"], int(values["support"])]


def compute_class_scores(matrix: pd.DataFrame) -> dict[str, dict[str, Score | None]]:
    """Returns precision, recall and F1 of each class with 95% intervals.

    A class without test pictures has no recall, one that is never predicted no precision, and one of which both are
    true no F1: `None`.
    """
    counts = matrix.to_numpy()
    scores: dict[str, dict[str, Score | None]] = {}
    for index, name in enumerate(matrix.columns):
        right, predicted, true = int(counts[index, index]), int(counts[:, index].sum()), int(counts[index].sum())
        scores[name] = {
            "precision": proportion_score(right, predicted) if predicted else None,
            "recall": proportion_score(right, true) if true else None,
            "f1": f1_score(right, predicted - right, true - right),
        }
    return scores


def with_intervals(report: pd.DataFrame, class_scores: dict[str, dict[str, Score | None]]) -> pd.DataFrame:
    """Returns the classification report as it is shown, with the interval of each class's F1 as a text column."""
    intervals = [
        f"{score['low']:.2f} to {score['high']:.2f}" if score else ""
        for score in (class_scores[name]["f1"] for name in report["class"].iloc[: len(class_scores)])
    ]
    intervals += [""] * (len(report) - len(intervals))
    columns = report.drop(columns="support").rename(columns={"f1": "F1"}).assign(**{"F1, 95% interval": intervals})
    return columns.assign(support=report["support"])


def largest_confusions(matrix: pd.DataFrame, most: int = 3) -> list[tuple[str, str, int]]:
    """Returns the most frequent errors: true class, predicted class, count; fewer where there are fewer."""
    counts = matrix.to_numpy().copy()
    np.fill_diagonal(counts, 0)
    order = np.argsort(-counts, axis=None, kind="stable")[:most]
    rows, columns = np.unravel_index(order, counts.shape)
    names = list(matrix.columns)
    return [(names[r], names[c], int(counts[r, c])) for r, c in zip(rows, columns, strict=True) if counts[r, c]]


def describe_confusion(matrix: pd.DataFrame) -> str:
    """Returns the alternative text of a confusion matrix: its size, the share on the diagonal, the commonest errors."""
    counts = matrix.to_numpy()
    errors = "; ".join(
        f"{true} taken for {predicted} {count} times" for true, predicted, count in largest_confusions(matrix)
    )
    return (
        f"Confusion matrix of {len(matrix)} classes and {counts.sum()} pictures; {counts.trace()} of them on the "
        f"diagonal. Commonest errors: {errors or 'none'}."
    )
