"""Whether a data set is still the one that a run was made from: by what the folder tells, and by every byte."""

from __future__ import annotations

import json
from pathlib import Path

from scenebook.core.cache import cache_dir
from scenebook.core.provenance import sha256_bytes, sha256_lines
from scenebook.data.decoding import MAX_BYTES
from scenebook.data.file_facts import FactsCache
from scenebook.data.files import read_regular
from scenebook.data.images import FoundImages
from scenebook.data.storing import FACTS_VERSION


def digest_listing(found: FoundImages) -> str:
    """Returns the SHA-256 of what was found, images by their path, size, times and inode. No file is read."""
    return _digest(found, [str(image.stamp) for image in found.images])


def digest_contents(found: FoundImages) -> str:
    """Returns the SHA-256 of what was found, images by their path and their bytes.

    An image that has not changed since an earlier run is not read: its digest is in the cache.
    """
    with FactsCache(cache_dir(), FACTS_VERSION) as cache:
        facts = cache.find(found.root, ((image.path, image.stamp) for image in found.images))
    digests = [
        known["sha256"] if known else _digest_file(found.root / image.path)
        for image, known in zip(found.images, facts, strict=True)
    ]
    return _digest(found, digests)


def _digest_file(path: Path) -> str:
    try:
        return sha256_bytes(read_regular(path, MAX_BYTES))
    except OSError as error:
        return f"unreadable: {error.strerror}"


def _digest(found: FoundImages, told: list[str]) -> str:
    images = (
        json.dumps([image.path, image.label, image.split, what]) for image, what in zip(found.images, told, strict=True)
    )
    return sha256_lines([*images, json.dumps([found.set_aside, found.ignored_folders, found.summary])])
