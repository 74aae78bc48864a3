"""Maps on their images, which classes they explain, and whether they show what a network uses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import colormaps
from PIL import Image
from scipy.ndimage import gaussian_filter
from scipy.stats import spearmanr

from scenebook.evaluation.metrics.intervals import bootstrap_mean

MOST_CHECKED = 48  # images on which maps are checked, at most
FEWEST_CHECKED = 10
"""Of fewer images nothing is concluded: an interval from resampling them is too narrow."""
_BLUR, _EDGE = 8, 30  # an image's side, divided by these: standard deviations of the blur, and of the mask's edge


def compute_rank_correlations(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Returns Spearman's rank correlation of two maps, float32 `(n, h, w)`, of each image in which both maps vary."""
    pairs = [(a.ravel(), b.ravel()) for a, b in zip(one, other, strict=True) if np.ptp(a) > 0 and np.ptp(b) > 0]
    return np.array([spearmanr(a, b).statistic for a, b in pairs])


def soften(images: np.ndarray) -> np.ndarray:
    """Returns images, uint8 `(n, height, width, 3)`, of which only the colours of large parts are left, float32."""
    deviation = max(images.shape[1:3]) / _BLUR
    return gaussian_filter(images.astype(np.float32), (0, deviation, deviation, 0), mode="nearest")


def blur(images: np.ndarray, heatmaps: np.ndarray, softened: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Blurs the quarter of each image, uint8, in which its map is strongest, and the one in which it is weakest.

    What is blurred keeps its colours, as `soften` leaves them, and gets a soft edge: a grey patch would be something
    new to see.
    """
    height, width = images.shape[1:3]
    side = max(height, width)
    values = np.stack([enlarge(heatmap, (height, width)) for heatmap in heatmaps])
    # Large parts of a map can be 0. Of these, what is farther from the evidence counts as weaker.
    values = (values + 1e-3 * gaussian_filter(values, (0, side / 3, side / 3))).reshape(len(images), -1)
    order = np.argsort(values, axis=1, kind="stable")
    quarter = round(values.shape[1] / 4)

    def hide(places: np.ndarray) -> np.ndarray:
        masks = np.zeros(values.shape, dtype=np.float32)
        np.put_along_axis(masks, places, 1, axis=1)
        soft = gaussian_filter(masks.reshape(-1, height, width), (0, side / _EDGE, side / _EDGE))[..., None]
        return (images + soft * (softened - images)).round().clip(0, 255).astype(np.uint8)

    return hide(order[:, -quarter:]), hide(order[:, :quarter])


def check_maps(
    images: np.ndarray,
    classes: np.ndarray,
    kinds: Mapping[str, np.ndarray],
    unlearned: Mapping[str, np.ndarray],
    predict: Callable[[np.ndarray], np.ndarray],
    *,
    seed: int,
) -> dict[str, Any]:
    """Checks maps: does the network miss what they point at, and would another image's map, or random weights, do?

    Of the kinds, that one is chosen whose maps the network misses most. Most images have their subject in the middle,
    and any map may find it there: so the maps of the chosen kind are checked on other images, too, and what an image's
    own map is worth is what it finds beyond that.

    Args:
        images: uint8 `(n, height, width, 3)`; classes, int `(n,)`, are positions of those that the maps explain.
        kinds: A name to maps of these images, float32 `(n, h, w)`; the first is chosen where there are too few to tell.
        unlearned: The same kinds, from the network with random weights.
        predict: From uint8 images to probabilities, float `(m, num_classes)`.

    Returns:
        `n`; `chosen`, a kind; and `unblurred`, the mean probability of these classes. For each kind, for `other`, the
        chosen kind's maps of other images, and for `random`, its maps with random weights: `<name>_strongest` and
        `<name>_weakest`, the mean probability when that quarter is blurred; `<name>_loss`, a score: how much more the
        first costs than the second; `<name>_agreement`, the median rank correlation with the maps of the chosen kind,
        `None` where none varies. `gain`, a score: how much more is lost with an image's own map than with another's.
    """
    n, softened = len(images), soften(images)
    rows = np.arange(n)

    def measure(maps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        probs = predict(np.concatenate(blur(images, maps, softened))).astype(float)
        strongest, weakest = probs.reshape(2, n, -1)[:, rows, classes]
        return strongest, weakest

    measured = {name: measure(maps) for name, maps in kinds.items()}
    chosen = max(measured, key=lambda name: float((measured[name][1] - measured[name][0]).mean()))
    if n < FEWEST_CHECKED:
        chosen = next(iter(kinds))
    # Images stand class by class: half of them further, there is mostly another class.
    others = {"other": np.roll(kinds[chosen], n // 2, axis=0), "random": unlearned[chosen]}
    measured |= {name: measure(maps) for name, maps in others.items()}
    losses = {name: weakest - strongest for name, (strongest, weakest) in measured.items()}
    checks: dict[str, Any] = {"n": n, "chosen": chosen, "unblurred": float(predict(images)[rows, classes].mean())}
    for name, maps in {**kinds, **others}.items():
        correlations = compute_rank_correlations(kinds[chosen], maps)
        checks[f"{name}_strongest"], checks[f"{name}_weakest"] = (float(part.mean()) for part in measured[name])
        checks[f"{name}_loss"] = bootstrap_mean(losses[name], seed=seed)
        checks[f"{name}_agreement"] = float(np.median(correlations)) if len(correlations) else None
    return {**checks, "gain": bootstrap_mean(losses[chosen] - losses["other"], seed=seed)}


def tabulate_checks(checks: dict[str, Any], kinds: Mapping[str, str]) -> pd.DataFrame:
    """Returns the table of `check_maps`, a row a kind; `kinds` maps the key of each to what it is called."""
    title = kinds[checks["chosen"]]
    rows = []
    for key, name in {**kinds, "other": f"{title} of another image", "random": f"{title}, random weights"}.items():
        strongest, weakest, loss, agreement = (
            checks[f"{key}_{name}"] for name in ("strongest", "weakest", "loss", "agreement")
        )
        interval = "{low:z.3f} to {high:z.3f}".format(**loss).replace("-", "\N{MINUS SIGN}")
        rows.append((name, strongest, weakest, loss["value"], interval, agreement))
    columns = ["map", "strongest blurred", "weakest blurred", "difference", "95% interval", "agreement"]
    return pd.DataFrame(rows, columns=columns)


def list_explained(predictions: pd.DataFrame, most: int) -> pd.DataFrame:
    """Lists the classes to explain: the predicted one of each image and, where that is wrong, the true one before it.

    Columns: image (its row in the predictions, from 0; below `most`), class and caption.
    """
    rows = []
    for image, (label, predicted) in enumerate(predictions[["label", "predicted"]].head(most).to_numpy().tolist()):
        if label == predicted:
            rows.append((image, label, f"for {label}"))
        else:
            rows += [(image, label, f"for {label} (true)"), (image, predicted, f"for {predicted} (predicted)")]
    return pd.DataFrame(rows, columns=["image", "class", "caption"])


def enlarge(heatmap: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Returns a map at the size of an image, float32 `(height, width)`: bilinear between the centres of its places."""
    image = Image.fromarray(np.asarray(heatmap, dtype=np.float32))
    return np.asarray(image.resize((size[1], size[0]), Image.Resampling.BILINEAR))


def compute_spread(heatmaps: np.ndarray) -> np.ndarray:
    """Returns the share of places that holds half of each map that is not empty, float64 `(m,)` in `(0, 0.5]`.

    It is 0.5 where the map, of float32 `(n, h, w)`, is even, and less the narrower it is.
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
