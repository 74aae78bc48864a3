"""What the frozen layers put out for images, on its way to the trainable layers: computed, or read from the cache."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
import tensorflow as tf

from scenebook.network.feature_cache.cache import FeatureCache
from scenebook.network.frozen.running import FrozenRuntime
from scenebook.network.inputs import without_tuning

Rows = list[np.ndarray]
"""The frozen layers' tensors for some images: float32 `(n, ...)` each."""

MakeViews = Callable[[tf.data.Dataset], tf.data.Dataset]
"""From a dataset of (positions, epoch), int64 `(batch,)` and a scalar, to one of batches of preprocessed views."""


class FeatureStream:
    """What the frozen layers put out for the training images' views, in the order of training.

    Views that the feature cache holds are neither made nor sent through the frozen layers.

    `make_views` is the `tf.data` chain: it reads, augments and preprocesses. The cache keeps what comes out, by the
    digests of the images' files.
    """

    def __init__(
        self, run_base: FrozenRuntime, make_views: MakeViews, digests: Sequence[str], cache: FeatureCache
    ) -> None:
        self._run_base = run_base
        self._digests = np.asarray(digests)
        self._cache = cache
        self._asked: deque[list[tuple[np.ndarray, int]]] = deque()
        signature = (tf.TensorSpec((None,), tf.int64), tf.TensorSpec((), tf.int64))
        # One dataset for all epochs: its functions are traced once.
        asked = tf.data.Dataset.from_generator(self._take_asked, output_signature=signature)
        self._views = make_views(without_tuning(asked))

    def batches(self, order: Any, epoch: int, batch_size: int) -> Iterator[tuple[np.ndarray, Rows]]:
        """Yields the batches of an epoch: positions, int64 `(batch,)`, and the frozen layers' tensors for their views.

        Args:
            order: Positions of the training images in the order of the epoch, int `(n,)`.
            epoch: Index of the epoch.
            batch_size: Images in a batch; the last one may be smaller.
        """
        order = np.asarray(order, np.int64)
        known = self._cache.known(epoch, self._digests[order].tolist())
        starts = range(0, len(order), batch_size)
        computed = self._compute(order[~known], epoch, batch_size)
        fresh = regroup(computed, [int((~known[start : start + batch_size]).sum()) for start in starts])
        for start, rows in zip(starts, fresh, strict=True):
            batch = order[start : start + batch_size]
            yield batch, self._complete(batch, epoch, ~known[start : start + batch_size], rows)

    def list_missing(self, epoch: int) -> np.ndarray:
        """Returns the positions of the images whose view of an epoch the feature cache lacks, int64 `(n,)`."""
        return np.flatnonzero(~self._cache.known(epoch, self._digests.tolist()))

    def _complete(self, batch: np.ndarray, epoch: int, computed: np.ndarray, rows: Rows) -> Rows:
        """Adds what the feature cache holds to what was computed, and the other way round."""

        def compute(missing: np.ndarray) -> Rows:
            if computed[missing].all():
                places = np.cumsum(computed)[missing] - 1
                return rows if len(places) == len(rows[0]) else [array[places] for array in rows]
            # A row turned out to be damaged, or another process has deleted it.
            return _join(self._compute(batch[missing], epoch, len(missing)))

        return self._cache.fetch(epoch, self._digests[batch].tolist(), compute)

    def _compute(self, positions: np.ndarray, epoch: int, batch_size: int) -> Iterator[Rows]:
        if len(positions):
            # Whoever asks starts the dataset at once, so that no two of them get each other's.
            starts = range(0, len(positions), batch_size)
            self._asked.append([(positions[start : start + batch_size], epoch) for start in starts])
            yield from self._run_base.run_batches(self._views)

    def _take_asked(self) -> Iterator[tuple[np.ndarray, int]]:
        yield from self._asked.popleft()


def stream_through(
    run_base: FrozenRuntime, images: Iterable[Any], digests: Sequence[str], cache: FeatureCache
) -> Iterator[tuple[np.ndarray, ...]]:
    """Yields what the frozen layers put out for images as they are, without augmentation: float32 `(batch, ...)`.

    Images come in batches, preprocessed, in the order of the digests of their files; the cache keeps what comes out.
    """
    done = 0
    for batch in images:
        names = list(digests[done : done + len(batch)])
        done += len(batch)
        yield tuple(cache.fetch(None, names, partial(_call, run_base, batch)))


def _call(run_base: FrozenRuntime, images: Any, places: np.ndarray) -> Rows:
    return [np.asarray(tensor) for tensor in run_base(tf.gather(images, places))]


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
