"""Where things lie: the project that a command works with, and the paths that people type."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

import scenebook
from scenebook.core.errors import InputError

OWN_PROFILE = "default"
"""A profile of this name is what a project's report starts from where nothing else is named."""

_PACKAGE = Path(scenebook.__file__).resolve().parent


@cache
def project_root() -> Path:
    """Returns the folder that notebooks are run from, and that runs and reports go to.

    That is the nearest one, from the working folder upwards, with `notebooks/`, `profiles/` and `report/`; else the
    checkout that the package lies in; else the working folder, in which a notebook may lie alone.
    """
    here = Path.cwd()
    return next(filter(is_project, (here, *here.parents, _PACKAGE.parents[1])), here)


def project_folder(name: str) -> Path:
    """Returns a folder of the project; outside of any, `profiles` or `report` as they came with the package.

    Raises:
        InputError: There is no project, and `notebooks` are asked for: whoever makes a report has their own.
    """
    root = project_root()
    if is_project(root):
        return root / name
    if name == "notebooks":
        raise InputError(
            "Expected a folder with notebooks/, profiles/ and report/, or one inside it.",
            received={"folder": str(root)},
            advice="`scenebook new my-report` makes one.",
        )
    return published_root() / name


def published_root() -> Path:
    """Returns the folder with the notebooks, profiles and report that belong to this version of the package."""
    installed = _PACKAGE / "published"
    return installed if installed.is_dir() else _PACKAGE.parents[1]


def is_project(folder: Path) -> bool:
    """Returns whether a folder holds what a report is made from."""
    return all((folder / name).is_dir() for name in ("notebooks", "profiles", "report"))


def default_profile() -> str:
    """Returns the profile, and the run, that are meant where none is named."""
    return OWN_PROFILE if (project_folder("profiles") / f"{OWN_PROFILE}.yaml").is_file() else "sample"


SCHEDULER_ADDRESS = r"(tcp|tls)://\S+:\d+"
"""What the address of a dask scheduler looks like."""


def expand_home(path: Path | str) -> Path:
    """Returns a path in which `~` at the start is the home folder; a shell leaves it as it is in `DATA=~/images`."""
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
