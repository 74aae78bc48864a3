"""Which pictures may be the same: pairs whose perceptual hashes differ in few bits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

RADIUS = 14
"""Largest Hamming distance of a candidate, of 64 bits. Of photographs cut by up to 5 % on each side 98 in 100 lie
within it, of those saved or scaled anew all; of pairs of different photographs 1 in 10,000."""
MOST_PARTNERS = 64
"""Candidates a picture at most, the closest ones: thousands of pictures that are nearly equal must not make millions of
pairs."""
_ROWS, _COLUMNS = 128, 4096  # a tile of distances fits into the processor's cache


@dataclass(frozen=True)
class Candidates:
    """Pairs of pictures that may be the same.

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


def parse_hashes(texts: np.ndarray) -> np.ndarray:
    """Returns uint64 `(n,)` of texts of 16 hexadecimal digits."""
    return np.array([int(text, 16) for text in texts], dtype=np.uint64)


def find_candidates(
    hashes: np.ndarray,
    mirrored: np.ndarray,
    *,
    radius: int = RADIUS,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> Candidates:
    """Compares every picture with every other one and its mirror image. The search is exact.

    Args:
        hashes: uint64 `(n,)`.
        mirrored: uint64 `(n,)`, hashes of the mirror images.
        radius: Largest Hamming distance, in bits.
        report: Called with the number of pictures done and the number in all.
    """
    parts = []
    for start in range(0, len(hashes), _ROWS):
        rows = slice(start, start + _ROWS)
        plain = [(*hit, False) for hit in _compare(hashes, rows, hashes, radius)]
        turned = [(*hit, True) for hit in _compare(hashes, rows, mirrored, radius)]
        parts.append(_keep_closest(plain + turned))
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
    """Returns int64 `(m, 3)`: first, second, mirrored; each pair once, at most `MOST_PARTNERS` for a first picture."""
    if not hits:
        return np.empty((0, 3), dtype=np.int64)
    first, second, distance = (np.concatenate([hit[index] for hit in hits]).astype(np.int64) for index in range(3))
    turned = np.concatenate([np.full(len(hit[0]), hit[3]) for hit in hits])
    order = np.lexsort((turned, distance, second, first))
    first, second, distance, turned = first[order], second[order], distance[order], turned[order]
    once = np.r_[True, (np.diff(first) != 0) | (np.diff(second) != 0)]
    first, second, distance, turned = first[once], second[once], distance[once], turned[once]
    order = np.lexsort((second, distance, first))
    first, second, turned = first[order], second[order], turned[order]
    starts = np.flatnonzero(np.r_[True, np.diff(first) != 0])
    rank = np.arange(len(first)) - np.repeat(starts, np.diff(np.r_[starts, len(first)]))
    kept = rank < MOST_PARTNERS
    return np.stack([first[kept], second[kept], turned[kept]], axis=1)
