"""Whether a data set is still the one that a run was made from: by what the folder tells, and by every byte."""

from __future__ import annotations

import json
from pathlib import Path

from scenebook.cache import cache_dir
from scenebook.dataset.decoding import MAX_BYTES
from scenebook.dataset.facts import FactsCache
from scenebook.dataset.files import read_regular
from scenebook.dataset.found import FoundPictures
from scenebook.dataset.storing import FACTS_VERSION
from scenebook.provenance import sha256_bytes, sha256_lines


def digest_listing(found: FoundPictures) -> str:
    """Returns the SHA-256 of what was found, pictures by their path, size, times and inode. No file is read."""
    return _digest(found, [str(picture.stamp) for picture in found.pictures])


def digest_contents(found: FoundPictures) -> str:
    """Returns the SHA-256 of what was found, pictures by their path and their bytes.

    A picture that has not changed since an earlier run is not read: its digest is in the cache.
    """
    with FactsCache(cache_dir(), FACTS_VERSION) as cache:
        facts = cache.find(found.root, ((picture.path, picture.stamp) for picture in found.pictures))
    digests = [
        known["sha256"] if known else _digest_file(found.root / picture.path)
        for picture, known in zip(found.pictures, facts, strict=True)
    ]
    return _digest(found, digests)


def _digest_file(path: Path) -> str:
    try:
        return sha256_bytes(read_regular(path, MAX_BYTES))
    except OSError as error:
        return f"unreadable: {error.strerror}"


def _digest(found: FoundPictures, told: list[str]) -> str:
    pictures = (
        json.dumps([picture.path, picture.label, picture.split, what])
        for picture, what in zip(found.pictures, told, strict=True)
    )
    return sha256_lines([*pictures, json.dumps([found.set_aside, found.ignored_folders, found.summary])])
