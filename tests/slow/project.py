"""A copy of the project whose notebooks a test may break, and commands in it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import nbformat
import psutil

from scenebook.core.project import project_root
from scenebook.core.run_directory import RunDirectory
from scenebook.core.stages import STAGES

from ..processes import HEARS_CTRL_C

TINY = (
    "scenes_train_per_class=8 scenes_test_per_class=4 image_size=48 epochs=4 head_units=8 batch_size=8 "
    "feature_cache_gb=0 frozen_layers_runtime=tensorflow"
)
"""Settings of a run of seconds."""


@dataclass(frozen=True)
class Done:
    """A command that has ended."""

    code: int
    output: str
    seconds: float


class Project:
    """A copy of the checkout in a folder of its own.

    Args:
        folder: Where it goes.
        runs: The folder of the runs; by default in the copy.
    """

    def __init__(self, folder: Path, runs: Path | None = None) -> None:
        self.folder = folder
        self.runs = runs or folder / "runs"
        for name in ("src", "notebooks", "profiles", "report"):
            ignored = shutil.ignore_patterns("__pycache__", "build", "*.egg-info", ".ipynb_checkpoints")
            shutil.copytree(project_root() / name, folder / name, ignore=ignored)

    def copy(self, folder: Path) -> Project:
        """Returns another copy, with all runs and reports; file times are kept."""
        other = Project(folder)
        for name in ("runs", "report"):
            shutil.copytree(self.folder / name, folder / name, dirs_exist_ok=True)
        return other

    def run_dir(self, run: str = "sample") -> RunDirectory:
        return RunDirectory(self.runs / run)

    def page(self, run: str = "sample") -> str:
        return (self.folder / "report" / "build" / run / "report.html").read_text(encoding="utf-8")

    def environment(self, more: Mapping[str, str]) -> dict[str, str]:
        mine = {name: value for name, value in os.environ.items() if not name.startswith("SCENEBOOK_")}
        return {
            **mine,
            "PYTHONPATH": str(self.folder / "src"),
            "SCENEBOOK_CACHE": str(self.folder / "cache"),
            "SCENEBOOK_RUNS": str(self.runs),
            "SCENEBOOK_SCHEDULER": "",
            **more,
        }

    def start(self, *arguments: str, before: tuple[str, ...] = (), **more: str) -> subprocess.Popen[str]:
        """Starts `python -m scenebook`.

        Args:
            *arguments: Its arguments.
            before: A command that it is handed to.
            **more: Environment variables.
        """
        return subprocess.Popen(
            [*before, sys.executable, "-m", "scenebook", *arguments],
            cwd=self.folder,
            env=self.environment(more),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            preexec_fn=HEARS_CTRL_C,
        )

    def call(self, *arguments: str, before: tuple[str, ...] = (), **more: str) -> Done:
        """Runs `python -m scenebook` to its end."""
        started = time.monotonic()
        process = self.start(*arguments, before=before, **more)
        output, _ = process.communicate()
        return Done(process.returncode, output, time.monotonic() - started)

    def report(self, *arguments: str, before: tuple[str, ...] = (), tiny: bool = True) -> Done:
        """Makes the report of run `sample`."""
        return self.call("report", "--run", "sample", "--set", TINY if tiny else "", *arguments, before=before)

    def insert(self, stage: str, code: str, *, at: int = 3) -> Callable[[], None]:
        """Puts a cell into a notebook; returns what takes it out again."""
        path = self.folder / "notebooks" / f"{STAGES[stage].notebook}.ipynb"
        text = path.read_text(encoding="utf-8")
        notebook = nbformat.reads(text, as_version=4)
        notebook.cells.insert(at, nbformat.v4.new_code_cell(code))
        nbformat.write(notebook, path)

        def take_out() -> None:
            path.write_text(text, encoding="utf-8")

        return take_out

    def edit(self, stage: str, *pieces: tuple[str, str], **functions: str) -> Callable[[], None]:
        """Edits cells of a notebook; returns what undoes it.

        Args:
            stage: The stage.
            *pieces: What is replaced, in whichever cell it stands, and by what.
            **functions: What replaces the cell that defines a function.
        """
        path = self.folder / "notebooks" / f"{STAGES[stage].notebook}.ipynb"
        text = path.read_text(encoding="utf-8")
        notebook = nbformat.reads(text, as_version=4)
        for old, new in pieces:
            (cell,) = [cell for cell in notebook.cells if cell.cell_type == "code" and old in cell.source]
            cell.source = cell.source.replace(old, new)
        for name, source in functions.items():
            (cell,) = [cell for cell in notebook.cells if f"def {name}(" in cell.source]
            cell.source = source
        nbformat.write(notebook, path)

        def undo() -> None:
            path.write_text(text, encoding="utf-8")

        return undo

    def kernels(self) -> list[psutil.Process]:
        """Returns the kernels of this project's runs that live."""
        found = []
        for process in psutil.process_iter():
            try:
                mine = process.environ().get("SCENEBOOK_RUNS") == str(self.runs)
                if (
                    mine
                    and "scenebook.pipeline.kernel_process" in process.cmdline()
                    and process.status() != psutil.STATUS_ZOMBIE
                ):
                    found.append(process)
            except psutil.Error:
                continue
        return found

    def wait_for_end(self, seconds: float = 60.0) -> bool:
        """Waits until no kernel lives, not even one that still imports; tells whether that is so."""
        until = time.monotonic() + seconds
        while self.kernels() and time.monotonic() < until:
            time.sleep(0.2)
        return not self.kernels()

    def list_leftovers(self, run: str = "sample") -> list[str]:
        """Returns files that are not what their names say: hidden ones, and what the manifest does not know."""
        root = self.runs / run
        listed = json.loads((root / "manifest.json").read_text(encoding="utf-8"))["files"]
        files = {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}
        return sorted(files - set(listed) - {"manifest.json"})


def wait_for(process: subprocess.Popen[str], text: str) -> list[str]:
    """Reads what a command prints until a line holds a text."""
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if text in line:
            return lines
    raise AssertionError(f"{text!r} was never printed:\n{''.join(lines)}")


def end(process: subprocess.Popen[str], how: signal.Signals) -> str:
    """Sends a signal and reads the rest of what a command prints."""
    process.send_signal(how)
    output, _ = process.communicate()
    return output
