"""The frozen layers in OpenVINO, an optional package: faster on a CPU, at float32, with a queue that works ahead.

TensorFlow's graph of the frozen layers, weights included, goes through a file that OpenVINO reads itself. Its own
converter is not used, and the package with which it reports to its makers is not loaded: nothing is sent anywhere.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from scenebook.core.environment import hiding_modules

PIECE = 4
"""Images that are computed together. All pieces have this size, the last one filled up: then an image's numbers do
not depend on its batch, and nothing is compiled twice."""

_REQUESTS = 16


def import_openvino() -> Any:
    """Imports OpenVINO without the package by which it reports each import over the network."""
    with hiding_modules("openvino_telemetry"):
        import openvino
    return openvino


class OpenVINORuntime:
    """Runs the frozen layers in OpenVINO on the CPU, with the weights that they have now.

    Raises:
        ImportError: OpenVINO is not installed.
        RuntimeError: OpenVINO cannot run one of the frozen layers.
    """

    def __init__(self, base: keras.Model) -> None:
        openvino = import_openvino()
        self.name = f"OpenVINO {openvino.__version__.split('-')[0]}"
        options: dict[str, Any] = {"PERFORMANCE_HINT": "THROUGHPUT", "INFERENCE_PRECISION_HINT": "f32"}
        if threads := os.environ.get("OMP_NUM_THREADS", ""):
            options["INFERENCE_NUM_THREADS"] = threads
        with TemporaryDirectory(prefix="scenebook-") as folder:
            file = Path(folder) / "base.pb"
            file.write_bytes(_freeze(base))
            core = openvino.Core()
            model = core.read_model(file)
            model.reshape([PIECE, *base.input_shape[1:]])
            compiled = core.compile_model(model, "CPU", options)
        self._shapes = [tuple(tensor.shape[1:]) for tensor in base.outputs]
        self._queue = openvino.AsyncInferQueue(compiled, _REQUESTS)
        self._queue.set_callback(lambda request, where: where[0].put(where[1], request))

    def __call__(self, images: Any) -> list[np.ndarray]:
        """Returns the frozen layers' tensors; an image's numbers do not depend on the others in its batch."""
        return self._start(images).wait()

    def run_batches(self, batches: Iterable[Any]) -> Iterator[list[np.ndarray]]:
        """Yields the frozen layers' tensors for each batch, in order. The next batch is computed while one is used."""
        started: deque[_Batch] = deque()
        try:
            for images in batches:
                started.append(self._start(images))
                if len(started) > 1:
                    yield started.popleft().wait()
            while started:
                yield started.popleft().wait()
        finally:
            self._queue.wait_all()

    def _start(self, images: Any) -> _Batch:
        images = np.asarray(images, np.float32)
        batch = _Batch(len(images), self._shapes)
        for start in range(0, len(images), PIECE):
            piece = images[start : start + PIECE]
            missing = PIECE - len(piece)
            if missing:
                piece = np.concatenate([piece, np.repeat(piece[-1:], missing, axis=0)])
            self._queue.start_async({0: np.ascontiguousarray(piece)}, (batch, start))
        return batch


class _Batch:
    """The rows of a batch, which arrive piece by piece, in any order."""

    def __init__(self, count: int, shapes: list[tuple[int, ...]]) -> None:
        self._rows = [np.empty((count, *shape), np.float32) for shape in shapes]
        self._count = count
        self._arrived = threading.Semaphore(0)

    def put(self, start: int, request: Any) -> None:
        size = min(PIECE, self._count - start)
        for number, rows in enumerate(self._rows):
            rows[start : start + size] = request.get_tensor(_name(number)).data[:size]
        self._arrived.release()

    def wait(self) -> list[np.ndarray]:
        for _ in range(0, self._count, PIECE):
            self._arrived.acquire()
        return self._rows


def _name(number: int) -> str:
    """Returns what a tensor is called in the graph: OpenVINO may have them in another order."""
    return f"tensor_{number}:0"


def _freeze(base: keras.Model) -> bytes:
    signature = [tf.TensorSpec((None, *base.input_shape[1:]), tf.float32)]

    @tf.function(input_signature=signature, autograph=False)
    def run(images: tf.Tensor) -> list[tf.Tensor]:
        tensors = keras.tree.flatten(base(images, training=False))
        return [tf.identity(tensor, name=_name(number).split(":")[0]) for number, tensor in enumerate(tensors)]

    frozen = convert_variables_to_constants_v2(run.get_concrete_function())
    return bytes(frozen.graph.as_graph_def().SerializeToString())
