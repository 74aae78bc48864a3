"""Where a map has its evidence, in words and numbers."""

from __future__ import annotations

import numpy as np
import pandas as pd
from PIL import Image


def list_explained(predictions: pd.DataFrame, most: int) -> pd.DataFrame:
    """Lists the classes to explain: the predicted one of each image and, where that is wrong, the true one before it.

    Args:
        predictions: At least the columns label and predicted, a row an image.
        most: Images; further ones are left out.

    Returns:
        The columns image (its row, from 0), class and caption.
    """
    rows = []
    for image, (label, predicted) in enumerate(zip(predictions["label"], predictions["predicted"], strict=True)):
        if image == most:
            break
        if label == predicted:
            rows.append((image, label, f"for {label}"))
        else:
            rows += [(image, label, f"for {label} (true)"), (image, predicted, f"for {predicted} (predicted)")]
    return pd.DataFrame(rows, columns=["image", "class", "caption"])


def enlarge(heatmap: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Returns a map at the size of an image, float32 `(height, width)`: bilinear between the centres of its places."""
    image = Image.fromarray(np.asarray(heatmap, dtype=np.float32))
    return np.asarray(image.resize((size[1], size[0]), Image.Resampling.BILINEAR))


def measure_spread(heatmaps: np.ndarray) -> np.ndarray:
    """Returns the share of places that holds half of each map: 0.5 where it is even, less the narrower it is.

    Args:
        heatmaps: float32 `(n, h, w)`.

    Returns:
        float64 `(m,)` in `(0, 0.5]`, of the maps that are not empty.
    """
    falling = -np.sort(-heatmaps.reshape(len(heatmaps), -1).astype(np.float64), axis=1)
    falling = falling[falling.sum(axis=1) > 0]
    reached = np.cumsum(falling, axis=1) / falling.sum(axis=1, keepdims=True)
    below = (reached < 0.5).sum(axis=1)
    # Of the place in which the half is reached, the part counts that is needed.
    before = np.concatenate([np.zeros((len(reached), 1)), reached], axis=1)
    rows = np.arange(len(reached))
    part = (0.5 - before[rows, below]) / (reached[rows, below] - before[rows, below])
    return (below + part) / heatmaps[0].size if len(reached) else np.zeros(0)
