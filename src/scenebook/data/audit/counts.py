"""How many images there are, by class and split, and what was not used."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

SPLIT_NAMES = ("train", "validation", "test")


def count_images(splits: pd.DataFrame) -> pd.DataFrame:
    """Returns the images a class (rows) a split (columns `train`, `validation`, `test`); 0 where there are none."""
    counts = pd.crosstab(splits["label"], splits["split"])
    return counts.reindex(columns=list(SPLIT_NAMES), fill_value=0)


def compute_imbalance(counts: pd.DataFrame) -> float:
    """Returns the largest class's training images over the smallest class's."""
    trained = counts["train"]
    return float(trained.max() / trained.min())


def describe_imbalance(counts: pd.DataFrame) -> str:
    """Returns the sentence on class sizes, for `say` with `ratio`."""
    if counts["train"].nunique() == 1:
        return "All classes have equally many training images."
    return "The largest class has {ratio:.2f} times the training images of the smallest."


def tabulate_set_aside(set_aside: Sequence[tuple[str, str]], most: int) -> pd.DataFrame:
    """Returns the first `most` files that were set aside as the columns file and reason."""
    return pd.DataFrame(list(set_aside[:most]), columns=["file", "reason"])
