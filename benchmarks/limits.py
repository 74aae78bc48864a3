"""What no training could be faster than: the machine's arithmetic for the frozen layers, the steps of the others."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from benchmarks.clocks import take_seconds
from benchmarks.frozen_layers import build_base
from benchmarks.job import Job
from benchmarks.ours import compile_tail
from scenebook.network import training
from scenebook.network.classifier import count_parameters
from scenebook.network.fitting import build_frozen_classifier
from scenebook.network.frozen.cutting import split_frozen

SIDES = (1024, 2048, 4096)
"""Sides of the square matrices that are multiplied."""

_KERNELS = ("kernel", "depthwise_kernel", "pointwise_kernel")


def measure_matmul(job: Job) -> dict[str, float]:
    """The fastest of large float32 matrix multiplications, in NumPy and in TensorFlow; the limit that it sets."""
    gflops = max(_multiply(side, job.seconds / 10) for side in SIDES)
    base_gflop = count_flops(build_base(job)) / 1e9
    return {"gflops": gflops, "base_gflop": base_gflop, "limit": gflops / base_gflop}


def _multiply(side: int, seconds: float) -> float:
    rng = np.random.default_rng(0)
    left, right = (rng.standard_normal((side, side), dtype=np.float32) for _ in range(2))
    tensors = tf.constant(left), tf.constant(right)
    best, passed = math.inf, 0.0
    while passed < seconds or math.isinf(best):
        for run in (lambda: left @ right, lambda: tf.linalg.matmul(*tensors).numpy()):
            taken = take_seconds(run)
            best, passed = min(best, taken), passed + taken
    return 2 * side**3 / best / 1e9


def count_flops(model: keras.Model) -> int:
    """Counts the floating-point operations that one image takes: those of convolutions and dense layers.

    A multiplication and the addition of its product are two. What else a network does (normalisation, activations,
    pooling, sums) is a few percent of a residual network and is left out.

    Args:
        model: Functional, its layers not nested.
    """
    nodes = [node for depth in model._nodes_by_depth.values() for node in depth]
    return sum(_count_layer(node.operation, node.outputs[0].shape) for node in nodes)


def _count_layer(operation: Any, shape: tuple[int | None, ...]) -> int:
    if not isinstance(operation, keras.Layer) or not operation.weights:
        return 0
    # All places of the output but the channels: every number of a kernel is multiplied once at each.
    places = math.prod(size or 1 for size in shape[1:-1])
    if isinstance(operation, (layers.Conv2D, layers.DepthwiseConv2D, layers.SeparableConv2D, layers.Dense)):
        kernels = [getattr(operation, name, None) for name in _KERNELS]
        return sum(2 * math.prod(kernel.shape) * places for kernel in kernels if kernel is not None)
    return 0


def measure_tail(job: Job) -> dict[str, float]:
    """Trains the trainable layers on random rows that are in memory; it has taken two steps before."""
    settings = job.settings
    training.initialize_determinism(settings["seed"])
    base, tail = split_frozen(build_frozen_classifier(settings, job.num_classes))
    compile_tail(tail, settings)
    train, batch_size = job.load_split("train"), settings["batch_size"]
    labels = tf.one_hot(train.labels, job.num_classes)
    shapes = [tuple(tensor.shape[1:]) for tensor in base.outputs]
    rng = np.random.default_rng(settings["seed"])
    batches = []
    for start in range(0, len(train), batch_size):
        part = labels[start : start + batch_size]
        # As after a ReLU: half of the numbers are zero.
        rows = [np.maximum(rng.standard_normal((len(part), *shape), dtype=np.float32), 0.0) for shape in shapes]
        batches.append((tuple(tf.constant(array) for array in rows), part))

    def fit(epochs: int, steps: int) -> None:
        def make_batches() -> Iterator[Any]:
            for _ in range(epochs):
                yield from batches[:steps]

        tail.fit(make_batches(), epochs=epochs, steps_per_epoch=steps, shuffle=False, verbose=0)

    fit(1, min(2, len(batches)))
    seconds = take_seconds(lambda: fit(settings["epochs"], len(batches)))
    # Four bytes each for a weight, its gradient and its momentum.
    state = 3 * 4 * count_parameters(tail)["trainable_params"] / 1e9
    return {"rate": len(train) * settings["epochs"] / seconds, "training_state": state}
