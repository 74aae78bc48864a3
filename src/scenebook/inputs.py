"""Pictures on their way into TensorFlow: reading rows of a memory-mapped array inside `tf.data`."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from scenebook.dataset import SplitPictures


def make_reader(pictures: SplitPictures) -> Callable[[tf.Tensor], tf.Tensor]:
    """Returns a function for `Dataset.map` that turns positions into pictures.

    The pictures stay on disk, memory-mapped; only what a batch needs is read.

    Args:
        pictures: The split; the position `i` in `[0, len(pictures))` is its `i`-th picture.

    Returns:
        A function from an int scalar, or int `(batch,)`, to uint8 `(height, width, 3)` in `[0, 255]`, or `(batch,
        height, width, 3)`.
    """
    shape = pictures.stored.shape[1:]

    def read_rows(positions: np.ndarray) -> np.ndarray:
        return np.asarray(pictures.stored[pictures.rows[positions]])

    def read(positions: tf.Tensor) -> tf.Tensor:
        positions = tf.convert_to_tensor(positions)
        # Not stateful: without this, deterministic TensorFlow would run the map one batch at a time.
        images = tf.numpy_function(read_rows, [positions], tf.uint8, stateful=False)
        return tf.ensure_shape(images, positions.shape + shape)

    return read


def make_ds(
    pictures: SplitPictures, *, num_classes: int, batch_size: int, preprocess_input: Callable[[tf.Tensor], tf.Tensor]
) -> tf.data.Dataset:
    """Returns the pictures in their order, without augmentation: for validation and test.

    Args:
        pictures: The split.
        num_classes: The number of classes.
        batch_size: Pictures in a batch; the last one may be smaller.
        preprocess_input: What the backbone expects to be done to float32 pictures in `[0, 255]`.

    Returns:
        Batches of float32 `(batch, height, width, 3)` and one-hot float32 `(batch, num_classes)`.
    """
    read = make_reader(pictures)
    labels = tf.one_hot(pictures.labels, num_classes)
    positions = tf.data.Dataset.range(len(pictures)).batch(batch_size)
    images = positions.map(lambda batch: preprocess_input(tf.cast(read(batch), tf.float32)))
    return tf.data.Dataset.zip(images, tf.data.Dataset.from_tensor_slices(labels).batch(batch_size)).prefetch(2)


def to_uint8(image: tf.Tensor) -> np.ndarray:
    """Returns a float32 picture in `[0, 255]` as uint8, rounded, to be looked at."""
    return np.asarray(image).round().clip(0, 255).astype(np.uint8)
