"""A notebook that lies alone, in Colab or from a mail: those before it are run as they came with the package."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile

from scenebook.core.environment import build_environment
from scenebook.core.errors import ScenebookError
from scenebook.core.progress import print_progress
from scenebook.core.project import is_project, project_root, published_root
from scenebook.core.published_cells import read_published
from scenebook.core.run_directory import TOUCHED, RunDirectory
from scenebook.core.source_code import digest_cell
from scenebook.core.stages import STAGES, Stage, find_needed


def run_what_is_needed(run_dir: RunDirectory, code: str) -> None:
    """Runs the package's notebooks, with their defaults, whose files a notebook needs that lies outside of any project.

    Within a project nothing is run: the notebooks there may have been edited, and are their reader's to run.

    Args:
        run_dir: The run, by hand.
        code: The cell that is being run. By it the notebook is known: a kernel is not told which one it runs.

    Raises:
        ScenebookError: One of them failed.
    """
    if is_project(project_root()):
        return
    digest = digest_cell(code)
    stage = next((name for name, row in STAGES.items() if digest in read_published(row.notebook).values()), None)
    needed = find_needed(stage) if stage else ()
    for row in (row for name, row in STAGES.items() if name in needed):
        if not all((run_dir.root / file).exists() for file in row.bundled):
            _run_published(run_dir, row)


def advise_report(run_dir: RunDirectory) -> str:
    """Returns how a run by hand becomes a report."""
    if is_project(project_root()):
        return f"Run {run_dir.name}: `make report RUN={run_dir.name}` makes its report when all notebooks are saved."
    return f"Run {run_dir.name}: `scenebook new my-report` makes a folder in which the notebooks become a report."


def _run_published(run_dir: RunDirectory, row: Stage) -> None:
    print_progress(f"{row.notebook} was not run here, so the package's own is run first, with its defaults")
    environment = {**build_environment(), "SCENEBOOK_RUNS": str(run_dir.root.parent.resolve())}
    environment.pop(TOUCHED, None)  # what is read there is not what this notebook has read
    with tempfile.TemporaryDirectory(prefix="scenebook-") as folder:
        file = shutil.copy(published_root() / "notebooks" / f"{row.notebook}.ipynb", folder)
        command = [sys.executable, "-m", "nbconvert", "--to", "notebook", "--inplace", "--execute", file]
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ScenebookError(f"The package's notebook {row.notebook} failed. {done.stderr.strip().splitlines()[-1]}")
