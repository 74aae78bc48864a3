"""How many views a second one core makes: ours, and the legacy class."""

from __future__ import annotations

import cv2
import numpy as np
import tensorflow as tf

from benchmarks.clocks import measure_rate
from benchmarks.job import Job
from benchmarks.keras_plain import build_generator
from scenebook.network.augmentation import build_augmentation, make_view_seed
from scenebook.network.inputs import make_keys

_SECONDS = 3.0  # the least time that is measured


def measure_legacy(job: Job) -> dict[str, float]:
    """`random_transform` of float32 images, one after another, as `flow` calls it."""
    train = job.load_train()
    images = train.stored[train.rows].astype(np.float32)
    generator = build_generator(job.settings)

    def run() -> None:
        for image in images:
            generator.random_transform(image)

    generator.random_transform(images[0])
    return {"rate": measure_rate(run, len(images), seconds=_SECONDS)}


def measure_ours(job: Job) -> dict[str, float]:
    """`build_augmentation` on uint8 batches, the drawing of random numbers included."""
    # Systems without a way to keep a process to one core: OpenCV is the only one here that starts threads.
    cv2.setNumThreads(1)
    train, batch_size = job.load_train(), job.settings.batch_size
    originals = train.stored[train.rows]
    augment = build_augmentation(**job.settings.augmentation)
    seeds = make_view_seed(job.settings.augmentation_seed, tf.constant(make_keys(train.digests)), 0)
    starts = range(0, len(train), batch_size)
    batches = [
        (tf.constant(originals[start : start + batch_size]), seeds[start : start + batch_size]) for start in starts
    ]

    def run() -> None:
        for images, keys in batches:
            augment(images, keys)

    augment(*batches[0])
    return {"rate": measure_rate(run, len(train), seconds=_SECONDS)}
