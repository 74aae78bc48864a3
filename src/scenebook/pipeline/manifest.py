"""`manifest.json`: what a run holds, and what became of its stages."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from typing import Any

import scenebook
from scenebook.core.errors import InputError
from scenebook.core.keys import Key
from scenebook.core.project import project_root
from scenebook.core.provenance import git_commit, library_versions, list_stamp, machine, sha256_file, tell_time
from scenebook.core.run_directory import RunDirectory
from scenebook.core.run_files import MANIFEST
from scenebook.core.stages import KEPT, STAGES

MANIFEST_FORMAT = 3
"""Which runs can be gone on with: what a format changes, code of an earlier one cannot read, or wrote otherwise."""


class StageStatus(StrEnum):
    """What became of a stage; `running` is also what a killed command leaves behind.

    A stale stage is done, but from what is no longer what the run holds. That follows from the keys, and is never
    written down.
    """

    DONE = "done"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    NOT_RUN = "not run"
    RUNNING = "running"
    STALE = "stale"


@dataclass(frozen=True)
class StageOutcome:
    """What became of a stage.

    Attributes:
        name: The stage.
        notebook: Its notebook's file name.
        status: A `StageStatus`, or what another version wrote.
        reason: Why it ran; of one that failed, why it did.
        cpu_seconds: How long processors have worked for it, all cores together.
        memory_mb: The peak of its processes' resident memory together.
        started: When it started, in UTC.
        key: What it was made from; empty unless it is done.
        source: SHA-256 of the notebook as it was written, prose included.
        note: Of a stale stage: what is different now.
    """

    name: str
    notebook: str
    status: str
    reason: str
    seconds: float | None = None
    cpu_seconds: float | None = None
    memory_mb: float | None = None
    started: str = ""
    key: Key = field(default_factory=dict)
    source: str = ""
    note: str = ""


class Manifest:
    """`manifest.json`: every file of a run with its digest, size and stage; every stage with its outcome.

    An earlier manifest's files and stages stay listed until the stages run again.
    """

    def __init__(self, run_dir: RunDirectory, profile: str) -> None:
        self.run_dir = run_dir
        self.profile = profile
        self.content = load_manifest(run_dir) or {"format": MANIFEST_FORMAT, "stages": {}, "files": {}}
        if self.content["format"] < MANIFEST_FORMAT:
            # Each stage of a run of an older version has to run again.
            for entry in self.content["stages"].values():
                entry["key"] = {}

    def begin(self) -> None:
        """Notes who writes this run from now on: commit, versions, machine and time."""
        self.content = {
            "format": MANIFEST_FORMAT,
            "scenebook": scenebook.__version__,
            "profile": self.profile,
            "started": tell_time(),
            "commit": git_commit(project_root()),
            "versions": library_versions(),
            "machine": machine(),
            "stages": self.content["stages"],
            "files": self.content["files"],
        }
        for stage in STAGES.values():
            notebook, reason = f"{stage.notebook}.ipynb", "a stage before it did not end"
            unknown = StageOutcome(stage.name, notebook, StageStatus.NOT_RUN, reason)
            self.content["stages"].setdefault(stage.name, _as_entry(unknown))

    def snapshot(self) -> dict[str, list[int]]:
        """Returns size and times of every file in the run."""
        root = self.run_dir.root
        return {
            path.relative_to(root).as_posix(): list_stamp(path)
            for path in root.rglob("*")
            if path.is_file() and path.name != MANIFEST and not path.name.startswith(".")
        }

    def collect(
        self, stage: str, before: Mapping[str, list[int]], touched: Collection[str] = (), *, whole: bool = True
    ) -> None:
        """Registers what a stage wrote; not what somebody else, or a stage beside it, put into the run meanwhile.

        Args:
            before: The snapshot from before it ran.
            touched: Files that it has asked for: of these it may have written some outside its own folder.
            whole: Whether it ended as it should: then what it wrote in an earlier run, but not now, is removed.
        """
        after = self.snapshot()
        own = (f"{stage}/", f"notebooks/{STAGES[stage].notebook}.ipynb", f"log/{stage}.txt")
        others = {name for row in STAGES.values() if row.name != stage for name in row.elsewhere}
        changed = [name for name, facts in after.items() if before.get(name) != facts]
        written = [name for name in changed if name in touched or (name.startswith(own) and name not in others)]
        for name in written:
            self.register(name, stage)
        files = self.content["files"]
        for name, entry in files.items():
            if whole and entry["stage"] == stage and name not in written and not name.startswith(KEPT):
                self.run_dir.path(name).unlink(missing_ok=True)
                after.pop(name, None)
        self.content["files"] = {name: files[name] for name in files if name in after}

    def register(self, name: str, stage: str) -> None:
        """Notes digest, size and times of a file, and the stage that wrote it."""
        size, modified, changed = list_stamp(self.run_dir.path(name))
        self.content["files"][name] = {
            "sha256": sha256_file(self.run_dir.path(name)),
            "bytes": size,
            "modified": modified,
            "changed": changed,
            "stage": stage,
        }

    def record(self, outcome: StageOutcome) -> None:
        """Notes a stage's outcome, and writes the manifest."""
        self.content["stages"][outcome.name] = _as_entry(outcome)
        self.write()

    def write(self) -> None:
        stages = self.content["stages"]
        self.content["stages"] = {stage: stages[stage] for stage in STAGES if stage in stages}
        self.content["files"] = dict(sorted(self.content["files"].items()))
        self.run_dir.write_json(MANIFEST, self.content)

    def producer_of(self, name: str) -> str:
        """Returns the stage that wrote a file of the run; empty where none did."""
        return str(self.content["files"].get(name, {}).get("stage", ""))

    def digest_of(self, name: str) -> str | None:
        """Returns the SHA-256 of a file as it is now; one whose size and times are the noted ones is not read."""
        path, entry = self.run_dir.path(name), self.content["files"].get(name, {})
        if not path.is_file():
            return None
        if list_stamp(path) == [entry.get(name) for name in ("bytes", "modified", "changed")]:
            return str(entry["sha256"])
        return sha256_file(path)

    def list_damaged(self, stage: str) -> list[str]:
        """Returns the files of a stage that are not what it wrote, and what is wrong. Nobody misses a log."""
        entries = self.content["files"].items()
        own = {name: entry for name, entry in entries if entry["stage"] == stage and not name.startswith("log/")}
        digests = {name: self.digest_of(name) for name in own}
        return [
            f"{name}: {'missing' if digests[name] is None else 'changed since it was written'}"
            for name, entry in own.items()
            if digests[name] != entry["sha256"]
        ]


