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
    """Returns what a network says to images, float32 `(n, num_classes)`.

    They are batches of prepared images, float32 `(batch, height, width, 3)`. With `test_time_flip` it is the mean of
    that and of what the network says to their mirror images.
    """
    probs = np.asarray(model.predict(ds, verbose=0))
    if not test_time_flip:
        return probs
    return (probs + np.asarray(model.predict(ds.map(tf.image.flip_left_right), verbose=0))) / 2


def prepare_plain(recipe: Recipe, settings: Settings, images: SplitImages, read: Any = None) -> tf.data.Dataset:
    """Returns batches of what a recipe's `prepare` makes of images, in their order, without augmentation.

    Where it has to be noted which settings it reads, it is given `read` instead of them.
    """

    def prepare(images: tf.Tensor, seeds: tf.Tensor) -> tf.Tensor:
        return recipe.prepare(images, seeds, read or settings, False)

    return inputs.make_batches(images, settings).map(prepare, num_parallel_calls=tf.data.AUTOTUNE).prefetch(2)
