"""Images on their way into TensorFlow: reading rows of a memory-mapped array inside `tf.data`."""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from scenebook.core.settings import Settings
from scenebook.data.splitting import SplitImages
from scenebook.data.stored_pixels import release_pages
from scenebook.network.augmentation import make_view_seed

_BATCHES = 64
"""Between two times that pages of the images are let go of: they would count as this process's memory."""


def make_reader(split: SplitImages) -> Callable[[tf.Tensor], tf.Tensor]:
    """Returns a function for `Dataset.map` that turns positions in a split into images.

    The images stay on disk, memory-mapped; only what a batch needs is read. The function maps an int scalar, or int
    `(batch,)`, to uint8 `(height, width, 3)` in `[0, 255]`, or `(batch, height, width, 3)`.
    """
    shape, batches = split.stored.shape[1:], itertools.count(1)

    def read_rows(positions: np.ndarray) -> np.ndarray:
        images = np.asarray(split.stored[split.rows[positions]])
        if next(batches) % _BATCHES == 0:
            release_pages(split.stored)
        return images

    def read(positions: tf.Tensor) -> tf.Tensor:
        positions = tf.convert_to_tensor(positions)
        # Not stateful: without this, deterministic TensorFlow would run the map one batch at a time.
        images = tf.numpy_function(read_rows, [positions], tf.uint8, stateful=False)
        return tf.ensure_shape(images, positions.shape + shape)

    return read


def make_batches(images: SplitImages, settings: Settings, *, epoch: int = 0) -> tf.data.Dataset:
    """Returns images in their order, as a recipe's `prepare` takes them.

    Of the settings, `batch_size` and `augmentation_seed` count. In each epoch an image has another seed, wherever it
    stands.

    Returns:
        Batches of uint8 `(batch, height, width, 3)` in `[0, 255]`, and of seeds, int64 `(batch, 2)`.
    """
    read = make_reader(images)
    seeds = make_view_seed(settings.augmentation_seed, make_keys(images.digests), epoch)
    positions = without_tuning(tf.data.Dataset.range(len(images)).batch(settings.batch_size))
    return positions.map(lambda batch: (read(batch), tf.gather(seeds, batch)), num_parallel_calls=tf.data.AUTOTUNE)


def from_generator(generate: Callable[[], Iterator[Any]], signature: Any) -> tf.data.Dataset:
    """Returns `Dataset.from_generator` without tuning, which keeps a function alive no longer than it lives itself.

    TensorFlow never lets go of a function that it calls back, nor of anything that it refers to: each training would
    leave its network in memory.

    Args:
        generate: A function; a method of an object would be gone at once.
        signature: The `output_signature`.
    """
    known = weakref.ref(generate)

    def call() -> Iterator[Any]:
        alive = known()
        assert alive is not None
        yield from alive()

    ds = tf.data.Dataset.from_generator(call, output_signature=signature)
    ds.generate = generate
    return without_tuning(ds)


def without_tuning(ds: tf.data.Dataset) -> tf.data.Dataset:
    """Returns a dataset whose buffers, and those of what is made of it, are not tuned while it is read.

    The thread that tunes them sleeps for up to ten seconds, and now and then TensorFlow 2.21 waits for it at the end of
    an epoch.
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    return ds.with_options(options)


def make_keys(digests: Sequence[str]) -> np.ndarray:
    """Returns the numbers that seed the views of images: the first 31 bits of the SHA-256 of each image's file.

    An image has the same views in whichever split it is, at whatever place.

    Returns:
        int64 `(n,)`.
    """
    return np.array([int(digest[:8], 16) >> 1 for digest in digests], dtype=np.int64)


def to_uint8(image: tf.Tensor) -> np.ndarray:
    """Returns a float32 image in `[0, 255]` as uint8, rounded, to be looked at."""
    return np.asarray(image).round().clip(0, 255).astype(np.uint8)
