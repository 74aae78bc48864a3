"""The code and the versions that two runs were made with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from scenebook.pipeline.compare.changes import ABSENT, Change, list_changes

SECTIONS = ("modules", "cells")
"""Sections of a stage's key that say what code it runs: a digest by module, and by number of the notebook's cell."""


@dataclass(frozen=True)
class CodeChange:
    """Code of a stage that differs.

    Attributes:
        stage: The stage.
        section: One of `SECTIONS`.
        changed: Names of what both runs have, and is another one.
        only_first: Names of what only the first run's stage has.
        only_second: Names of what only the second run's stage has.
    """

    stage: str
    section: str
    changed: list[str]
    only_first: list[str]
    only_second: list[str]


@dataclass(frozen=True)
class CodeDiff:
    """What two runs were made with.

    Attributes:
        made_with: Commit, scenebook's version, the libraries' versions and the machine, where they differ.
        stages: The modules and cells that differ, by stage.
        unknown: Stages of which at least one run does not say what code it ran: an older version made it, or the stage
            was not run.
    """

    made_with: list[Change] = field(default_factory=list)
    stages: list[CodeChange] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)


def diff_code(first: Mapping[str, Any], second: Mapping[str, Any]) -> CodeDiff:
    """Compares two manifests, as `read_manifest` returns them."""
    names = [*first["stages"], *(name for name in second["stages"] if name not in first["stages"])]
    stages: list[CodeChange] = []
    unknown = []
    for stage in names:
        sections = [_list_digests(manifest["stages"].get(stage, {})) for manifest in (first, second)]
        if not all(sections):
            unknown.append(stage)
            continue
        for section in SECTIONS:
            changes = list_changes(*(digests.get(section, {}) for digests in sections))
            if changes:
                stages.append(_sort_changes(stage, section, changes))
    return CodeDiff(list_changes(_made_with(first), _made_with(second)), stages, unknown)


def list_machine(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Returns what a manifest says of the machine and of the versions of libraries, by name."""
    parts = [manifest.get(part) for part in ("machine", "versions")]
    return {name: value for part in parts if isinstance(part, dict) for name, value in part.items()}


def _made_with(manifest: Mapping[str, Any]) -> dict[str, Any]:
    of_code = {name: manifest[name] for name in ("commit", "scenebook", "profile") if name in manifest}
    return of_code | list_machine(manifest)


def _list_digests(stage: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Returns the sections of a stage's key that hold digests of code; nothing where there is no key."""
    key = stage.get("key")
    if not isinstance(key, dict):
        return {}
    return {section: key[section] for section in SECTIONS if isinstance(key.get(section), dict)}


def _sort_changes(stage: str, section: str, changes: list[Change]) -> CodeChange:
    return CodeChange(
        stage,
        section,
        changed=[change.name for change in changes if ABSENT not in (change.first, change.second)],
        only_first=[change.name for change in changes if change.second == ABSENT],
        only_second=[change.name for change in changes if change.first == ABSENT],
    )
