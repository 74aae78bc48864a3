"""The cut between what training never changes, the *trunk*, and what it does, the *tail*.

What lies upstream of the first layer that learns gives the same numbers for the same picture in every epoch. It is run
by itself, in inference mode, and only the tail is fit. The layers are shared: who trains the tail trains the model.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from scenebook.errors import InputError

FoldedConvolution = tuple[tf.Tensor, tf.Tensor]
RunTrunk = Callable[[Any], list[tf.Tensor]]


class Split(NamedTuple):
    """A model in two parts.

    Attributes:
        trunk: From pictures to the list of tensors that the tail starts from, one or several.
        tail: From these tensors to the model's output. `fit` trains it as it would train the model.
    """

    trunk: keras.Model
    tail: keras.Model


def split_frozen(model: keras.Model) -> Split:
    """Cuts a model in front of the first layers that learn. Where a shortcut goes round them, several tensors are cut.

    A layer is in the trunk when nothing upstream of it learns, and it is frozen itself or has nothing to learn, to
    count or to draw. Models nested in the model are opened. What is frozen between or behind layers that learn is part
    of the tail, and stays frozen there.

    Args:
        model: Sequential or functional, built, with one input and one output; what is to be frozen is frozen already.

    Raises:
        InputError: No layer of the model learns.
    """
    pictures = keras.Input(model.input_shape[1:], name="pictures")
    learned: set[int] = set()
    border: dict[int, keras.KerasTensor] = {}
    frozen: list[keras.Layer] = []

    def call(operation: Any, *args: Any, **kwargs: Any) -> Any:
        if _is_graph(operation):
            return _run_graph(operation, args[0], call)
        given = [tensor for tensor in keras.tree.flatten((args, kwargs)) if isinstance(tensor, keras.KerasTensor)]
        outputs = operation(*args, **kwargs)
        if _learns(operation) or any(id(tensor) in learned for tensor in given):
            border.update({id(tensor): tensor for tensor in given if id(tensor) not in learned})
            learned.update(id(tensor) for tensor in keras.tree.flatten(outputs))
        else:
            frozen.append(operation)
        return outputs

    output = _run_graph(model, pictures, call)
    if not border:
        raise InputError(
            "Expected a model with a layer that learns.",
            received={"model": model.name},
            advice="Set `trainable` of its last layers to True.",
        )
    cut = list(border.values())
    # Padding alone is not worth a cut: what it puts out is larger than the pictures.
    if not any(getattr(layer, "weights", ()) for layer in frozen):
        cut = [pictures]
    return Split(keras.Model(pictures, cut, name="trunk"), keras.Model(cut, output, name="tail"))


def is_empty(trunk: keras.Model) -> bool:
    """Returns whether nothing is frozen in front of what learns: such a trunk hands on the pictures as they are."""
    return all(isinstance(layer, layers.InputLayer) for layer in trunk.layers)


def list_stochastic(trunk: keras.Model) -> list[str]:
    """Returns the names of the trunk's layers that drop at random in `fit`, frozen or not; in a trunk they do not."""
    return [layer.name for layer in trunk.layers if _draws(layer)]


def read_cut(trunk: keras.Model, bank_dtype: str, *, kept: bool) -> str:
    """Returns the sentences on the cut, for `say`: what goes from the trunk to the tail.

    Their fields: `tensors` (a count with its noun), `numbers`, `dtype`, `stochastic` (a count with its noun).

    Args:
        trunk: From `split_frozen`.
        bank_dtype: The setting of that name.
        kept: Whether a bank keeps them.
    """
    if is_empty(trunk):
        return "With these settings nothing is frozen in front of what learns: the tail is the whole network."
    goes = "goes" if len(trunk.outputs) == 1 else "go"
    told = (
        f"[@fig:trunk] shows the cut: {{tensors}} {goes} from the trunk to the tail, {{numbers:,}} numbers a picture."
    )
    if kept:
        told += " They are kept in a cache, for later runs that train on the same views."
    if bank_dtype != "float32":
        told += " They are rounded to {dtype}, whether they were kept or not, which takes half the room."
    if list_stochastic(trunk):
        told += (
            " In the trunk {stochastic} would drop numbers at random in Keras' own `fit`, although frozen; run as a "
            "trunk, nothing is dropped."
        )
    return told


def _learns(operation: Any) -> bool:
    # `variables` holds moving averages and the state of random numbers, too.
    return isinstance(operation, keras.Layer) and operation.trainable and bool(operation.variables)


def _draws(layer: keras.Layer) -> bool:
    return len(layer.variables) > len(layer.weights)


