"""The sentences on where the images come from and how a folder was read, for `say`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import pandas as pd

from scenebook.core.settings import DRAWN_SCENES, INTEL
from scenebook.core.wording import count_noun, join_names
from scenebook.data.images import LIST_SUFFIX, FoundImages

_MOST_LISTED = 12
"""So many names are listed in a sentence; of more, the rest is counted."""


def tell_found(found: FoundImages) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yields sentences with fields, and the values of the fields, on everything that was not simply used.

    Nothing is said of what does not occur. What was set aside stands in a table of its own.
    """
    if found.source.suffix.lower() == LIST_SUFFIX:
        text = "Which images there are, and their classes, was read from the list {list}."
        text += " {repeated} another and {count} once." if found.repeated else ""
        repeated = count_noun(found.repeated, "row of it repeats", "rows of it repeat")
        count = "counts" if found.repeated == 1 else "count"
        yield text, {"list": found.source.name, "repeated": repeated, "count": count}
    if found.drawn_from is not None:
        text = "Of {listed:,} images {drawn:,} were taken class by class, at random: the setting max\\_per\\_class "
        yield text + "limits their number.", {"listed": found.drawn_from, "drawn": len(found.images)}
    if found.merged:
        merged = (f"{label} (from {join_names(names)})" for label, names in found.merged.items())
        yield "The class map makes one class of several: {merged}.", {"merged": _list(merged)}
    if found.left_out:
        left = (f"{label} ({count_noun(count, 'image')})" for label, count in found.left_out.items())
        yield "The class map leaves out: {left}.", {"left": _list(left)}
    if found.similar_names:
        text = (
            "Some names of classes look alike, because they differ only in upper and lower case or in how their "
            "letters are stored: {similar}. They are kept apart here; a class map makes one class of them."
        )
        yield text, {"similar": _list(map(join_names, found.similar_names))}
    if found.ignored_folders:
        text = "Not used, because only the folders for training and testing hold labelled images: {folders}."
        yield text, {"folders": _list(found.ignored_folders)}
    if found.passed_over:
        passed = (f"{what} ({count:,})" for what, count in found.passed_over.items())
        text = "Passed over, as what is hidden or left behind by operating systems always is: {passed}."
        yield text, {"passed": _list(passed)}


def _list(texts: Iterable[str]) -> str:
    """Joins with semicolons: the texts may hold commas."""
    texts = list(texts)
    rest = [f"and {len(texts) - _MOST_LISTED:,} more"] if len(texts) > _MOST_LISTED else []
    return "; ".join(texts[:_MOST_LISTED] + rest)


def tell_imbalance(counts: pd.DataFrame) -> str:
    """Returns the sentence on class sizes, for `say` with `ratio`."""
    if counts["train"].nunique() == 1:
        return "All classes have equally many training images."
    return "The largest class has {ratio:.2f} times the training images of the smallest."


_ORIGINS = {
    DRAWN_SCENES: "The program made these images itself: simple landscapes and streets, drawn from a seed, with "
    "classes that resemble one another enough to be confused.",
    INTEL: "They are photographs of landscapes and towns around the world, which Intel published for a competition on "
    "image classification and which Kaggle keeps.",
}
_UNKNOWN = "They were given to the program, which knows of their origin only what their files and folders say."


def tell_origin(dataset: str, table: pd.DataFrame) -> tuple[str, dict[str, Any]]:
    """Returns a text with fields on what kind of images these are and how large, and the values of the fields.

    Args:
        dataset: The setting.
        table: A row an image, with its width and height in pixels, as it was before it was resized.
    """
    sizes = table.groupby(["width", "height"]).size().sort_values(ascending=False, kind="stable")
    width, height = (int(number) for number in sizes.index[0])
    if len(sizes) == 1:
        size = "All are {width} by {height}&nbsp;pixels large."
    elif sizes.iloc[0] > len(table) / 2:
        size = "Most are {width} by {height}&nbsp;pixels large."
    else:
        size = "They are of many sizes, from {least} to {most}&nbsp;pixels on their longer side."
    longer = table[["width", "height"]].max(axis=1)
    values = {"width": width, "height": height, "least": int(longer.min()), "most": int(longer.max())}
    return f"{_ORIGINS.get(dataset, _UNKNOWN)} {size}", values
