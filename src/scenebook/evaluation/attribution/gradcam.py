"""Where the network looks: the share of each place of an image in the score of a class.

A classifier is cut at its last tensor that still has places, which is found in the graph of the model, whatever the
backbone: what comes before turns images into activations, what comes after turns these into one score a class.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from scenebook.core.errors import ScenebookError
from scenebook.network.graph import find_node, is_graph, run_graph

BATCH = 8
"""Images at a time; small ones go through the body in a multiple of it."""
_LARGE = 224 * 224
"""Places of an image of which no more go through: a model that is called keeps what each of its layers puts out."""


def weigh_activations(
    activations: tf.Tensor, head: Callable[[tf.Tensor], tf.Tensor], classes: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns HiResCAM and plain Grad-CAM, each float32 `(n, h, w)`, at least 0: what speaks against a class is left
    out.

    HiResCAM (Draelos and Carin, 2021) is what each place adds to the score: gradient times activation, summed over
    channels. Plain Grad-CAM (Selvaraju et al., 2017) averages the gradient over all places first, one weight a channel.
    A head that flattens has a weight for each place, and the average forgets them.

    Activations are float32 `(n, h, w, channels)`, which the head maps to logits; classes int32 `(n,)`, one an image.
    """
    with tf.GradientTape() as tape:
        tape.watch(activations)
        scores = tf.gather(head(activations), classes, batch_dims=1)
    gradients = tape.gradient(scores, activations)
    averages = tf.reduce_mean(gradients, axis=(1, 2), keepdims=True)
    hirescam, plain = (tf.reduce_sum(weights * activations, axis=-1) for weights in (gradients, averages))
    return tf.nn.relu(hirescam), tf.nn.relu(plain)


def compute_maps(model: keras.Model, images: np.ndarray, classes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns HiResCAM and plain Grad-CAM of one class for each image, float32 `(n, h, w)`, at least 0.

    Their resolution is that of the last tensor with places, 5 by 5 for ResNet50 at 150 pixels, their unit the logit's.
    Images are float32 `(n, height, width, 3)`, preprocessed as for `predict`; classes are positions, int `(n,)`.
    """
    body, head = split_at_last_places(model)
    classes = np.asarray(classes, dtype=np.int32)
    size = BATCH * max(1, _LARGE // (images.shape[1] * images.shape[2]))
    bodies = [body(tf.constant(images[start : start + size])) for start in range(0, len(images), size)]
    parts = [part[start : start + BATCH] for part in bodies for start in range(0, len(part), BATCH)]
    named = [tf.constant(classes[start : start + BATCH]) for start in range(0, len(images), BATCH)]
    maps = [weigh_activations(part, head, asked) for part, asked in zip(parts, named, strict=True)]
    hirescam, plain = zip(*maps, strict=True) if maps else ([np.zeros((0, 1, 1), np.float32)],) * 2
    return np.concatenate(hirescam), np.concatenate(plain)


def randomize(model: keras.Model, *, seed: int) -> keras.Model:
    """Returns a model of the same layers with new random weights, for the check that maps depend on what was learned.

    Adebayo et al. (2018) ask it of every such map: one that stays the same shows edges, not the network.
    """
    keras.utils.set_random_seed(seed)
    return keras.models.clone_model(model)


def split_at_last_places(model: keras.Model) -> tuple[Callable[[Any], Any], Callable[[Any], Any]]:
    """Cuts a built classifier at the last tensor with places, `(batch, h, w, channels)`, through which all paths lead.

    One place is none: where images are so small that the backbone ends in a single one, the cut is inside of it.

    Returns:
        Two functions that share the model's layers, in inference mode: from preprocessed images to activations, and
        from these to logits.

    Raises:
        ScenebookError: The model does not end in a softmax, or no tensor of it has places.
    """
    last = _without_softmax(find_node(model.outputs[0]).operation)
    images = keras.Input(model.input_shape[1:])
    made: list[tuple[Any, Any]] = []

    def call(operation: Any, *args: Any, **kwargs: Any) -> Any:
        if is_graph(operation):
            return run_graph(operation, args[0], call)
        outputs = operation(*args, **kwargs)
        made.extend((operation, tensor) for tensor in keras.tree.flatten(outputs))
        return outputs

    run_graph(model, images, call)
    scores = find_node(made[-1][1]).input_tensors[0]
    for operation, tensor in reversed(made[:-1]):
        if _has_places(tensor, operation):
            try:
                after = [] if tensor is scores else [keras.Model(tensor, scores)]
            except ValueError:  # a shortcut goes round this tensor
                continue
            return _chain([keras.Model(images, tensor)]), _chain([*after, *last])
    raise ScenebookError(
        f"Expected a model with a tensor (batch, height, width, channels). Received: model={model.name!r}."
    )


def _without_softmax(layer: keras.layers.Layer) -> list[keras.layers.Layer]:
    """Returns what is left of a last layer without its softmax: nothing, or a layer with the same weights."""
    activation = getattr(getattr(layer, "activation", None), "__name__", type(layer).__name__)
    if activation.lower() != "softmax":
        raise ScenebookError(
            f"Expected a classifier that ends in a softmax. Received: last layer={layer.name!r}. "
            "End it with Dense(num_classes, activation='softmax')."
        )
    if not hasattr(layer, "kernel"):
        return []
    bare = type(layer).from_config({**layer.get_config(), "activation": "linear"})
    bare.build(layer.input.shape)
    bare.set_weights(layer.get_weights())
    return [bare]


def _has_places(tensor: Any, operation: Any) -> bool:
    # With a margin around it, or without one, a tensor no longer lies on the image as its places would tell.
    is_margin = isinstance(operation, (keras.layers.ZeroPadding2D, keras.layers.Cropping2D))
    return len(tensor.shape) == 4 and (tensor.shape[1] or 0) * (tensor.shape[2] or 0) > 1 and not is_margin


def _chain(steps: Sequence[Any]) -> Callable[[Any], Any]:
    def run(tensor: Any) -> Any:
        for step in steps:
            tensor = step(tensor, training=False) if isinstance(step, keras.Model) else step(tensor)
        return tensor

    # Eager calls are quicker for a few images, but Keras compiles each grouped convolution anew with every one.
    grouped = any(getattr(layer, "groups", 1) != 1 for step in steps for layer in getattr(step, "layers", ()))
    return tf.function(run) if grouped else run
