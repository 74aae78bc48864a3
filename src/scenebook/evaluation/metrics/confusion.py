"""The confusion matrix, and the errors that are made most often."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from sklearn.metrics import confusion_matrix

MOST_KINDS = 3
"""Kinds of error, as glacier taken for mountain, that a sentence names."""


def compute_confusion(predictions: pd.DataFrame, class_names: Sequence[str]) -> pd.DataFrame:
    """Returns the confusion matrix: int counts, a row a true class, a column a predicted class."""
    matrix = confusion_matrix(predictions["label"], predictions["predicted"], labels=list(class_names))
    names = list(class_names)
    return pd.DataFrame(matrix, index=pd.Index(names, name="label"), columns=names)


def largest_confusions(matrix: pd.DataFrame, most: int = MOST_KINDS) -> list[tuple[str, str, int]]:
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
    """Returns the most confident errors of each kind, kind by kind.

    Args:
        predictions: At least label, predicted and confidence.
        confusions: From `largest_confusions`.
        most: Rows at most, shared equally between the kinds.
    """
    each = most // max(1, len(confusions))
    chosen = [predictions.iloc[:0]]
    for true, predicted, _ in confusions:
        rows = predictions[(predictions["label"] == true) & (predictions["predicted"] == predicted)]
        chosen.append(rows.sort_values("confidence", ascending=False, kind="stable").head(each))
    return pd.concat(chosen).reset_index(drop=True)
