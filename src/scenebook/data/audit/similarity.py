"""Which images are the same: pairs with similar perceptual hashes, laid over each other and compared in their detail.

Two photographs of a beach agree in their large areas, sky above sea, and in nothing else. So what is compared is the
detail, after the areas have served to find out how one image must be shifted and stretched to lie on the other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd
from PIL import Image
from scipy import ndimage

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

SIDE = 48
"""Height and width of the grey images that are compared, in pixels; of 96 pixels, a copy at scale 0.5 has as many."""
WHOLE = 0.8
DETAIL = 0.8
"""Least correlations, of the images and of their detail. Copies of photographs (JPEG quality 40 to 90, scale 0.5 to
2, cut by up to 5 % a side) reach 0.97 and 0.83, two different ones whose hashes are close 0.97 and 0.5."""
FAINT = 0.75
"""Grey levels. Detail that is weaker on average is noise; nothing can be said of such an image."""

_MARGIN = 4  # what a cut of 5 % a side can push over the edge, and a bit
_DETAIL_SIGMA = 2.0
_STRETCH, _SHIFT = 0.15, 4.0


def find_candidates(
    table: pd.DataFrame, *, report: Callable[[int, int], None] = lambda done, total: None
) -> pd.DataFrame:
    """Compares the hashes of every image with those of every other one and its mirror image. The search is exact.

    Returns:
        A row a pair: first, second (positions in the table, first below second), and mirrored: the second one is like
        the first one's mirror image. A pair may stand there twice, mirrored and not.
    """
    names = ("phash", "phash_mirrored", "phash_inner", "phash_inner_mirrored")
    hashes = (np.array([int(text, 16) for text in table[name]], dtype=np.uint64) for name in names)
    whole, mirrored, inner, inner_mirrored = hashes
    comparisons = (
        (whole, whole, RADIUS, False),
        (whole, mirrored, RADIUS, True),
        (inner, whole, INNER_RADIUS, False),
        (whole, inner, INNER_RADIUS, False),
        (inner, mirrored, INNER_RADIUS, True),
        (whole, inner_mirrored, INNER_RADIUS, True),
    )
    columns = ["first", "second", "distance", "mirrored"]
    parts = [pd.DataFrame(columns=columns, dtype=np.int64)]
    for start in range(0, len(table), _ROWS):
        rows = slice(start, start + _ROWS)
        hits = [
            np.column_stack([*hit, np.full(len(hit[0]), turned)])
            for mine, others, radius, turned in comparisons
            for hit in _compare_hashes(mine, rows, others, radius)
        ]
        if hits:
            found = pd.DataFrame(np.concatenate(hits), columns=columns)
            found = found.sort_values(["first", "distance", "second", "mirrored"])
            found = found.drop_duplicates(["first", "second", "mirrored"])
            parts.append(found.groupby("first").head(MOST_PARTNERS))
        report(min(start + _ROWS, len(table)), len(table))
    pairs = pd.concat(parts, ignore_index=True).drop(columns="distance")
    return pairs.astype({"mirrored": bool})


def _compare_hashes(
    hashes: np.ndarray, rows: slice, others: np.ndarray, radius: int
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
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


def make_thumbnail(image: np.ndarray) -> np.ndarray:
    """Returns uint8 `(48, 48)`: an image, uint8 `(height, width, 3)`, in grey."""
    grey = Image.fromarray(image).convert("L")
    return np.asarray(grey.resize((SIDE, SIDE), Image.Resampling.BILINEAR))


def compare_detail(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Returns how alike the images of each pair are: 0 for different ones, else the correlation of their detail.

    Both are uint8 `(n, 48, 48)`, the second ones mirrored where they are to be compared mirrored.
    """
    alike = np.zeros(len(first), dtype=np.float32)
    a, b = first.astype(np.float32), second.astype(np.float32)
    small_a, small_b = (images.reshape(-1, SIDE // 2, 2, SIDE // 2, 2).mean(axis=(2, 4)) for images in (a, b))
    # Most candidates differ even in their large areas, which are where they are without being aligned.
    close = np.flatnonzero(_correlate(_smooth(small_a, 1.5), _smooth(small_b, 1.5)) >= WHOLE)
    if not len(close):
        return alike
    a, b = a[close], b[close]
    warps = _align(small_a[close], small_b[close], np.zeros((len(close), 4), dtype=np.float32), steps=4)
    nearer = np.flatnonzero(_correlate(a, _warp(b, warps)) >= WHOLE - 0.1)
    if not len(nearer):
        return alike
    a, b, close = a[nearer], b[nearer], close[nearer]
    warps = _align(_smooth(a, 1.0), _smooth(b, 1.0), warps[nearer], steps=3)
    fine_a, fine_b = a - _smooth(a, _DETAIL_SIGMA), b - _smooth(b, _DETAIL_SIGMA)
    whole, detail = _correlate(a, _warp(b, warps)), _correlate(fine_a, _warp(fine_b, warps))
    strength = np.minimum(np.abs(_inside(fine_a)).mean(axis=(1, 2)), np.abs(_inside(fine_b)).mean(axis=(1, 2)))
    same = (whole >= WHOLE) & (detail >= DETAIL) & (strength >= FAINT)
    alike[close[same]] = np.minimum(detail[same], 1)
    return alike


def _align(a: np.ndarray, b: np.ndarray, warps: np.ndarray, *, steps: int) -> np.ndarray:
    """Improves the warps that lay each `b` on its `a`, in a few Gauss-Newton steps (Lucas and Kanade, 1981).

    Gain and offset are fitted along, so that a copy may be brighter. A warp, a row of float32 `(n, 4)`, is the stretch
    less 1 and the shift in pixels of the full side, across and down.
    """
    n, side = len(a), a.shape[1]
    unit = SIDE / side
    a, b = _normalise(a), _normalise(b)
    inside = np.zeros((1, side, side), dtype=np.float32)
    _inside(inside)[:] = 1
    place = (np.arange(side, dtype=np.float32) - (side - 1) / 2) * unit
    across, down = np.gradient(a, axis=2) * inside / unit, np.gradient(a, axis=1) * inside / unit
    terms = [across * place, across, down * place[:, None], down, a * inside, np.broadcast_to(inside, a.shape)]
    slopes = np.stack(terms, axis=1).reshape(n, len(terms), -1)
    inverse = np.linalg.inv(slopes @ slopes.transpose(0, 2, 1) + 1e-2 * np.eye(len(terms), dtype=np.float32))
    solve = (inverse @ slopes)[:, :4]
    limits = np.array([_STRETCH, _SHIFT, _STRETCH, _SHIFT], dtype=np.float32)
    for _ in range(steps):
        rest = ((a - _warp(b, warps)) * inside).reshape(n, -1, 1)
        warps = np.clip(warps + (solve @ rest)[:, :, 0], -limits, limits)
    return warps


def _warp(images: np.ndarray, warps: np.ndarray) -> np.ndarray:
    """Stretches and shifts each image, bilinearly; stretching along the axes is a matrix on either side."""
    side = images.shape[1]
    across, down = _sample(warps[:, 0], warps[:, 1], side), _sample(warps[:, 2], warps[:, 3], side)
    return down @ images @ across.transpose(0, 2, 1)


def _sample(stretch: np.ndarray, shift: np.ndarray, side: int) -> np.ndarray:
    """Returns float32 `(n, side, side)`: row i holds the shares of the pixels that pixel i of the result is made of."""
    pixels = np.arange(side, dtype=np.float32)
    centre = (side - 1) / 2
    places = centre + (pixels - centre) * (1 + stretch[:, None]) + shift[:, None] * side / SIDE
    places = np.clip(places, 0, side - 1).astype(np.float32)
    return np.maximum(0, 1 - np.abs(places[:, :, None] - pixels))


def _smooth(images: np.ndarray, sigma: float) -> np.ndarray:
    return ndimage.gaussian_filter(images, (0, sigma, sigma), mode="nearest", truncate=3)


def _normalise(images: np.ndarray) -> np.ndarray:
    images = images - images.mean(axis=(1, 2), keepdims=True)
    return images / np.maximum(images.std(axis=(1, 2), keepdims=True), 1e-3)


def _inside(images: np.ndarray) -> np.ndarray:
    margin = _MARGIN * images.shape[1] // SIDE
    return images[:, margin:-margin, margin:-margin]


def _correlate(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    a, b = _inside(a), _inside(b)
    a, b = a - a.mean(axis=(1, 2), keepdims=True), b - b.mean(axis=(1, 2), keepdims=True)
    norms = np.sqrt((a * a).sum(axis=(1, 2)) * (b * b).sum(axis=(1, 2)))
    return (a * b).sum(axis=(1, 2)) / np.maximum(norms, 1e-6)
