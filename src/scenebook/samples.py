"""Choosing pictures to show."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from scenebook.artifacts import run_name_for
from scenebook.dataset import PICTURE_SUFFIXES, check_folder
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
    """Returns the first picture, by name, of each class folder in `folder`, as the columns path and label.

    Raises:
        DatasetError: The folder, or the folder or picture of a class, is missing.
    """
    root = check_folder(folder)
    rows = []
    for name in class_names:
        pictures = sorted(path for path in root.glob("*/*") if path.parent.name == name and _is_picture(path))
        if not pictures:
            raise DatasetError(
                "Expected a folder with at least one picture for every class in samples_dir.",
                received={"samples_dir": str(folder), "class": name},
                advice="Add the picture, or leave samples_dir out: then the pictures are drawn from the test split.",
            )
        rows.append({"path": pictures[0].relative_to(root).as_posix(), "label": name})
    return pd.DataFrame(rows, columns=COLUMNS)


def _is_picture(path: Path) -> bool:
    return path.suffix.lower() in PICTURE_SUFFIXES and not path.name.startswith(".")


def name_copies(selection: pd.DataFrame) -> list[str]:
    """Returns where in the run each sample picture is kept: numbered, and named after its class."""
    width = len(str(len(selection)))
    return [
        f"samples/pictures/{number:0{width}d}-{run_name_for(str(label))[:60]}.jpg"
        for number, label in enumerate(selection["label"], start=1)
    ]


def describe_prediction(row: dict[str, Any]) -> str:
    """Returns the caption of a sample: its class, and what was predicted with which probability."""
    if row["label"] == row["predicted"]:
        return f"{row['label']}: right, {row['confidence']:.0%}"
    return f"{row['label']}: called {row['predicted']}, {row['confidence']:.0%}"


def read_wrong(wrong: int) -> str:
    """Returns the sentence on wrong samples, for `say`."""
    return "None is wrong." if wrong == 0 else "Wrong: {wrong}."
