"""How numbers are rounded before they are trained on, whether or not a feature cache keeps them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

FLOAT16 = "float16"
FLOAT32 = "float32"
_EXPONENT = np.uint16(0x7C00)  # all ones in float16: infinite, or no number

_AS_FLOAT32 = np.arange(2**16, dtype=np.uint16).view(np.float16).astype(np.float32)


def widen(halves: np.ndarray) -> np.ndarray:
    """Returns float16 values as float32, which is exact; looked up, which is twice as fast as NumPy's conversion."""
    return _AS_FLOAT32[halves.view(np.uint16)]


def narrow_rows(arrays: Sequence[np.ndarray]) -> tuple[list[np.ndarray], np.ndarray]:
    """Rounds rows to float16, and finds those which do not fit.

    Args:
        arrays: float32 `(n, ...)` each.

    Returns:
        float16 arrays of the same shapes, and which rows hold a value that float16 cannot: one beyond ±65,504, or no
        number at all; bool `(n,)`.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        halves = [np.asarray(array).astype(np.float16) for array in arrays]
    wide = np.zeros(len(halves[0]), dtype=bool)
    for half in halves:
        bits = half.reshape(len(half), -1).view(np.uint16)
        wide |= ((bits & _EXPONENT) == _EXPONENT).any(axis=1)
    return halves, wide


def widen_rows(halves: Sequence[np.ndarray], wide: np.ndarray, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Returns float32 `(n, ...)` a tensor: the rounded values, but the exact ones of the rows that are wide."""
    rounded = [widen(half) for half in halves]
    if wide.any():
        for array, exact in zip(rounded, arrays, strict=True):
            array[wide] = exact[wide]
    return rounded


def round_rows(arrays: Sequence[np.ndarray], dtype: str) -> list[np.ndarray]:
    """Returns what a feature cache of this dtype gives back for these rows.

    What is trained on goes through this whether it was just computed or comes from the disk, so that no result depends
    on what a feature cache happens to hold. A row that does not fit into float16 stays exact, and whether it fits
    depends on nothing but the row.

    Args:
        arrays: float32 `(n, ...)` each: the tensors that the frozen layers put out.
        dtype: `float16` or `float32`.

    Returns:
        float32 arrays of the same shapes: the same values for float32, the nearest float16 values for float16.
    """
    arrays = [np.asarray(array, dtype=np.float32) for array in arrays]
    return arrays if dtype == FLOAT32 else widen_rows(*narrow_rows(arrays), arrays)
