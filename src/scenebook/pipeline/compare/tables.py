"""Tables of two runs: what differs in them, in numbers that a tolerance can be held against."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype

_WEIGHTS = ("support", "n")


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
