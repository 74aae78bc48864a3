"""Networks as notebook 02 has them: a base model, and a head on top."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
from keras import layers


def build_classifier(
    base_model: keras.Model, *, num_classes: int, head_units: int, pooling: Callable[..., Any] = layers.Flatten
) -> keras.Sequential:
    """Returns a base model with pooling, a hidden layer and one output a class."""
    head = [
        pooling(name="pooling"),
        layers.Dense(head_units, activation="relu", name="hidden"),
        layers.Dense(num_classes, activation="softmax", name="probabilities"),
    ]
    return keras.Sequential([keras.Input(base_model.input_shape[1:]), base_model, *head], name="classifier")
