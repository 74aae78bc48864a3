"""How far a repeated run may be from the first one: not at all on the same type of machine, else a little.

The tolerances are for another processor, system or version of a library: there sums are rounded in another order, and
training makes more of that with every step. Measured on the sample profile between two runtimes of the frozen layers,
OpenVINO and TensorFlow: no predicted class differs, no probability by more than 2e-6, no loss by more than 4e-7. They
are far wider than that because longer trainings of larger heads amplify more, and far narrower than what other data,
another seed or another recipe would do.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype

SHARE = 0.02
"""Of what lies between 0 and 1, an accuracy or a probability: the largest absolute difference."""
FEWEST = 2
"""So many of the images may go the other way in any case: of 20 test images, one is 0.05 of the accuracy."""
LOSS = 0.05
"""Of a loss, which has no upper bound: the largest difference as a share of what is expected."""
BOUNDS = 2.0
"""The bounds of an interval may differ by so many times the tolerance of their score: near 0 and 1 they move faster."""
LEAST_LOSS = 0.01
"""A loss may differ by this in any case: near 0, a share of it would be less than rounding."""
SCHEDULED = 1e-6
"""Of the learning rate, which is computed and not trained: the largest relative difference."""
EQUAL, WITHIN, DIFFERENT, MISSING = "equal", "within", "different", "missing"
_WEIGHTS = ("support", "n")


@dataclass(frozen=True)
class Rule:
    """Which differences are accepted.

    Attributes:
        same_machine: Whether the machine and all versions are those of the run: then no difference is.
    """

    same_machine: bool

    def of_share(self, n: float) -> float:
        """Returns the largest difference of a score between 0 and 1 that was counted on n images."""
        return 0.0 if self.same_machine else max(SHARE, min(1.0, FEWEST / max(n, 1)))

    def of_images(self, n: int) -> float:
        """Returns how many of n images may have another class."""
        return self.of_share(n) * n

    def of_mean(self) -> float:
        """Returns the largest mean difference of what lies between 0 and 1."""
        return 0.0 if self.same_machine else SHARE

    def of_loss(self, expected: np.ndarray | float) -> np.ndarray:
        """Returns the largest difference of each expected loss."""
        return np.zeros_like(expected) if self.same_machine else np.maximum(LOSS * np.abs(expected), LEAST_LOSS)

    def of_schedule(self, expected: np.ndarray) -> np.ndarray:
        """Returns the largest difference of each expected learning rate."""
        return np.zeros_like(expected) if self.same_machine else SCHEDULED * np.abs(expected)


def judge(differences: np.ndarray | float, tolerances: np.ndarray | float) -> str:
    """Returns `equal`, `within` or `different`: the worst of absolute differences, each with its tolerance."""
    if not np.any(differences):
        return EQUAL
    # Two of 20 images are 0.1 but for rounding; no tolerance stays none.
    return WITHIN if np.all(differences <= np.asarray(tolerances) * (1 + 1e-9)) else DIFFERENT


def worst(*statuses: str) -> str:
    """Returns the worst of what `judge` returned."""
    return max(statuses, key=(EQUAL, WITHIN, DIFFERENT, MISSING).index)


@dataclass(frozen=True)
class TableDifference:
    """How two tables of the same columns differ.

    Attributes:
        rows: Rows of the first table.
        unmatched: Rows that only one of them has.
        texts: Rows with another text, in the column in which most have.
        numbers: The largest mean difference of a column of numbers: absolute where all lie in `[0, 1]`, else as a share
            of the column's largest one. A row counts by its images where a column says how many it stands for.
    """

    rows: int
    unmatched: int
    texts: int
    numbers: float


def compare_tables(first: pd.DataFrame, second: pd.DataFrame) -> TableDifference:
    """Compares two tables of the same columns, rows by their path, or by their place where there is none."""
    rows, most = len(first), max(len(first), len(second))
    if "path" in first and not first["path"].duplicated().any() and not second["path"].duplicated().any():
        common = first["path"][first["path"].isin(second["path"])]
        most = rows + len(second) - len(common)
        first, second = (table.set_index("path", drop=False).loc[common] for table in (first, second))
    length = min(len(first), len(second))
    first, second = (table.iloc[:length].reset_index(drop=True) for table in (first, second))
    numeric = [name for name in first if is_numeric_dtype(first[name]) and is_numeric_dtype(second[name])]
    others = [name for name in first if name not in numeric]
    texts = max((int((first[name].astype(str) != second[name].astype(str)).sum()) for name in others), default=0)
    weights = next((first[name].to_numpy(float) for name in _WEIGHTS if name in numeric), np.ones(length))
    numbers = max((_mean_difference(first[name], second[name], weights) for name in numeric), default=0.0)
    return TableDifference(rows, most - length, texts, numbers)


def list_differences(first: pd.Series, second: pd.Series) -> np.ndarray:
    """Returns the absolute differences of two columns, float `(n,)`.

    What is missing in both, or the same text in both, differs by 0; what is missing in one, or is another text, by
    infinity.
    """
    if not all(is_numeric_dtype(column) for column in (first, second)):
        return np.where(first.astype(str).to_numpy() == second.astype(str).to_numpy(), 0.0, np.inf)
    one, other = (column.to_numpy(dtype=float, na_value=np.nan) for column in (first, second))
    same = (one == other) | (np.isnan(one) & np.isnan(other))
    with np.errstate(invalid="ignore"):
        return np.where(same, 0.0, np.nan_to_num(np.abs(one - other), nan=np.inf))


def _mean_difference(first: pd.Series, second: pd.Series, weights: np.ndarray) -> float:
    differences = list_differences(first, second)
    known = first.to_numpy(dtype=float, na_value=np.nan)
    largest = float(np.nanmax(np.abs(known))) if np.isfinite(known).any() else 0.0
    scale = 1.0 if np.all((known >= 0) & (known <= 1) | np.isnan(known)) else largest
    if not differences.any():
        return 0.0
    if not np.isfinite(differences).all() or weights.sum() <= 0:
        return float("inf")
    return float((differences * weights).sum() / weights.sum() / scale)
