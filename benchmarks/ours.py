"""Training of the trainable layers by the recipe of notebook 02: streaming, and with a feature cache."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import keras
import nbformat
import numpy as np
import tensorflow as tf

from benchmarks.clocks import read_memory_peak, take_seconds
from benchmarks.job import Job
from scenebook.core.errors import ScenebookError
from scenebook.core.project import project_root
from scenebook.network import training
from scenebook.network.feature_stream import FeatureStream
from scenebook.network.recipe.recipe import Recipe
from scenebook.network.recipe.running import open_first_phase
from scenebook.network.recipe.source import load_source


def measure_streaming_tensorflow(job: Job) -> dict[str, float]:
    """Trains with nothing kept, the frozen layers in TensorFlow."""
    return _measure_streaming(job, "tensorflow")


def measure_streaming_openvino(job: Job) -> dict[str, float]:
    """Trains with nothing kept, the frozen layers in OpenVINO."""
    return _measure_streaming(job, "openvino")


def _measure_streaming(job: Job, runtime: str) -> dict[str, float]:
    with open_training(job, {"feature_cache_gb": 0.0, "frozen_layers_runtime": runtime}) as ours:
        return ours.measure()


def fill_feature_cache(job: Job) -> dict[str, float]:
    """Leaves a feature cache that holds every view of the timed epochs.

    Raises:
        ScenebookError: It does not hold all of them.
    """
    with open_training(job, {}) as ours:

        def run_through() -> None:
            for epoch in range(ours.epochs):
                for _ in ours.stream.batches(np.arange(len(ours.labels)), epoch, ours.batch_size):
                    pass

        seconds = take_seconds(run_through)
        ours.check_all_kept()
    return {"rate": ours.count / seconds}


def measure_warm(job: Job) -> dict[str, float]:
    """Trains on what `fill_feature_cache` left.

    Raises:
        ScenebookError: A view is missing.
    """
    with open_training(job, {}) as ours:
        ours.check_all_kept()
        return ours.measure()


@dataclass(frozen=True)
class Training:
    """What a training of the trainable layers consists of.

    Attributes:
        labels: One-hot float32 `(n, num_classes)`.
        tail: The trainable layers, compiled.
        stream: What feeds the trainable layers.
        epochs: The timed epochs.
        batch_size: Images in a batch.
        seed: Seed of the order of the images.
    """

    labels: tf.Tensor
    tail: keras.Model
    stream: FeatureStream
    epochs: int
    batch_size: int
    seed: int

    @property
    def count(self) -> int:
        """How many views the timed epochs have."""
        return len(self.labels) * self.epochs

    def check_all_kept(self) -> None:
        """Raises `ScenebookError` where the feature cache does not hold every view of the timed epochs."""
        if any(len(self.stream.list_missing(epoch)) for epoch in range(self.epochs)):
            raise ScenebookError(
                "The feature cache does not hold every view: raise feature_cache_gb, or make room on the disk."
            )

    def measure(self) -> dict[str, float]:
        """Trains over the timed epochs, from the first view to the last step; two steps before trace and compile."""
        steps = math.ceil(len(self.labels) / self.batch_size)
        self._fit(1, min(2, steps))
        seconds = take_seconds(lambda: self._fit(self.epochs, steps))
        return {"rate": self.count / seconds, "memory": read_memory_peak()}

    def _fit(self, epochs: int, steps: int) -> None:
        self.tail.fit(
            self._make_batches(epochs, steps),
            epochs=epochs,
            steps_per_epoch=steps,
            callbacks=[training.StopOnNonFiniteLoss()],
            shuffle=False,
            verbose=0,
        )

    def _make_batches(self, epochs: int, steps: int) -> Iterator[tuple[tuple[Any, ...], tf.Tensor]]:
        for epoch in range(epochs):
            order = tf.random.experimental.stateless_shuffle(tf.range(len(self.labels)), seed=[self.seed, epoch])
            # Nothing is computed ahead that would not be trained on.
            order = order[: steps * self.batch_size]
            for positions, rows in self.stream.batches(order, epoch, self.batch_size):
                yield tuple(rows), tf.gather(self.labels, positions)


@contextmanager
def open_training(job: Job, changes: Mapping[str, Any]) -> Iterator[Training]:
    """Builds the parts of a training by the recipe of notebook 02, and closes the feature cache afterwards.

    Args:
        job: The job.
        changes: Settings that differ from the job's.
    """
    settings = job.settings.updated({"accelerate": True, **changes})
    train = job.load_train()
    with open_first_phase(load_recipe(), settings, train, train, num_classes=job.num_classes) as data:
        assert data.part is not None
        assert data.stream is not None
        labels = tf.one_hot(train.labels, job.num_classes)
        yield Training(labels, data.part, data.stream, settings.epochs, settings.batch_size, settings.seed)


def load_recipe() -> Recipe:
    """Returns the recipe of notebook 02 as it is committed."""
    return Recipe(vars(load_source(read_recipe_cells())))


def read_recipe_cells() -> str:
    """Returns the code of the cells that are tagged `recipe`."""
    notebook = nbformat.read(project_root() / "notebooks" / "02-training.ipynb", as_version=4)
    return "\n\n".join(cell.source for cell in notebook.cells if "recipe" in cell.metadata.get("tags", []))
