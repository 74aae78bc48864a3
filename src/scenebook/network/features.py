"""The features of a run: what the pretrained backbone makes of each image, kept for later stages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from scenebook.core.errors import ScenebookError
from scenebook.core.run_directory import RunDirectory
from scenebook.core.run_files import FEATURES, PRETRAINED, SPLITS
from scenebook.data.splitting import SplitImages

FEW = {"train": 400, "validation": 100, "test": 300}
"""Most images of each split whose features are computed with random weights too."""


@dataclass(frozen=True)
class Features:
    """Features of all images of a run.

    Attributes:
        vectors: float32 `(n, d)`: the backbone's last tensor, averaged over height and width, before any training.
        rows: int64 `(n,)`: the column `row` of `data/splits.csv`, each once.
        splits: str `(n,)`: `train`, `validation` or `test`.
    """

    vectors: np.ndarray
    rows: np.ndarray
    splits: np.ndarray

    def of(self, split: str) -> np.ndarray:
        """Returns the vectors of a split, float32 `(m, d)`."""
        return self.vectors[self.splits == split]

    def spread(self, rows: Sequence[int] | np.ndarray | pd.Series) -> np.ndarray:
        """Returns the vectors of these rows, in their order, float32 `(m, d)`; NaN where a row has none.

        Raises:
            ScenebookError: Vectors are of other rows: the images were split anew since.
        """
        places = self._find(rows)
        self._check((places >= 0).sum(), len(self.rows))
        return np.where(places[:, None] < 0, np.float32(np.nan), self.vectors[places])

    def align(self, rows: Sequence[int] | np.ndarray | pd.Series) -> np.ndarray:
        """Returns the vectors of these rows, in their order, float32 `(m, d)`.

        Raises:
            ScenebookError: A row has no features: the images were split anew since.
        """
        places = self._find(rows)
        self._check((places >= 0).sum(), len(places))
        return self.vectors[places]

    def _find(self, rows: Any) -> np.ndarray:
        return pd.Index(self.rows).get_indexer(pd.Index(rows))

    def _check(self, found: int, expected: int) -> None:
        if found < expected:
            raise ScenebookError(
                f"Expected features of images in {SPLITS}. Received: {found} of {expected}, features={len(self.rows)}. "
                "Run notebook 02 again."
            )


def draw_few(splits: Mapping[str, SplitImages], seed: int) -> dict[str, SplitImages]:
    """Returns of each split at most as many images as `FEW` says, drawn at random by a seed, in their order."""
    drawn = {
        split: np.sort(np.random.default_rng(seed).permutation(len(images))[: FEW[split]])
        for split, images in splits.items()
    }
    return {split: images.take(drawn[split]) for split, images in splits.items()}


def save_features(
    run_dir: RunDirectory, vectors: Mapping[str, np.ndarray], rows: Mapping[str, np.ndarray], file: str = FEATURES
) -> None:
    """Writes features: the arrays `features`, `row` and `split`, without pickles.

    Of each split there are vectors, float `(m, d)`, and rows, int `(m,)`: where each image stands in `data/images.npy`.
    """
    split = np.concatenate([np.full(len(part), name) for name, part in vectors.items()])
    run_dir.write_arrays(
        file,
        features=np.concatenate(list(vectors.values())).astype(np.float32),
        row=np.concatenate([rows[name] for name in vectors]).astype(np.int64),
        split=split,
    )


def load_features(run_dir: RunDirectory, file: str = FEATURES) -> Features:
    """Returns what `save_features` wrote.

    Raises:
        MissingArtifactError: Notebook 02 has not run.
    """
    with np.load(run_dir.require(file), allow_pickle=False) as stored:
        return Features(stored["features"], stored["row"], stored["split"])


def load_weights(run_dir: RunDirectory) -> dict[int, list[np.ndarray]]:
    """Returns what `pretrained.PretrainedWeights.save` wrote: the arrays of each layer by its number in the extractor.

    Raises:
        MissingArtifactError: Notebook 02 has not run.
    """
    weights: dict[int, list[np.ndarray]] = {}
    with np.load(run_dir.require(PRETRAINED), allow_pickle=False) as stored:
        for key in stored.files:
            weights.setdefault(int(key.partition("/")[0]), []).append(stored[key])
    return weights
