"""How long the frozen layers wait for their views."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from scenebook.network.frozen.running import FrozenRuntime


class TimedRuntime:
    """Frozen layers that note how long they work, and how much of that time they wait for the next batch.

    The clock runs from the moment that somebody asks for the next batch's tensors until they are there; while the
    trainable layers is trained it stands. OpenVINO goes on computing what it has begun while the next batch is waited
    for, so that for it the share is an upper bound.

    Args:
        base: From `compile_frozen_layers`.
        clock: Returns seconds.

    Attributes:
        name: What the frozen layers run in.
        batches: How many batches have come out.
    """

    def __init__(self, base: FrozenRuntime, clock: Callable[[], float] = time.perf_counter) -> None:
        self.name = base.name
        self._base = base
        self._clock = clock
        self.forget()

    def forget(self) -> None:
        """Starts anew."""
        self.batches = 0
        self._waited = self._worked = 0.0

    @property
    def share_waited(self) -> float:
        """The share of its time that the frozen layers have waited, in `[0, 1]`."""
        return self._waited / self._worked if self._worked else 0.0

    def __call__(self, images: Any) -> list[Any]:
        """Returns the frozen layers' tensors for a batch, which is at hand."""
        self.batches += 1
        return self._base(images)

    def run_batches(self, batches: Iterable[Any]) -> Iterator[list[np.ndarray]]:
        """Yields the frozen layers' tensors for each batch, in order."""
        results = iter(self._base.run_batches(self._time_batches(batches)))
        while True:
            started = self._clock()
            rows = next(results, None)
            self._worked += self._clock() - started
            if rows is None:
                return
            self.batches += 1
            yield rows

    def _time_batches(self, batches: Iterable[Any]) -> Iterator[Any]:
        views = iter(batches)
        while True:
            started = self._clock()
            images = next(views, None)
            self._waited += self._clock() - started
            if images is None:
                return
            yield images
