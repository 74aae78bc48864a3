"""Paths and addresses as people type them."""

from __future__ import annotations

import os
from pathlib import Path

from scenebook.core.errors import InputError

SCHEDULER_ADDRESS = r"(tcp|tls)://\S+:\d+"
"""What the address of a dask scheduler looks like."""


def expand_home(path: Path | str) -> Path:
    """Returns a path in which `~` at the start is the home folder; a shell leaves it as it is in `DATA=~/images`.

    Raises:
        InputError: It begins with `~`, and nobody knows whose home that is.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise InputError(
            "Expected a path whose ~ stands for a home folder.",
            received={"path": str(path)},
            advice="Set HOME, or write the whole path.",
        ) from None


def read_folder_variable(name: str) -> Path | None:
    """Returns the folder that an environment variable names; an empty one names none."""
    value = os.environ.get(name)
    return expand_home(value) if value else None
