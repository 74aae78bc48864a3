"""The features of images: what a network that is not trained yet makes of them, through the feature cache."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import keras
import numpy as np

from scenebook.core.errors import ScenebookError
from scenebook.core.run_directory import RunDirectory
from scenebook.core.run_files import IMAGES
from scenebook.core.settings import Settings, make_settings
from scenebook.data.splitting import SplitImages
from scenebook.network.feature_stream import MakeBatches, collect_features, stream_plain
from scenebook.network.frozen.cutting import describe_frozen_layers
from scenebook.network.frozen.running import FrozenRuntime, compile_frozen_layers
from scenebook.network.pretrained import build_extractor
from scenebook.network.recipe.caching import RecipeCaches
from scenebook.network.recipe.predicting import prepare_plain
from scenebook.network.recipe.recipe import Recipe
from scenebook.network.recipe.source import load_source

_AT_ONCE = 1024  # images whose features are kept at a time
_PREPARE = ("prepare",)


class FeatureExtraction(AbstractContextManager["FeatureExtraction"]):
    """Computes features, and leaves them in the feature cache, where a head that starts as a linear classifier looks.

    `prepare`, of the recipe, is given images of the size of `images`, and the settings.
    """

    def __init__(
        self, prepare: Callable[..., Any], settings: Settings, model: keras.Model, images: SplitImages
    ) -> None:
        self._extractor, self._settings = build_extractor(model), settings
        self._run_extractor = compile_frozen_layers(self._extractor, settings.frozen_layers_runtime)
        self._recipe = Recipe({**getattr(prepare, "__globals__", {}), "prepare": prepare}, _PREPARE)
        self._caches = RecipeCaches(self._recipe, settings, images, views=False)
        self._caches.open(self._extractor, self._run_extractor.name, keep_views=False)

    @property
    def stopped(self) -> str:
        """Why nothing is kept, as a clause; empty where features are kept."""
        return self._caches.plain.stopped

    def compute(
        self,
        images: SplitImages,
        make_ds: MakeBatches,
        report: Callable[[int, int], None] = lambda done, total: None,
    ) -> np.ndarray:
        """Returns the features of images as they are, float32 `(n, d)`; `make_ds` makes batches through `prepare`."""
        rows = stream_plain(self._run_extractor, make_ds, images, self._caches.plain, size=_AT_ONCE)
        return collect_features(rows, len(images), report)

    def list_missing(self, images: SplitImages) -> np.ndarray:
        """Returns the positions of the images whose features are not kept, int64 `(m,)`."""
        return np.flatnonzero(~self._caches.plain.known(None, images.digests))

    def keep(self, images: SplitImages, features: np.ndarray) -> None:
        """Keeps features of images, float32 `(n, d)`, that were computed elsewhere."""
        self._caches.plain.write(None, images.digests, [features])

    @contextmanager
    def describe(self, run_dir: RunDirectory) -> Iterator[dict[str, Any]]:
        """Yields what `extract_elsewhere` needs. A file of it lies in the run's folder meanwhile."""
        file = run_dir.path(f"training/.extractor-{uuid.uuid4().hex}.keras")
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._extractor.save(file)
            yield {
                "file": file,
                "digest": describe_frozen_layers(self._extractor)["digest"],
                "runtime": self._run_extractor.name,
                "source": self._recipe.collect_source(),
                "code": self._recipe.digest(states=False).parts,
                "settings": self._settings.model_dump(),
                "images": run_dir.path(IMAGES),
            }
        finally:
            file.unlink(missing_ok=True)

    def __exit__(self, *error: object) -> None:
        self._caches.close()


def extract_elsewhere(about: Mapping[str, Any], rows: np.ndarray, digests: Sequence[str]) -> np.ndarray:
    """Returns features in a process that knows only the run's folder, float32 `(n, d)`.

    `about` is from `FeatureExtraction.describe`; rows, int64 `(n,)`, say where the images stand among the decoded ones.

    Raises:
        ScenebookError: This process would compute something else.
    """
    recipe = Recipe(vars(load_source(about["source"])), _PREPARE)
    settings = make_settings(dict(about["settings"]))
    run_extractor, digest = _load(about["file"], settings.frozen_layers_runtime)
    here = {"layers": digest, "runtime": run_extractor.name, **recipe.digest(states=False).parts}
    there = {"layers": about["digest"], "runtime": about["runtime"], **about["code"]}
    changed = sorted(name for name in here.keys() | there.keys() if here.get(name) != there.get(name))
    if changed:
        raise ScenebookError(f"Expected a worker that computes the same. Received: different={changed[:3]}.")
    stored = np.load(about["images"], mmap_mode="r", allow_pickle=False)
    images = SplitImages(stored, rows, np.zeros(len(rows), np.int64), [""] * len(rows), digests)
    return collect_features(run_extractor.run_batches(prepare_plain(recipe, settings, images)), len(rows))


@lru_cache(maxsize=1)
def _load(file: Path, runtime: str) -> tuple[FrozenRuntime, str]:
    """Loads an extractor once a process: the name of its file is never used again."""
    extractor = keras.models.load_model(file, compile=False, safe_mode=True)
    return compile_frozen_layers(extractor, runtime), describe_frozen_layers(extractor)["digest"]
