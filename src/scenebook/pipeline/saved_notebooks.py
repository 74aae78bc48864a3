"""Notebooks as Jupyter saved them: which outputs are those of the code and the files that are there now.

What was run is known from the records that `notebook.recording` writes: a notebook's outputs are taken where one
session ran each of its cells as it stands there now, from top to bottom, and where the files that it read and wrote are
still the same.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

from scenebook.core.project import project_folder
from scenebook.core.provenance import sha256_file
from scenebook.core.run_directory import RunDirectory
from scenebook.core.run_files import ABSENT, SESSIONS
from scenebook.core.source_code import digest_cell
from scenebook.core.stages import STAGES
from scenebook.core.wording import join_names, printable, shorten
from scenebook.notebook.recording import SESSION
from scenebook.pipeline.notebooks import Cell, NotebookFile, is_executed, read_notebook, source_of

_NEEDED = ("data", "training", "evaluation")  # without which there is nothing to report


@dataclass(frozen=True)
class HandRunNotebook:
    """A stage's notebook, as Jupyter saved it.

    Attributes:
        record: Of the session that ran it, checked; empty where it was not run.
        problem: Why its outputs cannot be taken, as a clause; empty where they can, or where there are none.
        has_more: Whether code was run in between that the notebook no longer holds.
    """

    stage: str
    file: NotebookFile
    record: Mapping[str, Any] = field(default_factory=dict)
    problem: str = ""
    has_more: bool = False

    @property
    def name(self) -> str:
        return self.file.path.stem

    @property
    def is_taken(self) -> bool:
        """Whether its outputs can be taken."""
        return bool(self.record) and not self.problem


def check_notebooks(run_dir: RunDirectory, notebooks_dir: Path | None = None) -> list[HandRunNotebook]:
    """Tells of each stage's notebook whether its outputs can be taken; `notebooks_dir` is for tests."""
    folder = notebooks_dir or project_folder("notebooks")
    files = {name: read_notebook(folder / f"{row.notebook}.ipynb") for name, row in STAGES.items()}
    found = [_check_notebook(run_dir, stage, file) for stage, file in files.items()]
    readers: dict[str, str] = {}
    for one in found:
        read = [item for entry in one.record.get("cells", {}).values() for item in entry["files"].items()]
        readers |= {name.split("/")[0]: one.name for name, digest in read if digest != ABSENT}
    for place, one in enumerate(found):
        if not one.record and not one.problem and one.stage in (*_NEEDED, *readers):
            reader = f", and {readers[one.stage]} has read what it wrote" if one.stage in readers else ""
            found[place] = replace(one, problem=f"it was not run as it is saved{reader}")
    return found


def _check_notebook(run_dir: RunDirectory, stage: str, file: NotebookFile) -> HandRunNotebook:
    cells = [(number, cell) for number, cell in enumerate(file.cells, start=1) if is_executed(cell)]
    if all(cell.get("execution_count") is None for _, cell in cells):
        return HandRunNotebook(stage, file)
    outputs = [output for _, cell in cells for output in cell.get("outputs", [])]
    sessions = [session for output in outputs if (session := (output.get("metadata") or {}).get(SESSION))]
    record = _read_record(run_dir, sessions[-1]) if sessions else {}
    problem = _find_unexecuted(cells)
    if not problem and not record:
        problem = 'there is no record of its session: run it once more, with `run = "by-hand"` in its parameters'
    problem = problem or _find_problem(cells, record["cells"])
    if problem:
        return HandRunNotebook(stage, file, record, problem)
    if record["changed"]:
        problem = f"{join_names(record['changed'])} got another value below the parameters cell, where settings stand"
    digests = {digest_cell(source_of(cell)) for _, cell in cells}
    first, last = (cells[place][1]["execution_count"] for place in (0, -1))
    has_more = any(int(count) < last and entry["code"] not in digests for count, entry in record["cells"].items())
    # What was run in between counts too, whether the notebook still holds it or not.
    ran = {count: entry for count, entry in record["cells"].items() if first <= int(count) <= last}
    problem = problem or _find_changed_file(run_dir, stage, cells, ran)
    return HandRunNotebook(stage, file, {**record, "cells": ran}, problem, has_more)


def _find_unexecuted(cells: Sequence[tuple[int, Cell]]) -> str:
    for number, cell in cells:
        if not isinstance(cell.get("execution_count"), int):
            return f"{_name(number, cell)} was not run"
        if any(output.get("output_type") == "error" for output in cell.get("outputs", [])):
            return f"{_name(number, cell)} failed"
    return ""


def _find_problem(cells: Sequence[tuple[int, Cell]], ran: Mapping[str, Mapping[str, Any]]) -> str:
    """Compares the cells with what their session ran, and in which order."""
    above: tuple[int, Cell] | None = None
    for number, cell in cells:
        entry = ran.get(str(cell["execution_count"]))
        if entry is None:
            return f"{_name(number, cell)} was run before the kernel was started anew"
        if entry["code"] != digest_cell(source_of(cell)):
            return f"{_name(number, cell)} was edited after it was run, or the kernel was started anew since"
        if above and cell["execution_count"] <= above[1]["execution_count"]:
            return f"{_name(number, cell)} was run before {_name(*above)}, which stands above it"
        above = number, cell
    return ""


def _find_changed_file(
    run_dir: RunDirectory, stage: str, cells: Sequence[tuple[int, Cell]], ran: Mapping[str, Mapping[str, Any]]
) -> str:
    """Compares the files that a notebook has read, and those that it wrote, with what they are now."""

    @cache
    def digest_now(name: str) -> str:
        path = run_dir.path(name)
        return sha256_file(path) if path.is_file() else ABSENT

    written: dict[str, str] = {}
    names = {str(cell["execution_count"]): _name(number, cell) for number, cell in cells}
    for count, entry in ran.items():
        for name, digest in entry["files"].items():
            producer = name.split("/")[0]
            if producer in (stage, "figures"):
                written[name] = digest
            elif producer in STAGES and digest != digest_now(name):
                reader = names.get(count, "a cell that it no longer holds")
                return f"{reader} was run before {STAGES[producer].notebook} wrote {name} as it is now"
    changed = [name for name, digest in written.items() if digest != digest_now(name)]
    return f"{changed[0]}, which it wrote, is another file now: was it run once more and not saved?" if changed else ""


def _name(number: int, cell: Cell) -> str:
    """Returns which cell is meant: its number, counted over all cells from 1, and its first line of code."""
    lines = [line.strip() for line in source_of(cell).splitlines()]
    code = [line for line in lines if line and not line.startswith(("#", "@"))]
    return f"cell {number} ({printable(shorten((code or lines)[0], 50))})"


def _read_record(run_dir: RunDirectory, session: object) -> dict[str, Any]:
    """Returns the record of a session, with the fields that are needed; empty where there is none."""
    if not re.fullmatch("[0-9a-f]{12}", str(session)):
        return {}
    try:
        record = json.loads(run_dir.path(SESSIONS.format(session)).read_text(encoding="utf-8"))
        cells = {
            str(int(count)): {"code": str(entry["code"]), "files": dict(entry["files"])}
            for count, entry in sorted(record["cells"].items(), key=lambda item: int(item[0]))
        }
        return {
            "cells": cells,
            "settings": dict(record["settings"]),
            "changed": [str(name) for name in record["changed"]],
            "folder": str(record["folder"]),
            "started": str(record["started"]),
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}
