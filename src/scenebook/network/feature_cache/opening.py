"""Which feature cache belongs to frozen layers and an augmentation: its name covers all that its rows depend on."""

from __future__ import annotations

import hashlib
import json
import math
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scenebook.core.cache import cache_dir
from scenebook.core.provenance import training_versions
from scenebook.network.code_digests import digest_augmentation_code, digest_frozen_code
from scenebook.network.feature_cache.cache import FeatureCache

_FORMAT = 1


def open_feature_cache(
    *,
    base: Mapping[str, Any],
    augmentation: Mapping[str, Any],
    shapes: Sequence[tuple[int, ...]],
    gigabytes: float = 4.0,
    folder: Path | None = None,
) -> FeatureCache:
    """Opens the feature cache of the frozen layers; several processes may have it open.

    Args:
        base: What the frozen layers' output depends on besides the image: digest of its weights and structure, image
            size, preprocessing, what it runs on. Anything that JSON can hold.
        augmentation: The ranges by their settings' names, and `augmentation_seed`. Where all ranges are zero, every
            view is the image as it is.
        shapes: The shapes of the tensors that the frozen layers put out, without the axis of the images.
        gigabytes: The most that all feature caches in the folder may take, in 10^9 bytes; 0: nothing is read or
            written.
        folder: Where feature caches lie; in the cache when it is not given.

    Returns:
        The feature cache. It closes itself as a context manager.
    """
    about = {"format": _FORMAT, "base": dict(base), "shapes": [list(shape) for shape in shapes]}
    about["code"] = digest_frozen_code()
    moves = {name: value for name, value in augmentation.items() if name != "augmentation_seed"}
    views = _digest({**augmentation, "code": digest_augmentation_code()})[:12] if any(moves.values()) else ""
    folder = folder or cache_dir() / "feature_cache"
    cache = FeatureCache(
        folder, shapes=shapes, gigabytes=gigabytes, key=_digest(about | _environment())[:20], views=views
    )
    cache.trim()
    return cache


def estimate_bytes(shapes: Sequence[tuple[int, ...]], rows: int) -> int:
    """Returns how many bytes a feature cache takes for so many rows, a row being one image in one view."""
    return rows * 4 * sum(math.prod(shape) for shape in shapes)


def _environment() -> dict[str, Any]:
    """Another version of a library, or another processor, may compute other last digits."""
    return {"versions": training_versions(), "machine": f"{platform.system()} {platform.machine()}"}


def _digest(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
