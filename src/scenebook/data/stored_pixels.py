"""Reading memory-mapped files, the decoded images among them, without keeping in memory all that was read."""

from __future__ import annotations

import mmap
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

_PAGES = 1000  # images between two times that pages are let go of
_ROWS = 10_000  # rows of an array between two such times


def read_stored(stored: np.ndarray, rows: Iterable[int]) -> Iterator[np.ndarray]:
    """Yields images, uint8 `(height, width, 3)`, of an array that may be memory-mapped, and lets go of what was read.

    Pages that were read would otherwise count as this process's memory: in the end, all images.
    """
    for place, row in enumerate(rows, start=1):
        yield np.asarray(stored[row])
        if place % _PAGES == 0:
            release_pages(stored)


def take_rows(array: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Returns a copy of rows of an array that may be memory-mapped, and lets go of what was read.

    Args:
        array: `(n, ...)`.
        places: Of the rows, int64 `(m,)`.
    """
    taken = np.empty((len(places), *array.shape[1:]), array.dtype)
    for start in range(0, len(places), _ROWS):
        taken[start : start + _ROWS] = array[places[start : start + _ROWS]]
        release_pages(array)
    return taken


def release_pages(array: np.ndarray) -> None:
    """Takes what was read of a memory-mapped file out of this process's memory, where the system can."""
    base: Any = array
    while isinstance(base, np.ndarray):
        base = base.base
    if isinstance(base, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        base.madvise(mmap.MADV_DONTNEED)
