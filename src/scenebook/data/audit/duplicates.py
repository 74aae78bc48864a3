"""Images that occur more than once: the same file, or the same image saved, scaled, cut or mirrored anew.

Files with the same bytes are found by their digests. Of the others, pairs with similar perceptual hashes are
candidates, which are confirmed on the pixels. Confirmed pairs make groups, so that a split can keep a group together.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse
from scipy.sparse import csgraph

from scenebook.data.audit.similarity import SIDE, compare_detail, find_candidates, make_thumbnail
from scenebook.data.stored_pixels import read_stored

LARGE_SHARE = 0.01
LARGE_MINIMUM = 20
"""A group of more than 20 images, and of more than this share of its class, says something about how the data were
made (frames of a film, placeholders) and is no accident: it is reported, not kept together."""
_BATCH = 256


@dataclass(frozen=True)
class DuplicateGroups:
    """Images that show the same.

    Attributes:
        group: int64 `(n,)`, a number a row of the table: equal in a group, -1 for an image that stands alone.
        pairs: A row a pair that was compared: first, second (positions in the table, first below second), exact,
            mirrored, similarity (`(0, 1]`, of the detail; 1 for the same bytes). Of files with the same bytes, only the
            first one was compared with others.
        large: Positions of each group that is too large to be kept together; its images count as alone, unless their
            bytes are the same.
    """

    group: np.ndarray
    pairs: pd.DataFrame
    large: list[np.ndarray]


def find_duplicates(
    table: pd.DataFrame, images: np.ndarray, *, report: Callable[[int, int], None] = lambda done, total: None
) -> DuplicateGroups:
    """Finds exact and near duplicates; `report` is called with the number of images compared and the number in all.

    Args:
        table: label, sha256, and the hashes of `measuring.measure`; the row at position i belongs to `images[i]`.
        images: uint8 `(n or more, height, width, 3)`, may be memory-mapped.
    """
    unit, _ = pd.factorize(table["sha256"])
    firsts = np.unique(unit, return_index=True)[1]
    candidates = find_candidates(table.iloc[firsts], report=report)
    candidates = candidates.assign(first=firsts[candidates["first"]], second=firsts[candidates["second"]])
    copies = np.flatnonzero(firsts[unit] != np.arange(len(table)))
    exact = pd.DataFrame(
        {"first": firsts[unit[copies]], "second": copies, "exact": True, "mirrored": False, "similarity": 1.0}
    )
    pairs = pd.concat([exact, _confirm(candidates, images)], ignore_index=True)
    group, large = _make_groups(pairs, table["label"].to_numpy())
    return DuplicateGroups(group, pairs, large)


def _confirm(candidates: pd.DataFrame, images: np.ndarray) -> pd.DataFrame:
    rows, places = np.unique(candidates[["first", "second"]], return_inverse=True)
    thumbnails = np.empty((len(rows), SIDE, SIDE), dtype=np.uint8)
    for position, image in enumerate(read_stored(images, rows)):
        thumbnails[position] = make_thumbnail(image)
    mirrored, similarity = candidates["mirrored"].to_numpy(), np.zeros(len(candidates))
    for start in range(0, len(candidates), _BATCH):
        batch = slice(start, start + _BATCH)
        first, second = thumbnails[places[batch, 0]], thumbnails[places[batch, 1]]
        second[mirrored[batch]] = second[mirrored[batch]][:, :, ::-1]
        similarity[batch] = compare_detail(first, second)
    pairs = candidates.assign(exact=False, similarity=similarity)[similarity > 0]
    # A symmetrical image may be like another one and like its mirror image: what is more alike counts.
    order = ["first", "second", "similarity", "mirrored"]
    return pairs.sort_values(order, ascending=[True, True, False, True]).drop_duplicates(["first", "second"])


def _connect(pairs: pd.DataFrame, n: int) -> list[np.ndarray]:
    """Returns the positions of each set of two or more images that pairs connect."""
    ones = np.ones(len(pairs), dtype=np.int8)
    graph = sparse.coo_array((ones, (pairs["first"], pairs["second"])), shape=(n, n))
    _, component = csgraph.connected_components(graph, directed=False)
    order = np.argsort(component, kind="stable")
    bounds = np.flatnonzero(np.diff(component[order])) + 1
    return [members for members in np.split(order, bounds) if len(members) > 1]


def _make_groups(pairs: pd.DataFrame, labels: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
    group = np.full(len(labels), -1, dtype=np.int64)
    class_sizes = pd.Series(labels).value_counts()
    large = []
    for members in _connect(pairs, len(labels)):
        of_class = class_sizes[labels[members]].max()
        if len(members) > max(LARGE_MINIMUM, LARGE_SHARE * of_class):
            large.append(members)
        else:
            group[members] = members[0]
    if large:
        exact = pairs[pairs["exact"] & pairs["first"].isin(np.concatenate(large))]
        for members in _connect(exact, len(labels)):
            group[members] = members[0]
    return group, large


def list_groups(splits: pd.DataFrame, duplicates: DuplicateGroups) -> list[dict[str, Any]]:
    """Returns a record a group of images that are in `splits`, those across classes first, then those across splits.

    A record holds paths, exact (all have the same bytes), across_classes, across_splits, and large.
    """
    used = splits.set_index("row")
    kept = [members for _, members in used[used["group"] >= 0].groupby("group") if len(members) > 1]
    large = [used[used.index.isin(members)] for members in duplicates.large]
    records = [_describe_group(members, large=False) for members in kept]
    records += [_describe_group(members, large=True) for members in large if len(members) > 1]
    return sorted(records, key=lambda record: (not record["across_classes"], not record["across_splits"]))


def _describe_group(members: pd.DataFrame, *, large: bool) -> dict[str, Any]:
    different = members[["sha256", "split", "label"]].nunique() > 1
    return {
        "paths": list(members["path"]),
        "exact": not different["sha256"],
        "across_splits": bool(different["split"]),
        "across_classes": bool(different["label"]),
        "large": large,
    }


def select_pairs(splits: pd.DataFrame, duplicates: DuplicateGroups, most: int) -> pd.DataFrame:
    """Returns the most harmful pairs: with two classes first, then with two splits, then the rest.

    Of several pairs of one kind, those come first that look least alike: they are for a reader to judge.

    Returns:
        Up to `most` pairs, one a group: first and second (positions in `splits`), mirrored, exact, across_classes,
        across_splits.
    """
    pairs = _pairs_of_used(splits["row"].to_numpy(), duplicates)
    for name, column in (("across_classes", "label"), ("across_splits", "split")):
        values = splits[column].to_numpy()
        pairs[name] = values[pairs["first"]] != values[pairs["second"]]
    order = ["across_classes", "across_splits", "exact", "similarity", "first", "second"]
    pairs = pairs.sort_values(order, ascending=[False, False, True, True, True, True])
    members = _connect(pairs, len(splits))
    component = {position: number for number, group in enumerate(members) for position in group}
    return pairs[~pairs["first"].map(component).duplicated()].head(most).drop(columns="similarity")


def find_seen_in_training(splits: pd.DataFrame, duplicates: DuplicateGroups) -> list[str]:
    """Returns the paths of the test images that have a duplicate in train or validation, sorted.

    Of a large group not every pair is compared: where some of it are trained on, all of it count as seen.
    """
    rows = splits["row"].to_numpy()
    unit = _units(duplicates)
    own, is_test = unit[rows], (splits["split"] == "test").to_numpy()
    trained = np.zeros(len(unit), dtype=bool)
    trained[own[~is_test]] = True
    first, second = (unit[duplicates.pairs[name]] for name in ("first", "second"))
    seen = trained.copy()
    seen[first[trained[second]]] = True
    seen[second[trained[first]]] = True
    for members in duplicates.large:
        seen[unit[members]] |= trained[unit[members]].any()
    return sorted(splits["path"].to_numpy()[is_test & seen[own]])


def _units(duplicates: DuplicateGroups) -> np.ndarray:
    """Returns int64 `(n,)`: for each image, the position of the first one with the same bytes."""
    unit = np.arange(len(duplicates.group))
    exact = duplicates.pairs[duplicates.pairs["exact"]]
    unit[exact["second"]] = exact["first"]
    return unit


def _pairs_of_used(rows: np.ndarray, duplicates: DuplicateGroups) -> pd.DataFrame:
    """Returns the pairs as positions in `rows`, the images that are used.

    Only the first of several equal files was compared with others. Where it is not used, the next one stands for it.
    """
    position = np.full(len(duplicates.group), -1)
    position[rows] = np.arange(len(rows))
    unit = _units(duplicates)
    stand_in = np.full(len(unit), -1)
    stand_in[unit[rows[::-1]]] = position[rows[::-1]]
    first = stand_in[unit[duplicates.pairs["first"]]]
    exact = duplicates.pairs["exact"].to_numpy()
    second = duplicates.pairs["second"].to_numpy()
    second = np.where(exact, position[second], stand_in[unit[second]])
    pairs = duplicates.pairs.assign(first=first, second=second)
    return pairs[(first >= 0) & (second >= 0) & (first != second)]
