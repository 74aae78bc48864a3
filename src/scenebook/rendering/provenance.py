"""Where the results of a run come from, read from the run itself: commit, settings, digest of the data, times."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scenebook.core.errors import ScenebookError
from scenebook.core.project import project_folder
from scenebook.core.provenance import changed_settings, without_folders
from scenebook.core.published_cells import list_edits
from scenebook.core.run_files import MANIFEST, SETTINGS
from scenebook.core.sentences import clean_text
from scenebook.core.wording import as_typed, join_names
from scenebook.core.yaml_files import read_yaml

SHOWN_DIGITS = 12  # of a digest or a commit, where it only tells one from another


@dataclass(frozen=True)
class Provenance:
    """What is known of a run. What is not is empty, and is not shown.

    Args:
        changed: The settings that differ from the profile that it started from; `None` where that is not at hand.
        digest: SHA-256 over the list of images, their splits and digests.
        commit: Of the code, with `-dirty` where files had been changed.
        edited: By notebook, the cells that differ from the published one's; `seconds` is what its stage took.
    """

    run: str = ""
    profile: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    changed: Mapping[str, Any] | None = None
    digest: str = ""
    commit: str = ""
    made: str = ""
    versions: Mapping[str, Any] = field(default_factory=dict)
    machine: Mapping[str, Any] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)
    edited: Mapping[str, str] = field(default_factory=dict)

    def of_report(self) -> dict[str, str]:
        """Returns what the foot of the page says, name to value."""
        return _known(
            {
                "run": self.run,
                "profile": self.profile,
                "made": self.made,
                "code commit": self.commit,
                "data digest": self.digest,
                "cells that differ from the published notebooks": _listed(self.edited, ": "),
                "machine": _listed(self.machine),
                "seconds a notebook": _listed({name: f"{seconds:.0f}" for name, seconds in self.seconds.items()}),
                "versions": _listed(self.versions),
                "settings": _listed(without_folders(self.settings)),
            }
        )

    def of_result(self, notebook: str) -> dict[str, str]:
        """Returns what the box at a figure or table says of the notebook that made it, name to value."""
        seconds = self.seconds.get(notebook)
        changes = f"unknown: the profile {self.profile} is not at hand" if self.profile else ""
        if self.changed is not None:
            listed = _listed(without_folders(self.changed), " = ")
            changes = listed or f"none, all as in the profile {self.profile}"
        commit, dash, dirty = self.commit.partition("-")
        return _known(
            {
                "settings changed": changes,
                "data digest": self.digest[:SHOWN_DIGITS],
                "code commit": commit[:SHOWN_DIGITS] + dash + dirty,
                "time": f"{seconds:.0f} s for the whole notebook" if seconds is not None else "",
            }
        )


def read_provenance(run_dir: Path) -> Provenance:
    """Reads what a run's folder tells; for a notebook that is rendered alone, that is whatever folder its own lies in.

    Files that are missing or unreadable leave their part empty.
    """
    manifest = _read(run_dir / MANIFEST)
    settings = _read(run_dir / SETTINGS)
    stages = [stage for stage in _mapping(manifest, "stages").values() if isinstance(stage, dict)]
    profile = str(manifest.get("profile", ""))
    return Provenance(
        run=run_dir.name if manifest else "",
        profile=profile,
        settings=settings,
        changed=_find_changes(settings, profile),
        digest=str(_read(run_dir / "data" / "classes.json").get("digest", "")),
        commit=str(manifest.get("commit", "")),
        made=str(manifest.get("started", "")),
        versions=_mapping(manifest, "versions"),
        machine=_mapping(manifest, "machine"),
        edited={
            file.stem: join_names(edits)
            for file in sorted((run_dir / "notebooks").glob("*.ipynb"))
            if (edits := list_edits(file))
        },
        seconds={
            Path(str(stage.get("notebook"))).stem: float(stage["seconds"])
            for stage in stages
            if isinstance(stage.get("seconds"), (int, float))
        },
    )


def _find_changes(settings: Mapping[str, Any], profile: str) -> dict[str, Any] | None:
    """Compares a run's settings with its profile as it is now; `None` where that cannot be had."""
    path = project_folder("profiles") / f"{profile}.yaml"
    if not settings or Path(profile).name != profile or not path.is_file():
        return None
    try:
        return changed_settings(settings, path)
    except ScenebookError:
        return None


def _read(path: Path) -> dict[str, Any]:
    try:
        is_json = path.suffix == ".json"
        content = json.loads(path.read_bytes()) if is_json else read_yaml(path, "file of settings").content
    except (OSError, ValueError, ScenebookError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _mapping(content: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = content.get(name)
    return value if isinstance(value, dict) else {}


def _known(values: Mapping[str, str]) -> dict[str, str]:
    return {name: clean_text(value) for name, value in values.items() if value}


def _listed(values: Mapping[str, Any], sign: str = " ") -> str:
    return ", ".join(f"{name}{sign}{as_typed(value)}" for name, value in values.items())
