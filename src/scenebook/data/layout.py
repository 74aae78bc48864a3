"""A reading of a folder of images: which of its folders are classes, and which are splits."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from scenebook.core.errors import DatasetError
from scenebook.core.wording import count_noun, join_names
from scenebook.data.files import Tree
from scenebook.data.images import SourceImage
from scenebook.data.split_names import SPLIT_NAMES

_NAMED = re.compile(rf"(?:^|,)\s*({'|'.join(SPLIT_NAMES)})\s*:")
_MOST = 8


class ClassFolder(NamedTuple):
    """A folder whose images, and those in its folders, are of one class; and of one split, where that is known."""

    path: str
    label: str
    split: str | None = None


@dataclass(frozen=True)
class Layout:
    """A reading of a folder.

    Attributes:
        classes: Its class folders.
        splits: The folders that are splits, each with its split.
        around: The folders on the way to the class folders: an image in them has no class.
        ignored: Folders that are not used.
    """

    classes: list[ClassFolder]
    splits: Mapping[str, str] = field(default_factory=dict)
    around: Collection[str] = ("",)
    ignored: list[str] = field(default_factory=list)

    @property
    def labels(self) -> set[str]:
        """The names of its classes."""
        return {one.label for one in self.classes}

    def __str__(self) -> str:
        return self.describe()

    def describe(self, images: Sequence[SourceImage] = ()) -> str:
        """Returns the reading in words, with the numbers of its images where these are given."""
        items = images or self.classes
        labels = sorted({item.label for item in items})
        counts = Counter(item.split for item in items if item.split)
        told = count_noun(len(labels), "class", "classes")
        if counts:
            parts = [self._tell_split(split, counts[split] if images else 0) for split in SPLIT_NAMES if counts[split]]
            told = f"{count_noun(len(parts), 'split')} x {told}: {', '.join(parts)}; classes {tell_some(labels)}"
        else:
            told += f": {tell_some(labels)}" + (f" ({count_noun(len(images), 'image')})" if images else "")
        return told + (f"; not used: {tell_some(self.ignored)}" if self.ignored else "")

    def _tell_split(self, split: str, images: int) -> str:
        folders = [path for path, one in self.splits.items() if one == split]
        counted = f" ({count_noun(images, 'image')})" if images else ""
        return split + (f" in {join_names(folders)}" if folders else "") + counted


def make_layout(
    tree: Tree, classes: list[ClassFolder], around: Iterable[str], splits: Mapping[str, str] | None = None
) -> Layout:
    """Returns a reading; the folders beside those that it names are not used."""
    around = tuple(dict.fromkeys(around))
    used = {*around, *(one.path for one in classes)}
    beside = [path for above in around for path in tree.list_folders(above) if path not in used]
    return Layout(classes, splits or {}, around, beside)


def parse_splits(text: str) -> list[tuple[str, str]]:
    """Returns the splits and their folders that the setting `splits` names: `train:FOLDER,test:FOLDER`.

    Raises:
        DatasetError: It names none, or none for train.
    """
    start, *parts = _NAMED.split(text)
    named = [(split, path.strip().strip("/")) for split, path in zip(parts[::2], parts[1::2], strict=True)]
    if start.strip() or not all(path for _, path in named) or "train" not in dict(named):
        raise DatasetError(
            "Expected splits to be auto, none, or train:FOLDER,validation:FOLDER,test:FOLDER.",
            received={"splits": text},
            advice="validation and test may be left out; a split that lies in two folders is named twice.",
        )
    return named


def tell_some(names: Iterable[str]) -> str:
    """Returns names joined by commas; of many, the rest is counted."""
    names = list(names)
    return join_names(names if len(names) <= _MOST else [*names[:_MOST], f"{len(names) - _MOST:,} more"])
