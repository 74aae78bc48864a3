"""What a network saw in an image before it was trained: its feature extractor, apart from what training made of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from scenebook.core.errors import InputError
from scenebook.core.run_directory import RunDirectory
from scenebook.core.run_files import PRETRAINED
from scenebook.network.graph import find_base_model, is_graph, run_graph


class PretrainedWeights:
    """The weights of a model's feature extractor before it is trained."""

    def __init__(self, model: keras.Model) -> None:
        self._extractor = build_extractor(model)
        self._before = [layer.get_weights() for layer in self._extractor.layers]

    def save(self, run_dir: RunDirectory) -> None:
        """Writes `training/pretrained.npz`: the weights, from before training, of the layers that training has changed.

        With them and the trained model, features of new images can be computed, wherever the weights file went.
        """
        arrays: dict[str, np.ndarray] = {}
        for number, (layer, before) in enumerate(zip(self._extractor.layers, self._before, strict=True)):
            if not all(map(np.array_equal, layer.get_weights(), before)):
                arrays |= {f"{number}/{place}": array for place, array in enumerate(before)}
        run_dir.write_arrays(PRETRAINED, **arrays)


def build_extractor(model: keras.Model) -> keras.Model:
    """Returns the model from images to features: what its base model puts out, averaged over all places.

    It shares the classifier's layers; from preprocessed float32 `(batch, height, width, 3)` to float32 `(batch, d)`. Of
    a classifier without a base model in it, the last tensor with places is taken.

    Raises:
        InputError: No tensor of the model has places.
    """
    images = keras.Input(model.input_shape[1:], name="images")
    _, tensor = _run(model, images, lambda operation, args, kwargs: operation(*args, **kwargs))
    return keras.Model(images, keras.layers.GlobalAveragePooling2D()(tensor), name="features")


def add_features(model: keras.Model, pretrained: Mapping[int, Sequence[np.ndarray]]) -> keras.Model:
    """Returns a model from images to the classifier's probabilities and the pretrained features.

    What training left alone is computed once for both; only the layers behind it stand there twice, once with the
    trained weights and once with the old ones of `features.load_weights`.
    """
    images = keras.Input(model.input_shape[1:], name="images")
    numbers = {id(layer): number for number, layer in enumerate(build_extractor(model).layers)}
    old: dict[int, Any] = {}

    def call(operation: Any, args: Any, kwargs: Any) -> Any:
        outputs = operation(*args, **kwargs)
        number = numbers.get(id(operation), -1)
        if number in pretrained or any(id(tensor) in old for tensor in keras.tree.flatten(args)):
            config = {**operation.get_config(), "name": f"{operation.name}_before"}
            copy = type(operation).from_config(config)
            old[id(outputs)] = copy(*keras.tree.map_structure(lambda item: old.get(id(item), item), args), **kwargs)
            if getattr(copy, "weights", None):
                copy.set_weights(list(pretrained.get(number, operation.get_weights())))
        return outputs

    probs, tensor = _run(model, images, call)
    features = keras.layers.GlobalAveragePooling2D()(old.get(id(tensor), tensor))
    return keras.Model(images, [probs, features])


def _run(model: keras.Model, images: Any, call: Callable[[Any, Any, Any], Any]) -> tuple[Any, Any]:
    """Goes through a model with nested models opened; returns its output, and the tensor that features are made of."""
    base_model = find_base_model(model)
    of_base: list[Any] = []
    with_places: list[Any] = []

    def visit(operation: Any, *args: Any, **kwargs: Any) -> Any:
        outputs = run_graph(operation, args[0], visit) if is_graph(operation) else call(operation, args, kwargs)
        tensors = [tensor for tensor in keras.tree.flatten(outputs) if len(tensor.shape) == 4]
        with_places.extend(tensors)
        if operation is base_model:
            of_base.extend(tensors)
        return outputs

    outputs = run_graph(model, images, visit)
    if not with_places:
        raise InputError(
            "Expected a network with a tensor (batch, height, width, channels).", received={"model": model.name}
        )
    return outputs, (of_base or with_places)[-1]
