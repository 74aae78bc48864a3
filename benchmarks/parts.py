"""Parts of a training: views a second on one core, and how near the frozen layers come to what the machine can do.

The limit of the frozen layers comes from the machine's arithmetic and its memory, measured here. It is that of a
roofline (Williams et al., 2009), layer by layer: a layer takes at least as long as its multiplications do at the rate
of a large matrix product, and at least as long as its tensors and weights take to be read and written once at the rate
of a long sum of two arrays. What a cache keeps from one layer to the next is not counted, so that a runtime that works
image by image may exceed it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import cv2
import keras
import numpy as np
import tensorflow as tf
from keras import layers

from benchmarks.job import Job
from benchmarks.keras_plain import build_base_model, build_generator
from benchmarks.machine import measure_rate
from scenebook.network.augmentation import build_augmentation, make_view_seed
from scenebook.network.frozen.running import compile_frozen_layers
from scenebook.network.inputs import make_keys

_SECONDS = 4.0
"""The least time that is measured."""
_SIDE = 2048
_LENGTH = 2**26
_FLOAT = 4


def measure_limit(job: Job) -> dict[str, float]:
    """Images a second that the whole backbone could have at most."""
    flops, bandwidth = measure_flops(), measure_bandwidth()
    base_model, batch_size = build_base_model(job.settings), job.settings.batch_size
    seconds = sum(
        max(work * batch_size / flops, (moved * batch_size + weights) / bandwidth)
        for work, moved, weights in list_costs(base_model)
    )
    return {"rate": batch_size / seconds}


def measure_tensorflow(job: Job) -> dict[str, float]:
    """Images a second through the whole backbone in TensorFlow, as one compiled graph."""
    return _measure(job, "tensorflow")


def measure_openvino(job: Job) -> dict[str, float]:
    """The same in OpenVINO."""
    return _measure(job, "openvino")


def _measure(job: Job, runtime: str) -> dict[str, float]:
    base_model, size = build_base_model(job.settings), job.settings.batch_size
    run = compile_frozen_layers(base_model, runtime)
    batches = [np.random.default_rng(0).normal(size=(size, *base_model.input_shape[1:])).astype(np.float32)] * 8

    def go() -> None:
        for _ in run.run_batches(batches):
            pass

    go()
    return {"rate": measure_rate(go, size * len(batches), seconds=_SECONDS)}


def measure_flops() -> float:
    """Returns floating-point operations a second in a product of large float32 matrices."""
    matrix = tf.random.normal((_SIDE, _SIDE))
    return _measure_best(lambda: tf.matmul(matrix, matrix).numpy(), 2 * _SIDE**3)


def measure_bandwidth() -> float:
    """Returns bytes a second that are read and written in a sum of two arrays that no cache holds."""
    first, second = tf.ones(_LENGTH), tf.ones(_LENGTH)
    add = tf.function(lambda: first + second)
    return _measure_best(lambda: add(), 3 * _FLOAT * _LENGTH)


def _measure_best(run: Callable[[], object], amount: int) -> float:
    run()
    return max(measure_rate(run, amount, seconds=0.0) for _ in range(10))


def list_costs(model: keras.Model) -> Iterator[tuple[float, float, float]]:
    """Yields what each layer costs: operations and bytes for an image, and bytes of its weights.

    Normalisation in inference mode and activation are part of the convolution before them and cost nothing of their
    own.
    """
    for layer in model.layers:
        if not isinstance(layer, (layers.Conv2D, layers.DepthwiseConv2D, layers.Add)):
            continue
        read = layer.input if isinstance(layer.input, list) else [layer.input]
        moved = _FLOAT * sum(int(np.prod(tensor.shape[1:])) for tensor in [*read, layer.output])
        weights = sum(int(np.prod(weight.shape)) for weight in layer.weights)
        # Each number of a convolution's kernel is used once at each place, for each output channel that it belongs to.
        places = int(np.prod(layer.output.shape[1:3]))
        kernel = 0 if isinstance(layer, layers.Add) else int(np.prod(layer.weights[0].shape))
        yield 2.0 * kernel * places, moved, _FLOAT * weights


def measure_legacy_augmentation(job: Job) -> dict[str, float]:
    """`random_transform` of float32 images, one after another, as `flow` calls it."""
    train = job.load_train()
    images = train.stored[train.rows].astype(np.float32)
    generator = build_generator(job.settings)

    def run() -> None:
        for image in images:
            generator.random_transform(image)

    generator.random_transform(images[0])
    return {"rate": measure_rate(run, len(images), seconds=_SECONDS)}


def measure_augmentation(job: Job) -> dict[str, float]:
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
