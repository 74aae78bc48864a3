"""How many images there are by class and split, and all findings in one place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from scenebook.core.wording import printable
from scenebook.data.audit.duplicates import DuplicateGroups, find_exact_duplicates, find_seen_in_training, list_groups
from scenebook.data.audit.quality import QualityFindings, find_odd_sizes, list_odd_images
from scenebook.data.decoding import SQUASH
from scenebook.data.images import FoundImages

OBLONG = 1.5
"""Photographs are mostly 4:3 or 3:2; what is longer is another kind of image, or a panorama."""


def audit_images(
    splits: pd.DataFrame,
    set_aside: Sequence[tuple[str, str]],
    ignored_folders: Sequence[str] = (),
    *,
    duplicates: DuplicateGroups,
    odd: QualityFindings,
    giveaways: Sequence[dict[str, Any]],
    fit: str = SQUASH,
) -> dict[str, Any]:
    """Collects all findings for `data/audit.json`: duplicates of all images, the rest of those in `splits`.

    Files that are `set_aside` come with the reason. How images are made square is `fit`, of `decoding.resize`.
    """
    counts = count_images(splits)
    return {
        "images": len(splits),
        "counts": {label: {split: int(n) for split, n in row.items()} for label, row in counts.iterrows()},
        "imbalance": compute_imbalance(counts),
        "set_aside": [{"path": path, "reason": reason} for path, reason in set_aside],
        "ignored_folders": list(ignored_folders),
        "exact_duplicates": find_exact_duplicates(splits),
        "duplicate_groups": list_groups(splits, duplicates),
        "seen_in_training": find_seen_in_training(splits, duplicates),
        "odd_sizes": find_odd_sizes(splits).to_dict("records"),
        "odd_images": list_odd_images(splits, odd),
        "common_traits": list(odd.common),
        "shapes": measure_shapes(splits, fit),
        "giveaways": list(giveaways),
        "classes_missing_in_test": [str(label) for label in counts.index[counts["test"] == 0]],
    }


def measure_shapes(table: pd.DataFrame, fit: str) -> dict[str, Any]:
    """Returns how far images, a row each with `width` and `height`, are from square.

    Returns:
        `fit`; `not_square`, how many are not; `oblong`, how many are more than `OBLONG` times as long one way as the
        other; and `median`, the shorter side over the longer one in the median image: the share of its area that a crop
        leaves, or of the square that it fills when it is padded.
    """
    sides = table[["width", "height"]]
    squareness = sides.min(axis=1) / sides.max(axis=1)
    return {
        "fit": fit,
        "not_square": int((squareness < 1).sum()),
        "oblong": int((squareness < 1 / OBLONG).sum()),
        "median": round(float(squareness.median()), 6),
    }


def tabulate_folders(found: FoundImages) -> pd.DataFrame:
    """Returns how many images lie in which folder, with the class and the split that follow from it, as text."""
    rows = [
        (printable(image.path.rpartition("/")[0]), printable(image.label), image.split or "") for image in found.images
    ]
    table = pd.DataFrame(rows, columns=["folder", "class", "split"])
    return table.value_counts(sort=False).reset_index(name="images")


def count_images(splits: pd.DataFrame) -> pd.DataFrame:
    """Returns the images a class (rows) a split (columns `train`, `validation`, `test`); 0 where there are none."""
    counts = pd.crosstab(splits["label"], splits["split"])
    return counts.reindex(columns=["train", "validation", "test"], fill_value=0)


def compute_imbalance(counts: pd.DataFrame) -> float:
    """Returns the largest class's training images over the smallest class's."""
    trained = counts["train"]
    return float(trained.max() / trained.min())


def tabulate_set_aside(set_aside: Sequence[tuple[str, str]], most: int) -> pd.DataFrame:
    """Returns the first `most` files that were set aside as the columns file and reason."""
    return pd.DataFrame(list(set_aside[:most]), columns=["file", "reason"])
