"""How unlike the training images an image is: its distance to the nearest of them, in the backbone's features."""

from __future__ import annotations

import numpy as np
from sklearn.neighbors import NearestNeighbors

from scenebook.network.features import Features

_NEIGHBOURS = 10
_PERCENTILE = 99.0


class OodDetector:
    """Measures how far features are from those of the training images.

    The distance is the mean over the nearest training images, between features scaled to length 1 (after Sun, Ming,
    Zhu and Li, 2022, International Conference on Machine Learning, 20827-20840). The scaling matters: with it a plain
    grey image is far from photographs, without it near, because its features are small.

    Attributes:
        threshold: The distance that one validation image in a hundred exceeds.
        validation: How many validation images that was taken from.
    """

    def __init__(self, features: Features) -> None:
        known = _scale(features.of("train"))
        self._nearest = NearestNeighbors(n_neighbors=min(_NEIGHBOURS, len(known)), algorithm="brute").fit(known)
        held_out = features.of("validation")
        self.threshold = float(np.percentile(self.measure(held_out), _PERCENTILE))
        self.validation = len(held_out)

    def measure(self, vectors: np.ndarray) -> np.ndarray:
        """Returns the distance of each vector, float `(n,)` in `[0, 2]`, from float `(n, d)`."""
        distances, _ = self._nearest.kneighbors(_scale(vectors))
        return np.asarray(distances.mean(axis=1))

    def list_nearest(self, vector: np.ndarray, most: int) -> list[tuple[int, float]]:
        """Returns the nearest training images of a vector, float `(d,)`: position among them, and distance."""
        distances, places = self._nearest.kneighbors(_scale(vector[None]))
        return list(zip(places[0].tolist(), distances[0].tolist(), strict=True))[:most]


def _scale(vectors: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, np.finfo(np.float32).tiny))
