"""Whether a report is still what its run would be rendered to."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from scenebook.core.keys import list_changes
from scenebook.core.provenance import library_versions, sha256_file, sha256_lines
from scenebook.core.run_directory import RunDirectory, project_root, write_json
from scenebook.core.run_files import MANIFEST
from scenebook.core.source_code import digest_modules
from scenebook.pipeline.manifest import load_manifest
from scenebook.pipeline.stage_keys import read_front_matter

_NOTE = ".rendered.json"
REPORT_FILES = ("report.html", "report.pdf")


def make_report_key(run_dir: RunDirectory) -> dict[str, dict[str, Any]]:
    """Returns what a report depends on: the run, and everything in `report/` and the package that renders it."""
    folder = project_root() / "report"
    files = [path for path in sorted(folder.rglob("[!.]*")) if folder / "build" not in path.parents]
    # The bibliography may lie anywhere; the page compares the run's settings with those of the profile.
    files.append(folder / str(read_front_matter().get("bibliography")))
    files.append(project_root() / "profiles" / f"{load_manifest(run_dir).get('profile')}.yaml")
    names = {path: path.relative_to(folder).as_posix() if path.is_relative_to(folder) else path.name for path in files}
    modules = digest_modules(["import scenebook.cli.making"])
    return {
        "inputs": {MANIFEST: sha256_file(run_dir.require(MANIFEST))},
        "files": {name: sha256_file(path) for path, name in names.items() if path.is_file()},
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


def note_report(build_dir: Path, key: dict[str, dict[str, Any]]) -> None:
    """Notes what the report that was just rendered was made from.

    Args:
        build_dir: Where it lies.
        key: From `make_report_key`, before it was rendered: what it depends on may be edited meanwhile.
    """
    outputs = {name: _digest(build_dir / name) for name in REPORT_FILES}
    write_json(build_dir / _NOTE, {"key": key, "outputs": outputs})


def _digest(path: Path) -> str | None:
    return sha256_file(path) if path.is_file() else None
