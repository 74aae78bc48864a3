"""Images on their way into TensorFlow: reading rows of a memory-mapped array inside `tf.data`."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from scenebook.data.splitting import SplitImages


def make_reader(split: SplitImages) -> Callable[[tf.Tensor], tf.Tensor]:
    """Returns a function for `Dataset.map` that turns positions in a split into images.

    The images stay on disk, memory-mapped; only what a batch needs is read. The function maps an int scalar, or int
    `(batch,)`, to uint8 `(height, width, 3)` in `[0, 255]`, or `(batch, height, width, 3)`.
    """
    shape = split.stored.shape[1:]

    def read_rows(positions: np.ndarray) -> np.ndarray:
        return np.asarray(split.stored[split.rows[positions]])

    def read(positions: tf.Tensor) -> tf.Tensor:
        positions = tf.convert_to_tensor(positions)
        # Not stateful: without this, deterministic TensorFlow would run the map one batch at a time.
        images = tf.numpy_function(read_rows, [positions], tf.uint8, stateful=False)
        return tf.ensure_shape(images, positions.shape + shape)

    return read


def make_ds(
    split: SplitImages, *, num_classes: int, batch_size: int, preprocess_input: Callable[[tf.Tensor], tf.Tensor]
) -> tf.data.Dataset:
    """Returns the images in their order, without augmentation: for validation and test.

    Args:
        split: The split.
        num_classes: The number of classes.
        batch_size: Images in a batch; the last one may be smaller.
        preprocess_input: What the backbone expects to be done to float32 images in `[0, 255]`.

    Returns:
        Batches of float32 `(batch, height, width, 3)` and one-hot float32 `(batch, num_classes)`.
    """
    read = make_reader(split)
    labels = tf.one_hot(split.labels, num_classes)
    positions = tf.data.Dataset.range(len(split)).batch(batch_size)
    images = positions.map(lambda batch: preprocess_input(tf.cast(read(batch), tf.float32)))
    return tf.data.Dataset.zip(images, tf.data.Dataset.from_tensor_slices(labels).batch(batch_size)).prefetch(2)


def to_uint8(image: tf.Tensor) -> np.ndarray:
    """Returns a float32 image in `[0, 255]` as uint8, rounded, to be looked at."""
    return np.asarray(image).round().clip(0, 255).astype(np.uint8)
