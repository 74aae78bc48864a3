"""An image with a map of evidence on it, and the scale of its colours."""

from __future__ import annotations

import numpy as np
from matplotlib import colormaps
from PIL import Image

from scenebook.evaluation.attribution.checks import enlarge

OVERLAY_SIDE = 360
"""Longest side of an overlay in pixels: maps are smooth, and small images are enlarged so that they look it."""
_GREY = (0.299, 0.587, 0.114)  # ITU-R BT.601
_MOST_OPAQUE = 0.8


def overlay(image: np.ndarray, heatmap: np.ndarray) -> np.ndarray:
    """Returns an image, uint8 `(height, width, 3)`, with a map on it: it becomes grey, so that all colour is the map's.

    The map, float32 `(h, w)` and at least 0, is stretched over the image and shown relative to its own maximum: grey
    where it is 0, then violet, red, and yellow at the maximum. The colours differ in lightness, too, so that they can
    be told apart by people who do not see all of them, and in print. A strip at the right shows them, the maximum on
    top. The image's longest side becomes `OVERLAY_SIDE`.
    """
    base = _resize(image)
    values = enlarge(heatmap, (base.shape[0], base.shape[1]))
    painted = _paint(base @ np.array(_GREY), values / max(float(values.max()), np.finfo(np.float32).tiny))
    return np.hstack([painted, _scale(len(painted))])


def _resize(image: np.ndarray) -> np.ndarray:
    height, width = image.shape[:2]
    factor = OVERLAY_SIDE / max(height, width)
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BICUBIC))


def _paint(grey: np.ndarray, values: np.ndarray) -> np.ndarray:
    # The darkest colours are left out: on an image they would be shadows.
    colors = colormaps["inferno"](0.3 + 0.7 * values)[..., :3] * 255
    opacity = _MOST_OPAQUE * values[..., None] ** 0.7
    return ((1 - opacity) * grey[..., None] + opacity * colors).round().clip(0, 255).astype(np.uint8)


def _scale(height: int) -> np.ndarray:
    values = np.repeat(np.linspace(1, 0, height)[:, None], OVERLAY_SIDE // 30, axis=1)
    strip = _paint(np.full(values.shape, 160.0), values)
    return np.hstack([np.full((height, OVERLAY_SIDE // 60, 3), 255, dtype=np.uint8), strip])
