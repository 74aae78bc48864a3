"""Where the network looks: the share of each place of an image in the score of a class.

A classifier is cut at its last tensor that still has places: what comes before turns images into activations, what
comes after turns activations into one score a class. The tensor is found in the graph of the model, whatever the
backbone, so that nothing needs to be named.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from scenebook.core.errors import ScenebookError
from scenebook.network.graph import find_node

BATCH = 8
"""Images at a time: a model that is called keeps what each of its layers puts out until it is done."""


def weigh_activations(
    activations: tf.Tensor, head: Callable[[tf.Tensor], tf.Tensor], classes: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns what each place adds to the score of a class: gradient times activation, summed over channels.

    This is HiResCAM (Draelos and Carin, 2021). Plain Grad-CAM (Selvaraju et al., 2017) averages the gradient over all
    places first, one weight a channel. A head that flattens has a weight for each place, and the average forgets them.

    Args:
        activations: float32 `(n, h, w, channels)`: the last tensor that has places.
        head: Maps activations to logits, `(n, num_classes)`.
        classes: int32 `(n,)`: the class to explain, one an image.

    Returns:
        HiResCAM and plain Grad-CAM, each float32 `(n, h, w)`, at least 0: what speaks against the class is left out.
    """
    with tf.GradientTape() as tape:
        tape.watch(activations)
        scores = tf.gather(head(activations), classes, batch_dims=1)
    gradients = tape.gradient(scores, activations)
    averages = tf.reduce_mean(gradients, axis=(1, 2), keepdims=True)
    hirescam, plain = (tf.reduce_sum(weights * activations, axis=-1) for weights in (gradients, averages))
    return tf.nn.relu(hirescam), tf.nn.relu(plain)


