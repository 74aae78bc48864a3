"""A reading of a folder of images: which of its folders are classes, and which are splits, by their names."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from scenebook.core.errors import DatasetError
from scenebook.core.wording import count_noun, join_names, join_some
from scenebook.data.files import Tree
from scenebook.data.images import SourceImage

SPLIT_NAMES = ("train", "validation", "test")
_WORDS = {
    **dict.fromkeys(("train", "training", "trn", "trainval"), "train"),
    **dict.fromkeys(("validation", "validate", "valid", "val", "vld", "dev", "devel", "development"), "validation"),
    **dict.fromkeys(("test", "testing", "tst", "eval", "evaluation", "holdout"), "test"),
}
_BESIDE = frozenset(
    (
        *("set", "data", "dataset", "image", "img", "imgs", "pic", "picture", "photo", "photograph", "sample"),
        *("example", "file", "folder", "directory", "dir", "split", "subset", "part", "seg", "crop", "cropped"),
        *("resized", "original", "final", "full", "raw", "clean", "new", "jpg", "jpeg", "png", "x", "px", "the"),
        *("of", "for", "in", "class", "labelled", "labeled"),
    )
)
"""Words that may stand beside, in the singular; numbers may as well."""
_UNLABELLED = frozenset(
    (
        *("pred", "predict", "prediction", "unlabelled", "unlabeled", "unsup", "unsupervised", "unknown"),
        *("submission", "inference"),
    )
)
_PARTS = re.compile(r"[^\W\d_]+|\d+")
_CAMEL = re.compile(r"(?<=[^\W\d_A-Z])(?=[A-Z])")
_Pattern = tuple[str | None, ...]  # a name's other words, and `None` in the place of the split
_NAMED = re.compile(rf"(?:^|,)\s*({'|'.join(SPLIT_NAMES)})\s*:")


class ClassFolder(NamedTuple):
    """A folder whose images, and those in its folders, are of one class; and of one split, where that is known."""

    path: str
    label: str
    split: str | None = None


@dataclass(frozen=True)
class Layout:
    """A reading of a folder: its class folders, the folders that are splits with theirs, and those that are not used.

    An image in the folders `around`, those on the way to the class folders, has no class.
    """

    classes: list[ClassFolder]
    splits: Mapping[str, str] = field(default_factory=dict)
    around: Collection[str] = ("",)
    ignored: list[str] = field(default_factory=list)

    @property
    def labels(self) -> set[str]:
        return {one.label for one in self.classes}

    def describe(self, images: Sequence[SourceImage] = ()) -> str:
        """Returns the reading in words, with the numbers of its images where these are given."""
        items = images or self.classes
        labels = sorted({item.label for item in items})
        counts = Counter(item.split for item in items if item.split)
        told = count_noun(len(labels), "class", "classes")
        if counts:
            parts = [self._tell_split(split, counts[split] if images else 0) for split in SPLIT_NAMES if counts[split]]
            told = f"{count_noun(len(parts), 'split')} x {told}: {', '.join(parts)}; classes {join_some(labels)}"
        else:
            told += f": {join_some(labels)}" + (f" ({count_noun(len(images), 'image')})" if images else "")
        return told + (f"; not used: {join_some(self.ignored)}" if self.ignored else "")

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


def name_splits(names: Collection[str], around: str = "") -> dict[str, str]:
    """Returns those of some names of folders, beside one another, that name a split, with the split.

    Separators, case, plurals, numbers, and words such as `set` and `images` make no difference. Any other word does
    (`train_station` is no split), unless two splits share it, as `asl_alphabet_train` and `asl_alphabet_test` do, or
    it stands in the name of the folder `around` them.
    """
    read = {name: found for name in names if (found := _read(name)) is not None}
    known = set(_split_words(around))
    return {
        name: split
        for name, (split, pattern) in read.items()
        if set(pattern) - {None} <= known
        or any(other == pattern and another != split for another, other in read.values())
    }


def read_split(name: str) -> str | None:
    """Returns the split that a single word stands for, `dev` or `Training set`, or `None`."""
    return name_splits([name]).get(name)


def is_neutral(name: str) -> bool:
    """Tells whether a folder's name says nothing of its images: `images`, `data`."""
    return all(_is_beside(word) for word in _split_words(name))


def mentions_split(name: str) -> bool:
    """Tells whether a name has the word of a split among others: `kaggle_simpson_testset`, `train_station`."""
    return _read(name) is not None


def is_unlabelled(name: str) -> bool:
    """Tells whether a folder's name says that its images have no labels: `seg_pred`, `unlabeled`."""
    return any(_singular(word) in _UNLABELLED for word in _split_words(name))


def _split_words(name: str) -> list[str]:
    text = _CAMEL.sub(" ", unicodedata.normalize("NFKC", name))
    return [word.lower() for word in _PARTS.findall(text)]


def _read(name: str) -> tuple[str, _Pattern] | None:
    words = _split_words(name)
    splits = [_read_word(word) for word in words]
    found = {split for split in splits if split is not None}
    if found == {"train", "validation"} and len(words) == 2:  # `train_val`
        return "train", (None,)
    if len(found) != 1:
        return None
    pattern = (
        None if split else word for word, split in zip(words, splits, strict=True) if split or not _is_beside(word)
    )
    return found.pop(), tuple(pattern)


def _read_word(word: str) -> str | None:
    """Reads `train`, `tests`, `trainset`, `testdata` and `imagestrain`."""
    if (split := _WORDS.get(word) or _WORDS.get(_singular(word))) is not None:
        return split
    for length in range(3, len(word) - 1):
        for known, rest in ((word[:length], word[length:]), (word[-length:], word[:-length])):
            if known in _WORDS and len(rest) > 2 and _is_beside(rest):
                return _WORDS[known]
    return None


def _singular(word: str) -> str:
    return word.removesuffix("s")


def _is_beside(word: str) -> bool:
    return word in _BESIDE or _singular(word) in _BESIDE or word.isdigit()
