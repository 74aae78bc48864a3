"""Probabilities whose calibration error is known, and a stand-in that hands them to libraries as a classifier."""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin


def draw_probs(n: int, *, seed: int, num_classes: int = 4, temperature: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities `(n, num_classes)` and true positions `(n,)`; calibrated with just this temperature."""
    rng = np.random.default_rng(seed)
    probs = np.maximum(rng.dirichlet(np.full(num_classes, 0.3), n), 1e-6)
    probs /= probs.sum(axis=1, keepdims=True)
    positions = (probs.cumsum(axis=1) > rng.random((n, 1))).argmax(axis=1)
    sharper = probs**temperature
    return sharper / sharper.sum(axis=1, keepdims=True), positions


def draw_too_sure(n: int, *, seed: int, excess: float) -> tuple[np.ndarray, np.ndarray]:
    """Two classes, confidences in the middle of five bins, above the accuracy by `excess`: the error is that."""
    rng = np.random.default_rng(seed)
    confidence = rng.choice([0.55, 0.65, 0.75, 0.85, 0.95], n)
    positions = (rng.random(n) > confidence - excess).astype(int)
    return np.stack([confidence, 1 - confidence], axis=1), positions


def as_predictions(probs: np.ndarray, positions: np.ndarray, names: list[str]) -> pd.DataFrame:
    """The table that a run keeps."""
    table = pd.DataFrame(probs, columns=[f"p_{name}" for name in names])
    table.insert(0, "label", [names[position] for position in positions])
    table.insert(1, "predicted", [names[position] for position in probs.argmax(axis=1)])
    return table


class Probabilities(ClassifierMixin, BaseEstimator):
    """A fitted classifier whose inputs are its probabilities."""

    def __init__(self, num_classes: int = 2) -> None:
        self.num_classes = num_classes
        self.classes_ = np.arange(num_classes)
        self.n_features_in_ = num_classes

    def fit(self, probs: np.ndarray, positions: np.ndarray) -> Probabilities:
        return self

    def predict_proba(self, probs: np.ndarray) -> np.ndarray:
        return probs

    def predict(self, probs: np.ndarray) -> np.ndarray:
        return probs.argmax(axis=1)
