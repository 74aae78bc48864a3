"""What is known of where the images come from."""

from __future__ import annotations

from typing import Any

import pandas as pd

from scenebook.core.settings import DRAWN_SCENES, INTEL

_ORIGINS = {
    DRAWN_SCENES: "The program made these images itself: simple landscapes and streets, drawn from a seed, with "
    "classes that resemble one another enough to be confused.",
    INTEL: "They are photographs of landscapes and towns around the world, which Intel published for a competition on "
    "image classification and which Kaggle keeps.",
}
_UNKNOWN = "They were given to the program, which knows of their origin only what their files and folders say."


def describe_origin(dataset: str, table: pd.DataFrame) -> tuple[str, dict[str, Any]]:
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
