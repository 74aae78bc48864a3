"""Training of the trainable layers by the recipe of notebook 02: streaming, and with a feature cache."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras
import nbformat
import numpy as np
import tensorflow as tf

from benchmarks.job import Job
from benchmarks.machine import read_memory_peak, take_seconds
from scenebook.core.errors import ScenebookError
from scenebook.core.project import project_root
from scenebook.network import training
from scenebook.network.feature_stream import FeatureStream
from scenebook.network.recipe.recipe import Recipe
from scenebook.network.recipe.running import open_first_phase
from scenebook.network.recipe.source import load_source


def measure_streaming_tensorflow(job: Job) -> dict[str, float]:
    """Trains with nothing kept, the frozen layers in TensorFlow."""
    with open_training(job, feature_cache_gb=0.0, frozen_layers_runtime="tensorflow") as (part, stream):
        return _measure(job, part, stream)


def measure_streaming_openvino(job: Job) -> dict[str, float]:
    """Trains with nothing kept, the frozen layers in OpenVINO."""
    with open_training(job, feature_cache_gb=0.0, frozen_layers_runtime="openvino") as (part, stream):
        return _measure(job, part, stream)


def fill_feature_cache(job: Job) -> dict[str, float]:
    """Leaves a feature cache that holds every view of the timed epochs.

    Raises:
        ScenebookError: It does not hold all of them.
    """
    count, epochs = len(job.load_train()), job.settings.epochs
    with open_training(job) as (_, stream):

        def run_through() -> None:
            for epoch in range(epochs):
                for _ in stream.batches(np.arange(count), epoch, job.settings.batch_size):
                    pass

        seconds = take_seconds(run_through)
        _check_all_kept(job, stream)
    return {"rate": count * epochs / seconds}


def measure_warm(job: Job) -> dict[str, float]:
    """Trains on what `fill_feature_cache` left.

    Raises:
        ScenebookError: A view is missing.
    """
    with open_training(job) as (part, stream):
        _check_all_kept(job, stream)
        return _measure(job, part, stream)


def _check_all_kept(job: Job, stream: FeatureStream) -> None:
    if any(len(stream.list_missing(epoch)) for epoch in range(job.settings.epochs)):
        raise ScenebookError(
            "The feature cache does not hold every view: raise feature_cache_gb, or make room on the disk."
        )


def _measure(job: Job, part: keras.Model, stream: FeatureStream) -> dict[str, float]:
    """Trains over the timed epochs, from the first view to the last step; two steps before trace and compile."""
    labels = tf.one_hot(job.load_train().labels, job.num_classes)
    size, steps = job.settings.batch_size, math.ceil(len(labels) / job.settings.batch_size)

    def make_batches(epochs: int, steps: int) -> Iterator[tuple[tuple[Any, ...], tf.Tensor]]:
        for epoch in range(epochs):
            order = tf.random.experimental.stateless_shuffle(tf.range(len(labels)), seed=[job.settings.seed, epoch])
            # Nothing is computed ahead that would not be trained on.
            for positions, rows in stream.batches(order[: steps * size], epoch, size):
                yield tuple(rows), tf.gather(labels, positions)

    def fit(epochs: int, steps: int) -> None:
        callbacks = [training.StopOnNonFiniteLoss()]
        options = {"steps_per_epoch": steps, "callbacks": callbacks, "shuffle": False, "verbose": 0}
        part.fit(make_batches(epochs, steps), epochs=epochs, **options)

    fit(1, min(2, steps))
    seconds = take_seconds(lambda: fit(job.settings.epochs, steps))
    return {"rate": len(labels) * job.settings.epochs / seconds, "memory": read_memory_peak()}


@contextmanager
def open_training(job: Job, **changes: Any) -> Iterator[tuple[keras.Model, FeatureStream]]:
    """Gives what the recipe of notebook 02, as it is committed, fits first, compiled, and the stream that feeds it.

    Args:
        job: The job.
        changes: Settings that differ from the job's.
    """
    settings, train = job.settings.updated({"accelerate": True, **changes}), job.load_train()
    recipe = Recipe(vars(load_source(read_recipe_cells())))
    with open_first_phase(recipe, settings, train, train, num_classes=job.num_classes) as data:
        assert data.part is not None
        assert data.stream is not None
        yield data.part, data.stream


def read_recipe_cells() -> str:
    """Returns the code of the cells that are tagged `recipe`."""
    notebook = nbformat.read(project_root() / "notebooks" / "02-training.ipynb", as_version=4)
    return "\n\n".join(cell.source for cell in notebook.cells if "recipe" in cell.metadata.get("tags", []))
