"""What a stage and the report depend on: the keys that they are made with."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from scenebook.core.backbones import NAMED_WEIGHTS, find_backbone
from scenebook.core.errors import InputError
from scenebook.core.keys import Key, list_changes
from scenebook.core.project import project_folder
from scenebook.core.provenance import library_versions, sha256_file, sha256_lines
from scenebook.core.run_directory import RunDirectory, write_json
from scenebook.core.run_files import DEFAULT_FORMATS, MANIFEST, REPORT_FORMATS
from scenebook.core.settings import AUTO, Settings
from scenebook.core.source_code import digest_cell, digest_modules
from scenebook.core.stages import STAGES, find_producer
from scenebook.core.yaml_files import read_yaml
from scenebook.data.files import Tree
from scenebook.evaluation.claims.loading import claims_path
from scenebook.pipeline.manifest import load_manifest
from scenebook.pipeline.notebooks import PARAMETERS, NotebookFile, source_of, tags_of

_TABLES = ("scenebook.core.settings", "scenebook.core.stages")
"""Their rows count one by one: a new setting or a new stage is no reason to run the others again."""
_NO_RESULT = ("needs", "on_all_cores", "less_memory", "bundled", "elsewhere")
"""What rows say that no result depends on."""
_NOTE = ".rendered.json"
_ONLY_RENDERING = ("nbconvert", "typst", "jinja2", "pypandoc_binary")


def make_stage_key(stage: str, notebook: NotebookFile, parameters: Mapping[str, Any], settings: Settings) -> Key:
    """Returns a stage's key, from the settings that it reads, but for what is known only when it has run."""
    code = [source_of(cell) for cell in notebook.code_cells if PARAMETERS not in tags_of(cell)]
    modules = digest_modules(code, without=_TABLES)
    if "scenebook.network.backbones" in modules:  # which imports the module that the backbone's row names
        modules |= digest_modules([f"import {find_backbone(settings.backbone).builder}"], without=_TABLES)
    versions, files = library_versions(settings.frozen_layers_runtime), _digest_files(parameters, settings)
    # The data stage reads the backbone for the images' size alone.
    unused = "backbone" if stage == "data" and settings.image_size != AUTO else ""
    key: Key = {
        # A file that lies elsewhere now is the same file.
        "settings": {
            name: value for name, value in parameters.items() if (name not in files or value is None) and name != unused
        },
        "cells": {str(number): digest_cell(source) for number, source in enumerate(code, start=1)},
        "modules": modules,
        "versions": {name: version for name, version in versions.items() if name not in _ONLY_RENDERING},
        "files": files,
    }
    key["files"] |= _digest_own_modules(notebook.path.parent, code)
    if STAGES[stage].reads_repository:
        key["files"]["repository in front-matter.yaml"] = str(read_front_matter().get("repository"))
    return key


def digest_rows(stage: str, inputs: Iterable[str]) -> dict[str, str]:
    """Digests what a stage's results depend on in the table of stages.

    That is its own row, and of the stages whose files it reads, which columns of their tables are text.
    """
    own = {name: value for name, value in asdict(STAGES[stage]).items() if name not in _NO_RESULT}
    others = [producer for producer in map(find_producer, inputs) if producer]
    rows = {other.name: repr(other.text_columns) for other in others} | {stage: repr(own)}
    return {name: sha256_lines([row]) for name, row in sorted(rows.items())}


def _digest_files(parameters: Mapping[str, Any], settings: Settings) -> dict[str, str]:
    """Digests what stands outside the run and is named by a setting, or is there when the setting names none."""
    paths = {
        "weights": Path(settings.weights),
        "class_map": Path(settings.class_map) if settings.class_map else None,
        "claims_file": claims_path(settings.claims_file),
        "ablation_plan": Path(settings.ablation_plan or project_folder("profiles") / "ablations.yaml"),
    }
    if settings.weights in NAMED_WEIGHTS:
        named = find_backbone(settings.backbone).find_weights(settings.weights)
        paths["weights"] = named.find_file() if named else None
    there = {name: path for name, path in paths.items() if path and name in parameters}
    found = {name: sha256_file(path) if path.is_file() else "absent" for name, path in there.items()}
    if settings.samples_dir and "samples_dir" in parameters:
        tree = Tree(Path(settings.samples_dir), follow_links=settings.follow_links)
        images = (path for folder in tree.list_folders("") for path, _ in tree.walk(folder))
        found["samples_dir"] = sha256_lines(json.dumps([path, sha256_file(tree.root / path)]) for path in images)
    return found