def _is_graph(operation: Any) -> bool:
    return isinstance(operation, keras.Sequential) or hasattr(operation, "_run_through_graph")


def _run_graph(model: Any, tensor: Any, call: Callable[..., Any]) -> Any:
    """Goes through a model's operations in order; Keras has no public name for that."""
    graph = model._functional if isinstance(model, keras.Sequential) else model
    return graph._run_through_graph(tensor, call_fn=call)


def compile_trunk(trunk: keras.Model) -> RunTrunk:
    """Returns the trunk as one graph, with the weights that it has now.

    Each batch normalisation that follows a convolution in inference mode is a multiplication and an addition a channel:
    both are folded into the convolution's own weights and bias (Jacob et al., 2018, section 3.2).

    Args:
        trunk: From `split_frozen`.

    Returns:
        A function of preprocessed float32 `(batch, height, width, 3)` to the list of the trunk's tensors. A picture's
        numbers do not depend on the others in its batch.
    """
    if is_empty(trunk):
        return lambda images: [tf.convert_to_tensor(images)]
    convolutions, normalisations = _fold_normalisations(trunk)

    def call(operation: Any, *args: Any, **kwargs: Any) -> Any:
        if id(operation) in normalisations:
            return args[0]
        if id(operation) in convolutions:
            return _convolve(operation, args[0], *convolutions[id(operation)])
        if getattr(operation, "_call_has_training_arg", False):
            kwargs["training"] = False
        return operation(*args, **kwargs)

    @tf.function(input_signature=[tf.TensorSpec(trunk.input_shape, tf.float32)], autograph=False)
    def run(images: tf.Tensor) -> list[tf.Tensor]:
        return keras.tree.flatten(_run_graph(trunk, images, call))

    # A concrete function: calls of the other kind count as retracing, and Keras warns when many trunks are compiled.
    concrete = run.get_concrete_function()

    def run_batch(images: Any) -> list[tf.Tensor]:
        images = tf.convert_to_tensor(images, tf.float32)
        # A batch of one is multiplied in another order, which changes the last digits: as a pair it is not.
        if len(images) == 1:
            return [tensor[:1] for tensor in concrete(tf.repeat(images, 2, axis=0))]
        return list(concrete(images))

    return run_batch


def _fold_normalisations(trunk: keras.Model) -> tuple[dict[int, FoldedConvolution], set[int]]:
    """Returns kernel and bias of each convolution that a normalisation is folded into, and these normalisations."""
    nodes = [node for depth in trunk._nodes_by_depth.values() for node in depth]
    readers: dict[int, list[Any]] = {}
    for node in nodes:
        for tensor in node.input_tensors:
            readers.setdefault(id(tensor), []).append(node.operation)
    calls = [id(node.operation) for node in nodes]
    cut = {id(tensor) for tensor in trunk.outputs}
    convolutions: dict[int, FoldedConvolution] = {}
    normalisations: set[int] = set()
    for node in nodes:
        follows = readers.get(id(node.outputs[0]), [])
        alone = len(follows) == 1 and id(node.outputs[0]) not in cut and calls.count(id(node.operation)) == 1
        if alone and _is_plain_convolution(node.operation) and _is_plain_normalisation(follows[0]):
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


def _is_plain_normalisation(operation: Any) -> bool:
    return type(operation) is layers.BatchNormalization and operation.axis in (-1, 3)


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


def describe_trunk(trunk: keras.Model) -> dict[str, Any]:
    """Returns what a trunk's output depends on besides the pictures, for the key of a bank.

    Returns:
        `digest`: SHA-256 of its layers, how they are connected, and their weights. What the layers are called does not
        count, because Keras numbers them anew in every process. `device`: what TensorFlow computes on.
    """
    config = trunk.get_config()
    numbers = {layer["name"]: f"layer {number}" for number, layer in enumerate(config["layers"])}
    digest = hashlib.sha256(json.dumps(_rename(config["layers"], numbers), sort_keys=True, default=str).encode())
    for array in trunk.get_weights():
        digest.update(np.ascontiguousarray(array).tobytes())
    return {"digest": digest.hexdigest(), "device": "GPU" if tf.config.list_physical_devices("GPU") else "CPU"}


def _rename(content: Any, names: dict[str, str]) -> Any:
    if isinstance(content, dict):
        return {key: _rename(value, names) for key, value in content.items() if key not in ("seed", "trainable")}
    if isinstance(content, (list, tuple)):
        return [_rename(value, names) for value in content]
    return names.get(content, content) if isinstance(content, str) else content
