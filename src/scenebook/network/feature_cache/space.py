"""How much room feature caches may take: the limit of a setting, the disk, and who goes first."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Collection
from pathlib import Path

SUFFIX = ".rows"
RESERVE = 500_000_000  # bytes that are left free on the disk, for the run's own files


def make_room(folder: Path, limit: int, needed: int, keep: Collection[Path] = ()) -> str | None:
    """Deletes the files that were not used for the longest time until there is room. Needs the lock.

    Args:
        folder: Where all feature caches lie, `<feature_cache>/<view>.rows`.
        limit: The most bytes that all of them together may take.
        needed: Bytes that are to be written.
        keep: Files that stay, because the caller uses them.

    Returns:
        Nothing, or why there is no room, as a clause.
    """
    files = _list_files(folder)
    total = sum(size for _, size, _ in files)
    evictable = sorted((used, path, size) for path, size, used in files if path not in keep)
    # Nobody's rows are deleted for a file that would not fit in the end.
    if total + needed - sum(size for _, _, size in evictable) > limit:
        return f"it has reached its limit of {limit / 1e9:g} GB (feature_cache_gb)"
    for _, path, size in evictable:
        if total + needed <= limit and shutil.disk_usage(folder).free >= needed + RESERVE:
            break
        if _delete(path):
            total -= size
    if total + needed > limit:
        return "rows that another process reads cannot be deleted"
    free = shutil.disk_usage(folder).free
    return f"the disk has only {free / 1e9:.1f} GB left" if free < needed + RESERVE else None


def _list_files(folder: Path) -> list[tuple[Path, int, float]]:
    """Returns path, bytes, and time of the last use, of every file of every feature cache."""
    found = []
    for path in folder.glob(f"*/*{SUFFIX}"):
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
