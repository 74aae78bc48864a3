"""The first commit of a new project."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import scenebook
from scenebook.core.environment import build_environment

_LATER = "Later: git init, git add --all, git commit."


def commit_all(folder: Path) -> str:
    """Commits all files of a new project, and returns a sentence that says so, or else why not and what to do.

    Args:
        folder: The project. Where it lies in somebody's repository, nothing is done.
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
    return subprocess.run(
        ["git", *arguments],
        cwd=folder,
        env=build_environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
