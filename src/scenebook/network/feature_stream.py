"""What a trunk puts out for images, on its way to the tail: computed batch by batch, or read from a bank."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from scenebook.core.settings import AUGMENTATION
from scenebook.network.feature_cache.cache import Bank
from scenebook.network.feature_cache.opening import open_bank
from scenebook.network.frozen.cutting import describe_trunk, is_empty
from scenebook.network.frozen.running import RunTrunk

Rows = list[np.ndarray]
"""The trunk's tensors for some images: float32 `(n, ...)` each."""

MakeViews = Callable[[tf.data.Dataset], tf.data.Dataset]
"""From a dataset of (positions, epoch), int64 `(batch,)` and a scalar, to one of batches of preprocessed views."""


def make_keys(digests: Sequence[str]) -> np.ndarray:
    """Returns the numbers that seed the views of images: the first 31 bits of the SHA-256 of each image's file.

    An image has the same views in whichever split it is, at whatever place.

    Returns:
        int64 `(n,)`.
    """
    return np.array([int(digest[:8], 16) >> 1 for digest in digests], dtype=np.int64)


def open_trunk_bank(
    trunk: keras.Model, settings: Mapping[str, Any], *, preprocessing: str, runtime: str, keep: bool = True
) -> Bank:
    """Opens the bank of what a trunk puts out.

    Args:
        trunk: From `split_frozen`. Of one that is empty nothing is kept, nor rounded.
        settings: The settings of augmentation, `bank_dtype` and `bank_gb`, by their names.
        preprocessing: The name of the backbone's input transformation.
        runtime: What the trunk runs in, `RunTrunk.name`: another one computes other last digits.
        keep: Whether rows may be kept at all; otherwise they are rounded only.
    """
    dtype = "float32" if is_empty(trunk) else settings["bank_dtype"]
    about = {"preprocessing": preprocessing, "input_shape": list(trunk.input_shape[1:]), "runtime": runtime}
    return open_bank(
        trunk={**describe_trunk(trunk), **about},
        augmentation={name: settings[name] for name in (*AUGMENTATION, "augmentation_seed")},
        shapes=[tuple(tensor.shape[1:]) for tensor in trunk.outputs],
        dtype=dtype,
        gigabytes=settings["bank_gb"] if keep and not is_empty(trunk) else 0.0,
    )


class TrunkStream:
    """What a trunk puts out for the training images' views, in the order of training.

    Views that the bank holds are neither made nor sent through the trunk.

    Args:
        run_trunk: From `compile_trunk`.
        make_views: The `tf.data` chain: reads, augments and preprocesses.
        digests: SHA-256 of each training image's file.
        bank: Rounds what comes out, and keeps it.
    """

    def __init__(self, run_trunk: RunTrunk, make_views: MakeViews, digests: Sequence[str], bank: Bank) -> None:
        self._run_trunk = run_trunk
        self._digests = np.asarray(digests)
        self._bank = bank
        self._asked: deque[list[tuple[np.ndarray, int]]] = deque()
        signature = (tf.TensorSpec((None,), tf.int64), tf.TensorSpec((), tf.int64))
        # One dataset for all epochs: its functions are traced once.
        self._views = make_views(tf.data.Dataset.from_generator(self._take_asked, output_signature=signature))

    def batches(self, order: Any, epoch: int, batch_size: int) -> Iterator[tuple[np.ndarray, Rows]]:
        """Yields the batches of an epoch: positions, int64 `(batch,)`, and the trunk's tensors for their views.

        Args:
            order: Positions of the training images in the order of the epoch, int `(n,)`.
            epoch: Index of the epoch.
            batch_size: Images in a batch; the last one may be smaller.
        """
        order = np.asarray(order, np.int64)
        known = self._bank.known(epoch, self._digests[order].tolist())
        starts = range(0, len(order), batch_size)
        computed = self._compute(order[~known], epoch, batch_size)
        fresh = regroup(computed, [int((~known[start : start + batch_size]).sum()) for start in starts])
        for start, rows in zip(starts, fresh, strict=True):
            batch = order[start : start + batch_size]
            yield batch, self._complete(batch, epoch, ~known[start : start + batch_size], rows)

    def list_missing(self, epoch: int) -> np.ndarray:
        """Returns the positions of the images whose view of an epoch the bank lacks, int64 `(n,)`."""
        return np.flatnonzero(~self._bank.known(epoch, self._digests.tolist()))

    def _complete(self, batch: np.ndarray, epoch: int, computed: np.ndarray, rows: Rows) -> Rows:
        """Adds what the bank holds to what was computed, and the other way round."""

        def compute(missing: np.ndarray) -> Rows:
            if computed[missing].all():
                places = np.cumsum(computed)[missing] - 1
                return rows if len(places) == len(rows[0]) else [array[places] for array in rows]
            # A row turned out to be damaged, or another process has deleted it.
            return _join(self._compute(batch[missing], epoch, len(missing)))

        return self._bank.fetch(epoch, self._digests[batch].tolist(), compute)

    def _compute(self, positions: np.ndarray, epoch: int, batch_size: int) -> Iterator[Rows]:
        if len(positions):
            # Whoever asks starts the dataset at once, so that no two of them get each other's.
            starts = range(0, len(positions), batch_size)
            self._asked.append([(positions[start : start + batch_size], epoch) for start in starts])
            yield from self._run_trunk.run_batches(self._views)

    def _take_asked(self) -> Iterator[tuple[np.ndarray, int]]:
        yield from self._asked.popleft()


