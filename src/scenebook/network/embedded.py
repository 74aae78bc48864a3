"""The embedded backbone: a small residual network of ResNet50's own blocks, and the weights that come with it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers

from scenebook.core.backbones import NamedWeights
from scenebook.core.errors import WeightsError
from scenebook.core.provenance import sha256_file
from scenebook.network.weight_files import check_shapes

EMBEDDED_FILE = Path(__file__).with_name("weights") / "embedded.npz"
EMBEDDED_RECORD = EMBEDDED_FILE.with_suffix(".json")

STEM_WIDTH = 32
_STAGES = ((16, 2), (32, 3), (64, 5))
"""Bottleneck width and number of blocks of each stage; a block puts out 4 widths."""

BATCH_NORM_EPSILON = 1.001e-5  # that of ResNet50 in keras.applications


def preprocess_input(images: Any) -> Any:
    """Scales images for the embedded backbone from `[0, 255]` to `[-1, 1]`."""
    return images / 127.5 - 1.0


def build(name: str, image_size: int, weights: NamedWeights | None) -> keras.Model:
    """Builds the embedded network; see `Backbone.builder`."""
    base_model = build_embedded(image_size)
    if weights:
        load_embedded_weights(base_model)
    return base_model


def build_embedded(image_size: int) -> keras.Model:
    """Builds the embedded network with random weights: 0.46 million parameters, stride 16.

    The blocks are ResNet50's: a 1x1 convolution that reduces, a 3x3 and a 1x1 that expands fourfold, each followed by
    batch normalisation, and the shortcut added before the last ReLU (He et al., 2016). Layer names are those of
    `keras.applications.ResNet50`. From `(batch, image_size, image_size, 3)` in `[-1, 1]` it makes
    `(batch, ceil(image_size / 16), ceil(image_size / 16), 256)`.
    """
    inputs = keras.Input((image_size, image_size, 3), name="input_layer")
    x = _convolution(inputs, STEM_WIDTH, 3, 2, "conv1")
    x = layers.ReLU(name="conv1_relu")(x)
    x = layers.MaxPooling2D(3, strides=2, padding="same", name="pool1_pool")(x)
    for position, (width, depth) in enumerate(_STAGES):
        for block in range(depth):
            strides = 2 if block == 0 and position > 0 else 1
            x = _bottleneck(x, width, strides, project=block == 0, name=f"conv{position + 2}_block{block + 1}")
    return keras.Model(inputs, x, name="embedded")


def _bottleneck(x: Any, width: int, strides: int, *, project: bool, name: str) -> Any:
    """One residual block of ResNet50, version 1: activation after the addition, stride in the first convolution."""
    shortcut = _convolution(x, 4 * width, 1, strides, f"{name}_0") if project else x
    x = _convolution(x, width, 1, strides, f"{name}_1")
    x = layers.ReLU(name=f"{name}_1_relu")(x)
    x = _convolution(x, width, 3, 1, f"{name}_2")
    x = layers.ReLU(name=f"{name}_2_relu")(x)
    x = _convolution(x, 4 * width, 1, 1, f"{name}_3")
    x = layers.Add(name=f"{name}_add")([shortcut, x])
    return layers.ReLU(name=f"{name}_out")(x)


def _convolution(x: Any, width: int, size: int, strides: int, name: str) -> Any:
    convolution = layers.Conv2D(
        width, size, strides=strides, padding="same", kernel_initializer="he_normal", name=f"{name}_conv"
    )
    return layers.BatchNormalization(epsilon=BATCH_NORM_EPSILON, name=f"{name}_bn")(convolution(x))


def load_embedded_weights(base_model: keras.Model, file: Path | None = None) -> None:
    """Gives an embedded network the weights that come with the package, or those of a file of `save_embedded_weights`.

    The SHA-256 of the package's own is compared with the recorded one.

    Raises:
        WeightsError: The file is damaged, or the model is another one.
    """
    if file is None and (not EMBEDDED_FILE.is_file() or sha256_file(EMBEDDED_FILE) != read_embedded_record()["sha256"]):
        raise WeightsError(
            "Expected the embedded weights as they were released: the file's SHA-256 is not the recorded one.",
            received={"file": EMBEDDED_FILE.name},
            advice="Restore the file from the repository, or run notebooks/appendix-backbone.ipynb to make it again.",
        )
    with np.load(file or EMBEDDED_FILE, allow_pickle=False) as stored:
        arrays = {name: stored[name].astype(np.float32) for name in stored.files}
    expected = {variable.path: (variable.path, (tuple(variable.shape),)) for variable in base_model.variables}
    check_shapes(expected, {name: (array.shape,) for name, array in arrays.items()}, "embedded")
    for variable in base_model.variables:
        variable.assign(arrays[variable.path])


def read_embedded_record() -> dict[str, Any]:
    """Returns what is recorded of the embedded weights: sha256, recipe and measurements."""
    record: dict[str, Any] = json.loads(EMBEDDED_RECORD.read_text(encoding="utf-8"))
    return record


def save_embedded_weights(base_model: keras.Model, file: Path) -> None:
    """Writes the weights of an embedded network: a compressed npz of float16 arrays, keyed by variable path."""
    arrays = {variable.path: np.asarray(variable).astype(np.float16) for variable in base_model.variables}
    with file.open("wb") as stream:
        np.savez_compressed(stream, allow_pickle=False, **arrays)
