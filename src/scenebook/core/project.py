"""Where the project lies: the notebooks, profiles and report that a command works with, and those of the package."""

from __future__ import annotations

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
