"""Which images are to be classified: those of a folder or of a list, be they millions, on the disk, not in memory."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

from scenebook.core.errors import InputError
from scenebook.core.progress import print_progress
from scenebook.core.project import expand_home
from scenebook.data.files import Tree
from scenebook.data.image_list import check_listed_path, look_at_listed
from scenebook.data.images import LIST_SUFFIX, Stamp, advise_archive
from scenebook.data.user_tables import PARQUET, read_rows

SHARD = 1000
"""Images that are classified, and kept, at a time."""

_SECONDS = 5.0
"""Between two lines of progress."""

_TABLES = """
PRAGMA cache_size = -65536;
CREATE TABLE images (place INTEGER PRIMARY KEY, path BLOB UNIQUE);
CREATE TABLE aside (path BLOB PRIMARY KEY, reason BLOB);
"""


class ImageListing:
    """Images in their order, in shards of `SHARD`, in a file that goes with this object.

    Attributes:
        root: The folder that paths start from.
        images: How many images there are.
        set_aside: How many files are not used.
        repeated: How many rows of a list repeat an earlier one.
        digests: Of each shard, the SHA-256 of its paths and of the stamps of their files.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.images = self.set_aside = self.repeated = 0
        self.digests: list[str] = []
        self._digest = hashlib.sha256()
        self._tables = sqlite3.connect("")  # SQLite's name for a temporary file
        self._tables.executescript(_TABLES)

    def add(self, path: str, seen: Stamp | str) -> None:
        """Adds an image with its stamp, or a file that is not used with the reason; once each."""
        raw = os.fsencode(path)
        if not isinstance(seen, Stamp):
            row = (raw, os.fsencode(seen))
            added = self._tables.execute("INSERT OR IGNORE INTO aside VALUES (?, ?)", row).rowcount
            self.set_aside += added
        elif added := self._tables.execute("INSERT OR IGNORE INTO images VALUES (?, ?)", (self.images, raw)).rowcount:
            self.images += 1
            self._digest.update(b"%b\0%b\0" % (raw, repr(tuple(seen)).encode()))
            if self.images % SHARD == 0:
                self.close_shard()
        self.repeated += not added

    def close_shard(self) -> None:
        """Ends the shard that images are being added to, if there are any in it."""
        if self.images > len(self.digests) * SHARD:
            self.digests.append(self._digest.hexdigest())
            self._digest = hashlib.sha256()

    def read_shard(self, number: int) -> list[str]:
        """Returns the paths of a shard."""
        query = "SELECT path FROM images WHERE place >= ? ORDER BY place LIMIT ?"
        return [os.fsdecode(raw) for (raw,) in self._tables.execute(query, (number * SHARD, SHARD))]

    def list_set_aside(self) -> Iterator[tuple[str, str]]:
        """Yields the path of each file that is not used, with the reason, in the order in which they were found."""
        for row in self._tables.execute("SELECT path, reason FROM aside ORDER BY rowid"):
            yield os.fsdecode(row[0]), os.fsdecode(row[1])

    def close(self) -> None:
        """Removes the file."""
        self._tables.close()


def resolve_source(images: str | None) -> Path:
    """Returns the absolute path of a folder of images, or of a list of them.

    Raises:
        InputError: None was named, or it is neither.
    """
    expected = "Expected a folder of images to classify, or a list of them in CSV or Parquet."
    if not images:
        raise InputError(expected, advice="Name it: IMAGES=folder or --images FOLDER.")
    path = expand_home(images)
    if not path.is_dir() and not (path.is_file() and path.suffix.lower() in (LIST_SUFFIX, PARQUET)):
        there = advise_archive(path, "images") or "There is a file of this name: put it into a folder."
        advice = there if path.exists() else "There is no such folder."
        raise InputError(expected, received={"images": images}, advice=advice)
    return path.resolve()


def list_images(images: Path, *, follow_links: bool = False) -> ImageListing:
    """Finds the images of a folder and its folders, or those that the column `path` of a list names.

    Args:
        images: From `resolve_source`. Paths in a list start at its folder, or are absolute and lie in it.
        follow_links: Whether links may leave the folder.

    Raises:
        InputError: There is none, or the folder or the list cannot be read.
    """
    tree = Tree(images if images.is_dir() else images.parent, follow_links=follow_links)
    listing, told = ImageListing(tree.root), time.monotonic()
    for path, seen in tree.stream() if images.is_dir() else _read_listed(images, tree):
        listing.add(path, seen)
        if time.monotonic() - told > _SECONDS:
            told = time.monotonic()
            print_progress(f"looking for images: {listing.images:,} found")
    listing.close_shard()
    if not listing.images:
        where = "in the folder" if images.is_dir() else "of the list that are there"
        raise InputError(f"Expected images {where}.", received={"images": str(images), "count": 0})
    return listing


def _read_listed(file: Path, tree: Tree) -> Iterator[tuple[str, Stamp | str]]:
    for row in read_rows(file, required=("path",)):
        seen, path = look_at_listed(tree, check_listed_path(tree, row))
        yield path, seen if isinstance(seen, Stamp) else f"line {row.line}: {seen}"
