"""The features of a run: what the pretrained backbone makes of each image, kept for later stages."""

from __future__ import annotations

import itertools
import os
import struct
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.lib import format as npy

from scenebook.core.errors import ScenebookError
from scenebook.core.run_directory import RunDirectory, replacing
from scenebook.core.run_files import FEATURES, PRETRAINED, SPLITS
from scenebook.data.splitting import SplitImages
from scenebook.data.stored_pixels import take_rows

FEW = {"train": 400, "validation": 100, "test": 300}
"""Most images of each split whose features are computed with random weights too."""
_ROWS = 1000
"""Vectors that are written at a time."""


@dataclass(frozen=True)
class Features:
    """Features of all images of a run.

    Attributes:
        vectors: float32 `(n, d)`: the backbone's last tensor, averaged over height and width, before any training. They
            may be memory-mapped.
        rows: int64 `(n,)`: the column `row` of `data/splits.csv`, each once.
        splits: str `(n,)`: `train`, `validation` or `test`.
    """

    vectors: np.ndarray
    rows: np.ndarray
    splits: np.ndarray

    def of(self, split: str) -> np.ndarray:
        """Returns a copy of the vectors of a split, float32 `(m, d)`, in the order of their rows."""
        return take_rows(self.vectors, np.flatnonzero(self.splits == split))

    def select(self, rows: Sequence[int] | np.ndarray | pd.Series) -> tuple[np.ndarray, np.ndarray]:
        """Returns which of these rows have vectors, bool `(n,)`, and their vectors in that order, float32 `(m, d)`.

        Raises:
            ScenebookError: Vectors are of other rows: the images were split anew since.
        """
        places = self._find(rows)
        known = places >= 0
        self._check(known.sum(), len(self.rows))
        return known, take_rows(self.vectors, places[known])

    def align(self, rows: Sequence[int] | np.ndarray | pd.Series) -> np.ndarray:
        """Returns the vectors of these rows, in their order, float32 `(m, d)`.

        Raises:
            ScenebookError: A row has no features: the images were split anew since.
        """
        places = self._find(rows)
        self._check((places >= 0).sum(), len(places))
        # They are stored in the order of all images: a copy of so many would take as much memory again.
        return self.vectors if np.array_equal(places, np.arange(len(self.rows))) else take_rows(self.vectors, places)

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
) -> Features:
    """Writes features: the arrays `features`, `row` and `split`, in the order of `row`, without pickles.

    Of each split there are vectors, float `(m, d)`, and rows, int `(m,)`: where each image stands in `data/images.npy`.
    They are written a part at a time, and returned as `load_features` does: the vectors need not stay in memory.
    """
    row = np.concatenate([np.asarray(rows[name], np.int64) for name in vectors])
    order = np.argsort(row)
    split = np.repeat([*vectors], [len(part) for part in vectors.values()])
    everything = list(itertools.chain(*vectors.values()))  # no copies
    header = {"descr": "<f4", "fortran_order": False, "shape": (len(row), len(everything[0]))}
    with replacing(run_dir.path(file)) as temporary:
        np.savez(temporary, allow_pickle=False, row=row[order], split=split[order])
        with zipfile.ZipFile(temporary, "a") as archive, archive.open("features.npy", "w", force_zip64=True) as stream:
            npy.write_array_header_1_0(stream, header)
            for part in np.split(order, range(_ROWS, len(order), _ROWS)):
                stream.write(np.stack([everything[place] for place in part], dtype="<f4").data)
    return load_features(run_dir, file)


def load_features(run_dir: RunDirectory, file: str = FEATURES) -> Features:
    """Returns what `save_features` wrote.

    Raises:
        MissingArtifactError: Notebook 02 has not run.
    """
    path = run_dir.require(file)
    with np.load(path, allow_pickle=False) as stored:
        vectors = _map_vectors(path)
        return Features(stored["features"] if vectors is None else vectors, stored["row"], stored["split"])


def _map_vectors(path: Path) -> np.ndarray | None:
    """Returns the features in an npz file memory-mapped: of 100,000 images they have 500 MB.

    `None` where the file is not as `save_features` writes it, so that NumPy has to read it.
    """
    with zipfile.ZipFile(path) as archive, path.open("rb") as stream:
        member = archive.getinfo("features.npy")
        # In front of a member stands a header, whose last numbers say how long the two texts are that follow.
        stream.seek(member.header_offset + 26)
        stream.seek(sum(struct.unpack("<HH", stream.read(4))), os.SEEK_CUR)
        if member.compress_type != zipfile.ZIP_STORED or npy.read_magic(stream) != (1, 0):
            return None
        shape, by_column, dtype = npy.read_array_header_1_0(stream)
        # Windows would not let a file be replaced that is mapped.
        if by_column or dtype != np.float32 or 0 in shape or os.name != "posix":
            return None
        return np.asarray(np.memmap(path, dtype, mode="r", offset=stream.tell(), shape=shape))


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
