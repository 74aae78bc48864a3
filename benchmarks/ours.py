"""Training of the trainable layers by the recipe of notebook 02: streaming, and with a feature cache."""

from __future__ import annotations

from typing import Any

import nbformat
import numpy as np

from benchmarks.job import Job
from benchmarks.machine import read_memory_peak, take_seconds
from scenebook.core.errors import ScenebookError
from scenebook.core.project import project_root
from scenebook.network import training
from scenebook.network.recipe.recipe import Recipe
from scenebook.network.recipe.running import FirstPhase, open_first_phase
from scenebook.network.recipe.source import load_source


def measure_streaming_tensorflow(job: Job) -> dict[str, float]:
    """Trains with nothing kept, the frozen layers in TensorFlow."""
    with open_training(job, feature_cache_gb=0.0, frozen_layers_runtime="tensorflow") as data:
        return _measure(job, data)


def measure_streaming_openvino(job: Job) -> dict[str, float]:
    """Trains with nothing kept, the frozen layers in OpenVINO."""
    with open_training(job, feature_cache_gb=0.0, frozen_layers_runtime="openvino") as data:
        return _measure(job, data)


def fill_feature_cache(job: Job) -> dict[str, float]:
    """Leaves a feature cache that holds every view of the timed epochs, and of the one before.

    Raises:
        ScenebookError: It does not hold all of them.
    """
    epochs = range(job.settings.epochs + 1)
    with open_training(job) as data:
        seconds = take_seconds(lambda: data.fill(epochs))
        _check_all_kept(job, data)
        return {"rate": data.count * len(epochs) / seconds}


def measure_warm(job: Job) -> dict[str, float]:
    """Trains on what `fill_feature_cache` left.

    Raises:
        ScenebookError: A view is missing.
    """
    with open_training(job) as data:
        _check_all_kept(job, data)
        return _measure(job, data)


def measure_rows(job: Job) -> dict[str, float]:
    """Trains the same layers on random numbers in memory: what `fit` of them takes at least."""
    with open_training(job, feature_cache_gb=0.0) as data:
        draw = np.random.default_rng(job.settings.seed).random
        shapes = [tensor.shape[1:] for tensor in data.accelerated[0].inputs]
        rows = tuple(draw((data.count, *shape), np.float32) for shape in shapes)
        labels = np.eye(job.num_classes, dtype=np.float32)[data.labels]
        return _measure(job, data, rows if len(rows) > 1 else rows[0], labels, batch_size=job.settings.batch_size)


def _check_all_kept(job: Job, data: FirstPhase) -> None:
    assert data.stream is not None
    if any(len(data.stream.list_missing(epoch)) for epoch in range(job.settings.epochs + 1)):
        raise ScenebookError(
            "The feature cache does not hold every view: raise feature_cache_gb, or make room on the disk."
        )


def _measure(job: Job, data: FirstPhase, *batches: Any, **options: Any) -> dict[str, float]:
    """Trains over the timed epochs, from the first view to the last step; an epoch before traces and compiles."""
    part, train_ds, _ = data.accelerated
    callbacks = [training.StopOnNonFiniteLoss()]

    def fit(epochs: int) -> None:
        part.fit(*(batches or (train_ds,)), epochs=epochs, callbacks=callbacks, shuffle=False, verbose=0, **options)

    fit(1)
    seconds = take_seconds(lambda: fit(job.settings.epochs))
    return {"rate": data.count * job.settings.epochs / seconds, "memory": read_memory_peak()}


def open_training(job: Job, **changes: Any) -> FirstPhase:
    """Returns what the recipe of notebook 02, as it is committed, fits first, compiled, and what feeds it.

    Args:
        job: The job.
        changes: Settings that differ from the job's.
    """
    settings, train = job.settings.updated({"accelerate": True, **changes}), job.load_train()
    recipe = Recipe(vars(load_source(read_recipe_cells())))
    return open_first_phase(recipe, settings, train, train, num_classes=job.num_classes)


def read_recipe_cells() -> str:
    """Returns the code of the cells that are tagged `recipe`."""
    notebook = nbformat.read(project_root() / "notebooks" / "02-training.ipynb", as_version=4)
    return "\n\n".join(cell.source for cell in notebook.cells if "recipe" in cell.metadata.get("tags", []))