def compute_maps(model: keras.Model, images: np.ndarray, classes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Explains one class for each image.

    Args:
        model: A classifier of one input that ends in a softmax; a nested base model is looked into.
        images: float32 `(n, height, width, 3)`, preprocessed as for `predict`.
        classes: int `(n,)`: the position of the class to explain.

    Returns:
        HiResCAM and plain Grad-CAM, each float32 `(n, h, w)`, at least 0, at the resolution of the tensor: 5 by 5 for
        ResNet50 at 150 pixels. The unit is that of the logit.

    Raises:
        ScenebookError: The model does not end in a softmax, or no tensor of it has places.
    """
    body, head = split_at_last_places(model)
    classes = np.asarray(classes, dtype=np.int32)
    batches = [slice(start, start + BATCH) for start in range(0, len(images), BATCH)]
    maps = [weigh_activations(body(tf.constant(images[batch])), head, tf.constant(classes[batch])) for batch in batches]
    hirescam, plain = zip(*maps, strict=True) if maps else ([np.zeros((0, 1, 1), np.float32)],) * 2
    return np.concatenate(hirescam), np.concatenate(plain)


def randomize(model: keras.Model, *, seed: int) -> keras.Model:
    """Returns a model of the same layers with new random weights, for the check that maps depend on what was learned.

    Adebayo et al. (2018) ask it of every such map: one that stays the same shows edges, not the network.
    """
    keras.utils.set_random_seed(seed)
    return keras.models.clone_model(model)


def split_at_last_places(model: keras.Model) -> tuple[Callable[[Any], Any], Callable[[Any], Any]]:
    """Cuts a classifier at the last tensor with places, `(batch, h, w, channels)`, through which all paths lead.

    One place is none: where images are so small that the backbone ends in a single one, the cut is inside of it.

    Args:
        model: A Sequential or functional classifier, built, that ends in a softmax.

    Returns:
        Two functions: from preprocessed images to activations, and from activations to logits. Both run in inference
        mode. The layers are the model's own.

    Raises:
        ScenebookError: The model does not end in a softmax, or no tensor of it has places.
    """
    scores, last = _find_scores(model)
    found = _cut(model, scores)
    if found is None:
        raise ScenebookError(
            f"Expected a model with a tensor (batch, height, width, channels). Received: model={model.name!r}."
        )
    before, after = found
    return _chain(before), _chain([*after, *last])


def _find_scores(model: keras.Model) -> tuple[Any, list[keras.layers.Layer]]:
    """Returns the tensor before the last layer, and that layer without its softmax."""
    node = find_node(model.outputs[0])
    layer = node.operation
    activation = getattr(getattr(layer, "activation", None), "__name__", type(layer).__name__)
    if activation.lower() != "softmax":
        raise ScenebookError(
            f"Expected a classifier that ends in a softmax. Received: last layer={layer.name!r}. "
            "End it with Dense(num_classes, activation='softmax')."
        )
    logits = [_without_activation(layer)] if hasattr(layer, "kernel") else []
    return node.input_tensors[0], logits


def _without_activation(layer: keras.layers.Layer) -> keras.layers.Layer:
    bare = type(layer).from_config({**layer.get_config(), "activation": "linear"})
    bare.build(layer.input.shape)
    bare.set_weights(layer.get_weights())
    return bare


def _cut(model: keras.Model, output: Any) -> tuple[list[Any], list[Any]] | None:
    """Returns the models before and after the cut on the way from the input to `output`; `None`: no place for it."""
    for tensor in _walk_back(output):
        node = find_node(tensor)
        inner = _cut(node.operation, node.operation.outputs[0]) if _is_nested(node.operation) else None
        after = [] if tensor is output else [keras.Model(tensor, output)]
        if inner is not None:
            arrives = node.input_tensors[0]
            before = [] if find_node(arrives).is_input else [keras.Model(model.inputs[0], arrives)]
            return [*before, *inner[0]], [*inner[1], *after]
        if _has_places(tensor, node.operation):
            return [keras.Model(model.inputs[0], tensor)], after
    return None


def _has_places(tensor: Any, operation: Any) -> bool:
    # With a margin around it, or without one, a tensor no longer lies on the image as its places would tell.
    is_margin = isinstance(operation, (keras.layers.ZeroPadding2D, keras.layers.Cropping2D))
    return len(tensor.shape) == 4 and (tensor.shape[1] or 0) * (tensor.shape[2] or 0) > 1 and not is_margin


def _is_nested(operation: Any) -> bool:
    return hasattr(operation, "layers") and len(operation.inputs) == len(operation.outputs) == 1


def _walk_back(output: Any) -> Iterator[Any]:
    """Yields the tensors that every path from the input to `output` passes, last first.

    The paths that are open are walked back together, always on the one that is farthest from the input. Where only one
    is open, all paths have met.
    """
    depths = _measure_depths(output)
    frontier = {id(output): output}
    while frontier:
        if len(frontier) == 1:
            yield next(iter(frontier.values()))
        farthest = max(frontier, key=lambda key: depths[key])
        parents = find_node(frontier.pop(farthest)).input_tensors
        frontier.update((id(parent), parent) for parent in parents)


def _measure_depths(output: Any) -> dict[int, int]:
    """Returns the length of the longest path from the input to each tensor that `output` needs, by the tensor's id."""
    depths: dict[int, int] = {}
    pending = [output]  # networks are deeper than Python lets functions nest
    while pending:
        parents = find_node(pending[-1]).input_tensors
        missing = [parent for parent in parents if id(parent) not in depths]
        if missing:
            pending.extend(missing)
        else:
            depths[id(pending.pop())] = 1 + max((depths[id(parent)] for parent in parents), default=-1)
    return depths


def _chain(steps: Sequence[Any]) -> Callable[[Any], Any]:
    def run(tensor: Any) -> Any:
        for step in steps:
            tensor = step(tensor, training=False) if isinstance(step, keras.Model) else step(tensor)
        return tensor

    # Eager calls are quicker for a few images, but Keras compiles each grouped convolution anew with every one.
    grouped = any(getattr(layer, "groups", 1) != 1 for step in steps for layer in getattr(step, "layers", ()))
    return tf.function(run) if grouped else run
