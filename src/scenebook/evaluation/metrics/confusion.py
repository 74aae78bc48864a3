"""The confusion matrix, and the errors that are made most often. No TensorFlow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import confusion_matrix

from scenebook.core.sentences import Sourced
from scenebook.core.wording import format_share, name_file
from scenebook.evaluation.metrics.intervals import proportion_score

MOST_KINDS = 3
"""Kinds of error, as glacier taken for mountain, that a sentence names."""
_FILE = "evaluation/confusion_matrix.csv"
_MANY = 200  # of so many images, tenths of a percent are told apart


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


def describe_confusion(matrix: pd.DataFrame) -> str:
    """Returns the alternative text of a confusion matrix: its size, the share on the diagonal, the commonest errors."""
    counts = matrix.to_numpy()
    errors = "; ".join(
        f"{true} taken for {predicted} {count} times" for true, predicted, count in largest_confusions(matrix)
    )
    return (
        f"Confusion matrix of {len(matrix)} classes and {counts.sum()} images; {counts.trace()} of them on the "
        f"diagonal. Commonest errors: {errors or 'none'}."
    )


def read_confusions(matrix: pd.DataFrame) -> tuple[str, Mapping[str, Any]]:
    """Returns the sentences on the most frequent errors, each with the interval of its share, for `say`."""
    counts = matrix.to_numpy()
    total, errors = int(counts.sum()), int(counts.sum() - counts.trace())
    if not errors:
        return "In [@fig:confusion] every image is on the diagonal.", {}
    listed = largest_confusions(matrix, most=counts.size)
    shown, rest = listed[:MOST_KINDS], listed[MOST_KINDS:]
    of_class = dict(zip(matrix.columns, counts.sum(axis=1).tolist(), strict=True))
    values: dict[str, Any] = {"n": total, "errors": errors, "off": "is" if errors == 1 else "are"}
    parts = []
    for i, (true, predicted, count) in enumerate(shown):
        of = of_class[true]
        values |= {f"true_{i}": true, f"predicted_{i}": predicted, f"count_{i}": count, f"of_{i}": of}
        values[f"share_{i}"] = proportion_score(count, of)
        digits = ".0%" if of < _MANY else ".1%"
        parts.append(
            f"{{true_{i}}} taken for {{predicted_{i}}} ({{count_{i}:,}} of {{of_{i}:,}}, {{share_{i}:{digits}}}, "
            f"interval {{share_{i}.low:{digits}}} to {{share_{i}.high:{digits}}})"
        )
    sentence = "Of {n:,} test images, {errors:,} {off} off the diagonal of [@fig:confusion]. "
    sentence += f"{_introduce(listed)}: {'; '.join(parts)}."
    tied = sum(count == shown[-1][2] for _, _, count in rest)
    if tied and shown[0][2] > 1:
        values["tied"] = "Another kind of error is" if tied == 1 else f"{tied:,} other kinds of error are"
        sentence += " {tied} as frequent as the last of these."
    sentence += " [@fig:confused] shows examples."
    origins = {name: f"{_FILE}: row and column of these classes" for name in values if name[-1].isdigit()}
    origins |= {"n": f"{_FILE}: sum", "errors": f"{_FILE}: sum off the diagonal"}
    return sentence, Sourced(values, origins=origins)


def _introduce(listed: Sequence[tuple[str, str, int]]) -> str:
    if len(listed) == 1:
        return "All errors are of one kind"
    if listed[0][2] == 1:
        return (
            "No two are of the same kind; some of them" if len(listed) > MOST_KINDS else "No two are of the same kind"
        )
    return "Most frequent" if len(listed) > MOST_KINDS else "The kinds of error, most frequent first"


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


def describe_error(row: Mapping[str, Any]) -> str:
    """Returns the caption of an image that was taken for another class. Plain text."""
    return f"{name_file(row['path'])}: {row['label']} taken for {row['predicted']} ({format_share(row['confidence'])})"