def _digest_own_modules(folder: Path, code: Sequence[str]) -> dict[str, str]:
    """Digests the modules in a notebook's folder that its code names, or that one of these names."""
    waiting = {path.stem: path for path in folder.glob("*.py")}
    waiting |= {path.parent.name: path.parent for path in folder.glob("*/*.py")}
    found: dict[str, str] = {}
    texts = list(code)
    while named := [name for name in waiting if any(re.search(rf"\b{re.escape(name)}\b", text) for text in texts)]:
        paths = [waiting.pop(name) for name in named]
        files = [file for path in paths for file in (sorted(path.rglob("*.py")) if path.is_dir() else [path])]
        found |= {file.relative_to(folder).as_posix(): sha256_file(file) for file in files}
        texts = [file.read_text(encoding="utf-8", errors="replace") for file in files]
    return found


def read_front_matter() -> dict[str, Any]:
    """Returns what the report's front matter says; nothing where it cannot be read, which rendering tells.

    Read without what it is checked with, which takes seconds to import.
    """
    try:
        content = read_yaml(project_folder("report") / "front-matter.yaml", "front matter").content
    except InputError:
        return {}
    return content if isinstance(content, dict) else {}


def make_report_key(run_dir: RunDirectory) -> dict[str, dict[str, Any]]:
    """Returns what a report depends on: the run, and everything in `report/` and the package that renders it."""
    folder = project_folder("report")
    files = [path for path in sorted(folder.rglob("[!.]*")) if folder / "build" not in path.parents]
    # The bibliography may lie anywhere; the page compares the run's settings with those of the profile.
    files.append(folder / str(read_front_matter().get("bibliography")))
    files.append(project_folder("profiles") / f"{load_manifest(run_dir).get('profile')}.yaml")
    names = {path: path.relative_to(folder).as_posix() if path.is_relative_to(folder) else path.name for path in files}
    modules = digest_modules(["import scenebook.cli.making"])
    return {
        "inputs": {MANIFEST: sha256_file(run_dir.require(MANIFEST))},
        "files": {name: sha256_file(path) for path, name in names.items() if path.is_file()},
        "modules": {"scenebook.rendering": sha256_lines(modules.values())},
        "versions": library_versions(AUTO),
    }


def find_report_changes(run_dir: RunDirectory, build_dir: Path, formats: Sequence[str] = DEFAULT_FORMATS) -> list[str]:
    """Returns why a report would be another one if it were rendered now; nothing: it is what it should be."""
    note = build_dir / _NOTE
    try:
        told = json.loads(note.read_text(encoding="utf-8"))
        old, outputs = told["key"], told["outputs"]
    except (OSError, ValueError, KeyError, TypeError):
        return ["not rendered yet"]
    files = list_report_files(build_dir, REPORT_FORMATS)
    changed = [path.name for path in files if outputs.get(path.name) != _digest_output(path)]
    changed += [f"report.{name}" for name in formats if not outputs.get(f"report.{name}")]
    damaged = [f"{name}: missing or changed" for name in dict.fromkeys(changed)]
    return list_changes(old, make_report_key(run_dir)) + damaged


def note_report(build_dir: Path, key: dict[str, dict[str, Any]]) -> None:
    """Notes what a report in a folder was made from: `make_report_key` from before it was rendered."""
    outputs = {path.name: _digest_output(path) for path in list_report_files(build_dir, REPORT_FORMATS)}
    write_json(build_dir / _NOTE, {"key": key, "outputs": outputs})


def list_report_files(build_dir: Path, formats: Sequence[str]) -> list[Path]:
    """Returns the files of a report, whether they are there or not."""
    return [build_dir / f"report.{name}" for name in formats]


def _digest_output(path: Path) -> str | None:
    return sha256_file(path) if path.is_file() else None
