"""What is wrong with a data set, found by counting and by digests. Nothing is dropped here, only reported."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

SPLIT_NAMES = ("train", "validation", "test")


def count_pictures(splits: pd.DataFrame) -> pd.DataFrame:
    """Returns the pictures a class (rows) a split (columns `train`, `validation`, `test`); 0 where there are none."""
    counts = pd.crosstab(splits["label"], splits["split"])
    return counts.reindex(columns=list(SPLIT_NAMES), fill_value=0)


def compute_imbalance(counts: pd.DataFrame) -> float:
    """Returns the largest class's training pictures over the smallest class's."""
    trained = counts["train"]
    return float(trained.max() / trained.min())


def describe_imbalance(counts: pd.DataFrame) -> str:
    """Returns the sentence on class sizes, for `say` with `ratio`."""
    if counts["train"].nunique() == 1:
        return "All classes have equally many training pictures."
    return "The largest class has {ratio:.2f} times the training pictures of the smallest."


def find_exact_duplicates(splits: pd.DataFrame) -> list[dict[str, Any]]:
    """Returns groups of files with the same bytes: their paths, and whether they straddle splits or classes."""
    groups = []
    for _, rows in splits[splits.duplicated("sha256", keep=False)].groupby("sha256", sort=False):
        groups.append(
            {
                "paths": list(rows["path"]),
                "across_splits": bool(rows["split"].nunique() > 1),
                "across_classes": bool(rows["label"].nunique() > 1),
            }
        )
    return groups


def find_odd_sizes(splits: pd.DataFrame) -> pd.DataFrame:
    """Returns the pictures whose size is not the commonest one: path, width, height.

    A data set in which no size is shared by half of the pictures has no common size, and so no odd ones.
    """
    sizes = splits.groupby(["width", "height"]).size()
    if sizes.max() < len(splits) / 2:
        return splits.iloc[:0][["path", "width", "height"]]
    common = pd.MultiIndex.from_frame(splits[["width", "height"]]).isin(sizes.nlargest(1).index)
    return splits.loc[~common, ["path", "width", "height"]]


def audit_pictures(
    splits: pd.DataFrame, set_aside: Sequence[tuple[str, str]], ignored_folders: Sequence[str] = ()
) -> dict[str, Any]:
    """Collects all findings, ready for `data/audit.json`.

    Args:
        splits: The splits table: path, label, split, sha256, width, height.
        set_aside: Files that are not used, with the reason.
        ignored_folders: Folders that were passed over.
    """
    counts = count_pictures(splits)
    return {
        "pictures": len(splits),
        "counts": {label: {split: int(n) for split, n in row.items()} for label, row in counts.iterrows()},
        "imbalance": compute_imbalance(counts),
        "set_aside": [{"path": path, "reason": reason} for path, reason in set_aside],
        "ignored_folders": list(ignored_folders),
        "exact_duplicates": find_exact_duplicates(splits),
        "odd_sizes": find_odd_sizes(splits).to_dict("records"),
        "classes_missing_in_test": [str(label) for label in counts.index[counts["test"] == 0]],
    }


def tabulate_set_aside(set_aside: Sequence[tuple[str, str]], most: int) -> pd.DataFrame:
    """Returns the first `most` files that were set aside as the columns file and reason."""
    return pd.DataFrame(list(set_aside[:most]), columns=["file", "reason"])
