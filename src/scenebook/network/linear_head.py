"""A head that starts as a linear classifier on frozen features."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from threadpoolctl import threadpool_limits

from scenebook.core.errors import InputError

_NEVER_SEEN = -10.0
"""How far the score of a class without training images lies below the lowest one."""


def check_linear_head(layer: keras.Layer, features: int) -> None:
    """Raises `InputError` unless a layer is dense, and is given so many features an image."""
    kernel = getattr(layer, "kernel", None)
    if not isinstance(layer, keras.layers.Dense) or kernel is None or kernel.shape[0] != features:
        raise InputError(
            "Expected a head of one dense layer on features that are averaged over all places.",
            received={"layer": layer.name, "features": features},
            advice="Set head_pooling to average and head_units to 0, or head_start to random.",
        )


def set_linear_weights(layer: keras.Layer, linear: Any, features: np.ndarray, labels: np.ndarray) -> None:
    """Fits a linear classifier, and gives a dense layer with a softmax the weights with which it says the same.

    The classifier standardises: $(x - m) / s$ times $w$ is $x$ times $w / s$, less $m$ times $w / s$.

    Args:
        layer: One that `check_linear_head` accepts: one output a class.
        linear: A pipeline of scikit-learn's: `StandardScaler`, then `LogisticRegression`.
        features: float32 `(n, d)`, as the layer is given them.
        labels: int `(n,)`, indices of the layer's outputs.
    """
    seen, classes = np.unique(labels), layer.units
    weights, biases = np.zeros((classes, features.shape[1])), np.zeros(classes)
    if len(seen) > 1:
        # One thread: with more, the sums are rounded differently from time to time.
        with threadpool_limits(1):
            linear.fit(features, labels)
        scaler, regression = linear[0], linear[-1]
        scaled = regression.coef_ / scaler.scale_
        # Of two classes there is one score, that of the second.
        places = seen if len(seen) > 2 else seen[1:]
        weights[places], biases[places] = scaled, regression.intercept_ - scaled @ scaler.mean_
    biases[np.setdiff1d(np.arange(classes), seen)] = biases[seen].min() + _NEVER_SEEN
    layer.set_weights([weights.T.astype(np.float32), biases.astype(np.float32)])
