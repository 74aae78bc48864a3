"""`manifest.json`: what a run holds, and what became of its stages."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import scenebook
from scenebook.artifacts import KEPT, MANIFEST, RunDirectory, project_root
from scenebook.errors import InputError
from scenebook.provenance import git_commit, library_versions, machine, sha256_file

MANIFEST_FORMAT = 1


@dataclass(frozen=True)
class StageOutcome:
    """What became of a stage: `done`, `failed` or `not run`, why it ran, how long it took, its peak memory."""

    name: str
    notebook: str
    status: str
    reason: str
    seconds: float | None = None
    memory_mb: float | None = None


class Manifest:
    """`manifest.json`: every file of a run with its digest, size and stage; every stage with its outcome.

    Args:
        run_dir: The run. An earlier manifest's files stay listed until the stage that made them runs again.
        profile: The profile's name.
    """

    def __init__(self, run_dir: RunDirectory, profile: str) -> None:
        self.run_dir = run_dir
        earlier = load_manifest(run_dir)
        self.content: dict[str, Any] = {
            "format": MANIFEST_FORMAT,
            "scenebook": scenebook.__version__,
            "profile": profile,
            "started": datetime.now(UTC).isoformat(timespec="seconds"),
            "commit": git_commit(project_root()),
            "versions": library_versions(),
            "machine": machine(),
            "stages": {},
            "files": earlier.get("files", {}),
        }

    def snapshot(self) -> dict[str, tuple[int, int]]:
        """Returns size and modification time of every file in the run."""
        root = self.run_dir.root
        return {
            path.relative_to(root).as_posix(): (path.stat().st_size, path.stat().st_mtime_ns)
            for path in root.rglob("*")
            if path.is_file() and path.name != MANIFEST and not path.name.startswith(".")
        }

    def collect(self, stage: str, before: Mapping[str, tuple[int, int]]) -> None:
        """Registers what a stage wrote, and forgets and removes what it wrote in an earlier run but not now."""
        after = self.snapshot()
        written = [name for name, facts in after.items() if before.get(name) != facts]
        files = self.content["files"]
        for name in written:
            files[name] = {
                "sha256": sha256_file(self.run_dir.path(name)),
                "bytes": after[name][0],
                "stage": stage,
            }
        earlier = [name for name, entry in files.items() if entry["stage"] == stage and not name.startswith(KEPT)]
        for name in [name for name in earlier if name not in written]:
            self.run_dir.path(name).unlink(missing_ok=True)
            del files[name]
        for name in [name for name in files if name not in after]:
            files.pop(name, None)

    def record(self, outcome: StageOutcome) -> None:
        """Adds a stage's outcome and writes the manifest."""
        entry = asdict(outcome)
        self.content["stages"][entry.pop("name")] = entry
        self.content["files"] = dict(sorted(self.content["files"].items()))
        self.run_dir.write_json(MANIFEST, self.content)


def load_manifest(run_dir: RunDirectory) -> dict[str, Any]:
    """Returns the manifest of a run, or an empty one where there is none.

    Raises:
        InputError: It cannot be read, or a newer version of scenebook wrote it.
    """
    path = run_dir.path(MANIFEST)
    if not path.is_file():
        return {}
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(
            "Expected a manifest in JSON.", received={"manifest": str(path)}, advice=f"{error}. Choose another RUN."
        ) from None
    if not isinstance(manifest, dict) or manifest.get("format", 0) > MANIFEST_FORMAT:
        raise InputError(
            "Expected a manifest of this version of scenebook, or of an older one.",
            received={"manifest": str(path)},
            advice="Update scenebook, or choose another RUN.",
        )
    return manifest


def stored_outcomes(run_dir: RunDirectory) -> list[StageOutcome]:
    """Returns the outcomes that a run's manifest holds.

    Raises:
        InputError: There is no such run.
    """
    stages = load_manifest(run_dir).get("stages")
    if not stages:
        raise InputError(
            "Expected a run that was started before.",
            received={"run": run_dir.name},
            advice="`python -m scenebook report` makes one.",
        )
    return [StageOutcome(name=name, **entry) for name, entry in stages.items()]
