"""The folder in which scenebook keeps, across runs, what is expensive to find out or to download again."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs


def cache_dir() -> Path:
    """Returns the absolute path of the cache: `SCENEBOOK_CACHE` when that is set, else the user's cache folder.

    Everything in it can be deleted at any time; what was in it is found out or downloaded again. The folder is made by
    whoever first writes into it.
    """
    named = os.environ.get("SCENEBOOK_CACHE")
    return Path(named).absolute() if named else Path(platformdirs.user_cache_dir("scenebook", appauthor=False))
