"""The folder in which scenebook keeps, across runs, what is expensive to find out or to download again."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import platformdirs
from filelock import FileLock, Timeout

from scenebook.core.errors import DownloadError
from scenebook.core.progress import print_progress


def cache_dir() -> Path:
    """Returns the absolute path of the cache: `SCENEBOOK_CACHE` when that is set, else the user's cache folder.

    Everything in it can be deleted at any time; what was in it is found out or downloaded again. The folder is made by
    whoever first writes into it.
    """
    named = os.environ.get("SCENEBOOK_CACHE")
    return Path(named).absolute() if named else Path(platformdirs.user_cache_dir("scenebook", appauthor=False))


@contextmanager
def locked(path: Path, what: str) -> Iterator[None]:
    """Holds a lock file; waits, and says so, while another process holds it. The system frees it when a holder dies.

    Messages say `what` is downloaded meanwhile.

    Raises:
        DownloadError: The lock file cannot be made.
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
