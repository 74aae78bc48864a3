"""What a classifier consists of: its base model, and how many layers and parameters it has."""

from __future__ import annotations

import math
from typing import Any

import keras

from scenebook.core.backbones import check_layers
from scenebook.network.graph import count_layers, count_weight_layers


def find_base_model(model: keras.Model) -> keras.Model | None:
    """Returns the largest model within a model, as transfer learning has it; `None` where none is nested in it."""
    nested = [layer for layer in getattr(model, "layers", []) if isinstance(layer, keras.Model)]
    return max(nested, key=lambda layer: len(layer.layers), default=None)


def check_trainable_base_layers(base_model: keras.Model, trainable_base_layers: int) -> None:
    """Raises `SettingsError` when more layers are to be trained than the base model has."""
    check_layers(trainable_base_layers, len(base_model.layers), base_model.name)


def count_parameters(model: keras.Model) -> dict[str, int]:
    """Returns `total_params`, `trainable_params` and `non_trainable_params`."""
    total, trainable = model.count_params(), sum(math.prod(variable.shape) for variable in model.trainable_weights)
    return {"total_params": total, "trainable_params": trainable, "non_trainable_params": total - trainable}


def summarize(model: keras.Model) -> dict[str, Any]:
    """Returns the facts of a classifier for `training/summary.json`: layers and parameters.

    Returns:
        `base_model` (its name), `layers` (Keras layers, nested models opened), `weight_layers` (convolutions and dense
        layers on the main path of the classifier), `backbone_weight_layers` (the same of the base model with the one
        dense layer of its own top, which is how networks are named: 50 for ResNet50), `base_layers` and
        `trainable_base_layers` (all of the base model, and those that are trained), `last_base_layers` (how many there
        are from the first of these on), `input_shape` and the parameter counts; `head` (a phrase for each layer beside
        the base model). A model without another one in it is its own base model.
    """
    base_model = find_base_model(model) or model
    trained = [bool(layer.trainable) for layer in base_model.layers]
    beside = [layer for layer in model.layers if layer is not base_model]
    return {
        "base_model": base_model.name,
        "input_shape": list(model.input_shape[1:]),
        "layers": count_layers(model),
        "weight_layers": count_weight_layers(model),
        "backbone_weight_layers": count_weight_layers(base_model) + 1,
        "base_layers": len(base_model.layers),
        "head": [_describe(layer) for layer in beside if not isinstance(layer, keras.layers.InputLayer)],
        "trainable_base_layers": sum(trained),
        "last_base_layers": len(trained) - trained.index(True) if any(trained) else 0,
        **count_parameters(model),
    }


def _describe(layer: keras.layers.Layer) -> str:
    """Returns a layer in a few words: `Dense 64, relu`."""
    config = layer.get_config()
    told = [
        f"{config[name]:,}" if name == "units" else f"{config[name]:g}" for name in ("units", "rate") if name in config
    ]
    activation = config.get("activation")
    return " ".join([type(layer).__name__, *told, *([activation] if isinstance(activation, str) else [])])
