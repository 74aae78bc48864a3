"""A head that starts as a linear classifier on frozen features."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from scenebook.core.errors import InputError

_NEVER_SEEN = -10.0  # how far the score of a class without training images lies below the lowest one

_ROWS = 10_000


def check_linear_head(layer: keras.Layer, features: int) -> None:
    """Raises `InputError` unless a layer is dense, and is given so many features an image."""
    kernel = getattr(layer, "kernel", None)
    if not isinstance(layer, keras.layers.Dense) or kernel is None or kernel.shape[0] != features:
        raise InputError(
            "Expected a head of one dense layer on features that are averaged over all places.",
            received={"layer": layer.name, "features": features},
            advice="Set head_pooling to average and head_units to 0, or head_start to random.",
        )


def fit_in_parts(linear: Any, features: np.ndarray, labels: np.ndarray, *, overwrite: bool = False) -> float:
    """Fits a classifier on standardised features as its own `fit` does, with less memory.

    `StandardScaler` takes twice the memory of what it is given, in float64: so it is given some rows at a time. Another
    pipeline than this and a classifier is fitted by its own `fit`. Features are float32 `(n, d)`, labels int `(n,)`.

    Returns:
        Which share of them it classifies correctly.
    """
    if len(linear) != 2 or not isinstance(linear[0], StandardScaler):
        return float(linear.fit(features, labels).score(features, labels))
    scaler = linear[0].fit(features[:_ROWS])
    for start in range(_ROWS, len(features), _ROWS):
        scaler.partial_fit(features[start : start + _ROWS])
    points = scaler.set_params(copy=not overwrite).transform(features)
    scaler.set_params(copy=True)
    return float(linear[1].fit(points, labels).score(points, labels))


def set_linear_weights(layer: keras.Layer, linear: Any, features: np.ndarray, labels: np.ndarray) -> None:
    """Fits a linear classifier, and gives a dense layer with a softmax the weights with which it says the same.

    The classifier standardises: $(x - m) / s$ times $w$ is $x$ times $w / s$, less $m$ times $w / s$.

    Args:
        layer: One that `check_linear_head` accepts: one output a class, whose indices are the labels.
        linear: A pipeline of scikit-learn's: `StandardScaler`, then `LogisticRegression`.
        features: float32 `(n, d)`, as the layer is given them; they are overwritten.
    """
    seen, classes = np.unique(labels), layer.units
    weights, biases = np.zeros((classes, features.shape[1])), np.zeros(classes)
    if len(seen) > 1:
        # One thread: with more, the sums are rounded differently from time to time.
        with threadpool_limits(1):
            fit_in_parts(linear, features, labels, overwrite=True)
        scaler, regression = linear[0], linear[-1]
        scaled = regression.coef_ / scaler.scale_
        # Of two classes there is one score, that of the second.
        places = seen if len(seen) > 2 else seen[1:]
        weights[places], biases[places] = scaled, regression.intercept_ - scaled @ scaler.mean_
    biases[np.setdiff1d(np.arange(classes), seen)] = biases[seen].min() + _NEVER_SEEN
    layer.set_weights([weights.T.astype(np.float32), biases.astype(np.float32)])
