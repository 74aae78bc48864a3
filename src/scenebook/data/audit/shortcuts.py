"""What a network may recognise instead of what is shown: a colour, a size, or the place or patient of a series."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

FOLDS = 5
FEWEST = 20
"""Images a class. Of fewer, a rank statistic says little."""
MOST_IMAGES = 10_000
SAME_SIZE_SHARE = 0.99
_KINDS = {"colour": ["red", "green", "blue"], "size": ["width", "height"]}
LIMITS = {"colour": 0.95, "size": 0.75}
"""Area under the curve above which, with its 95 % interval, a class is named. Colour belongs to what is shown: forests
are green, so only a class that outranks 19 of 20 others by it is remarkable. Size has nothing to do with what is shown:
three of four is remarkable already."""


def find_giveaways(splits: pd.DataFrame, *, seed: int) -> list[dict[str, Any]]:
    """Cross-validates a classifier that sees nothing but average colours, or sizes, on the training images.

    A network finds such shortcuts (Geirhos et al., 2020, Nature Machine Intelligence 2, 665-673), and then recognises a
    camera, a background or a website.

    Args:
        splits: label, split, width, height, red, green, blue, and perhaps group. Of copies, one a class counts: the
            others would be recognised by it.
        seed: Of the folds and of the trees.

    Returns:
        A record a kind, for `data/audit.json`; none for sizes that hardly differ, and none at all where no two classes
        have enough images. It holds feature (`colour` or `size`), balanced_accuracy (the share of right answers, each
        class counting alike, in `[0, 1]`), chance (what guessing reaches), and classes: the AUC, the area under the
        receiver operating characteristic, of each class that is above the limit.
    """
    table = splits[splits["split"] == "train"]
    if "group" in table.columns:
        table = table[(table["group"] < 0) | ~table.duplicated(["label", "group"])]
    counts = table["label"].value_counts()
    table = table[table["label"].isin(counts.index[counts >= FEWEST])]
    if table["label"].nunique() < 2:
        return []
    if len(table) > MOST_IMAGES:
        share = MOST_IMAGES / len(table)
        shuffled = table.sample(frac=1, random_state=seed)
        rank = shuffled.groupby("label").cumcount()
        table = shuffled[rank < np.maximum(FEWEST, shuffled["label"].map(counts) * share)].sort_index()
    found = []
    for feature, columns in _KINDS.items():
        if table.groupby(columns).size().max() < SAME_SIZE_SHARE * len(table):
            found.append(_classify(feature, table[columns].to_numpy(dtype=float), table["label"].to_numpy(), seed))
    return found


def _classify(feature: str, values: np.ndarray, labels: np.ndarray, seed: int) -> dict[str, Any]:
    # Importing scikit-learn takes most of a second, which the command line does not have.
    from sklearn.ensemble import ExtraTreesClassifier
    from sklearn.metrics import balanced_accuracy_score, roc_auc_score
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    trees = ExtraTreesClassifier(25, min_samples_leaf=5, class_weight="balanced", random_state=seed)
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    probs = cross_val_predict(trees, values, labels, cv=folds, method="predict_proba")
    names, counts = np.unique(labels, return_counts=True)
    classes = {}
    for index, name in enumerate(names):
        area = float(roc_auc_score(labels == name, probs[:, index]))
        if area - 1.96 * _auc_error(area, counts[index], len(labels) - counts[index]) >= LIMITS[feature]:
            classes[str(name)] = round(area, 4)
    accuracy = float(balanced_accuracy_score(labels, names[probs.argmax(axis=1)]))
    scores = {"balanced_accuracy": round(accuracy, 4), "chance": 1 / len(names)}
    return {"feature": feature, **scores, "classes": classes}


def _auc_error(area: float, positives: int, negatives: int) -> float:
    """Returns the standard error of an AUC (Hanley and McNeil, 1982, Radiology 143, 29-36)."""
    both = area / (2 - area) - area**2
    other = 2 * area**2 / (1 + area) - area**2
    variance = area * (1 - area) + (positives - 1) * both + (negatives - 1) * other
    return float(np.sqrt(variance / (positives * negatives)))


_LAST_NUMBER = r"^(.*?)(\d+)\D*$"
_OF_NAMES, _OF_FOLDERS, _TEN_IN_A_ROW = r"([^/]*?)\d+\D*$", r"([^/]+)/[^/]*$", r"(\D\d*)\d\.\w+$"
"""What the setting `groups` may be for such names."""
_LEAST_IMAGES = 3
_SERIES_A_CLASS = 3
_LEAST_NEIGHBOURS = 20
_ALIKE = 0.6  # how often neighbours are more alike than two images of the class at random; 0.5 would be chance
_SHIFTS = 20
_LOOKS = ["red", "green", "blue", "brightness_p05", "brightness_p99", "entropy"]


def find_series(splits: pd.DataFrame, *, seed: int = 0) -> dict[str, Any]:
    """Returns what file names say of series, of one place or patient, that a split should not divide; else nothing.

    The names of a class hold several series (`park_01 … park_40, lake_01 … lake_35`). Or its images are numbered
    through (`IMG_001 … IMG_120`), which alone says nothing, and neighbours look more alike than others.

    Returns:
        `first` and `last`, the names of the longest series' ends; `images`, how many are in series; `series`, how many
        there are; `alike`, the share of neighbours that are more alike than others, `None` where names tell; and
        `pattern`, which the setting `groups` may be.
    """
    table = splits[["path", "label"]].reset_index(drop=True)
    parts = table["path"].str.rpartition("/")
    stems = parts[2].str.rpartition(".")[0].str.extract(_LAST_NUMBER)
    folders = parts[0].str.rpartition("/")[2]
    # A folder of the class's name says no more than the class does.
    inside = folders.where(folders != table["label"], "")
    table = table.assign(inside=inside, prefix=inside + "/" + stems[0], number=pd.to_numeric(stems[1], errors="coerce"))
    table = table[table["number"].notna()]
    sizes = table.groupby(["label", "prefix"])["number"].transform("size")
    in_series = table[sizes >= _LEAST_IMAGES]
    count = in_series.groupby(["label", "prefix"]).ngroups
    if count >= _SERIES_A_CLASS * splits["label"].nunique() and len(in_series) >= len(splits) / 2:
        by_folder = (in_series["inside"] != "").mean() > 0.5
        return _describe(in_series, count, alike=None, pattern=_OF_FOLDERS if by_folder else _OF_NAMES)
    alike, neighbours = _compare_neighbours(table, splits[_LOOKS].to_numpy(dtype=float), seed)
    # The standard deviation by chance of such a share is that of as many coins.
    if neighbours >= _LEAST_NEIGHBOURS and alike >= max(_ALIKE, 0.5 + 3 / (2 * np.sqrt(neighbours))):
        return _describe(in_series, count, alike=round(alike, 3), pattern=_TEN_IN_A_ROW)
    return {}


def _compare_neighbours(table: pd.DataFrame, looks: np.ndarray, seed: int) -> tuple[float, int]:
    """Returns how often an image is more like that of the next number than like another of its class, and of how many.

    Equal distances count half. `looks` is float `(n, measures)`; the index of `table` says which row is whose.
    """
    rng = np.random.default_rng(seed)
    spread = looks.std(axis=0)
    scaled = looks[:, spread > 0] / spread[spread > 0]
    won, compared = 0.0, 0
    for _, members in table.sort_values("number").groupby(["label", "prefix"], sort=True):
        rows, numbers = members.index.to_numpy(), members["number"].to_numpy()
        near = np.flatnonzero(np.diff(numbers) == 1)
        if len(near) < _LEAST_IMAGES:
            continue
        distance = np.linalg.norm(scaled[rows[near]] - scaled[rows[near + 1]], axis=1)
        for others in rng.choice(rows, (_SHIFTS, len(near))):
            other = np.linalg.norm(scaled[rows[near]] - scaled[others], axis=1)
            won += ((distance < other) + 0.5 * (distance == other)).sum() / _SHIFTS
        compared += len(near)
    return won / max(1, compared), compared


def _describe(table: pd.DataFrame, count: int, *, alike: float | None, pattern: str) -> dict[str, Any]:
    _, longest = max(table.groupby(["label", "prefix"]), key=lambda one: len(one[1]))
    ordered = longest.sort_values("number")["path"]
    names = {"first": ordered.iloc[0].rpartition("/")[2], "last": ordered.iloc[-1].rpartition("/")[2]}
    return {**names, "images": len(table), "series": count, "alike": alike, "pattern": pattern}
