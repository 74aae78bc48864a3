"""Images on their way into `predict`: as they are, and mirrored where that is asked for."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from scenebook.core.settings import Settings
from scenebook.data.splitting import SplitImages
from scenebook.network import inputs
from scenebook.network.recipe.recipe import Recipe


def predict_probs(model: keras.Model, ds: tf.data.Dataset, *, test_time_flip: bool) -> np.ndarray:
    """Returns what a network says to images, or the mean of that and of what it says to their mirror images.

    Args:
        model: The whole network.
        ds: Batches of prepared images, float32 `(batch, height, width, 3)`.
        test_time_flip: The setting.

    Returns:
        float32 `(n, num_classes)`.
    """
    probs = np.asarray(model.predict(ds, verbose=0))
    if not test_time_flip:
        return probs
    return (probs + np.asarray(model.predict(ds.map(tf.image.flip_left_right), verbose=0))) / 2


def prepare_plain(recipe: Recipe, settings: Settings, images: SplitImages, read: Any = None) -> tf.data.Dataset:
    """Returns images in their order, without augmentation, as a network of this recipe is given them.

    Args:
        recipe: The recipe.
        settings: All settings.
        images: The images.
        read: What `prepare` is given as settings, where it has to be noted which it reads.

    Returns:
        Batches of what `prepare` returns, float32 `(batch, height, width, 3)`.
    """

    def prepare(images: tf.Tensor, seeds: tf.Tensor) -> tf.Tensor:
        return recipe.prepare(images, seeds, read or settings, False)

    return inputs.make_batches(images, settings).map(prepare, num_parallel_calls=tf.data.AUTOTUNE).prefetch(2)
