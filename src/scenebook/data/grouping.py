"""Groups as numbers, joined with the groups of copies, and how they are spread over the splits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse
from scipy.sparse import csgraph

from scenebook.data.images import FoundImages

_SPLITS = ("train", "validation", "test")


def number_groups(found: FoundImages, paths: pd.Series) -> np.ndarray:
    """Returns a number for each of these images, int64 `(n,)`: equal in a group, -1 for an image that stands alone."""
    named = {image.path: image.group or None for image in found.images}
    return pd.factorize(paths.map(named))[0].astype(np.int64)


def join_groups(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Returns the groups that keep together what either of two groupings does.

    All are int64 `(n,)`: equal numbers in a group, negative for an image that stands alone. Where the second grouping
    has no group, the first is returned as it is.
    """
    if not (second >= 0).any():
        return first
    count = len(first)
    # An image is connected with its group, and thereby with all that are in it.
    ends = [
        (np.flatnonzero(group >= 0), start + group[group >= 0])
        for group, start in ((first, count), (second, count + int(first.max(initial=-1)) + 1))
    ]
    rows, columns = (np.concatenate(parts) for parts in zip(*ends, strict=True))
    size = count + int(first.max(initial=-1)) + int(second.max()) + 2
    graph = sparse.coo_array((np.ones(len(rows), dtype=np.int8), (rows, columns)), shape=(size, size))
    _, component = csgraph.connected_components(graph, directed=False)
    joined = pd.factorize(component[:count])[0].astype(np.int64)
    joined[(first < 0) & (second < 0)] = -1
    return joined


def summarize_groups(found: FoundImages, splits: pd.DataFrame) -> dict[str, Any]:
    """Returns how groups are spread over the images that are used, for `data/audit.json`; nothing where there are none.

    Returns:
        `setting`, `groups` (how many), `counts` (how many have images in each split), `alone` (images without a
        group), `across` (groups in more than one split), and `known` (test images whose group is in another split too).
    """
    if found.groups is None:
        return {}
    named = {image.path: image.group for image in found.images}
    table = pd.DataFrame({"group": splits["path"].map(named), "split": splits["split"]})
    grouped = table[table["group"] != ""]
    of_split = grouped.groupby("group")["split"].agg(set)
    across = of_split[of_split.map(len) > 1]
    test = grouped[(grouped["split"] == "test") & grouped["group"].isin(across.index)]
    return {
        "setting": found.groups,
        "groups": len(of_split),
        "counts": {split: int(of_split.map(lambda own, split=split: split in own).sum()) for split in _SPLITS},
        "alone": len(table) - len(grouped),
        "across": len(across),
        "known": len(test),
    }
