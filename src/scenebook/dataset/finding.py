"""Lists the labelled pictures of a folder, and what in it is not used."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from scenebook.errors import DatasetError

PICTURE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif"})
SPLIT_FOLDERS = {
    "train": ("train", "training", "seg_train"),
    "validation": ("val", "valid", "validation"),
    "test": ("test", "testing", "seg_test"),
}
MAX_CLASSES = 1000


@dataclass(frozen=True)
class Picture:
    """A picture file: its path below the root, its class, and its split where the folders say so."""

    path: str
    label: str
    split: str | None


@dataclass(frozen=True)
class FoundPictures:
    """What was found in a folder.

    Attributes:
        root: The folder.
        pictures: All pictures, sorted by path.
        set_aside: Files that are not used, each with the reason.
        ignored_folders: Folders beside train and test that hold no labelled pictures, `seg_pred` for one.
    """

    root: Path
    pictures: list[Picture]
    set_aside: list[tuple[str, str]] = field(default_factory=list)
    ignored_folders: list[str] = field(default_factory=list)

    @property
    def class_names(self) -> list[str]:
        """The class names, sorted: their order is the order of the network's outputs."""
        return sorted({picture.label for picture in self.pictures})


def find_pictures(root: Path) -> FoundPictures:
    """Lists the pictures of a folder of class folders, or of train and test folders of class folders.

    Kaggle's doubled `seg_train/seg_train` is understood. Hidden files are passed over; every other file that is not a
    picture by its ending is listed in `set_aside`.

    Raises:
        DatasetError: There are no class folders, only one class, too many, a class without a picture, or a class that
            occurs in test but not in train.
    """
    by_split = _split_folders(root)
    if by_split and "train" not in by_split:
        raise DatasetError(
            "Expected a training folder beside the test folder.",
            received={"dataset": str(root), "found": sorted(path.name for path in by_split.values())},
            advice=f"Name it one of: {', '.join(SPLIT_FOLDERS['train'])}.",
        )
    found = FoundPictures(root, [])
    for split, folder in by_split.items() or [(None, root)]:
        _list_classes(root, folder, split, found)
    if by_split:
        used = set(by_split.values())
        found.ignored_folders.extend(
            path.name for path in _visible_folders(root) if path not in used and not _holds(path, used)
        )
    found.pictures.sort(key=lambda picture: os.fsencode(picture.path))
    _check_classes(found)
    return found


def _visible_folders(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith((".", "__MACOSX")))


def _holds(folder: Path, others: set[Path]) -> bool:
    return any(other.is_relative_to(folder) for other in others)


def _split_folders(root: Path) -> dict[str, Path]:
    """Returns the train, validation and test folders of `root` that hold class folders; a doubled one counts once.

    A test folder of loose pictures, without labels, is no split. Where the training folder has no class folders,
    nothing is: `train` may well be the name of a class.
    """
    folders = {}
    for split, names in SPLIT_FOLDERS.items():
        for path in _visible_folders(root):
            if path.name.lower() in names:
                inner = _visible_folders(path)
                folders[split] = inner[0] if [p.name for p in inner] == [path.name] else path
    with_classes = {split: path for split, path in folders.items() if _visible_folders(path)}
    return {} if "train" in folders and "train" not in with_classes else with_classes


def _list_classes(root: Path, folder: Path, split: str | None, found: FoundPictures) -> None:
    classes = _visible_folders(folder)
    if not classes:
        raise DatasetError(
            "Expected class folders, one folder of pictures a class.",
            received={"folder": str(folder)},
            advice="Put the pictures of each class into a folder with the class's name.",
        )
    for class_folder in classes:
        count = len(found.pictures)
        for path in sorted(class_folder.rglob("*")):
            _list_file(root, path, class_folder.name, split, found)
        if len(found.pictures) == count:
            inside = class_folder.relative_to(root).as_posix() + "/"
            reasons = sorted({reason for path, reason in found.set_aside if path.startswith(inside)})
            raise DatasetError(
                "Expected at least one picture in every class folder.",
                received={"folder": str(class_folder), **({"files are": "; ".join(reasons)} if reasons else {})},
                advice=f"Add pictures ({', '.join(sorted(PICTURE_SUFFIXES))}) or remove the folder.",
            )


def _list_file(root: Path, path: Path, label: str, split: str | None, found: FoundPictures) -> None:
    relative = path.relative_to(root).as_posix()
    if path.is_dir() or any(part.startswith(".") for part in path.relative_to(root).parts):
        return
    if path.suffix.lower() not in PICTURE_SUFFIXES:
        found.set_aside.append((relative, "not a picture by its ending"))
    elif not path.resolve().is_relative_to(root.resolve()):
        found.set_aside.append((relative, "a link that leaves the folder"))
    else:
        found.pictures.append(Picture(relative, label, split))


def _check_classes(found: FoundPictures) -> None:
    names = found.class_names
    if not 2 <= len(names) <= MAX_CLASSES:
        raise DatasetError(
            f"Expected 2 to {MAX_CLASSES} classes.",
            received={"classes": len(names), "dataset": str(found.root)},
            advice=f"The only class is {names[0]!r}: a classifier needs another." if len(names) == 1 else "",
        )
    trained = {picture.label for picture in found.pictures if picture.split in (None, "train")}
    unknown = sorted(set(names) - trained)
    if unknown:
        raise DatasetError(
            "Expected every class to have training pictures.",
            received={"classes without": unknown[:10]},
            advice="Add pictures of them to the training folder, or remove them from the others.",
        )
