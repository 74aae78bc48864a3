"""Where a map has its evidence, in words and numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

_NINTHS = (
    ("upper left", "upper middle", "upper right"),
    ("middle left", "middle", "middle right"),
    ("lower left", "lower middle", "lower right"),
)


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


def describe_place(heatmap: np.ndarray) -> str:
    """Returns which ninth of an image holds most of a map, as 'lower left' or 'middle'; 'nowhere' of an empty one."""
    if not np.any(heatmap > 0):
        return "nowhere"
    ninths = enlarge(heatmap, (90, 90)).reshape(3, 30, 3, 30).sum(axis=(1, 3))
    row, column = np.unravel_index(int(ninths.argmax()), ninths.shape)
    return _NINTHS[row][column]


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


def read_maps(maps: np.ndarray, explained: pd.DataFrame) -> tuple[str, dict[str, Any]]:
    """Returns the sentences on maps, for `say`, and their values.

    Args:
        maps: float32 `(m, h, w)`, a map a row of `explained`, at least one.
        explained: From `list_explained`.
    """
    spread = measure_spread(maps)
    values: dict[str, Any] = {"rows": maps.shape[1], "columns": maps.shape[2], "empty": int(len(maps) - len(spread))}
    sentences = ["The maps have {rows} × {columns} places."]
    if len(spread):
        values["spread"] = float(np.median(spread))
        sentences.append(
            "In the median map {spread:.0%} of them hold half of the evidence; spread evenly, half of them would."
        )
    if values["empty"]:
        sentences.append("Of the maps {empty} {be} empty: no place speaks for the class.")
        values["be"] = "is" if values["empty"] == 1 else "are"
    places = [describe_place(heatmap) for heatmap in maps]
    wrong = [list(rows.index) for _, rows in explained.groupby("image") if len(rows) > 1]
    if len(wrong) == 1:
        names = [f"{places[row]} for {explained['class'][row]}" for row in wrong[0]]
        values["names"] = " and ".join(names)
        sentences.append("In the image that is called wrongly, the evidence is strongest: {names}.")
    elif wrong:
        values |= {"wrong": len(wrong), "same": sum(len({places[row] for row in rows}) == 1 for rows in wrong)}
        sentences.append(
            "In {same} of the {wrong} images that are called wrongly, the evidence for both classes is strongest in "
            "the same ninth."
        )
    return " ".join(sentences), values


def describe_maps(explained: pd.DataFrame, maps: np.ndarray, what: str = "the evidence") -> str:
    """Returns where each map has most, for readers who cannot see them.

    Args:
        explained: From `list_explained`.
        maps: float32 `(m, h, w)`, a map a row.
        what: What the maps are called.
    """
    parts = (
        f"{caption}: {describe_place(heatmap)}" for caption, heatmap in zip(explained["caption"], maps, strict=True)
    )
    return f"Where {what} is strongest, {'; '.join(parts)}."


def describe_choice(explained: pd.DataFrame, n: int) -> str:
    """Returns which of `n` images have maps, and which classes are explained, as sentences."""
    shown = explained["image"].nunique()
    first = f"The first {shown} of {n} images. " if shown < n else ""
    wrong = explained["image"].duplicated().any()
    return first + (
        "Where the network is wrong, the true class comes first, then the predicted one."
        if wrong
        else "Each is for the predicted class, which is the true one."
    )
