"""What the frozen layers put out for images, on its way to the trainable layers: computed, or read from the cache."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from scenebook.data.splitting import SplitImages
from scenebook.network.feature_cache.cache import FeatureCache
from scenebook.network.frozen.running import FrozenRuntime
from scenebook.network.inputs import from_generator

Rows = list[np.ndarray]  # the frozen layers' tensors for some images: float32 `(n, ...)` each

MakeViews = Callable[[tf.data.Dataset], tf.data.Dataset]
"""From a dataset of (positions, epoch), int64 `(batch,)` and a scalar, to one of batches of preprocessed views."""

MakeBatches = Callable[[SplitImages], Iterable[Any]]
"""From images to batches of them as they are, preprocessed, in their order."""


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
        self._views = make_views(from_generator(lambda: iter(self._asked.popleft()), signature))

    def batches(self, order: Any, epoch: int, batch_size: int) -> Iterator[tuple[np.ndarray, Rows]]:
        """Yields the batches of an epoch: positions, int64 `(batch,)`, and the frozen layers' tensors for their views.

        Args:
            order: Positions of the training images in the order of the epoch, int `(n,)`.
            epoch: Index of the epoch.
            batch_size: Images in a batch; the last one may be smaller.
        """
        order = np.asarray(order, np.int64)

        def compute(places: np.ndarray) -> Iterator[Rows]:
            # Whoever asks starts the dataset at once, so that no two of them get each other's.
            starts = range(0, len(places), batch_size)
            self._asked.append([(order[places[start : start + batch_size]], epoch) for start in starts])
            yield from self._run_base.run_batches(self._views)

        parts = _stream(self._cache, epoch, self._digests[order], batch_size, compute)
        for start, rows in zip(range(0, len(order), batch_size), parts, strict=True):
            yield order[start : start + batch_size], rows

    def list_missing(self, epoch: int) -> np.ndarray:
        """Returns the positions of the images whose view of an epoch the feature cache lacks, int64 `(n,)`."""
        return np.flatnonzero(~self._cache.known(epoch, self._digests.tolist()))


def stream_plain(
    run_base: FrozenRuntime,
    make_ds: MakeBatches,
    images: SplitImages,
    cache: FeatureCache,
    *,
    size: int,
    keep: bool = True,
) -> Iterator[Rows]:
    """Yields what the frozen layers put out for images as they are, without augmentation, so many at a time, in order.

    Images that the feature cache holds are neither read nor sent through the frozen layers.

    Args:
        run_base: From `compile_frozen_layers`.
        make_ds: Makes preprocessed batches of some of the images, in their order.
        images: The images.
        cache: What it holds is taken from it.
        size: Images in each part; the last one may be smaller.
        keep: Whether it keeps what comes out.
    """

    def compute(places: np.ndarray) -> Iterator[Rows]:
        return run_base.run_batches(make_ds(images.take(places)))

    return _stream(cache, None, np.asarray(images.digests), size, compute, keep=keep)


def collect_features(
    parts: Iterable[Rows], count: int, report: Callable[[int, int], None] = lambda done, total: None
) -> np.ndarray:
    """Returns the rows of one tensor, a vector an image, as one array, float32 `(count, d)`."""
    vectors, done = np.empty((0, 0), np.float32), 0
    for (part,) in parts:
        if not done:  # in place: together with its parts it would take twice the memory
            vectors = np.empty((count, part.shape[1]), np.float32)
        vectors[done : done + len(part)] = part
        done += len(part)
        report(done, count)
    return vectors


def _stream(
    cache: FeatureCache,
    view: int | None,
    digests: np.ndarray,
    size: int,
    compute: Callable[[np.ndarray], Iterator[Rows]],
    *,
    keep: bool = True,
) -> Iterator[Rows]:
    """Yields the rows of images in parts of a size: those that the cache holds, and of the others what is computed.

    `compute` returns the rows of the images at these places, in chunks of any size. It is asked once for all that the
    cache lacks, and again for rows that turn out to be damaged, or that another process has deleted.
    """
    known = cache.known(view, digests.tolist())
    missing, starts = np.flatnonzero(~known), range(0, len(digests), size)
    chunks = compute(missing) if len(missing) else iter(())
    fresh = regroup(chunks, [int((~known[start : start + size]).sum()) for start in starts])
    for start, rows in zip(starts, fresh, strict=True):
        computed = ~known[start : start + size]

        def complete(lost: np.ndarray, start: int = start, rows: Rows = rows, computed: np.ndarray = computed) -> Rows:
            if computed[lost].all():
                places = np.cumsum(computed)[lost] - 1
                return rows if len(places) == len(rows[0]) else [array[places] for array in rows]
            return _join(compute(start + lost))

        yield cache.fetch(view, digests[start : start + size].tolist(), complete, keep=keep)


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
