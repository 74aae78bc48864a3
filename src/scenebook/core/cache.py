"""The folder in which scenebook keeps, across runs, what is expensive to find out or to download again."""

from __future__ import annotations

import functools
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import platformdirs
from filelock import FileLock, Timeout

from scenebook.core.errors import DownloadError
from scenebook.core.progress import print_progress
from scenebook.core.project import expand_home


def cache_dir() -> Path:
    """Returns the absolute path of the cache: `SCENEBOOK_CACHE` when that is set, else the user's cache folder.

    Where that cannot be written to, it is a folder of the user's own among the temporary files. Everything in it can be
    deleted at any time; what was in it is found out or downloaded again. The folder is made by whoever first writes
    into it.
    """
    named = os.environ.get("SCENEBOOK_CACHE")
    if named:
        return expand_home(named).absolute()
    with suppress(RuntimeError):  # no HOME, and a user whom the system does not know
        usual = Path(platformdirs.user_cache_dir("scenebook", appauthor=False))
        there = next((path for path in (usual, *usual.parents) if path.exists()), usual)
        if usual.is_absolute() and there.is_dir() and os.access(there, os.W_OK | os.X_OK):
            return usual
    return private_folder()


@functools.cache
def private_folder() -> Path:
    """Returns a folder among the temporary files that nobody else can write to; the same one each time if it can be."""
    folder = Path(tempfile.gettempdir(), f"scenebook-{os.getuid() if hasattr(os, 'getuid') else 'user'}")
    folder.mkdir(mode=0o700, exist_ok=True)
    # Another user may have made it, or a link of that name, with other weights in it.
    mine = not hasattr(os, "getuid") or (folder.lstat().st_uid == os.getuid() and not folder.lstat().st_mode & 0o022)
    return folder if mine else Path(tempfile.mkdtemp(prefix="scenebook-"))


@contextmanager
def locked(path: Path, what: str) -> Iterator[None]:
    """Holds a lock file; waits, and says so, while another process holds it. The system frees it when a holder dies.

    Messages, and the `DownloadError` where it cannot be made, say `what` is downloaded meanwhile.
    """
    lock = FileLock(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            print_progress(f"{what}: waiting for another process that downloads the same")
            lock.acquire()
    except OSError as error:
        raise DownloadError(what, f"writing to {path.parent} failed: {error.strerror or error}") from error
    try:
        yield
    finally:
        lock.release()
