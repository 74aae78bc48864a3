"""Which images may be the same: pairs whose perceptual hashes differ in few bits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

RADIUS = 14
"""Largest Hamming distance of two images that are candidates, of 64 bits. Copies that were saved or scaled anew lie
within it; of pairs of different photographs 1 in 10,000."""
INNER_RADIUS = 12
"""The same where one of both is cut by 5 % on each side before: a copy that was cut on all sides may be further away
than `RADIUS`, but is near to what its original is without its edges."""
MOST_PARTNERS = 64
"""Candidates an image at most, the closest ones: thousands of images that are nearly equal must not make millions of
pairs."""
_ROWS, _COLUMNS = 128, 4096  # a tile of distances fits into the processor's cache


@dataclass(frozen=True)
class Hashes:
    """Hashes of images, uint64 `(n,)` each.

    Attributes:
        whole: Of the images.
        mirrored: Of their mirror images.
        inner: Of the images without their edges.
        inner_mirrored: Of the mirror images of these.
    """

    whole: np.ndarray
    mirrored: np.ndarray
    inner: np.ndarray
    inner_mirrored: np.ndarray

    @classmethod
    def of(cls, table: pd.DataFrame) -> Hashes:
        """Returns the hashes of a table with the columns of `dataset.measuring`."""
        return cls(
            *(
                np.array([int(text, 16) for text in table[name]], dtype=np.uint64)
                for name in ("phash", "phash_mirrored", "phash_inner", "phash_inner_mirrored")
            )
        )

    def __len__(self) -> int:
        return len(self.whole)


@dataclass(frozen=True)
class Candidates:
    """Pairs of images that may be the same; one may stand there twice, mirrored and not.

    Attributes:
        first: int64 `(n,)`, positions in the hashes.
        second: int64 `(n,)`, always above `first`.
        mirrored: bool `(n,)`: the second one is like the first one's mirror image.
    """

    first: np.ndarray
    second: np.ndarray
    mirrored: np.ndarray

    def __len__(self) -> int:
        return len(self.first)


def find_candidates(hashes: Hashes, *, report: Callable[[int, int], None] = lambda done, total: None) -> Candidates:
    """Compares every image with every other one and its mirror image. The search is exact.

    Args:
        hashes: Of the images.
        report: Called with the number of images done and the number in all.
    """
    comparisons = (
        (hashes.whole, hashes.whole, RADIUS, False),
        (hashes.whole, hashes.mirrored, RADIUS, True),
        (hashes.inner, hashes.whole, INNER_RADIUS, False),
        (hashes.whole, hashes.inner, INNER_RADIUS, False),
        (hashes.inner, hashes.mirrored, INNER_RADIUS, True),
        (hashes.whole, hashes.inner_mirrored, INNER_RADIUS, True),
    )
    parts = []
    for start in range(0, len(hashes), _ROWS):
        rows = slice(start, start + _ROWS)
        hits = [
            (*hit, turned)
            for mine, others, radius, turned in comparisons
            for hit in _compare(mine, rows, others, radius)
        ]
        parts.append(_keep_closest(hits))
        report(min(start + _ROWS, len(hashes)), len(hashes))
    found = np.concatenate(parts) if parts else np.empty((0, 3), dtype=np.int64)
    return Candidates(found[:, 0], found[:, 1], found[:, 2].astype(bool))


Hits = tuple[np.ndarray, np.ndarray, np.ndarray]


def _compare(hashes: np.ndarray, rows: slice, others: np.ndarray, radius: int) -> Iterator[Hits]:
    """Yields first, second and distance of the close pairs of these rows, tile by tile."""
    mine = hashes[rows, None]
    numbers = np.arange(rows.start, rows.start + len(mine))[:, None]
    for left in range(rows.start, len(others), _COLUMNS):
        distances = np.bitwise_count(mine ^ others[None, left : left + _COLUMNS])
        width = distances.shape[1]
        if left < rows.start + len(mine):
            distances[numbers >= np.arange(left, left + width)] = 255
        hits = np.flatnonzero(distances <= radius)
        if len(hits) > len(mine) * MOST_PARTNERS:
            # So many that sorting out the closest later would take all memory.
            closest = np.argsort(distances, axis=1, kind="stable")[:, :MOST_PARTNERS]
            hits = (np.arange(len(mine))[:, None] * width + closest)[
                np.take_along_axis(distances, closest, axis=1) <= radius
            ]
        if len(hits):
            first, second = np.divmod(hits, width)
            yield first + rows.start, second + left, distances[first, second]


def _keep_closest(hits: list[tuple[np.ndarray, np.ndarray, np.ndarray, bool]]) -> np.ndarray:
    """Returns int64 `(m, 3)`: first, second, mirrored; each once, at most `MOST_PARTNERS` for a first image."""
    if not hits:
        return np.empty((0, 3), dtype=np.int64)
    first, second, distance = (np.concatenate([hit[index] for hit in hits]).astype(np.int64) for index in range(3))
    turned = np.concatenate([np.full(len(hit[0]), hit[3]) for hit in hits])
    order = np.lexsort((distance, turned, second, first))
    first, second, distance, turned = first[order], second[order], distance[order], turned[order]
    once = np.r_[True, (np.diff(first) != 0) | (np.diff(second) != 0) | np.diff(turned)]
    first, second, distance, turned = first[once], second[once], distance[once], turned[once]
    order = np.lexsort((turned, second, distance, first))
    first, second, turned = first[order], second[order], turned[order]
    starts = np.flatnonzero(np.r_[True, np.diff(first) != 0])
    rank = np.arange(len(first)) - np.repeat(starts, np.diff(np.r_[starts, len(first)]))
    kept = rank < MOST_PARTNERS
    return np.stack([first[kept], second[kept], turned[kept]], axis=1)
