"""What was run in a kernel by hand: which code, in which order, with which settings, and from which files."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

from scenebook.core.provenance import sha256_file, tell_time
from scenebook.core.run_directory import TOUCHED, RunDirectory, list_touched, write_json
from scenebook.core.run_files import ABSENT, SESSIONS
from scenebook.core.source_code import digest_cell, list_assigned

SESSION = "scenebook_session"
"""In an output's metadata: the session that the notebook was run in."""


def list_unassigned(shell: Any, variables: Mapping[str, object]) -> set[str]:
    """Returns which variables were there before the first cell, by somebody's start-up file, and no cell sets."""
    nothing = object()
    started = {name for name, value in variables.items() if shell.user_ns_hidden.get(name, nothing) is value}
    return started - list_assigned(shell.history_manager.input_hist_parsed) if started else started


class SessionRecorder:
    """Writes `log/cells-<session>.json` after each cell of a kernel in which a notebook is run by hand.

    Args:
        shell: IPython's shell.
        run_dir: The run.
        settings: The notebook's parameters.
    """

    def __init__(self, shell: Any, run_dir: RunDirectory, settings: Mapping[str, Any]) -> None:
        self.session = uuid4().hex[:12]
        self._shell = shell
        self._root = run_dir.root
        self._folder = TemporaryDirectory(prefix="touched-")
        self._touched = Path(self._folder.name) / "touched"
        self._known: dict[str, tuple[tuple[int, int], str]] = {}
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
            facts = (path.stat().st_size, path.stat().st_mtime_ns) if path.is_file() else (0, 0)
            before = self._known.get(name)
            if before is None or before[0] != facts:
                self._known[name] = (facts, sha256_file(path) if any(facts) else ABSENT)
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
