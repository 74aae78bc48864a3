"""Whether a report is still what its run would be rendered to."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from scenebook.artifacts import MANIFEST, RunDirectory, project_root, write_json
from scenebook.keys import list_changes
from scenebook.provenance import library_versions, sha256_file, sha256_lines
from scenebook.sourcecode import digest_modules

_NOTE = ".rendered.json"
REPORT_FILES = ("report.html", "report.pdf")


def make_report_key(run_dir: RunDirectory) -> dict[str, dict[str, Any]]:
    """Returns what a report depends on: the run, and everything in `report/` and the package that renders it."""
    folder = project_root() / "report"
    files = sorted(path for path in folder.rglob("*") if path.is_file() and folder / "build" not in path.parents)
    modules = digest_modules(["import scenebook.rendering.report"])
    return {
        "inputs": {MANIFEST: sha256_file(run_dir.require(MANIFEST))},
        "files": {path.relative_to(folder).as_posix(): sha256_file(path) for path in files},
        "modules": {"scenebook.rendering": sha256_lines(modules.values())},
        "versions": library_versions(),
    }


def find_report_changes(run_dir: RunDirectory, build_dir: Path) -> list[str]:
    """Returns why a report would be another one if it were rendered now; nothing: it is what it should be."""
    note = build_dir / _NOTE
    try:
        told = json.loads(note.read_text(encoding="utf-8"))
        old, outputs = told["key"], told["outputs"]
    except (OSError, ValueError, KeyError, TypeError):
        return ["not rendered yet"]
    changed = [name for name in REPORT_FILES if outputs.get(name) != _digest(build_dir / name)]
    return list_changes(old, make_report_key(run_dir)) + [f"{name}: missing or changed" for name in changed]


def note_report(run_dir: RunDirectory, build_dir: Path) -> None:
    """Notes what the report that was just rendered was made from."""
    outputs = {name: _digest(build_dir / name) for name in REPORT_FILES}
    write_json(build_dir / _NOTE, {"key": make_report_key(run_dir), "outputs": outputs})


def _digest(path: Path) -> str | None:
    return sha256_file(path) if path.is_file() else None
