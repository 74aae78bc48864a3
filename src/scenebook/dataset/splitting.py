"""Train, validation and test: drawn class by class from the seed, and read back by later stages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from scenebook.artifacts import RunDirectory
from scenebook.dataset.decoding import PICTURES
from scenebook.errors import DatasetError

SPLITS = "data/splits.csv"


def split_pictures(
    table: pd.DataFrame,
    *,
    validation_fraction: float,
    test_fraction: float,
    seed: int,
    max_per_class: int | None = None,
) -> pd.DataFrame:
    """Assigns each picture to train, validation or test, class by class, at random from the seed.

    Where the folders name a test set, it stays as it is; otherwise test is cut first. Validation is cut from train
    unless the folders hold one. Every class has a picture in each split that is cut here.

    Args:
        table: From `DecodedPictures`; split may be missing.
        validation_fraction: Share of train that becomes validation.
        test_fraction: Share that becomes test when there is no test folder.
        seed: The seed.
        max_per_class: Keeps at most so many pictures a class in train and validation together, and as many in test;
            a ready-made validation folder is capped likewise.

    Returns:
        The rows that are used, in their order, with split set for each, and `row`: their row in `pictures.npy`.

    Raises:
        DatasetError: A class is too small to be split.
    """
    has_test = bool((table["split"] == "test").any())
    has_validation = bool((table["split"] == "validation").any())
    split = table["split"].fillna("train").astype(object)
    for position, label in enumerate(sorted(table["label"].unique())):
        rng = np.random.default_rng([seed, position])
        rows = rng.permutation(table.index[(table["label"] == label) & (split == "train")].to_numpy())
        test = table.index[(table["label"] == label) & (split == "test")].to_numpy()
        if not has_test:
            count = _share(len(rows), test_fraction)
            test, rows = rows[:count], rows[count:]
            split[test] = "test"
        if max_per_class is not None:
            split[rows[max_per_class:]] = None
            split[rng.permutation(np.array(test))[max_per_class:]] = None
            ready = table.index[(table["label"] == label) & (split == "validation")].to_numpy()
            split[rng.permutation(np.array(ready))[max_per_class:]] = None
            rows = rows[:max_per_class]
        validation = rows[:0] if has_validation else rows[: _share(len(rows), validation_fraction)]
        split[validation] = "validation"
        if (
            len(rows) - len(validation) < 1
            or (not has_validation and len(validation) < 1)
            or (not has_test and len(test) < 1)
        ):
            needed = 1 + (not has_test) + (not has_validation)
            raise DatasetError(
                f"Expected at least {needed} pictures in every class, to split it.",
                received={"class": label, "pictures": int((table["label"] == label).sum())},
                advice="Add pictures of this class, or remove its folder.",
            )
    return table.assign(split=split, row=np.arange(len(table)))[split.notna()].reset_index(drop=True)


def _share(count: int, fraction: float) -> int:
    """Returns how many of `count` are cut: the rounded share, at least one, but never the last one."""
    return min(max(1, round(count * fraction)), max(0, count - 1))


@dataclass(frozen=True)
class SplitPictures:
    """The decoded pictures of one split. The picture `i` is `stored[rows[i]]`.

    Attributes:
        stored: uint8 `(pictures, height, width, 3)` in `[0, 255]`, memory-mapped: all pictures of the data set.
        rows: int64 `(n,)`, the split's rows of `stored`.
        labels: int64 `(n,)`, indices into the class names.
        paths: The pictures' paths below the data folder.
    """

    stored: np.ndarray
    rows: np.ndarray
    labels: np.ndarray
    paths: list[str]

    def __len__(self) -> int:
        return len(self.rows)


def load_split(run_dir: RunDirectory, split: str, class_names: Sequence[str]) -> SplitPictures:
    """Returns the pictures of `train`, `validation` or `test`, as notebook 01 left them."""
    table = run_dir.read_csv(SPLITS)
    table = table[table["split"] == split]
    stored = np.load(run_dir.require(PICTURES), mmap_mode="r", allow_pickle=False)
    positions = {name: index for index, name in enumerate(class_names)}
    labels = table["label"].map(positions).to_numpy(dtype=np.int64)
    return SplitPictures(stored, table["row"].to_numpy(dtype=np.int64), labels, list(table["path"]))
