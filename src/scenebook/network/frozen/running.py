"""What the frozen layers run in: one graph of TensorFlow's, or OpenVINO where a run asks for it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Protocol

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from scenebook.core.errors import SettingsError
from scenebook.core.settings import OPENVINO, check_runtime
from scenebook.network.frozen.cutting import is_empty
from scenebook.network.frozen.openvino_runtime import OpenVINORuntime
from scenebook.network.graph import list_nodes, run_graph

FoldedConvolution = tuple[tf.Tensor, tf.Tensor]


class FrozenRuntime(Protocol):
    """The frozen layers, ready to run."""

    name: str  # what they run in, with the version, for people to read

    def __call__(self, images: Any) -> list[Any]:
        """Returns the frozen layers' tensors for a batch, float32 `(batch, ...)` each."""

    def run_batches(self, batches: Iterable[Any]) -> Iterator[list[np.ndarray]]:
        """Yields the frozen layers' tensors for each batch, in order."""


def compile_frozen_layers(base: keras.Model, runtime: str = "auto") -> FrozenRuntime:
    """Returns the frozen layers as one graph, with the weights that they have now.

    Args:
        base: From `split_frozen`.
        runtime: The setting `frozen_layers_runtime`: `tensorflow`; `openvino`; or `auto`, TensorFlow, which
            `requirements.txt` brings: what is installed beside it changes no run.

    Returns:
        A function of preprocessed float32 `(batch, height, width, 3)` to the list of the frozen layers' tensors. An
        image's numbers do not depend on the others in its batch; in TensorFlow, on some processors, but for their last
        digits.

    Raises:
        SettingsError: OpenVINO was asked for and is not installed, or cannot run these frozen layers.
    """
    check_runtime(runtime)
    if is_empty(base) or runtime != OPENVINO:
        return TensorFlowRuntime(base)
    try:
        return OpenVINORuntime(base)
    except (ImportError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:300]
        raise SettingsError(
            "Expected a backbone that OpenVINO can run.",
            received={"frozen_layers_runtime": runtime},
            advice=f"{reason} Set frozen_layers_runtime to tensorflow.",
        ) from error


class TensorFlowRuntime:
    """Runs the frozen layers in TensorFlow, with the weights that they have now.

    Each batch normalisation that follows a convolution in inference mode is a multiplication and an addition a channel:
    both are folded into the convolution's own weights and bias (Jacob et al., 2018, section 3.2).

    An empty base hands on the images as they are.
    """

    name = f"TensorFlow {tf.__version__}"

    def __init__(self, base: keras.Model) -> None:
        self._run = None if is_empty(base) else _build_graph(base)

    def __call__(self, images: Any) -> list[tf.Tensor]:
        """Returns the frozen layers' tensors; but for last digits, an image's numbers do not depend on its batch."""
        images = tf.convert_to_tensor(images, tf.float32)
        if self._run is None:
            return [images]
        # With oneDNN, an empty batch comes out of a convolution in the shape in which it went in. A batch of one is
        # multiplied in another order, which changes the last digits. As a pair neither of them is.
        missing = max(0, 2 - len(images))
        if missing:
            pair = tf.concat([images, tf.zeros((missing, *images.shape[1:]), tf.float32)], axis=0)
            return [tensor[: len(images)] for tensor in self._run(pair)]
        return list(self._run(images))

    def run_batches(self, batches: Iterable[Any]) -> Iterator[list[np.ndarray]]:
        """Yields the frozen layers' tensors for each batch, in order."""
        for images in batches:
            yield [np.asarray(tensor) for tensor in self(images)]


def _build_graph(base: keras.Model) -> Any:
    convolutions, normalisations = _fold_normalisations(base)

    def call(operation: Any, *args: Any, **kwargs: Any) -> Any:
        if id(operation) in normalisations:
            return args[0]
        if id(operation) in convolutions:
            return _convolve(operation, args[0], *convolutions[id(operation)])
        if getattr(operation, "_call_has_training_arg", False):
            kwargs["training"] = False
        return operation(*args, **kwargs)

    @tf.function(input_signature=[tf.TensorSpec(base.input_shape, tf.float32)], autograph=False)
    def run(images: tf.Tensor) -> list[tf.Tensor]:
        # With mixed precision they may be float16.
        return [tf.cast(tensor, tf.float32) for tensor in keras.tree.flatten(run_graph(base, images, call))]

    # A concrete function: calls of the other kind count as retracing, and Keras warns when many are compiled.
    return run.get_concrete_function()


def _fold_normalisations(base: keras.Model) -> tuple[dict[int, FoldedConvolution], set[int]]:
    nodes = list_nodes(base)
    readers: dict[int, list[Any]] = {}
    for node in nodes:
        for tensor in node.input_tensors:
            readers.setdefault(id(tensor), []).append(node.operation)
    calls = [id(node.operation) for node in nodes]
    cut = {id(tensor) for tensor in base.outputs}
    convolutions: dict[int, FoldedConvolution] = {}
    normalisations: set[int] = set()
    for node in nodes:
        follows = readers.get(id(node.outputs[0]), [])
        alone = len(follows) == 1 and id(node.outputs[0]) not in cut and calls.count(id(node.operation)) == 1
        is_plain = alone and type(follows[0]) is layers.BatchNormalization and follows[0].axis in (-1, 3)
        if is_plain and _is_plain_convolution(node.operation):
            convolutions[id(node.operation)] = _fold(node.operation, follows[0])
            normalisations.add(id(follows[0]))
    return convolutions, normalisations


def _is_plain_convolution(operation: Any) -> bool:
    return (
        type(operation) in (layers.Conv2D, layers.DepthwiseConv2D)
        and operation.activation is keras.activations.linear
        and operation.data_format == "channels_last"
        and operation.compute_dtype == "float32"
    )


def _fold(convolution: Any, normalisation: Any) -> FoldedConvolution:
    mean, variance = (
        np.asarray(value, np.float64) for value in (normalisation.moving_mean, normalisation.moving_variance)
    )
    gamma = np.asarray(normalisation.gamma, np.float64) if normalisation.scale else 1.0
    beta = np.asarray(normalisation.beta, np.float64) if normalisation.center else 0.0
    bias = np.asarray(convolution.bias, np.float64) if convolution.use_bias else 0.0
    factor = gamma / np.sqrt(variance + normalisation.epsilon)
    kernel = np.asarray(convolution.kernel, np.float64)
    # A depthwise kernel has its output channels on two axes.
    channels = kernel.shape[2:] if isinstance(convolution, layers.DepthwiseConv2D) else kernel.shape[3:]
    folded = kernel * factor.reshape(channels)
    # Tensors that the graph is given, rather than constants in it: of those TensorFlow keeps some ten copies.
    return tf.constant(folded.astype(np.float32)), tf.constant(((bias - mean) * factor + beta).astype(np.float32))


def _convolve(layer: Any, images: tf.Tensor, kernel: tf.Tensor, bias: tf.Tensor) -> tf.Tensor:
    depthwise = isinstance(layer, layers.DepthwiseConv2D)
    convolve = keras.ops.depthwise_conv if depthwise else keras.ops.conv
    places = {"strides": layer.strides, "padding": layer.padding, "dilation_rate": layer.dilation_rate}
    return convolve(images, kernel, data_format="channels_last", **places) + bias
