"""Whole jobs, from a folder of images to the accuracy on its test images: ours, and as Keras' own pages write them.

Ours is the command `report`: timed to the accuracy, which it writes down on the way, and to the end. In the others the
clock runs from the start of the process to the accuracy.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import psutil
import tensorflow as tf

from benchmarks.job import Job
from benchmarks.keras_plain import build_base_model, build_classifier, build_generator
from benchmarks.machine import read_memory_peak
from scenebook.core.errors import ScenebookError
from scenebook.core.project import project_root
from scenebook.core.run_directory import RunDirectory, write_json
from scenebook.core.run_files import METRICS
from scenebook.network.backbones import preprocessing
from scenebook.pipeline.scheduling import PeakMemory

_RUN, _GUIDE_IMAGES = "whole", 9305
_GUIDE_PASSES = (2, 1)
"""The guide trains its head in two passes over so many images, and then everything in one."""


def measure_cold(job: Job) -> dict[str, float]:
    """`report` with an empty feature cache. Its accuracy is what the guide has to reach."""
    numbers = _report(job, fresh=True)
    write_json(_target(job), {"accuracy": numbers["accuracy"]})
    return numbers


def measure_warm(job: Job) -> dict[str, float]:
    """`report` in a new run, with the feature cache that `measure_cold` has left."""
    return _report(job, fresh=False)


def measure_unaccelerated(job: Job) -> dict[str, float]:
    """`report` with `fit` of the whole network."""
    return _report(job, "accelerate=false", fresh=True)


def _report(job: Job, *changes: str, fresh: bool) -> dict[str, float]:
    clear_folders(job, "runs", "build", *(["cache"] if fresh else []))
    started = time.time()
    run_dir, memory = run_command(job, "report", *changes)
    return {
        "seconds": run_dir.path(METRICS).stat().st_mtime - started,
        "report": time.time() - started,
        "accuracy": run_dir.read_json(METRICS)["accuracy"]["value"],
        "memory": memory,
    }


def clear_folders(job: Job, *names: str) -> None:
    """Deletes `runs`, `build` or `cache` of the whole jobs."""
    for name in names:
        shutil.rmtree(job.folder / "whole" / name, ignore_errors=True)


def run_command(job: Job, command: str, *changes: str) -> tuple[RunDirectory, float]:
    """Runs a command of ours with changed settings; returns the run, and the memory of its processes in GB.

    Raises:
        ScenebookError: It failed.
    """
    folder = job.folder / "whole"
    places = {f"SCENEBOOK_{name.upper()}": str(folder / name) for name in ("runs", "build", "cache")}
    words = [sys.executable, "-m", "scenebook", command, "--run", _RUN, "--profile", str(job.profile)]
    words += [part for change in changes for part in ("--set", change)]
    with PeakMemory() as memory:
        done = subprocess.run(
            words, cwd=project_root(), env={**os.environ, **places}, capture_output=True, text=True, check=False
        )
    if done.returncode:
        raise ScenebookError((done.stderr.strip().splitlines() or [f"{command} failed"])[-1])
    return RunDirectory(folder / "runs" / _RUN), memory.peak_mb * 2**20 / 1e9


def measure_recipe(job: Job) -> dict[str, float]:
    """The recipe's first phase as plain Keras writes it: `flow_from_directory`, and `fit` of the whole model."""
    settings = job.settings
    size = (settings.image_size, settings.image_size)
    flow: dict[str, Any] = {"target_size": size, "batch_size": settings.batch_size, "interpolation": "bilinear"}
    train = build_generator(settings).flow_from_directory(job.images / "train", **flow)
    plain = tf.keras.preprocessing.image.ImageDataGenerator(
        preprocessing_function=preprocessing(settings.backbone, settings.preprocessing).function
    )
    test = plain.flow_from_directory(job.images / "test", shuffle=False, **flow)
    model = build_classifier(settings, job.num_classes)
    model.fit(train, epochs=job.whole_epochs, verbose=0)
    return _take(model.evaluate(test, verbose=0)[1])


def measure_guide(job: Job) -> dict[str, float]:
    """Keras' guide to transfer learning: its head, then all layers; until it is as good as ours, or has seen as many
    images as the guide's. The test after each epoch does not count.

    Source: keras.io/guides/transfer_learning, the end-to-end example.
    """  # fmt: skip
    settings, seconds = job.settings, [0.0]
    assert isinstance(settings.image_size, int)
    load: Callable[..., tf.data.Dataset] = keras.utils.image_dataset_from_directory
    options = {"image_size": (settings.image_size, settings.image_size), "batch_size": settings.batch_size}
    train = load(job.images / "train", seed=settings.seed, **options)
    count = len(train.file_paths)
    augment = keras.Sequential([keras.layers.RandomFlip("horizontal"), keras.layers.RandomRotation(0.1)])
    test = load(job.images / "test", shuffle=False, **options).prefetch(tf.data.AUTOTUNE)
    prepared = train.map(
        lambda images, labels: (augment(images, training=True), labels), num_parallel_calls=tf.data.AUTOTUNE
    ).prefetch(tf.data.AUTOTUNE)
    base_model = build_base_model(settings)
    base_model.trainable = False
    inputs = keras.Input((settings.image_size, settings.image_size, 3))
    x = preprocessing(settings.backbone, settings.preprocessing)(inputs)
    x = keras.layers.GlobalAveragePooling2D()(base_model(x, training=False))
    outputs = keras.layers.Dense(job.num_classes)(keras.layers.Dropout(0.2)(x))
    model = keras.Model(inputs, outputs)
    accuracy, target = 0.0, RunDirectory(job.folder).read_json(_target(job).name)["accuracy"]
    for passes, rate, trainable in zip(_GUIDE_PASSES, (1e-3, 1e-5), (False, True), strict=True):
        base_model.trainable = trainable
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(optimizer=keras.optimizers.Adam(rate), loss=loss, metrics=["accuracy"])
        for _ in range(-(-passes * _GUIDE_IMAGES // count)):
            if accuracy < target:
                model.fit(prepared, verbose=0)
                started = time.perf_counter()
                accuracy = model.evaluate(test, verbose=0)[1]
                seconds[0] += time.perf_counter() - started
    return _take(accuracy, less=seconds[0])


def _take(accuracy: float, *, less: float = 0.0) -> dict[str, float]:
    """Returns the numbers of this process, which has done its job; `less` are seconds that do not count."""
    seconds = time.time() - psutil.Process().create_time() - less
    return {"seconds": seconds, "accuracy": accuracy, "memory": read_memory_peak()}


def _target(job: Job) -> Path:
    return job.folder / "target.json"
