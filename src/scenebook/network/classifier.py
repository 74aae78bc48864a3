"""The paper's classifier: a pretrained base model, and a head of flatten, dense, dense; or of averages instead."""

from __future__ import annotations

import math
from typing import Any

import keras

from scenebook.core.errors import SettingsError
from scenebook.network.graph import count_layers, count_weight_layers


def build_classifier(
    base_model: keras.Model, *, num_classes: int, head_units: int, pooling: str = "flatten"
) -> keras.Sequential:
    """Puts a head on a base model.

    The base is called without a `training` argument: a frozen batch normalisation runs in inference mode, one that is
    trained uses the batch's own statistics in `fit`.

    Args:
        base_model: Maps `(batch, height, width, 3)` to a tensor of features `(batch, h, w, channels)`.
        num_classes: Classes, at least 2.
        head_units: Units of the hidden layer.
        pooling: What comes first in the head: `flatten` keeps every place of the features, `average` their mean.

    Returns:
        A model from preprocessed float32 `(batch, height, width, 3)` to class probabilities `(batch, num_classes)`.
    """
    flatten, average = keras.layers.Flatten, keras.layers.GlobalAveragePooling2D
    return keras.Sequential(
        [
            keras.Input(base_model.input_shape[1:]),
            base_model,
            flatten(name="flatten") if pooling == "flatten" else average(name="average"),
            keras.layers.Dense(head_units, activation="relu", name="head_dense"),
            keras.layers.Dense(num_classes, activation="softmax", name="head_probs"),
        ],
        name="classifier",
    )


def check_trainable_base_layers(base_model: keras.Model, trainable_base_layers: int) -> None:
    """Raises `SettingsError` when more layers are to be trained than the base model has."""
    if trainable_base_layers > len(base_model.layers):
        raise SettingsError(
            f"Expected trainable_base_layers of at most {len(base_model.layers)}, the layers of {base_model.name}.",
            received={"trainable_base_layers": trainable_base_layers},
        )


def count_parameters(model: keras.Model) -> dict[str, int]:
    """Returns `total_params`, `trainable_params` and `non_trainable_params`."""
    total, trainable = model.count_params(), sum(math.prod(variable.shape) for variable in model.trainable_weights)
    return {"total_params": total, "trainable_params": trainable, "non_trainable_params": total - trainable}


def summarize(model: keras.Model, base_model: keras.Model) -> dict[str, Any]:
    """Returns the facts of a classifier for `training/summary.json`: layers and parameters.

    Returns:
        `layers` (Keras layers, nested models opened), `weight_layers` (convolutions and dense layers on the main path
        of the classifier), `backbone_weight_layers` (the same of the backbone with the one dense layer of its own top,
        which is how networks are named: 50 for ResNet50), `base_layers`, `input_shape` and the parameter counts.
    """
    return {
        "input_shape": list(model.input_shape[1:]),
        "layers": count_layers(model),
        "weight_layers": count_weight_layers(model),
        "backbone_weight_layers": count_weight_layers(base_model) + 1,
        "base_layers": len(base_model.layers),
        **count_parameters(model),
    }
