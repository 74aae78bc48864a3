"""Reads a list of images and labels: a CSV file with the columns path and label, and split where it is known.

A list with several labels an image is refused: what learns from it would take one of them for the truth.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Collection
from itertools import islice
from pathlib import Path, PureWindowsPath

from scenebook.core.errors import DatasetError
from scenebook.core.wording import join_names
from scenebook.data.files import FOLDER, LINK_OUT, Tree
from scenebook.data.images import FoundImages, SourceImage, Stamp
from scenebook.data.layout import read_split
from scenebook.data.user_tables import Row, has_escapes, read_rows

NO_UTF8 = "Expected a CSV file in UTF-8."
ADVICE_UTF8 = "This line has bytes that are not UTF-8. In a spreadsheet, save the file as “CSV UTF-8”."
ONE_CLASS = "An image has one class here: images with several labels (multi-label) are not classified."
_BINARY = {"0", "1", "0.0", "1.0", "true", "false"}
_BETWEEN_LABELS = (r"\s*[|;,]\s*", r"\s+")
_LOOKED_AT = 1000


def read_list(file: Path, *, groups: str = "", follow_links: bool = False) -> FoundImages:
    """Returns the images that a CSV file lists. Paths start at the file's folder or are absolute, and may not leave it.

    An image that is not there is set aside with the line that names it; a row that repeats another is counted once.

    It has the columns path and label; a column split, where there is one, holds train, validation or test in every row,
    and the column that `groups` names, the images' groups. Links may leave its folder where they are followed.

    Raises:
        DatasetError: The file cannot be read, a path leaves its folder, a label or split is missing or wrong, an image
            has two labels, or none of the images is there.
    """
    tree = Tree(file.parent, follow_links=follow_links)
    first: dict[str, tuple[int, str, str | None, str]] = {}
    images: list[SourceImage] = []
    repeated = 0
    _check_columns(file)
    for row in read_rows(file, required=("path", "label"), optional=("split", *filter(None, [groups]))):
        path, label, split = check_listed_path(tree, row), _check_label(row), _check_split(row)
        group = row.cells[groups].strip() if groups else ""
        if has_escapes(group):
            row.reject(NO_UTF8, advice=ADVICE_UTF8)
        seen, path = look_at_listed(tree, path)
        if path in first:
            _check_repeated(row, first[path], label, split, group)
            repeated += 1
            continue
        first[path] = (row.line, label, split, group)
        if isinstance(seen, Stamp):
            images.append(SourceImage(path, label, split, seen, group))
        elif has_escapes(path):
            row.reject(NO_UTF8, advice=ADVICE_UTF8)
        else:
            tree.set_aside.append((path, f"line {row.line}: {seen}"))
    check_labels(file, {label for _, label, *_ in first.values()})
    if not images:
        raise DatasetError(
            "Expected a list of images that are there.",
            received={"file": str(file), "rows": len(first), "first": next(iter(first), "")},
            advice="Paths start at the folder in which the list lies.",
        )
    return FoundImages(file, tree.root, images, tree.set_aside, repeated=repeated)


def _check_columns(file: Path) -> None:
    """Raises `DatasetError` where columns hold several labels of an image: one 0/1 column a class, or label 1, label 2.

    Columns of 0 and 1 beside a label may say anything else about the image.
    """
    rows = list(islice(read_rows(file, required=()), _LOOKED_AT))
    names = list(rows[0].cells) if rows else []
    several = [name for name in names if re.fullmatch(r"labels?[ _-]?\d+", name)]
    binary = [name for name in names if all(row.cells[name].strip().lower() in _BINARY for row in rows)]
    if len(several) > 1 or (several and "label" in names):
        received = [name for name in names if name == "label" or name in several]
    elif "label" not in names and len(binary) > 1:
        received = binary
    else:
        return
    raise DatasetError(
        "Expected one column label with the class of each image, not a column for each of several labels.",
        received={"file": str(file), "columns": received[:10]},
        advice=f"{ONE_CLASS} Where one of these columns counts in each row, write its name into a column label.",
    )


def check_labels(file: Path, labels: Collection[str]) -> None:
    """Raises `DatasetError` where cells of the column label hold several labels: `cat|dog`, `[cat, dog]`, `cat dog`.

    A class may have a comma or a space in its name. A cell counts as several labels where each part of it is in other
    rows, too, by itself or beside others; where a bar or a semicolon stands between the parts and one of them is a
    label by itself; and with spaces between them, where all are labels by themselves in two such cells or more, or
    where far fewer words than labels, now more and now less of them, make up all labels.
    """
    for separator in _BETWEEN_LABELS:
        parts = {label: _split_label(label, separator) for label in labels}
        several = {label: own for label, own in parts.items() if len(own) > 1}
        uses = Counter(part for own in parts.values() for part in own)
        if separator == _BETWEEN_LABELS[0]:
            found = [
                label
                for label, own in several.items()
                if label.startswith("[")
                or all(uses[part] > 1 for part in own)
                or (own & set(labels) and re.search(r"[|;]", label))
            ]
        elif len(labels) > 2 * len(uses) and len({len(own) for own in parts.values()}) > 2:
            found = list(several)
        else:
            found = [label for label, own in several.items() if own <= set(labels)]
            found = found if len(found) > 1 else []
        if found:
            example = min(found)
            raise DatasetError(
                "Expected one label in each row.",
                received={"file": str(file), "label": example, "labels with several in them": len(found)},
                advice=f"{ONE_CLASS} If {example!r} is the name of one class, write it without what stands between "
                f"{join_names(sorted(parts[example]))}.",
            )


def _split_label(label: str, separator: str) -> frozenset[str]:
    listed = (part.strip(" \"'") for part in re.split(separator, label.strip("[](){} ")))
    return frozenset(part for part in listed if part)


def look_at_listed(tree: Tree, path: str) -> tuple[Stamp | str, str]:
    """Returns the stamp of a listed image, or why it is not used, and its path as it is on this system."""
    if "\\" in path and not os.path.lexists(tree.root / path):
        path = path.replace("\\", "/")  # a list that was made on Windows
    if not os.path.lexists(tree.root / path):
        return "there is no such file", path
    if not (tree.follow_links or tree.holds_folder_of(path)):
        return LINK_OUT, path
    seen = tree.look(path)
    return ("a folder, no image" if seen == FOLDER else seen), path


def check_listed_path(tree: Tree, row: Row) -> str:
    """Returns the path in a row of a list, below the list's folder, with forward slashes.

    Raises:
        DatasetError: It is none, or leaves the list's folder.
    """
    text = row.cells["path"]
    if not text.strip() or "\0" in text:
        row.reject("Expected an image's path.", {"path": text})
    found, parts = None, PureWindowsPath(text)
    if ".." not in parts.parts:
        path = os.path.normpath(text)
        inside = None if parts.drive or parts.root else path
        found = tree.find_below(path) if os.path.isabs(path) else inside
    if found is None:
        row.reject(
            "Expected paths of images in the list's folder.",
            {"path": text},
            advice="Put the list into the folder that holds all images.",
        )
    return found.replace(os.sep, "/")


def _check_label(row: Row) -> str:
    label = row.cells["label"].strip()
    if not label:
        row.reject("Expected a label in every row.", {"path": row.cells["path"]})
    if has_escapes(label):
        row.reject(NO_UTF8, advice=ADVICE_UTF8)
    return label


def _check_split(row: Row) -> str | None:
    if "split" not in row.cells:
        return None
    split = read_split(row.cells["split"].strip())
    if split is None:
        row.reject(
            "Expected train, validation or test in the column split.",
            {"split": row.cells["split"]},
            advice="Without the column, the images are split at random.",
        )
    return split


def _check_repeated(row: Row, first: tuple[int, str, str | None, str], *now: str | None) -> None:
    line, *before = first
    for what, earlier, given in zip(("label", "split", "group"), before, now, strict=True):
        if earlier != given:
            received = {"path": row.cells["path"], what: given, f"{what} on line {line}": earlier}
            advice = ONE_CLASS if what == "label" else ""
            row.reject(f"Expected one {what} for each image.", received, advice=advice)
