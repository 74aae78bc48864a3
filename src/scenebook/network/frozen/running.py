"""What the frozen layers run in: TensorFlow, or OpenVINO where that is installed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Protocol

import keras
import numpy as np
import tensorflow as tf

from scenebook.core.errors import SettingsError
from scenebook.core.progress import print_progress
from scenebook.core.settings import OPENVINO, check_runtime
from scenebook.network.frozen.cutting import is_empty
from scenebook.network.frozen.openvino_runtime import OpenVINORuntime, is_installed
from scenebook.network.frozen.tensorflow_runtime import TensorFlowRuntime


class FrozenRuntime(Protocol):
    """The frozen layers, ready to run.

    Attributes:
        name: What it runs in, with the version, for people to read.
    """

    name: str

    def __call__(self, images: Any) -> list[Any]:
        """Returns the frozen layers' tensors for a batch, float32 `(batch, ...)` each."""

    def run_batches(self, batches: Iterable[Any]) -> Iterator[list[np.ndarray]]:
        """Yields the frozen layers' tensors for each batch, in order."""


def compile_frozen_layers(base: keras.Model, runtime: str = "auto") -> FrozenRuntime:
    """Returns the frozen layers as one graph, with the weights that they have now.

    Args:
        base: From `split_frozen`.
        runtime: The setting `frozen_layers_runtime`: `tensorflow`; `openvino`; or `auto`, which takes OpenVINO where it
            is installed and TensorFlow has no GPU. Where OpenVINO then cannot run the frozen layers, TensorFlow does,
            and a line of progress says so.

    Returns:
        A function of preprocessed float32 `(batch, height, width, 3)` to the list of the frozen layers' tensors. An
        image's numbers do not depend on the others in its batch; in TensorFlow, on some processors, but for their last
        digits.

    Raises:
        SettingsError: OpenVINO was asked for and is not installed, or cannot run these frozen layers.
    """
    check_runtime(runtime)
    possible = (
        is_installed() and not tf.config.list_physical_devices("GPU") if runtime == "auto" else runtime == OPENVINO
    )
    if is_empty(base) or not possible:
        return TensorFlowRuntime(base)
    try:
        return OpenVINORuntime(base)
    except (ImportError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:300]
        if runtime == OPENVINO:
            raise SettingsError(
                "Expected a backbone that OpenVINO can run.",
                received={"frozen_layers_runtime": runtime},
                advice=f"{reason} Set frozen_layers_runtime to tensorflow.",
            ) from error
        print_progress(f"OpenVINO cannot run these frozen layers, so TensorFlow does: {reason}")
    return TensorFlowRuntime(base)
