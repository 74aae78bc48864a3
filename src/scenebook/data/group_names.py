"""Which group each image belongs to, such as the images of one patient, one place or one film: they stay in one split.

A random split puts images of the same patient into training and test, and a network that knows the patient then looks
better than it is for others.
"""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

from scenebook.core.errors import DatasetError
from scenebook.data.images import FoundImages
from scenebook.data.user_tables import read_rows

_RESERVED = ("path", "label", "split")


def find_column(source: Path, groups: str | None) -> str:
    """Returns the column of a list that the setting `groups` names, in lower case; empty where it names none."""
    if groups is None or not source.is_file():
        return ""
    name = groups.strip().lower()
    row = next(read_rows(source, required=()), None)
    return name if row is not None and name in row.cells and name not in _RESERVED else ""


def name_groups(found: FoundImages, groups: str, *, by_column: bool = False) -> FoundImages:
    """Returns the images with their groups.

    Args:
        found: What was found.
        groups: A pattern that is looked for in each path below the data folder: what its parentheses hold names the
            group, without parentheses all that it matches. An image whose path it does not match stands alone.
        by_column: Whether the images have their groups from a column of a list already; `groups` is then its name.

    Raises:
        DatasetError: The pattern cannot be read or matches no path, or all images are of one group.
    """
    if not by_column:
        pattern = _compile(groups, found)
        named = [dataclasses.replace(image, group=_match(pattern, image.path)) for image in found.images]
        found = dataclasses.replace(found, images=named)
    found = dataclasses.replace(found, groups=groups)
    names = {image.group for image in found.images}
    if len(names) == 1:
        row = next(read_rows(found.source, required=()), None) if found.source.is_file() else None
        columns = f"The list's columns are {', '.join(row.cells)}. " if row else ""
        raise DatasetError(
            "Expected images of several groups, to put them into different splits.",
            received={"groups": groups, "images": len(found.images), "group": names.pop() or "none for any image"},
            advice=f"{columns}The first path is {found.images[0].path!r}. A pattern such as patient-(\\d+) names the "
            "group by what its parentheses match.",
        )
    return found


def _compile(groups: str, found: FoundImages) -> re.Pattern[str]:
    try:
        return re.compile(groups)
    except (re.error, OverflowError, RecursionError) as error:
        what = "a column of the list, or a pattern of paths" if found.source.is_file() else "a pattern of paths"
        raise DatasetError(
            f"Expected groups to be {what}.", received={"groups": groups}, advice=f"As a regular expression: {error}."
        ) from None


def _match(pattern: re.Pattern[str], path: str) -> str:
    match = pattern.search(path)
    if match is None:
        return ""
    return "/".join(filter(None, match.groups())) if pattern.groups else match[0]
