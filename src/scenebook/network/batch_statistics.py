"""What batch normalisation needs to know of the images, estimated anew: for a network that was never trained."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from scenebook.core.settings import Settings
from scenebook.data.splitting import SplitImages
from scenebook.network.graph import open_layers

_MOST_IMAGES = 256
_BATCH = 32


def estimate_batch_statistics(
    model: keras.Model, split: SplitImages, prepare: Callable[..., Any], settings: Settings
) -> int:
    """Sets the stored mean and variance of each batch normalisation to what they are on images; weights stay.

    A network with random weights comes with a mean of 0 and a variance of 1 for whatever goes through it, which after
    some dozen layers is far from true. The statistics are averaged over batches that go through the network in training
    mode, all of them with equal weight (Izmailov et al., 2018, Averaging weights leads to wider optima, section 3.2).

    Up to 256 training images are drawn by the settings' `seed`, and made ready by the recipe's `prepare`. Returns how
    many were looked at: 0 for a model without batch normalisation.
    """
    layers = open_layers(model)
    normalisations = [layer for layer in layers if isinstance(layer, keras.layers.BatchNormalization)]
    if not normalisations:
        return 0
    drawn = np.random.default_rng(settings.seed).permutation(len(split))[:_MOST_IMAGES]
    batches = np.split(drawn, range(_BATCH, len(drawn), _BATCH))
    if len(batches) > 1 and len(batches[-1]) < _BATCH:
        batches.pop()  # the variance within a few images is not that of a batch
    before = [(layer, name, getattr(layer, name)) for layer in layers for name in _settings_of(layer)]
    momentum = tf.Variable(0.0)

    # As a graph, because a model that is called directly keeps what each of its layers puts out until it is done.
    @tf.function(autograph=False)
    def look(images: tf.Tensor) -> None:
        model(images, training=True)

    try:
        for layer, name, _ in before:
            setattr(layer, name, True if name == "trainable" else momentum if name == "momentum" else 0.0)
        for number, batch in enumerate(batches, start=1):
            momentum.assign(1 - 1 / number)  # a running mean: the first batch replaces what was there
            images = tf.constant(split.stored[np.sort(split.rows[batch])])
            look(prepare(images, tf.zeros((len(batch), 2), tf.int64), settings, False))
    finally:
        for layer, name, value in before:
            setattr(layer, name, value)
    return sum(map(len, batches))


def _settings_of(layer: Any) -> list[str]:
    """Returns what is set differently for the while: frozen layers would not look, and nothing is left to chance."""
    if isinstance(layer, keras.layers.BatchNormalization):
        return ["trainable", "momentum"]
    return [name for name in ("rate", "drop_path_rate") if isinstance(getattr(layer, name, None), float)]
