"""Which folders are called as a split, train, validation or test, in the spellings in which data sets are published."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection

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
_Pattern = tuple[str | None, ...]
"""A name's other words, and `None` in the place of the split."""


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
