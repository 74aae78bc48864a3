"""Images that differ from the rest, how many there are by class and split, and all findings in one place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from scenebook.core.wording import printable
from scenebook.data.audit.duplicates import DuplicateGroups, find_seen_in_training, list_groups
from scenebook.data.decoding import SQUASH
from scenebook.data.images import FoundImages

DARKEST = 1 / 3
"""Brightness. In a dark image, 99 % of the surface is darker; cleanvision: 0.32 of single pixels."""
LIGHTEST = 2 / 3
"""Brightness. In a light image, 95 % of the surface is lighter."""
BLURRY = 0.5
"""On the scale of `compute_blur`. A Gaussian blur with a standard deviation of 1.3 % of the side raises 99 in 100
photographs above it, which by themselves lie around 0.2."""
GREYEST = 0.04
"""Largest difference of the channels: 10 of 255, as compression leaves it in a grey image."""
EMPTY = 3.0  # bits of entropy of the grey levels, as cleanvision
STRETCHED = 2.0
"""An image that is so many times as wide for its height as the median one, or the inverse, is squeezed more than
others when all are brought to one square size."""
COMMON_SIZE_SHARE = 0.75
FAR_SIZE = 4.0
"""Of images of many sizes, an odd one has at least four times the area, twice each side, or a quarter of it."""
MOST_SHARE = 0.5  # what more images than this have in common is not odd


@dataclass(frozen=True)
class QualityFindings:
    """How far each image is beyond the bound of each check, float `(n, checks)`; and checks that most images fail."""

    oddness: pd.DataFrame
    common: list[str]


def find_odd_images(splits: pd.DataFrame) -> QualityFindings:
    """Applies all checks to a table of width, height, and the measures of `measuring.measure`.

    What is light, dark or empty is measured as cleanvision does it. What most images fail, as scans are all grey,
    describes the data set and is not odd.
    """
    empty = EMPTY - splits["entropy"]
    shape = pd.Series(np.log(splits["width"].to_numpy(dtype=float) / splits["height"]), index=splits.index)
    checks = {
        "dark": DARKEST - splits["brightness_p99"],
        "light": splits["brightness_p05"] - LIGHTEST,
        # What is empty has nothing that could be sharp.
        "blurry": (splits["blur"] - BLURRY).where(empty <= 0, 0),
        "grey": GREYEST - splits["colour"],
        "nearly empty": empty,
        "odd size": _oddness_of_size(splits),
        "odd shape": (shape - shape.median()).abs() - np.log(STRETCHED),
    }
    oddness = pd.DataFrame(checks).clip(lower=0)
    common = [name for name in checks if (oddness[name] > 0).mean() > MOST_SHARE]
    return QualityFindings(oddness.drop(columns=common), common)


def _oddness_of_size(splits: pd.DataFrame) -> pd.Series:
    """Returns how odd the size of each image is; 0 for one of a usual size.

    Where three quarters of the images share one size, every other size is odd. Where they do not, an odd one's area
    is further from the middle half of all images than three times that half's width, on a scale of ratios, and at
    least four times as large or small.
    """
    area = pd.Series(np.log(splits["width"].to_numpy(dtype=float) * splits["height"]), index=splits.index)
    sizes = splits.groupby(["width", "height"]).size()
    if sizes.max() >= len(splits) * COMMON_SIZE_SHARE:
        common = pd.MultiIndex.from_frame(splits[["width", "height"]]).isin(sizes.nlargest(1).index)
        return (1 + (area - area[common].median()).abs()).where(~common, 0)
    low, high = float(area.quantile(0.25)), float(area.quantile(0.75))
    reach = max(3 * (high - low), float(np.log(FAR_SIZE)))
    outside = pd.concat([low - reach - area, area - high - reach], axis=1)
    return outside.max(axis=1).clip(lower=0)


def tabulate_odd_images(splits: pd.DataFrame, findings: QualityFindings, most: int = 20) -> pd.DataFrame:
    """Counts the odd images a class and check: class, then a column a check that found any.

    Of more than `most` classes, those with the most odd images are shown and the rest are summed up.
    """
    counts = (findings.oddness > 0).groupby(splits["label"]).sum()
    counts = counts.loc[counts.sum(axis=1) > 0, counts.sum() > 0]
    if len(counts) > most:
        order = counts.sum(axis=1).sort_values(ascending=False, kind="stable").index
        rest = counts.loc[order[most - 1 :]].sum()
        counts = counts.loc[order[: most - 1]].sort_index()
        counts.loc[f"{len(order) - most + 1:,} other classes"] = rest
    return counts.rename_axis("class").reset_index()


def select_odd_images(splits: pd.DataFrame, findings: QualityFindings, each: int) -> pd.DataFrame:
    """Returns the oddest images of each check, check by check: path, label, split, what (`dark, blurry`).

    There are up to `each` of a check; an image that fails several checks counts for the first.
    """
    flags = findings.oddness > 0
    chosen: list[Any] = []
    for name in flags.columns:
        chosen += list(_rank(findings.oddness[name]).drop(chosen, errors="ignore")[:each])
    what = [", ".join(flags.columns[flags.loc[row].to_numpy()]) for row in chosen]
    return splits.loc[chosen, ["path", "label", "split"]].assign(what=what)


def list_odd_images(splits: pd.DataFrame, findings: QualityFindings) -> dict[str, Any]:
    """Returns a record a check for `data/audit.json`: counts a class, and the paths, the oddest first."""
    records = {}
    for name in findings.oddness.columns:
        odd = _rank(findings.oddness[name])
        counts = splits.loc[odd, "label"].value_counts().sort_index()
        records[name] = {
            "images": len(odd),
            "counts": {str(label): int(count) for label, count in counts.items()},
            "paths": list(splits.loc[odd, "path"]),
        }
    return records


def _rank(oddness: pd.Series) -> pd.Index:
    return oddness[oddness > 0].sort_values(ascending=False, kind="stable").index


OBLONG = 1.5  # photographs are mostly 4:3 or 3:2; what is longer is another kind of image, or a panorama


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
        "set_aside": [{"path": path, "reason": reason} for path, reason in set_aside],
        "ignored_folders": list(ignored_folders),
        "duplicate_groups": list_groups(splits, duplicates),
        "seen_in_training": find_seen_in_training(splits, duplicates),
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
