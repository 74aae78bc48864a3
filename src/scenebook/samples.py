"""Choosing pictures to show."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from scenebook.artifacts import run_name_for
from scenebook.dataset import PICTURE_SUFFIXES, check_folder, decode
from scenebook.errors import DatasetError

COLUMNS = ["path", "label"]


def select_one_per_class(pictures: pd.DataFrame, class_names: Sequence[str], *, seed: int) -> pd.DataFrame:
    """Draws one picture of each class at random, without looking at how it was classified.

    Args:
        pictures: At least the columns path and label.
        class_names: The classes; one that has no picture is left out.
        seed: The seed; the draw of a class does not depend on the other classes' pictures.

    Returns:
        The columns path and label, in the order of the classes.
    """
    chosen = []
    for position, name in enumerate(class_names):
        rows = pictures[pictures["label"] == name]
        if len(rows):
            rng = np.random.default_rng([seed, position])
            chosen.append(rows[COLUMNS].iloc[int(rng.integers(len(rows)))])
    return pd.DataFrame(chosen, columns=COLUMNS).reset_index(drop=True)


def find_samples(folder: Path, class_names: Sequence[str]) -> pd.DataFrame:
    """Returns the first readable picture, by name, of each class folder in `folder`, as the columns path and label.

    Raises:
        DatasetError: The folder, or the folder or picture of a class, is missing.
    """
    root = check_folder(folder)
    by_class: dict[str, list[Path]] = {}
    for path in sorted(root.glob("*/*")):
        if path.suffix.lower() in PICTURE_SUFFIXES and not path.name.startswith("."):
            by_class.setdefault(path.parent.name, []).append(path)
    rows = []
    for name in class_names:
        readable = next((path for path in by_class.get(name, []) if _is_readable(path)), None)
        if readable is None:
            raise DatasetError(
                "Expected a folder with at least one readable picture for every class in samples_dir.",
                received={"samples_dir": str(folder), "class": name},
                advice="Add the picture, or leave samples_dir out: then they are taken from the test pictures.",
            )
        rows.append({"path": readable.relative_to(root).as_posix(), "label": name})
    return pd.DataFrame(rows, columns=COLUMNS)


def _is_readable(path: Path) -> bool:
    try:
        decode(path)
    except OSError:
        return False
    return True


def name_copies(selection: pd.DataFrame) -> list[str]:
    """Returns where in the run each sample picture is kept: numbered, and named after its class."""
    width = len(str(len(selection)))
    return [
        f"samples/pictures/{number:0{width}d}-{run_name_for(str(label))[:60]}.jpg"
        for number, label in enumerate(selection["label"], start=1)
    ]


def describe_prediction(row: dict[str, Any]) -> str:
    """Returns the caption of a sample: its class, and what was predicted with which probability."""
    mark = "✓" if row["label"] == row["predicted"] else "✗"
    return f"true {row['label']}, predicted {row['predicted']} {mark} {row['confidence']:.0%}"


def read_selection(right: int, n: int) -> str:
    """Returns the sentence on how many samples are classified correctly, for `say`."""
    if right == n:
        return "All {n} pictures in [@fig:samples] are classified correctly."
    return "Of the {n} pictures in [@fig:samples], {right} {be} classified correctly. {wrong}."
