"""Which images each seed of a study trains on, and which it is evaluated on."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.model_selection import StratifiedGroupKFold

from scenebook.core.provenance import sha256_lines


@dataclass(frozen=True)
class Fold:
    """One division of the training and validation images.

    Attributes:
        train: int64 `(n,)`, rows of the table of splits.
        validation: int64 `(m,)`, the same.
        digest: SHA-256 of which images with which labels are where, in their order.
    """

    train: np.ndarray
    validation: np.ndarray
    digest: str


def make_folds(splits: pd.DataFrame, count: int, *, seed: int) -> list[Fold]:
    """Divides the images that are not test images, a division a seed.

    The first is the run's own. For each further one, another part of the run's training images, stratified by class,
    becomes validation, and all the rest is trained on; copies of an image stay together. No image is validation
    twice, unless more folds are asked for than there are parts.

    Args:
        splits: The table `data/splits.csv`.
        count: How many.
        seed: Seed of the draw.
    """
    split = splits["split"].to_numpy()
    train, validation = np.flatnonzero(split == "train"), np.flatnonzero(split == "validation")
    folds = [_make_fold(splits, train, validation)]
    groups = splits["group"].to_numpy() if "group" in splits else np.full(len(splits), -1)
    units = np.where(groups < 0, -1 - np.arange(len(splits)), groups)[train]
    labels = splits["label"].to_numpy()[train]
    parts = min(max(2, round(len(train) / max(1, len(validation)))), len(set(units.tolist())))
    while len(folds) < count and parts > 1:
        divider = StratifiedGroupKFold(parts, shuffle=True, random_state=(seed + len(folds)) % 2**32)
        with warnings.catch_warnings():
            # A class of fewer images than parts is missing in some: that is no reason to warn in a report.
            warnings.filterwarnings("ignore", message="The least populated class", category=UserWarning)
            for _, chosen in list(divider.split(train, labels, units))[: count - len(folds)]:
                rest = np.setdiff1d(np.concatenate([train, validation]), train[chosen])
                folds.append(_make_fold(splits, rest, train[chosen]))
    return folds


def _make_fold(splits: pd.DataFrame, train: np.ndarray, validation: np.ndarray) -> Fold:
    facts = splits["sha256"].str.cat(splits["label"], sep=" ").to_numpy()
    return Fold(train, validation, sha256_lines([*facts[train], "", *facts[validation]]))
