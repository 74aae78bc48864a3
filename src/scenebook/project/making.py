"""Makes the folder of a new project, whole or not at all, commits it, and compares one that is there already."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import scenebook
from scenebook.core.environment import build_environment
from scenebook.core.errors import InputError
from scenebook.core.project import expand_home, is_project
from scenebook.core.settings import DRAWN_SCENES, INTEL
from scenebook.data.finding import find_images
from scenebook.data.images import check_source
from scenebook.rendering.front_matter import load_front_matter


def check_target(text: str) -> Path:
    """Returns the absolute path of the folder for a project, new or one, or raises `InputError` where it cannot be."""
    target = Path(os.path.abspath(expand_home(text)))
    received = {"folder": str(target)}
    if not text.strip():
        raise InputError("Expected a name for the new folder.", received={"folder": text})
    if os.path.isdir(target):
        others = sorted(path.name for path in target.iterdir() if path.name != ".git")
        if others and not is_project(target):
            raise InputError(
                "Expected a folder that is not there yet, or is empty.",
                received=received | {"holds": ", ".join(others[:3]) + (", ..." if len(others) > 3 else "")},
                advice="Choose another name.",
            )
        return target
    if os.path.lexists(target):
        raise InputError("Expected a folder, not a file.", received=received, advice="Choose another name.")
    if not os.path.isdir(target.parent):
        raise InputError("Expected the folder around the new one to be there.", received=received)
    return target


def locate_dataset(text: str, target: Path) -> str:
    """Returns the images that a project names: relative to it where they lie beside it or in it, else absolute."""
    if text in (DRAWN_SCENES, INTEL):
        return text
    source = check_source(Path(text))
    find_images(source)
    here = target.resolve()
    if here.parent in source.parents:
        return Path(os.path.relpath(source, here)).as_posix()
    return str(source)


def write_project(target: Path, files: Mapping[str, bytes]) -> None:
    """Writes all files of a new project, by their paths in it; after an error, nothing of it is left.

    The folder is not there yet, or empty but for `.git`.
    """
    was_there = target.is_dir()
    try:
        target.mkdir(exist_ok=True)
        with TemporaryDirectory(dir=target, prefix=".new-") as folder:
            for name, content in files.items():
                path = Path(folder, name)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
            load_front_matter(Path(folder, "report", "front-matter.yaml"))
            for path in Path(folder).iterdir():
                path.rename(target / path.name)
    except BaseException as error:
        for path in {target / Path(name).parts[0] for name in files} if was_there else {target}:
            with suppress(OSError):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        if isinstance(error, OSError):
            raise InputError(
                "Expected a folder that can be written to.",
                received={"folder": str(target), "problem": error.strerror or str(error)},
            ) from None
        raise


def compare_project(target: Path, files: Mapping[str, bytes]) -> dict[str, list[str]]:
    """Returns which files of a project are not those that would be made: what `differs`, and what is `missing`."""
    there = [name for name in files if (target / name).is_file()]
    differs = [name for name in there if (target / name).read_bytes() != files[name]]
    found = {"differs": differs, "missing": [name for name in files if name not in there]}
    return {what: names for what, names in found.items() if names}


_LATER = "Later: git init, git add --all, git commit."


def commit_all(folder: Path) -> str:
    """Commits all files of a new project, and returns a sentence that says so, or else why not and what to do.

    Where it lies in somebody's repository, nothing is done.
    """
    if shutil.which("git") is None:
        return f"git is not installed, so nothing was committed. {_LATER}"
    around = _git(folder, "rev-parse", "--show-toplevel")
    is_own = (folder / ".git").exists()
    if around.returncode == 0 and not is_own:
        return f"The folder lies in the repository {around.stdout.strip()}, so nothing was committed."
    steps = [
        *([] if is_own else [("init", "--quiet")]),
        ("add", "--all"),
        # Without an identity, git would make one up of the names of user and machine.
        ("-c", "user.useConfigOnly=true", "commit", "--quiet", "-m", f"As made by scenebook {scenebook.__version__}"),
    ]
    for step in steps:
        done = _git(folder, *step)
        if done.returncode == 0:
            continue
        if "user.email" in done.stderr or "user.name" in done.stderr:
            return (
                "git does not know who commits, so nothing was committed: set user.name and user.email with "
                "`git config --global`, then `git commit` in the new folder."
            )
        problem = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:]
        return f"git could not commit: {''.join(problem) or 'it did not say why'}. {_LATER}"
    return "All files are in a first git commit."


def _git(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    # Without the variables by which a hook names its own repository.
    command, nothing = ["git", "-C", str(folder), *arguments], subprocess.DEVNULL
    return subprocess.run(command, env=build_environment(), stdin=nothing, capture_output=True, text=True, check=False)
