"""Whether maps show what a network uses: what it makes of images without it, and of maps without what was learned."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from scipy.ndimage import gaussian_filter
from scipy.stats import rankdata

from scenebook.evaluation.attribution.places import enlarge
from scenebook.evaluation.metrics.intervals import bootstrap_mean

SHARE = 0.25
"""Of an image is blurred, to see whether the network misses it."""
MOST_CHECKED = 48
"""Images on which maps are checked, at most."""
_TIES = 1e-3
_BLUR, _EDGE = 8, 30  # an image's side, divided by these: standard deviations of the blur, and of the mask's edge


def correlate_ranks(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Returns the rank correlation (Spearman) of two maps of each image, of those in which both maps vary.

    Args:
        one: float32 `(n, h, w)`.
        other: As `one`: other maps of the same images.

    Returns:
        float64 `(m,)` in `[-1, 1]`, `m` at most `n`.
    """
    flat = [maps.reshape(len(maps), -1) for maps in (one, other)]
    varied = np.logical_and(*(np.ptp(maps, axis=1) > 0 for maps in flat))
    if not varied.any():
        return np.zeros(0)
    ranks = [rankdata(maps[varied], axis=1) for maps in flat]
    first, second = (rank - rank.mean(axis=1, keepdims=True) for rank in ranks)
    norm = np.sqrt((first**2).sum(axis=1) * (second**2).sum(axis=1))
    return np.clip((first * second).sum(axis=1) / norm, -1, 1)


def soften(images: np.ndarray) -> np.ndarray:
    """Returns images, uint8 `(n, height, width, 3)`, of which only the colours of large parts are left, float32."""
    deviation = max(images.shape[1:3]) / _BLUR
    return gaussian_filter(images.astype(np.float32), (0, deviation, deviation, 0), mode="nearest")


def blur(images: np.ndarray, heatmaps: np.ndarray, softened: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Blurs the quarter of each image in which its map is strongest, and the one in which it is weakest.

    What is blurred keeps its colours and gets a soft edge: a grey patch would be something new to see.

    Args:
        images: uint8 `(n, height, width, 3)`.
        heatmaps: float32 `(n, h, w)`.
        softened: What `soften` makes of the images, where it is known.

    Returns:
        The images without what is strongest, and without what is weakest: uint8, as `images`.
    """
    height, width = images.shape[1:3]
    side = max(height, width)
    values = np.stack([enlarge(heatmap, (height, width)) for heatmap in heatmaps])
    # Large parts of a map can be 0. Of these, what is farther from the evidence counts as weaker.
    values = (values + _TIES * gaussian_filter(values, (0, side / 3, side / 3))).reshape(len(images), -1)
    order = np.argsort(values, axis=1, kind="stable")
    softened = soften(images) if softened is None else softened
    quarter = round(SHARE * values.shape[1])

    def hide(places: np.ndarray) -> np.ndarray:
        masks = np.zeros(values.shape, dtype=np.float32)
        np.put_along_axis(masks, places, 1, axis=1)
        soft = gaussian_filter(masks.reshape(-1, height, width), (0, side / _EDGE, side / _EDGE))[..., None]
        return (images + soft * (softened - images)).round().clip(0, 255).astype(np.uint8)

    return hide(order[:, -quarter:]), hide(order[:, :quarter])


def check_maps(
    images: np.ndarray,
    classes: np.ndarray,
    kinds: dict[str, np.ndarray],
    predict: Callable[[np.ndarray], np.ndarray],
    *,
    seed: int,
) -> dict[str, Any]:
    """Checks maps: does the network miss what they point at, and how like the first kind are the others?

    Most images have their subject in the middle, and any map may find it there. So the maps of the first kind are
    checked on other images, too, and what an image's own map is worth is what it finds beyond that.

    Args:
        images: uint8 `(n, height, width, 3)`.
        classes: int `(n,)`: the position of the class that the maps explain.
        kinds: A name to maps of these images, float32 `(n, h, w)`; those of all kinds are of one shape.
        predict: From uint8 images to probabilities, float `(m, num_classes)`.
        seed: Of the bootstrap.

    Returns:
        `n` and `unblurred`, the mean probability of these classes. For each kind, and for `other`, the first kind's
        maps of other images: `<name>_strongest` and `<name>_weakest`, the mean probability when that quarter is
        blurred; `<name>_loss`, a score: how much more the first costs than the second; `<name>_agreement`, the median
        rank correlation with the maps of the first kind, `None` where none varies. `gain`, a score: how much larger the
        loss is with the first kind's own maps than with those of other images.
    """
    n, first = len(images), next(iter(kinds.values()))
    checks: dict[str, Any] = {"n": n, "unblurred": float(predict(images)[np.arange(n), classes].mean())}
    losses, softened = {}, soften(images)
    # Images stand class by class: half of them further, there is mostly another class.
    for name, maps in {**kinds, "other": np.roll(first, n // 2, axis=0)}.items():
        probs = predict(np.concatenate(blur(images, maps, softened))).astype(float)
        strongest, weakest = probs.reshape(2, n, -1)[:, np.arange(n), classes]
        losses[name] = weakest - strongest
        correlations = correlate_ranks(first, maps)
        checks[f"{name}_strongest"], checks[f"{name}_weakest"] = float(strongest.mean()), float(weakest.mean())
        checks[f"{name}_loss"] = bootstrap_mean(losses[name], seed=seed)
        checks[f"{name}_agreement"] = float(np.median(correlations)) if len(correlations) else None
    return {**checks, "gain": bootstrap_mean(losses[next(iter(kinds))] - losses["other"], seed=seed)}


def tabulate_checks(checks: dict[str, Any], names: dict[str, str]) -> pd.DataFrame:
    """Returns the table of `check_maps`, a row a kind; `names` maps its key to what it is called."""
    return pd.DataFrame(
        [
            {
                "map": title,
                "strongest blurred": checks[f"{key}_strongest"],
                "weakest blurred": checks[f"{key}_weakest"],
                "difference": checks[f"{key}_loss"]["value"],
                "95% interval": "{low:z.3f} to {high:z.3f}".format(**checks[f"{key}_loss"]),
                "agreement": checks[f"{key}_agreement"],
            }
            for key, title in names.items()
        ]
    )
