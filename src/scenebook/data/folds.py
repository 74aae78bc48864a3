"""Divisions of the images that are not test images: each holds another part of them out."""

from __future__ import annotations

import warnings
from collections import Counter
from dataclasses import dataclass

import numpy as np
import pandas as pd

from scenebook.core.provenance import sha256_lines


@dataclass(frozen=True)
class Fold:
    """One division of the training and validation images: rows of the table of splits, int64 `(n,)` and `(m,)`.

    The digest is that of which images with which labels are where, in their order.
    """

    train: np.ndarray
    validation: np.ndarray
    digest: str


def make_folds(splits: pd.DataFrame, count: int, *, seed: int) -> list[Fold]:
    """Divides the images of the table `data/splits.csv` that are not test images, `count` times.

    The first division is the run's own. For each further one, another part of the run's training images, stratified by
    class, becomes validation, and all the rest is trained on; copies of an image, and groups, stay together. No image
    is validation twice, unless more folds are asked for than there are parts.
    """
    split = splits["split"].to_numpy()
    train, validation = np.flatnonzero(split == "train"), np.flatnonzero(split == "validation")
    folds = [_make_fold(splits, train, validation)]
    wanted = max(2, round(len(train) / max(1, len(validation))))
    while len(folds) < count:
        parts = _deal(splits, train, wanted, seed=seed + len(folds))
        if not parts:
            break
        for chosen in parts[: count - len(folds)]:
            folds.append(_make_fold(splits, np.setdiff1d(np.concatenate([train, validation]), chosen), chosen))
    return folds


def divide_into_folds(splits: pd.DataFrame, count: int, *, seed: int) -> list[Fold]:
    """Divides the same images into `count` parts, stratified by class, and holds each of them out once.

    Copies of an image, and groups, stay together. There are fewer folds where there are fewer groups, or fewer images
    in the largest class.
    """
    rows = np.flatnonzero(splits["split"].to_numpy() != "test")
    parts = [part for part in _deal(splits, rows, count, seed=seed) if len(part)]
    return [_make_fold(splits, np.setdiff1d(rows, part), part) for part in parts]


def _deal(splits: pd.DataFrame, rows: np.ndarray, wanted: int, *, seed: int) -> list[np.ndarray]:
    groups = splits["group"].to_numpy() if "group" in splits else np.full(len(splits), -1)
    units = np.where(groups < 0, -1 - np.arange(len(splits)), groups)[rows]
    return [rows[chosen] for chosen in deal_groups(splits["label"].to_numpy()[rows], units, wanted, seed=seed)]


def deal_groups(labels: np.ndarray, units: np.ndarray, wanted: int, *, seed: int) -> list[np.ndarray]:
    """Divides images, given by their labels `(n,)`, into parts, stratified by class; images of one unit stay together.

    There are fewer parts than `wanted` where there are fewer units, int `(n,)`, or fewer images in the largest class;
    there is none where that leaves less than two. The seed is that of the order in which units are dealt.

    Returns:
        Positions of images, int64 `(m,)` a part; of very unequal units, a part may be empty.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    # No more parts than the largest class has images: with one image a class there is the run's own division alone.
    parts = min(wanted, len(set(units.tolist())), max(Counter(labels.tolist()).values(), default=0))
    if parts < 2:
        return []
    divider = StratifiedGroupKFold(parts, shuffle=True, random_state=seed % 2**32)
    with warnings.catch_warnings():
        # A class of fewer images than parts is missing in some: that is no reason to warn in a report.
        warnings.filterwarnings("ignore", message="The least populated class", category=UserWarning)
        return [chosen for _, chosen in divider.split(labels, labels, units)]


def _make_fold(splits: pd.DataFrame, train: np.ndarray, validation: np.ndarray) -> Fold:
    facts = splits["sha256"].str.cat(splits["label"], sep=" ").to_numpy()
    return Fold(train, validation, sha256_lines([*facts[train], "", *facts[validation]]))
