"""Reads a list of images and labels: a CSV file with the columns path and label, and split where it is known."""

from __future__ import annotations

import os
from pathlib import Path, PureWindowsPath

from scenebook.core.errors import DatasetError
from scenebook.data.files import FOLDER, Tree
from scenebook.data.images import SPLIT_FOLDERS, FoundImages, SourceImage, Stamp
from scenebook.data.user_tables import Row, has_escapes, read_rows

SPLIT_WORDS = {word: split for split, names in SPLIT_FOLDERS.items() for word in (split, *names)}
NO_UTF8 = "Expected a CSV file in UTF-8."
ADVICE_UTF8 = "This line has bytes that are not UTF-8. In a spreadsheet, save the file as “CSV UTF-8”."


def read_list(file: Path) -> FoundImages:
    """Returns the images that a CSV file lists. Paths start at the file's folder and may not leave it.

    An image that is not there is set aside with the line that names it; a row that repeats another is counted once.

    Args:
        file: Columns path and label; a column split, where it is given, holds train, validation or test in every row.

    Raises:
        DatasetError: The file cannot be read, a path leaves its folder, a label or split is missing or wrong, an image
            has two labels, or none of the images is there.
    """
    tree = Tree(file.parent)
    first: dict[str, tuple[int, str, str | None]] = {}
    images: list[SourceImage] = []
    repeated = 0
    for row in read_rows(file, required=("path", "label"), optional=("split",)):
        path, label, split = _check_path(row), _check_label(row), _check_split(row)
        seen, path = _look(tree, path)
        if path in first:
            _check_repeated(row, first[path], label, split)
            repeated += 1
            continue
        first[path] = (row.line, label, split)
        if isinstance(seen, Stamp):
            images.append(SourceImage(path, label, split, seen))
        elif has_escapes(path):
            row.reject(NO_UTF8, advice=ADVICE_UTF8)
        else:
            tree.set_aside.append((path, f"line {row.line}: {seen}"))
    if not images:
        raise DatasetError(
            "Expected a list of images that are there.",
            received={"file": str(file), "rows": len(first), "first": next(iter(first), "")},
            advice="Paths start at the folder in which the list lies.",
        )
    return FoundImages(file, tree.root, images, tree.set_aside, repeated=repeated)


def _look(tree: Tree, path: str) -> tuple[Stamp | str, str]:
    """Returns the stamp of a listed image, or why it is not used, and its path as it is on this system."""
    if "\\" in path and not os.path.lexists(tree.root / path):
        path = path.replace("\\", "/")  # a list that was made on Windows
    if not os.path.lexists(tree.root / path):
        return "there is no such file", path
    if not tree.holds_folder_of(path):
        return "a link that leaves the folder", path
    seen = tree.look(path)
    return ("a folder, no image" if seen == FOLDER else seen), path


def _check_path(row: Row) -> str:
    text = row.cells["path"]
    if not text.strip() or "\0" in text:
        row.reject("Expected an image's path.", {"path": text})
    path = os.path.normpath(text).replace(os.sep, "/")
    parts = PureWindowsPath(text)
    if path.startswith("/") or parts.drive or parts.root or ".." in (path.split("/")[0], *parts.parts):
        row.reject(
            "Expected paths that start at the list's folder and stay in it.",
            {"path": text},
            advice="Put the list into the folder that holds all images, and write the paths from there.",
        )
    return path


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
    split = SPLIT_WORDS.get(row.cells["split"].strip().lower())
    if split is None:
        row.reject(
            "Expected train, validation or test in the column split.",
            {"split": row.cells["split"]},
            advice="Without the column, the images are split at random.",
        )
    return split


def _check_repeated(row: Row, first: tuple[int, str, str | None], label: str, split: str | None) -> None:
    line, *before = first
    for what, earlier, now in zip(("label", "split"), before, (label, split), strict=True):
        if earlier != now:
            received = {"path": row.cells["path"], what: now, f"{what} on line {line}": earlier}
            row.reject(f"Expected one {what} for each image.", received)
