"""File names that look like series: images of one place, one film or one patient, which a split should not divide.

Two signs are looked for. The names of a class may hold several series (`park_01 … park_40, lake_01 … lake_35`). Or its
images are numbered through (`IMG_001 … IMG_120`), which alone says nothing, and neighbours look more alike than others.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

_LAST_NUMBER = r"^(.*?)(\d+)\D*$"
_OF_NAMES, _OF_FOLDERS, _TEN_IN_A_ROW = r"([^/]*?)\d+\D*$", r"([^/]+)/[^/]*$", r"(\D\d*)\d\.\w+$"
"""What the setting `groups` may be for such names."""
_LEAST_IMAGES = 3
_SERIES_A_CLASS = 3
_LEAST_NEIGHBOURS = 20
_ALIKE = 0.6
"""How often neighbours are more alike than two images of the class at random; 0.5 would be chance."""
_SHIFTS = 20
_LOOKS = ["red", "green", "blue", "brightness_p05", "brightness_p99", "entropy"]


def find_series(splits: pd.DataFrame, *, seed: int = 0) -> dict[str, Any]:
    """Returns what file names say of series; nothing where they say nothing.

    Args:
        splits: path, label, and the measures of `measuring.measure`.
        seed: Of the pairs that neighbours are compared with.

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