def load_manifest(run_dir: RunDirectory) -> dict[str, Any]:
    """Returns the manifest of a run, empty where there is none, or raises `InputError` where it cannot be used."""
    path = run_dir.path(MANIFEST)
    if not path.is_file():
        return {}
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        manifest = None
    received = {"manifest": str(path)}
    if not _is_manifest(manifest):
        advice = "Delete it, or choose another RUN."
        raise InputError("Expected a manifest as scenebook writes it.", received=received, advice=advice)
    if manifest["format"] > MANIFEST_FORMAT:
        advice = "Update scenebook, or choose another RUN."
        raise InputError("Expected a manifest of this version or an older one.", received=received, advice=advice)
    for entry in manifest["stages"].values():
        for name in set(entry) - _FIELDS:
            del entry[name]
    return dict(manifest)


def load_started(run_dir: RunDirectory) -> dict[str, Any]:
    """Returns the manifest of a run as `load_manifest` does, or raises `InputError` where there is no such run."""
    manifest = load_manifest(run_dir)
    if not manifest.get("stages"):
        raise InputError(
            "Expected a run that was started before.",
            received={"run": run_dir.name},
            advice="`python -m scenebook report` makes one.",
        )
    return manifest


def check_version(run_dir: RunDirectory) -> None:
    """Raises `InputError` where an older version of scenebook made a run: its files are not what this one reads."""
    manifest = load_manifest(run_dir)
    if manifest.get("format", MANIFEST_FORMAT) < MANIFEST_FORMAT:
        raise InputError(
            "Expected a run that was made by this version of scenebook.",
            received={
                "run": run_dir.name,
                "made by": f"scenebook {manifest.get('scenebook', 'of an older version')}",
                "format of its manifest": manifest["format"],
            },
            advice="`make report` with this RUN, and the PROFILE or DATA that it was made from, makes it again: every "
            f"stage is run. Its commit ({manifest.get('commit', 'unknown')}) still reads it as it is.",
        )


def _as_entry(outcome: StageOutcome) -> dict[str, Any]:
    return {name: value for name, value in asdict(outcome).items() if name in _FIELDS}


_FIELDS = {field.name for field in fields(StageOutcome)} - {"name", "note"}
"""What an entry of `stages` holds."""


_TEXTS = {"stages": ("notebook", "status", "reason", "started", "source"), "files": ("sha256", "stage")}
"""Values of entries that are texts."""


def _is_manifest(content: Any) -> bool:
    """Tells whether JSON has the shape of a manifest: a run may be a stranger's."""
    if not isinstance(content, dict) or not isinstance(content.get("format"), int):
        return False
    for part, names in _TEXTS.items():
        entries = content.setdefault(part, {})
        if not isinstance(entries, dict) or not all(_has_texts(entry, names) for entry in entries.values()):
            return False
    keys = [entry.setdefault("key", {}) for entry in content["stages"].values()]
    return all(isinstance(key, dict) and all(isinstance(part, dict) for part in key.values()) for key in keys)


def _has_texts(entry: Any, names: Sequence[str]) -> bool:
    """Tells whether an entry is a mapping whose values of these names are texts; one that is missing becomes empty."""
    return isinstance(entry, dict) and all(isinstance(entry.setdefault(name, ""), str) for name in names)
