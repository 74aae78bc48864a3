"""What is found in a data set: images with their class, and what of it is not used."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from scenebook.core.errors import DatasetError
from scenebook.core.project import expand_home
from scenebook.data.user_tables import ClassMap

LIST_SUFFIX = ".csv"
ARCHIVES = (".zip", ".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tar.xz", ".7z", ".rar")


class Stamp(NamedTuple):
    """What shows, without reading it, that a file is still the one that was seen: size, times and inode."""

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int


@dataclass(frozen=True, slots=True)
class SourceImage:
    """An image file: its path below the root, its class, its split where the folders say so, its stamp, and its group.

    Images of one group stay in one split; an empty group: the image stands alone.
    """

    path: str
    label: str
    split: str | None
    stamp: Stamp
    group: str = ""


@dataclass(frozen=True)
class FoundImages:
    """What was found in a folder, or through a list.

    Attributes:
        source: The folder or the list that was read; `root` is the folder that the paths start from.
        images: All images, sorted by path.
        set_aside: Files and folders that are not used, each with the reason.
        ignored_folders: Folders beside train and test that hold no labelled images, `seg_pred` for one.
        passed_over: How many hidden files, and files that systems leave behind, there are of each kind.
        left_out: Folders, or labels of a list, that the class map leaves out, with the number of their images.
        merged: Classes that the class map made of several folders, with these.
        repeated: Rows of a list that repeat an earlier one.
        drawn_from: How many images there were before a subset was drawn; `None` where none was.
        layout: How the folders were read, in words; `splits`, `groups` and `follow_links` are the settings.
    """

    source: Path
    root: Path
    images: list[SourceImage]
    set_aside: list[tuple[str, str]] = field(default_factory=list)
    ignored_folders: list[str] = field(default_factory=list)
    passed_over: dict[str, int] = field(default_factory=dict)
    left_out: dict[str, int] = field(default_factory=dict)
    merged: dict[str, list[str]] = field(default_factory=dict)
    repeated: int = 0
    drawn_from: int | None = None
    class_map: ClassMap = field(default_factory=ClassMap)
    groups: str | None = None
    layout: str = ""
    splits: str | None = "auto"
    follow_links: bool = False

    @property
    def class_names(self) -> list[str]:
        """The class names, sorted: their order is the order of the network's outputs."""
        return sorted({image.label for image in self.images})

    @property
    def summary(self) -> dict[str, Any]:
        return {
            "images": len(self.images),
            "layout": self.layout,
            "drawn_from": self.drawn_from,
            "passed_over": self.passed_over,
            "left_out": self.left_out,
            "merged": self.merged,
            "similar_names": self.similar_names,
            "repeated_rows": self.repeated,
        }

    @property
    def similar_names(self) -> list[list[str]]:
        """Groups of class names that look alike, as `fold_name` folds them."""
        groups: dict[str, list[str]] = {}
        for name in self.class_names:
            groups.setdefault(fold_name(name), []).append(name)
        return [names for names in groups.values() if len(names) > 1]


def fold_name(name: str) -> str:
    """Returns a name as it is read: without case, further spaces, signs that show nothing, and Unicode's many forms."""
    shown = "".join(sign for sign in name if sign.isspace() or unicodedata.category(sign) not in ("Cc", "Cf"))
    return " ".join(unicodedata.normalize("NFKC", shown).casefold().split())


def check_folder(folder: Path, setting: str = "dataset") -> Path:
    """Returns the absolute path of an existing folder, which a setting names.

    Raises:
        DatasetError: It does not exist or is no folder.
    """
    folder = expand_home(folder)
    if not folder.is_dir():
        there = advise_archive(folder, setting) or "There is a file of this name, but no folder."
        gone = "There is no such folder. Relative paths start where the command was typed."
        if any(part.endswith(":") and len(part) > len("C:") for part in folder.parts):  # `https:`
            gone = "It is an address: download what is there, unpack it, and name the folder."
        raise DatasetError(
            "Expected a folder of labelled images.",
            received={setting: str(folder)},
            advice=there if folder.exists() else gone,
        )
    return folder.resolve()


def advise_archive(file: Path, setting: str = "dataset") -> str:
    """Returns what to do with an archive in place of a folder; nothing for other files."""
    if not file.name.lower().endswith(ARCHIVES):
        return ""
    named = {"dataset": "DATA=folder", "images": "IMAGES=folder"}.get(setting, f"{setting}=folder")
    return f"Unpack the archive, and name the folder: {named}."


def source_name(source: Path) -> str:
    """Returns what a data set is called: its folder's name, or its list's name without the ending."""
    return source.stem if source.suffix.lower() == LIST_SUFFIX and not source.is_dir() else source.name


def check_source(source: Path) -> Path:
    """Returns the absolute path of an existing folder, or of a CSV file of images and labels.

    Raises:
        DatasetError: It is neither.
    """
    source = expand_home(source)
    if source.suffix.lower() == LIST_SUFFIX and source.is_file():
        return source.resolve()
    if source.is_file():
        raise DatasetError(
            "Expected a folder of labelled images, or a CSV file with the columns path and label.",
            received={"dataset": str(source)},
            advice=advise_archive(source) or "There is a file of this name; a list's name ends with .csv.",
        )
    return check_folder(source)


def raise_changed(*, changed: Iterable[str] = (), removed: Iterable[str] = (), added: Iterable[str] = ()) -> None:
    """Raises `DatasetError` where any image is named: the folder is not what the run was started with."""
    kinds = {"changed": list(changed), "removed": list(removed), "added": list(added)}
    received = {
        f"{kind} ({len(paths):,})" if len(paths) > 5 else kind: paths[:5] for kind, paths in kinds.items() if paths
    }
    if received:
        raise DatasetError(
            "Expected the folder of images to stay as it is during a run.",
            received=received,
            advice="Run the whole report again when nothing writes into the folder any more.",
        )
