"""Notebooks run by hand: which code was run, in which order, with which settings, and from which files.

Before one that lies alone, in Colab or from a mail, those that it needs are run as they came with the package.
"""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

from scenebook.core.environment import build_environment
from scenebook.core.errors import ScenebookError
from scenebook.core.progress import print_progress
from scenebook.core.project import is_project, project_root, published_root
from scenebook.core.provenance import list_stamp, sha256_file, tell_time
from scenebook.core.published_cells import read_published
from scenebook.core.run_directory import TOUCHED, RunDirectory, list_touched, write_json
from scenebook.core.run_files import ABSENT, SESSIONS
from scenebook.core.source_code import digest_cell, list_assigned
from scenebook.core.stages import STAGES, Stage, find_needed

SESSION = "scenebook_session"  # in an output's metadata: the session that the notebook was run in


def list_unassigned(shell: Any, variables: Mapping[str, object]) -> set[str]:
    """Returns which variables were there before the first cell, by somebody's start-up file, and no cell sets."""
    nothing = object()
    started = {name for name, value in variables.items() if shell.user_ns_hidden.get(name, nothing) is value}
    return started - list_assigned(shell.history_manager.input_hist_parsed) if started else started


class SessionRecorder:
    """Writes `log/cells-<session>.json` after each cell of a kernel in which a notebook is run by hand."""

    def __init__(self, shell: Any, run_dir: RunDirectory, settings: Mapping[str, Any]) -> None:
        self.session = uuid4().hex[:12]
        self._shell = shell
        self._root = run_dir.root
        self._folder = tempfile.TemporaryDirectory(prefix="touched-")
        self._touched = Path(self._folder.name) / "touched"
        self._known: dict[str, tuple[list[int], str]] = {}
        self._record: dict[str, Any] = {"started": tell_time(), "folder": str(Path.cwd()), "cells": {}}
        self.begin(settings)
        os.environ[TOUCHED] = str(self._touched)
        shell.events.register("post_run_cell", self._note)

    def begin(self, settings: Mapping[str, Any]) -> None:
        """Notes the notebook's parameters, when its first cells are run."""
        self._record |= {"settings": dict(settings), "changed": []}

    def _note(self, result: object) -> None:
        with suppress(OSError):  # the disk is full: then the report says that the notebook has to be run again
            cells = self._record["cells"]
            codes = self._shell.history_manager.input_hist_raw
            for count in range(1, len(codes)):
                cells.setdefault(str(count), {"code": digest_cell(codes[count]), "files": {}})
            cells[str(max(len(codes) - 1, 1))]["files"] |= self._list_files()
            self._record |= {"ended": tell_time(), "changed": self._list_changed()}
            write_json(self._root / SESSIONS.format(self.session), self._record)

    def _list_files(self) -> dict[str, str]:
        """Returns the digests of the run's files that the last cell has asked for, or that have changed since."""
        asked = list_touched(self._touched)
        self._touched.unlink(missing_ok=True)
        found = {}
        for name in sorted(asked | set(self._known)):
            path = self._root / name
            if path.is_dir():
                continue
            facts = list_stamp(path) if path.is_file() else []
            before = self._known.get(name)
            if before is None or before[0] != facts:
                self._known[name] = (facts, sha256_file(path) if facts else ABSENT)
            if name in asked or self._known[name] != before:
                found[name] = self._known[name][1]
        return found

    def _list_changed(self) -> list[str]:
        """Returns the parameters whose variables no longer have the values that the notebook began with."""
        now = self._shell.user_ns
        values = {name: now.get(name) for name in self._record["settings"]}
        plain = {name: value for name, value in values.items() if isinstance(value, (str, int, float, type(None)))}
        return sorted(name for name, value in plain.items() if value != self._record["settings"][name])


def send_loggers_to_the_log() -> None:
    """Keeps what loggers say out of the report: in a notebook, TensorFlow's own handler writes to the output stream."""
    logging.basicConfig(stream=sys.stderr)  # where the root logger has a handler, TensorFlow adds none
    for logger in (logging.root, *logging.root.manager.loggerDict.values()):
        for handler in getattr(logger, "handlers", ()):
            if isinstance(handler, logging.StreamHandler) and handler.stream in (sys.stdout, sys.__stdout__):
                handler.setStream(sys.stderr)


def run_what_is_needed(run_dir: RunDirectory, code: str) -> None:
    """Runs the package's notebooks, with their defaults, whose files a notebook needs that lies outside of any project.

    Within a project nothing is run: the notebooks there may have been edited, and are their reader's to run. A kernel
    is not told which notebook it runs: it is known by the `code` of the cell that is being run.

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
