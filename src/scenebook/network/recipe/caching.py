"""Which feature cache belongs to a recipe, its settings and its frozen layers; and when none does."""

from __future__ import annotations

from typing import Any

import keras

from scenebook.core.progress import print_progress
from scenebook.core.settings import Settings
from scenebook.data.splitting import SplitImages
from scenebook.network.code_digests import digest_frozen_code
from scenebook.network.feature_cache.cache import FeatureCache
from scenebook.network.frozen.cutting import describe_frozen_layers, is_empty
from scenebook.network.recipe.describing import find_own_code
from scenebook.network.recipe.recipe import Recipe
from scenebook.network.recipe.tracing import ReadSettings, trace_preparation


class RecipeCaches:
    """The feature caches of one training: of images as they are, and of their views.

    A row is only kept, or taken from another training, where what `prepare` makes of an image is known to depend on
    nothing but the image, its seed, and what is digested.

    Images are some of the size that `prepare` gets. As settings it is to be given `plain_settings` for images as they
    are, and `view_settings` for views: they note what is read. Where there are no
    `views`, only images as they are count.
    """

    def __init__(self, recipe: Recipe, settings: Settings, images: SplitImages, *, views: bool = True) -> None:
        self.plain_settings, self.view_settings = ReadSettings(settings), ReadSettings(settings)
        self._open: list[FeatureCache] = []
        self._settings, self._recipe, self._code = settings, recipe, recipe.digest("prepare")
        shape = images.stored.shape[1:]
        self._plain = trace_preparation(recipe.prepare, self.plain_settings, shape, training=False)
        self._views = self._plain
        if views:
            self._views = trace_preparation(recipe.prepare, self.view_settings, shape, training=True)
        self._reason = ""
        self._keeps = bool(settings.accelerate and settings.feature_cache_gb)
        if self._keeps:
            self._reason = self._find_reason()
        if self._reason:
            print_progress(f"feature cache: not used, because {self._reason}")

    @property
    def plain(self) -> FeatureCache:
        """Of images as they are."""
        return self._open[0]

    @property
    def views(self) -> FeatureCache:
        """Of augmented views."""
        return self._open[1]

    def _find_reason(self) -> str:
        # All of it: what trains may change what `prepare` uses.
        unknown = self._recipe.digest().unknown
        if unknown:
            return f"the recipe uses what cannot be compared: {'; '.join(unknown)}"
        if self._plain.draws or self._views.draws:
            return "`prepare` draws random numbers that do not come from its seeds, or keeps a state"
        if self._plain.mixes or self._views.mixes:
            return "what `prepare` makes of an image depends on the others in its batch"
        if self._recipe.digest("prepare").parts != self._code.parts:
            return "`prepare` changes what it uses"
        return ""

    def open(self, base: keras.Model, runtime: str, *, keep_views: bool) -> None:
        """Opens the caches of some frozen layers, and closes those before.

        Args:
            base: From `split_frozen`. Of one that is empty nothing is kept.
            runtime: What the frozen layers run in: another one computes other last digits.
            keep_views: Whether views are kept, too.
        """
        self.close()
        about = {
            **describe_frozen_layers(base),
            "input_shape": list(base.input_shape[1:]),
            "runtime": runtime,
            "fit": self._settings.fit,
            "code": digest_frozen_code(self._settings.backbone),
            "prepare": self._code.parts,
            "settings": self._describe_settings(self.plain_settings, self._plain.uses_seeds),
        }
        seen = self._describe_settings(self.view_settings, self._views.uses_seeds)
        # Without augmentation a view is the image as it is.
        views = {} if self._views.is_same(self._plain) and not self._views.uses_seeds else {"settings": seen}
        own = "" if self._reason else find_own_code(base)
        if own:
            print_progress(f"feature cache: not used, because {own} of the frozen layers has code of its own")
        shapes = [tuple(tensor.shape[1:]) for tensor in base.outputs]
        keeps = self._keeps and not self._reason and not own and not is_empty(base)
        gigabytes = self._settings.feature_cache_gb if keeps else 0.0
        self._open = [
            FeatureCache(base=about, views=views, shapes=shapes, gigabytes=size)
            for size in (gigabytes, gigabytes if keep_views else 0.0)
        ]
        for settings in (self.plain_settings, self.view_settings):
            settings.close(self._stop)

    def check(self) -> None:
        """Keeps and takes nothing more where what `prepare` uses has changed; to be called when it has been traced.

        What was kept meanwhile is deleted: rows of before and after the change cannot be told apart.
        """
        if self._keeps and not self._reason and self._recipe.digest("prepare").parts != self._code.parts:
            self._reason = "what `prepare` uses has changed since the training was begun"
            for cache in self._open:
                cache.abandon(self._reason)

    def view_of(self, epoch: int) -> int:
        """Returns the index of the view that an epoch shows: always the same where views do not depend on seeds."""
        return self._settings.view_of(epoch) if self._views.uses_seeds or self._views.draws else 0

    def close(self) -> None:
        """Lets go of the files."""
        self.check()
        for cache in self._open:
            cache.close()

    def _stop(self, name: str) -> None:
        for cache in self._open:
            cache.stop(f"`prepare` reads {name} for some images only")

    def _describe_settings(self, read: ReadSettings, uses_seeds: bool) -> dict[str, Any]:
        return read.values | ({"augmentation_seed": self._settings.augmentation_seed} if uses_seeds else {})
