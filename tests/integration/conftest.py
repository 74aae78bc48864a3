"""Whole runs, each made once: the sample report through the command line, and the notebooks by hand."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from scenebook.artifacts import RunDirectory, project_root


@dataclass(frozen=True)
class Finished:
    """A finished command and the run that it made."""

    run_dir: RunDirectory
    build_dir: Path
    output: str
    returncode: int


def run_command(folder: Path, run: str, *arguments: str, cwd: Path | None = None) -> Finished:
    """Runs `python -m scenebook` as a user would, with runs and reports below `folder`."""
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("SCENEBOOK_")},
        "SCENEBOOK_RUNS": str(folder / "runs"),
        "SCENEBOOK_BUILD": str(folder / "build"),
        "SCENEBOOK_CACHE": str(folder / "cache"),
        "SCENEBOOK_SCHEDULER": "",  # as make sets it where nobody names one
    }
    command = [sys.executable, "-m", "scenebook", *arguments]
    done = subprocess.run(command, cwd=cwd or folder, env=environment, capture_output=True, text=True, check=False)
    return Finished(
        RunDirectory(folder / "runs" / run), folder / "build" / run, done.stdout + done.stderr, done.returncode
    )


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """`python -m scenebook report`, the sample profile as it is."""
    finished = run_command(tmp_path_factory.mktemp("sample"), "sample", "report")
    assert finished.returncode == 0, finished.output
    return finished


@pytest.fixture(scope="session")
def notebooks_dir() -> Path:
    return project_root() / "notebooks"
