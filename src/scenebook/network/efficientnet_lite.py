"""EfficientNet-Lite0, and its ImageNet weights, which a package of the index brings.

EfficientNet (Tan and Le, 2019) without squeeze-and-excitation and with ReLU6 instead of swish: made for processors
without an accelerator. The layers' names are those that `keras.applications` gives to EfficientNet's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
from keras import layers

from scenebook.core.backbones import NamedWeights
from scenebook.network.torch_files import read_tensors

_STEM_WIDTH = 32
_TOP_WIDTH = 1280
_BATCH_NORM_EPSILON = 1e-3
_STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
"""Of each stage: blocks, kernel size, stride of the first block, expansion, width."""
_PARTS = {
    "expand_conv": "_expand_conv",
    "expand_bn": "_bn0",
    "dwconv": "_depthwise_conv",
    "bn": "_bn1",
    "project_conv": "_project_conv",
    "project_bn": "_bn2",
}
_ENDS = {"stem_conv": "_conv_stem", "stem_bn": "_bn0", "top_conv": "_conv_head", "top_bn": "_bn1"}
"""What the file calls the parts of a block, and the layers in front of the blocks and behind them."""


def preprocess_input(images: Any) -> Any:
    """Scales images from `[0, 255]` to about `[-1, 1]`, as the weights were trained."""
    return (images - 127.0) / 128.0


def build(name: str, image_size: int, weights: NamedWeights | None) -> keras.Model:
    """Builds the backbone; see `Backbone.builder`.

    Raises:
        WeightsError: The file of the weights is missing or damaged.
    """
    base_model = build_efficientnet_lite0(image_size)
    if weights:
        load_tensors(base_model, read_tensors(weights.require_file(), weights.sha256, advice=weights.advice))
    return base_model


def build_efficientnet_lite0(image_size: int) -> keras.Model:
    """Builds EfficientNet-Lite0 without its top, with random weights: 3.4 million parameters, stride 32.

    From `(batch, image_size, image_size, 3)`, preprocessed, to `(batch, ceil(image_size / 32),
    ceil(image_size / 32), 1280)`.
    """
    inputs = keras.Input((image_size, image_size, 3), name="input_layer")
    x = _normalize(_convolution(_STEM_WIDTH, 3, 2, "stem_conv")(inputs), "stem", activate=True)
    for stage, (blocks, size, strides, expansion, width) in enumerate(_STAGES, start=1):
        for block in range(blocks):
            name = f"block{stage}{'abcd'[block]}_"
            x = _block(x, size, strides if block == 0 else 1, expansion, width, name)
    x = _normalize(_convolution(_TOP_WIDTH, 1, 1, "top_conv")(x), "top", activate=True)
    return keras.Model(inputs, x, name="efficientnet-lite0")


def _block(inputs: Any, size: int, strides: int, expansion: int, width: int, name: str) -> Any:
    """An inverted residual block: expand, filter each channel by itself, project; added to its input where it fits."""
    x = inputs
    if expansion > 1:
        x = _convolution(expansion * inputs.shape[-1], 1, 1, f"{name}expand_conv")(x)
        x = _normalize(x, f"{name}expand", activate=True)
    depthwise = layers.DepthwiseConv2D(size, strides, padding="same", use_bias=False, name=f"{name}dwconv")
    x = _normalize(depthwise(x), name.rstrip("_"), activate=True)
    x = _normalize(_convolution(width, 1, 1, f"{name}project_conv")(x), f"{name}project", activate=False)
    return layers.Add(name=f"{name}add")([inputs, x]) if x.shape == inputs.shape else x


def _convolution(width: int, size: int, strides: int, name: str) -> layers.Layer:
    return layers.Conv2D(
        width, size, strides, padding="same", use_bias=False, kernel_initializer="he_normal", name=name
    )


def _normalize(x: Any, name: str, *, activate: bool) -> Any:
    x = layers.BatchNormalization(epsilon=_BATCH_NORM_EPSILON, name=f"{name}_bn")(x)
    return layers.ReLU(6.0, name=f"{name}_activation")(x) if activate else x


def load_tensors(base_model: keras.Model, tensors: Mapping[str, np.ndarray]) -> None:
    """Gives the layers the tensors of the file, in which blocks are counted through."""
    with_weights = [layer for layer in base_model.layers if layer.weights]
    blocks = list(dict.fromkeys(layer.name.partition("_")[0] for layer in with_weights if "block" in layer.name))
    for layer in with_weights:
        block, _, part = layer.name.partition("_")
        prefix = f"_blocks.{blocks.index(block)}.{_PARTS[part]}" if block in blocks else _ENDS[layer.name]
        is_norm = isinstance(layer, layers.BatchNormalization)
        kinds = ("weight", "bias", "running_mean", "running_var") if is_norm else ("weight",)
        layer.set_weights([_to_keras(layer, tensors[f"{prefix}.{kind}"]) for kind in kinds])


def _to_keras(layer: layers.Layer, tensor: np.ndarray) -> np.ndarray:
    """From PyTorch's kernels, (out, in, height, width), to Keras', (height, width, in, out); depthwise (.., in, 1)."""
    if tensor.ndim != 4:
        return tensor
    return np.transpose(tensor, (2, 3, 0, 1) if isinstance(layer, layers.DepthwiseConv2D) else (2, 3, 1, 0))
