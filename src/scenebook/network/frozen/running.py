"""What a trunk runs in: TensorFlow, or OpenVINO where that is installed."""

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
from scenebook.network.frozen.openvino_runtime import OpenVINOTrunk, is_installed
from scenebook.network.frozen.tensorflow_runtime import TensorFlowTrunk


class RunTrunk(Protocol):
    """A trunk, ready to run.

    Attributes:
        name: What it runs in, with the version, for people to read.
    """

    name: str

    def __call__(self, images: Any) -> list[Any]:
        """Returns the trunk's tensors for a batch, float32 `(batch, ...)` each."""

    def run_batches(self, batches: Iterable[Any]) -> Iterator[list[np.ndarray]]:
        """Yields the trunk's tensors for each batch, in order."""


def compile_trunk(trunk: keras.Model, runtime: str = "auto") -> RunTrunk:
    """Returns the trunk as one graph, with the weights that it has now.

    Args:
        trunk: From `split_frozen`.
        runtime: The setting `trunk_runtime`: `tensorflow`; `openvino`; or `auto`, which takes OpenVINO where it is
            installed and TensorFlow has no GPU. Where OpenVINO then cannot run the trunk, TensorFlow does, and a line
            of progress says so.

    Returns:
        A function of preprocessed float32 `(batch, height, width, 3)` to the list of the trunk's tensors. An image's
        numbers do not depend on the others in its batch; in TensorFlow, on some processors, but for their last digits.

    Raises:
        SettingsError: OpenVINO was asked for and is not installed, or cannot run this trunk.
    """
    check_runtime(runtime)
    if is_empty(trunk) or not _wants_openvino(runtime):
        return TensorFlowTrunk(trunk)
    try:
        return OpenVINOTrunk(trunk)
    except (ImportError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:300]
        if runtime == OPENVINO:
            raise SettingsError(
                "Expected a backbone that OpenVINO can run.",
                received={"trunk_runtime": runtime},
                advice=f"{reason} Set trunk_runtime to tensorflow.",
            ) from error
        print_progress(f"OpenVINO cannot run this trunk, so TensorFlow does: {reason}")
    return TensorFlowTrunk(trunk)


def _wants_openvino(runtime: str) -> bool:
    if runtime == "auto":
        return is_installed() and not tf.config.list_physical_devices("GPU")
    return runtime == OPENVINO
