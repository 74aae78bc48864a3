"""Predictions with known confusion matrices."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

NAMES = ["Buildings", "Forest", "Glacier", "Mountain", "Sea", "Street"]
# As the paper prints it.
PAPER = np.array(
    [
        [1006, 4, 7, 2, 12, 113],
        [3, 1144, 3, 7, 4, 5],
        [3, 7, 1020, 242, 53, 5],
        [5, 7, 73, 1140, 70, 2],
        [11, 7, 35, 73, 993, 9],
        [67, 10, 9, 4, 9, 1137],
    ]
)
HOSTILE = ["<b>bold</b>", 'said "so"', "*a* | b", "🌲 forest", "{name}", "[@fig:x]"]
"""Class names that are markup somewhere."""


def matrix_of(counts: np.ndarray | Sequence[Sequence[int]], names: Sequence[str]) -> pd.DataFrame:
    return pd.DataFrame(np.asarray(counts), index=pd.Index(names, name="label"), columns=list(names))


def predictions_of(counts: np.ndarray | Sequence[Sequence[int]], names: Sequence[str]) -> pd.DataFrame:
    """Predictions with exactly this confusion matrix, each with probability 0.9 for the predicted class."""
    rows = []
    for true, row in enumerate(np.asarray(counts)):
        for predicted, count in enumerate(row):
            probs = np.full(len(names), 0.1 / (len(names) - 1))
            probs[predicted] = 0.9
            rows += [[names[true], names[predicted], 0.9, *probs]] * int(count)
    return pd.DataFrame(rows, columns=["label", "predicted", "confidence", *(f"p_{name}" for name in names)])
