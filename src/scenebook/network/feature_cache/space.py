"""How much room feature caches may take: the limit of a setting, the disk, and who goes first."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Collection
from pathlib import Path

SUFFIX = ".rows"
RESERVE = 500_000_000
"""Bytes that are left free on the disk, for the run's own files."""


class Space:
    """The folder in which all feature caches lie, `<feature_cache>/<view>.rows`, and its size limit.

    Args:
        folder: The folder.
        limit: The most bytes that all feature caches together may take.
    """

    def __init__(self, folder: Path, limit: int) -> None:
        self.folder = folder
        self.limit = limit

    def make_room(self, needed: int, keep: Collection[Path]) -> str | None:
        """Deletes the files that were not used for the longest time until there is room. Needs the lock.

        Args:
            needed: Bytes that are to be written.
            keep: Files that stay, because the caller uses them.

        Returns:
            Nothing, or why there is no room, as a clause.
        """
        files = self._list_files()
        total = sum(size for _, size, _ in files)
        evictable = sorted((used, path, size) for path, size, used in files if path not in keep)
        # Nobody's rows are deleted for a file that would not fit in the end.
        if total + needed - sum(size for _, _, size in evictable) > self.limit:
            return f"it has reached its limit of {self.limit / 1e9:g} GB (feature_cache_gb)"
        for _, path, size in evictable:
            if total + needed <= self.limit and self._free() >= needed + RESERVE:
                break
            if _delete(path):
                total -= size
        if total + needed > self.limit:
            return "rows that another process reads cannot be deleted"
        if self._free() < needed + RESERVE:
            return f"the disk has only {self._free() / 1e9:.1f} GB left"
        return None

    def _free(self) -> int:
        return shutil.disk_usage(self.folder).free

    def _list_files(self) -> list[tuple[Path, int, float]]:
        """Returns path, bytes, and time of the last use, of every file of every feature cache."""
        found = []
        for path in self.folder.glob(f"*/*{SUFFIX}"):
            if path.parent.is_symlink():  # what it leads to is not ours to delete
                continue
            with contextlib.suppress(OSError):  # another process has just deleted it
                status = path.stat()
                found.append((path, status.st_size, status.st_mtime))
        return found


def mark_used(path: Path) -> None:
    """Notes that a file was used now: who was not used for the longest time is deleted first."""
    with contextlib.suppress(OSError):  # it is not there yet, or belongs to somebody else
        os.utime(path)


def _delete(path: Path) -> bool:
    try:
        path.unlink(missing_ok=True)
    except OSError:  # Windows keeps files that are open
        return False
    with contextlib.suppress(OSError):  # other views are in it
        path.parent.rmdir()
    return True
