"""The whole ablation study both ways: every variant trained end to end in plain Keras, and as the sweep does it."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import keras

from benchmarks import keras_plain
from benchmarks.job import Job
from scenebook.core.errors import DivergedError
from scenebook.core.settings import AUGMENTATION
from scenebook.network import fitting
from scenebook.study import variants

FitVariant = Callable[..., object]


def list_variants(settings: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Returns the settings of each variant of a study, the base first.

    Args:
        settings: The base's settings, by their names.
    """
    changes: list[dict[str, Any]] = [
        {},
        {"learning_rate": 10 * settings["learning_rate"]},
        {"learning_rate": settings["learning_rate"] / 10},
        {"epochs": 3 * settings["epochs"]},
        {name: type(settings[name])(0) for name in AUGMENTATION},
        {"head_pooling": "average"},
    ]
    return [{**settings, **change} for change in changes]


def measure_plain(job: Job) -> dict[str, float]:
    """Trains every variant in plain Keras, from building its model to its last prediction."""
    return _measure(job, keras_plain.fit_variant)


def measure_ours(job: Job) -> dict[str, float]:
    """Trains every variant with `fit_variant` as a worker of the sweep does; the feature cache starts empty."""
    return _measure(job, partial(fitting.fit_variant, predict=True, compile_frozen_layers=variants.compile_once))


def _measure(job: Job, fit_variant: FitVariant) -> dict[str, float]:
    return measure_study(job, list_variants({**job.settings, "epochs": job.study_epochs}), fit_variant)


def measure_study(job: Job, studied: Sequence[Mapping[str, Any]], fit_variant: FitVariant) -> dict[str, float]:
    """Trains variants one after another, and takes the time.

    Args:
        job: The job.
        studied: The settings of each variant.
        fit_variant: Of this project, or of plain Keras.

    Returns:
        `seconds`, for all; and `starting`: the part of it that passed until each variant's first step was over, which
        is mostly building and tracing, and hardly grows with the images.
    """
    train, validation = job.load_study()
    starting, started = 0.0, time.perf_counter()
    for number, settings in enumerate(studied, start=1):
        print(f"variant {number} of {len(studied)}", file=sys.stderr, flush=True)
        clock = FirstStepClock()
        try:
            fit_variant(settings, train, validation, num_classes=job.num_classes, callbacks=[clock])
        except DivergedError as error:
            print(error, file=sys.stderr)  # a result as well, and it took its time
        keras.backend.clear_session()  # as a worker of the sweep does
        starting += clock.seconds
    return {"seconds": time.perf_counter() - started, "starting": starting}


class FirstStepClock(keras.callbacks.Callback):
    """Takes the time from when it is made to the end of the first step of training.

    Attributes:
        seconds: That time.
    """

    def __init__(self) -> None:
        super().__init__()
        self.seconds = 0.0
        self._started = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self.seconds = self.seconds or time.perf_counter() - self._started