def run_through(run_trunk: RunTrunk, images: Iterable[Any], digests: Sequence[str], bank: Bank) -> Rows:
    """Returns what a trunk puts out for images as they are, without augmentation.

    Args:
        run_trunk: From `compile_trunk`.
        images: Batches of preprocessed images, in the order of the digests.
        digests: SHA-256 of each image's file.
        bank: Rounds what comes out, and keeps it.

    Returns:
        Arrays `(n, ...)` of the bank's dtype, or float32 where it does not hold the values exactly.
    """
    parts = [
        [_shrink(array, bank.dtype) for array in rows] for rows in stream_through(run_trunk, images, digests, bank)
    ]
    return [np.concatenate(arrays) for arrays in zip(*parts, strict=True)]


def stream_through(
    run_trunk: RunTrunk, images: Iterable[Any], digests: Sequence[str], bank: Bank
) -> Iterator[tuple[np.ndarray, ...]]:
    """Yields what `run_through` returns batch by batch, float32 `(batch, ...)` a tensor."""
    done = 0
    for batch in images:
        names = list(digests[done : done + len(batch)])
        done += len(batch)
        yield tuple(bank.fetch(None, names, partial(_call, run_trunk, batch)))


def _call(run_trunk: RunTrunk, images: Any, places: np.ndarray) -> Rows:
    return [np.asarray(tensor) for tensor in run_trunk(tf.gather(images, places))]


def _shrink(array: np.ndarray, dtype: str) -> np.ndarray:
    with np.errstate(over="ignore"):
        small = array.astype(dtype)
    return small if np.array_equal(small, array) else array


def make_feature_ds(rows: Rows, labels: Any, batch_size: int) -> tf.data.Dataset:
    """Returns kept features as batches for `fit` and `evaluate`.

    Args:
        rows: From `run_through`.
        labels: One-hot float32 `(n, num_classes)`.
        batch_size: Images in a batch.
    """
    labels = np.asarray(labels)

    def make_batches() -> Iterator[tuple[tuple[np.ndarray, ...], np.ndarray]]:
        for start in range(0, len(labels), batch_size):
            part = slice(start, start + batch_size)
            yield tuple(array[part].astype(np.float32) for array in rows), labels[part]

    tensors = tuple(tf.TensorSpec((None, *array.shape[1:]), tf.float32) for array in rows)
    signature = (tensors, tf.TensorSpec((None, labels.shape[1]), tf.float32))
    ds = tf.data.Dataset.from_generator(make_batches, output_signature=signature).prefetch(2)
    # Without the number of batches Keras would warn that the data ran out.
    return ds.apply(tf.data.experimental.assert_cardinality(math.ceil(len(labels) / batch_size)))


def regroup(chunks: Iterator[Rows], sizes: Iterable[int]) -> Iterator[Rows]:
    """Yields the rows of chunks anew, in groups of these sizes; they add up to what is in the chunks."""
    kept: Rows = []
    for size in sizes:
        parts: list[Rows] = []
        needed = size
        while needed:
            kept = kept or next(chunks)
            parts.append([array[:needed] for array in kept])
            needed -= len(parts[-1][0])
            kept = [array[len(parts[-1][0]) :] for array in kept]
            kept = kept if len(kept[0]) else []
        yield _join(iter(parts)) if parts else []


def _join(parts: Iterator[Rows]) -> Rows:
    found = list(parts)
    return found[0] if len(found) == 1 else [np.concatenate(arrays) for arrays in zip(*found, strict=True)]
