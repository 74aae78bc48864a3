"""What a stage depends on: the key that it is run with."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from scenebook.core.backbones import NAMED_WEIGHTS, find_backbone
from scenebook.core.errors import InputError
from scenebook.core.keys import Key
from scenebook.core.provenance import library_versions, sha256_file, sha256_lines
from scenebook.core.run_directory import project_root
from scenebook.core.settings import Settings
from scenebook.core.source_code import digest_cell, digest_modules
from scenebook.core.stages import STAGES
from scenebook.core.yaml_files import read_yaml
from scenebook.evaluation.claims.loading import claims_path
from scenebook.pipeline.notebooks import PARAMETERS, NotebookFile, source_of, tags_of

STAGES_MODULE = "scenebook.core.stages"
"""Its table counts row by row: a new stage is no reason to run the others again."""
_NO_RESULT = ("less_memory", "bundled")
"""What rows say that no result depends on."""
_ONLY_RENDERING = ("nbconvert", "typst", "jinja2", "pypandoc_binary")


def make_key(stage: str, notebook: NotebookFile, parameters: Mapping[str, Any], settings: Settings) -> Key:
    """Returns a stage's key but for images, inputs and rows, which are known when it has run.

    Args:
        stage: Its name.
        notebook: The stage's notebook.
        parameters: The settings that it reads, by their names.
        settings: All of the run, with absolute paths.
    """
    code = [source_of(cell) for cell in notebook.code_cells if PARAMETERS not in tags_of(cell)]
    modules = digest_modules(code, without=[STAGES_MODULE])
    if "scenebook.network.backbones" in modules:  # which imports the module that the backbone's row names
        modules |= digest_modules([f"import {find_backbone(settings.backbone).builder}"], without=[STAGES_MODULE])
    versions, files = library_versions(), _digest_files(parameters, settings)
    key: Key = {
        # A file that lies elsewhere now is the same file.
        "settings": {name: value for name, value in parameters.items() if name not in files or value is None},
        "cells": {str(number): digest_cell(source) for number, source in enumerate(code, start=1)},
        "modules": modules,
        "versions": {name: version for name, version in versions.items() if name not in _ONLY_RENDERING},
        "files": files,
    }
    if STAGES[stage].reads_repository:
        key["files"]["repository in front-matter.yaml"] = str(read_front_matter().get("repository"))
    return key


def digest_rows(stage: str, inputs: Iterable[str]) -> dict[str, str]:
    """Digests what a stage's results depend on in the table of stages.

    That is its own row, and of the stages whose files it reads, which columns of their tables are text.
    """
    own = {name: value for name, value in asdict(STAGES[stage]).items() if name not in _NO_RESULT}
    others = {STAGES[name] for name in (file.split("/")[0] for file in inputs) if name in STAGES}
    rows = {other.name: repr(other.text_columns) for other in others} | {stage: repr(own)}
    return {name: sha256_lines([row]) for name, row in sorted(rows.items())}


def _digest_files(parameters: Mapping[str, Any], settings: Settings) -> dict[str, str]:
    """Digests what stands outside the run and is named by a setting, or is there when the setting names none."""
    paths = {
        "weights": Path(settings.weights),
        "class_map": Path(settings.class_map) if settings.class_map else None,
        "claims_file": claims_path(settings.claims_file),
        "ablation_plan": Path(settings.ablation_plan or project_root() / "profiles" / "ablations.yaml"),
    }
    if settings.weights in NAMED_WEIGHTS:
        named = find_backbone(settings.backbone).find_weights(settings.weights)
        paths["weights"] = named.find_file() if named else None
    there = {name: path for name, path in paths.items() if path and name in parameters}
    found = {name: sha256_file(path) if path.is_file() else "absent" for name, path in there.items()}
    if settings.samples_dir and "samples_dir" in parameters:
        folder = Path(settings.samples_dir)
        files = sorted(path for path in folder.rglob("[!.]*") if path.is_file())
        found["samples_dir"] = sha256_lines(
            json.dumps([path.relative_to(folder).as_posix(), sha256_file(path)]) for path in files
        )
    return found


def read_front_matter() -> dict[str, Any]:
    """Returns what the report's front matter says; nothing where it cannot be read, which rendering tells.

    Read without what it is checked with, which takes seconds to import.
    """
    try:
        content = read_yaml(project_root() / "report" / "front-matter.yaml", "front matter").content
    except InputError:
        return {}
    return content if isinstance(content, dict) else {}
