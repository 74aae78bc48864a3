"""The images of two runs: which are in one only, in another split, or under another label."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from scenebook.core.run_directory import RunDirectory
from scenebook.pipeline.compare.changes import Change, list_changes
from scenebook.pipeline.compare.reading import read_mapping, read_table

SPLITS = "data/splits.csv"
CLASSES = "data/classes.json"
COLUMNS = ("path", "label", "split", "sha256")


@dataclass(frozen=True)
class ImagesDiff:
    """The images of two runs. An image is its bytes: under another name it is still the same.

    Attributes:
        facts: What `data/classes.json` says differently: the digest, the classes, where the images lie.
        counts: A row a split and class whose number of images differs: split, label, first, second.
        common: How many images both runs have.
        only_first: Paths of those that only the first run has.
        only_second: Paths of those that only the second run has.
        other_bytes: Paths among both of these: an image of that name is there twice, with other content.
        other_path: Paths, in the first run, of those that have another path in the second.
        other_split: Paths, in the first run, of those that are in another split in the second.
        other_label: Paths, in the first run, of those that have another label in the second.
    """

    facts: list[Change] = field(default_factory=list)
    counts: list[tuple[str, str, int, int]] = field(default_factory=list)
    common: int = 0
    only_first: list[str] = field(default_factory=list)
    only_second: list[str] = field(default_factory=list)
    other_bytes: list[str] = field(default_factory=list)
    other_path: list[str] = field(default_factory=list)
    other_split: list[str] = field(default_factory=list)
    other_label: list[str] = field(default_factory=list)

    @property
    def sets(self) -> dict[str, list[str]]:
        """The paths by what is the matter with them, in words."""
        return {
            "only in A": self.only_first,
            "only in B": self.only_second,
            "of these, the same path with other bytes": self.other_bytes,
            "under another path": self.other_path,
            "in another split": self.other_split,
            "under another label": self.other_label,
        }


def diff_images(first: RunDirectory, second: RunDirectory) -> ImagesDiff:
    """Compares `data/splits.csv` and `data/classes.json` of two runs.

    Raises:
        ScenebookError: One of these files is missing or cannot be read.
    """
    facts = list_changes(_list_facts(first), _list_facts(second))
    one, other = (read_table(run_dir, SPLITS, COLUMNS)[list(COLUMNS)] for run_dir in (first, second))
    matched, only_first, only_second = match_images(one, other)

    def where_differs(column: str) -> list[str]:
        return list(matched["path_first"][matched[f"{column}_first"] != matched[f"{column}_second"]])

    return ImagesDiff(
        facts=facts,
        counts=_count_differences(one, other),
        common=len(matched),
        only_first=list(only_first["path"]),
        only_second=list(only_second["path"]),
        other_bytes=sorted(set(only_first["path"]) & set(only_second["path"])),
        other_path=where_differs("path"),
        other_split=where_differs("split"),
        other_label=where_differs("label"),
    )


def match_images(first: pd.DataFrame, second: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Finds the images that are in both tables: by bytes and path, the rest by bytes alone.

    Bytes that lie at several paths are several images: of two copies here and one there, one is only here.

    Args:
        first: path, sha256, and other columns; a row an image.
        second: The same columns.

    Returns:
        The images of both, with the columns `<name>_first` and `<name>_second`; the rest of `first`; that of
        `second`.
    """
    pairs = []
    for keys in (["sha256", "path"], ["sha256"]):
        found = _pair_up(first, second, keys)
        pairs.append(found)
        first = first[~first.index.isin(found["index_first"])]
        second = second[~second.index.isin(found["index_second"])]
    matched = pd.concat(pairs).sort_values("index_first", ignore_index=True)
    return matched.drop(columns=["index_first", "index_second"]), first, second


def _pair_up(first: pd.DataFrame, second: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Returns the rows with equal keys, the n-th of one table with the n-th of the other."""
    numbered = []
    for table, name in ((first, "first"), (second, "second")):
        ordered = table.sort_values("path", kind="stable")
        renamed = ordered.add_suffix(f"_{name}").assign(**{f"index_{name}": ordered.index})
        numbered.append(renamed.assign(turn=ordered.groupby(keys).cumcount()))
    sides = [[f"{key}_{name}" for key in keys] + ["turn"] for name in ("first", "second")]
    return numbered[0].merge(numbered[1], left_on=sides[0], right_on=sides[1]).drop(columns="turn")


def _count_differences(first: pd.DataFrame, second: pd.DataFrame) -> list[tuple[str, str, int, int]]:
    counts = pd.concat([table.groupby(["split", "label"]).size() for table in (first, second)], axis=1, sort=True)
    counts = counts.fillna(0).astype(int)
    return [(*names, int(a), int(b)) for names, (a, b) in zip(counts.index, counts.to_numpy(), strict=True) if a != b]


def _list_facts(run_dir: RunDirectory) -> dict[str, Any]:
    """Returns what `data/classes.json` holds, `found` opened, lists in one line."""
    opened: dict[str, Any] = {}
    for name, value in read_mapping(run_dir, CLASSES).items():
        if name == "root" and Path(str(value)).is_relative_to(run_dir.root.resolve()):
            value = "(in the run)"  # as drawn images do: that these are two folders is no difference
        for inner, content in value.items() if isinstance(value, dict) else [("", value)]:
            key = f"{name}.{inner}" if inner else name
            opened[key] = ", ".join(map(str, content)) if isinstance(content, list) else content
    return opened
