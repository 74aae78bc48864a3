"""The cut between what training never changes, the *frozen layers*, and what it does, the *trainable layers*.

What lies upstream of the first layer that learns gives the same numbers for the same image in every epoch. It is run
by itself, in inference mode, and only the trainable layers are fit. Both parts share the layers of the model: it is
trained when they are.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import keras
import tensorflow as tf
from keras import layers

from scenebook.core.errors import InputError
from scenebook.core.provenance import sha256_lines
from scenebook.network.graph import is_graph, run_graph
from scenebook.network.recipe.describing import digest_arrays, digest_config, untrained


class Split(NamedTuple):
    """A model in two parts: from images to one or several tensors, and from these to its output, which `fit` trains."""

    base: keras.Model
    tail: keras.Model


def split_frozen(model: keras.Model) -> Split:
    """Cuts a model in front of the first layers that learn. Where a shortcut goes round them, several tensors are cut.

    A layer is one of the frozen layers when nothing upstream of it learns, and it is frozen itself or has nothing to
    learn, to count or to draw. Models nested in the model are opened. What is frozen between or behind layers that
    learn is part of the trainable layers, and stays frozen there.

    Args:
        model: Sequential or functional, built, with one input and one output; what is to be frozen is frozen already.

    Raises:
        InputError: No layer of the model learns.
    """
    images = keras.Input(model.input_shape[1:], name="images")
    learned: set[int] = set()
    border: dict[int, keras.KerasTensor] = {}
    frozen: list[keras.Layer] = []

    def call(operation: Any, *args: Any, **kwargs: Any) -> Any:
        if is_graph(operation):
            return run_graph(operation, args[0], call)
        given = [tensor for tensor in keras.tree.flatten((args, kwargs)) if isinstance(tensor, keras.KerasTensor)]
        outputs = operation(*args, **kwargs)
        if _learns(operation) or any(id(tensor) in learned for tensor in given):
            border.update({id(tensor): tensor for tensor in given if id(tensor) not in learned})
            learned.update(id(tensor) for tensor in keras.tree.flatten(outputs))
        else:
            frozen.append(operation)
        return outputs

    output = run_graph(model, images, call)
    if not border:
        raise InputError(
            "Expected a model with a trainable layer.",
            received={"model": model.name},
            advice="Set `trainable` of its last layers to True.",
        )
    cut = list(border.values())
    # Padding alone is not worth a cut: what it puts out is larger than the images.
    if not any(getattr(layer, "weights", ()) for layer in frozen):
        cut = [images]
    return Split(keras.Model(images, cut, name="base"), keras.Model(cut, output, name="tail"))


def is_empty(base: keras.Model) -> bool:
    """Returns whether nothing is frozen in front of what learns: the images are handed on as they are."""
    return all(isinstance(layer, layers.InputLayer) for layer in base.layers)


def list_stochastic(base: keras.Model) -> list[str]:
    """Returns the names of the frozen layers that would drop at random in Keras' own `fit`, although frozen."""
    return [layer.name for layer in base.layers if len(layer.variables) > len(layer.weights)]


def _learns(operation: Any) -> bool:
    # `variables` holds moving averages and the state of random numbers, too.
    return isinstance(operation, keras.Layer) and operation.trainable and bool(operation.variables)


def describe_frozen_layers(base: keras.Model) -> dict[str, Any]:
    """Returns what the frozen layers' output depends on besides the images, for the key of a feature cache.

    Returns:
        `digest`: SHA-256 of its layers, how they are connected, and their weights. What the layers are called does not
        count, because Keras numbers them anew in every process. `device`: what TensorFlow computes on.
    """
    parts = digest_config(untrained(base.get_config()["layers"])), digest_arrays(base.get_weights())
    return {"digest": sha256_lines(parts), "device": "GPU" if tf.config.list_physical_devices("GPU") else "CPU"}
