"""How unlike the training images an image is: its distance to the nearest of them, in the backbone's features."""

from __future__ import annotations

import numpy as np

from scenebook.network.features import Features

_NEIGHBOURS = 10
_PERCENTILE = 99.0
_AT_ONCE = 256
"""Vectors that are compared at a time: with all training images, which may be many."""


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
        self._known = _scale(features.of("train"))
        held_out = features.of("validation")
        self.threshold = float(np.percentile(self.measure(held_out), _PERCENTILE))
        self.validation = len(held_out)

    def measure(self, vectors: np.ndarray) -> np.ndarray:
        """Returns the distance of each vector, float `(n,)` in `[0, 2]`, from float `(n, d)`."""
        parts = [self._find_nearest(vectors[start : start + _AT_ONCE]) for start in range(0, len(vectors), _AT_ONCE)]
        return np.concatenate([np.empty(0), *(distances.mean(axis=1) for distances, _ in parts)])

    def list_nearest(self, vector: np.ndarray, most: int) -> list[tuple[int, float]]:
        """Returns the nearest training images of a vector, float `(d,)`: position among them, and distance."""
        distances, places = self._find_nearest(vector[None])
        nearest = np.argsort(distances[0], kind="stable")[:most]
        return [(int(places[0, one]), float(distances[0, one])) for one in nearest]

    def _find_nearest(self, vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns the distances `(n, k)` to the nearest training images, and their positions, in any order.

        Products find them; distances are differences, which rounding does not harm where they are small.
        """
        asked = _scale(vectors)
        places = np.argpartition(-(asked @ self._known.T), min(_NEIGHBOURS, len(self._known)) - 1)[:, :_NEIGHBOURS]
        return np.linalg.norm(asked[:, None] - self._known[places], axis=2).astype(float), places


def _scale(vectors: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, np.finfo(np.float32).tiny))
