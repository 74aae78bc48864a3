"""What was found out about files in earlier runs: digest, size and measures of every image that has not changed."""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Iterable
from contextlib import suppress
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from scenebook.core.cache import cache_dir
from scenebook.core.provenance import sha256_bytes, sha256_lines
from scenebook.data.files import MAX_IMAGE_BYTES, read_regular
from scenebook.data.formats import HEIF_PLUGIN, reads_heif
from scenebook.data.images import FoundImages, SourceImage, Stamp

FILE = "facts-1.sqlite"
KEPT_DAYS = 180
FileFacts = dict[str, Any]

_TABLE = """
CREATE TABLE IF NOT EXISTS facts (
    path BLOB NOT NULL, version TEXT NOT NULL, size INTEGER, mtime INTEGER, ctime INTEGER, inode INTEGER,
    day INTEGER NOT NULL, facts TEXT NOT NULL, PRIMARY KEY (path, version)
) WITHOUT ROWID
"""
_FIND = "SELECT size, mtime, ctime, inode, facts FROM facts WHERE path = ? AND version = ?"
_KEEP = "INSERT OR REPLACE INTO facts VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
_USE = "UPDATE facts SET day = ? WHERE path = ? AND version = ? AND day < ?"


@cache
def facts_version() -> str:
    """Returns by which version facts are found out; those of another one are not used."""
    # Who only asks whether files have changed needs no decoder, which takes most of a second to import.
    import PIL

    from scenebook.data.decoding import DECODER_VERSION
    from scenebook.data.measuring import MEASURES_VERSION

    heif = f", heif {metadata.version(HEIF_PLUGIN)}" if reads_heif() else ""
    return f"decoder {DECODER_VERSION}, measures {MEASURES_VERSION}, pillow {PIL.__version__}{heif}"


class FactsCache:
    """Facts by file: its absolute path, size, times and inode. Use it as a context.

    Losing it costs time, nothing else: where it cannot be read or written, everything is found out again.
    """

    def __init__(self) -> None:
        self._file = cache_dir() / FILE
        self._day = int(time.time() // 86400)
        self._connection: sqlite3.Connection | None = None

    def __enter__(self) -> FactsCache:
        try:
            self._connection = self._open()
        except (OSError, sqlite3.OperationalError):  # it cannot be opened or written, or another process keeps it
            self._connection = None
        except sqlite3.DatabaseError:
            # A damaged file is of no use to anybody.
            with suppress(OSError):
                self._file.unlink(missing_ok=True)
            with suppress(sqlite3.Error, OSError):
                self._connection = self._open()
        return self

    def __exit__(self, *error: object) -> None:
        if self._connection is not None:
            with suppress(sqlite3.Error):
                self._connection.close()

    def find(self, found: FoundImages) -> list[FileFacts | None]:
        """Returns the facts of each image that has not changed since they were kept, `None` for the others."""
        facts: list[FileFacts | None] = [None] * len(found.images)
        if self._connection is None:
            return facts
        used: list[bytes] = []
        with suppress(sqlite3.Error, ValueError):
            for number, image in enumerate(found.images):
                key = _key(found.root, image)
                row = self._connection.execute(_FIND, (key, facts_version())).fetchone()
                if row is not None and row[:4] == _signed(image.stamp):
                    facts[number] = json.loads(row[4])
                    used.append(key)
            with self._connection:
                rows = ((self._day, key, facts_version(), self._day) for key in used)
                self._connection.executemany(_USE, rows)
        return facts

    def keep(self, root: Path, images: Iterable[tuple[SourceImage, FileFacts]]) -> None:
        """Keeps the facts of images below `root`."""
        if self._connection is None:
            return
        rows = [
            (_key(root, image), facts_version(), *_signed(image.stamp), self._day, json.dumps(facts))
            for image, facts in images
        ]
        with suppress(sqlite3.Error), self._connection:
            self._connection.executemany(_KEEP, rows)

    def _open(self) -> sqlite3.Connection:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(self._file, timeout=30)
        try:
            # It can always be made again: waiting for the disk after every batch would protect nothing.
            connection.execute("PRAGMA synchronous = OFF")
            with connection:
                connection.execute(_TABLE)
                connection.execute("DELETE FROM facts WHERE day < ?", (self._day - KEPT_DAYS,))
        except sqlite3.Error:
            connection.close()
            raise
        return connection


def _key(root: Path, image: SourceImage) -> bytes:
    return os.fsencode(os.path.join(root, image.path))


def _signed(stamp: Stamp) -> tuple[int, ...]:
    """SQLite's integers have a sign; inodes of some file systems need all 64 bits."""
    return tuple(number - 2**64 if number >= 2**63 else number for number in stamp)


def digest_listing(found: FoundImages) -> str:
    """Returns the SHA-256 of what was found, images by their path, size, times and inode. No file is read."""
    return _digest(found, [str(image.stamp) for image in found.images])


def digest_contents(found: FoundImages) -> str:
    """Returns the SHA-256 of what was found, images by their path and their bytes.

    An image that has not changed since an earlier run is not read: its digest is in the cache.
    """
    with FactsCache() as cache:
        facts = cache.find(found)
    digests = []
    for image, known in zip(found.images, facts, strict=True):
        try:
            digest = known["sha256"] if known else sha256_bytes(read_regular(found.root / image.path, MAX_IMAGE_BYTES))
        except OSError as error:
            digest = f"unreadable: {error.strerror}"
        digests.append(digest)
    return _digest(found, digests)


def _digest(found: FoundImages, told: list[str]) -> str:
    images = (
        json.dumps([image.path, image.label, image.split, *filter(None, [image.group]), what])
        for image, what in zip(found.images, told, strict=True)
    )
    return sha256_lines([*images, json.dumps([found.set_aside, found.ignored_folders, found.summary])])
