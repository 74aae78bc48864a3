"""Checks a run: are its files those that were written, and does this checkout give the same results again?"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scenebook.core.errors import InputError, StageError
from scenebook.core.profiles import read_settings
from scenebook.core.provenance import library_versions, machine, sha256_file
from scenebook.core.run_directory import RunDirectory, check_run_name
from scenebook.core.run_files import MANIFEST, OF_COMMANDS
from scenebook.core.settings import Settings
from scenebook.pipeline.compare.differ import Change, list_differing
from scenebook.pipeline.compare.read import check_settings, list_machine, read_manifest
from scenebook.pipeline.compare.tolerances import EQUAL, WITHIN, ResultRow, compare_results, list_evaluated
from scenebook.pipeline.manifest import check_version
from scenebook.pipeline.running import Listener, run_pipeline

_EXCEPTED = (MANIFEST, *OF_COMMANDS)
"""What is not in the manifest: `predict` and `export` write to these folders, and are no stages."""
_NOT_REPEATED = {"ablations": "none", "ablation_plan": None}


def check_files(run_dir: RunDirectory) -> dict[str, str]:
    """Returns what is wrong with a run's files, as a clause each, by path, sorted. Every byte is read.

    Each file of the manifest must be there with its SHA-256, and each file that is there must be in the manifest. Of
    the latter, hidden ones and those of `OF_COMMANDS` are excepted, and the manifest itself.
    """
    listed = read_manifest(run_dir)["files"]
    problems = {path: _check_listed(run_dir.root, path, entry) for path, entry in listed.items()}
    problems |= {path: "is not in the manifest" for path in _list_files(run_dir.root) if path not in listed}
    return {path: problem for path, problem in sorted(problems.items()) if problem}


def _check_listed(root: Path, relative: str, entry: Mapping[str, Any]) -> str:
    """Returns what is wrong with a file, or nothing. What lies outside the run is never opened."""
    try:
        path = (root / relative).resolve()
        if not path.is_relative_to(root.resolve()):
            return "leads out of the run"
        there = path.is_file()
    except (OSError, ValueError, RuntimeError):  # a name that no file can have, or links in a circle
        there = False
    if not there:
        return "is missing"
    try:
        digest = sha256_file(path)
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    return "" if digest == entry.get("sha256") else "is not the file that was written: its SHA-256 differs"


def _list_files(root: Path) -> Iterator[str]:
    """Yields every file of a run that a manifest has to list, and links to folders, which are not followed."""
    for folder, folders, files in os.walk(root):
        place = Path(folder).relative_to(root)
        folders[:] = [name for name in folders if not _is_excepted(place / name)]
        links = [name for name in folders if (Path(folder) / name).is_symlink()]
        yield from ((place / name).as_posix() for name in (*files, *links) if not _is_excepted(place / name))


def _is_excepted(path: Path) -> bool:
    return path.name.startswith(".") or path.as_posix() in _EXCEPTED


@dataclass(frozen=True)
class Verification:
    """What checking a run gave.

    Attributes:
        repetition: The folder of the run that was made to compare with.
        problems: Files that are not as the manifest says: from `check_files`.
        machine: What differs between the run's machine and versions and these; nothing: no difference is accepted.
        failure: Why the repetition ended early, if it did.
        notes: What else to know, as sentences.
    """

    run: str
    repetition: Path
    problems: dict[str, str]
    rows: list[ResultRow]
    machine: list[Change] = field(default_factory=list)
    failure: str = ""
    notes: list[str] = field(default_factory=list)

    @property
    def failed_rows(self) -> list[ResultRow]:
        """The comparisons that are neither equal nor within the tolerance."""
        return [row for row in self.rows if row.status not in (EQUAL, WITHIN)]

    @property
    def passed(self) -> bool:
        """Whether every file is as it was written, the repetition is whole, and every comparison holds."""
        return not self.problems and not self.failure and bool(self.rows) and not self.failed_rows


def verify_run(
    run_dir: RunDirectory,
    *,
    trust: bool,
    listener: Listener,
    workspace: Path,
    notebooks_dir: Path | None = None,
    changes: Mapping[str, Any] | None = None,
) -> Verification:
    """Checks a run's files, runs this checkout's notebooks again from its settings, and compares the results.

    The variants of a study are not trained again. What this machine keeps in its cache of images, weights and the
    output of frozen layers is used again: `SCENEBOOK_CACHE` names another folder. A stage that fails is part of what
    is returned; nothing in the run is changed.

    Args:
        trust: Whether a `.keras` file may be loaded as weights.
        workspace: The folder in which a folder of the run's name is made, and left.
        notebooks_dir: The folder of the notebooks, for tests.
        changes: Settings that are put in place of the run's: where the images lie on this machine, say.

    Raises:
        InputError: There is no such run, an older version made it, its settings cannot be used, or the workspace has a
            run of that name.
    """
    check_run_name(run_dir.name)
    manifest = read_manifest(run_dir)
    check_version(run_dir)
    kept, changes = read_settings(run_dir), changes or {}
    settings = check_settings(run_dir, trust, {**changes, **_NOT_REPEATED})
    again = RunDirectory(workspace / run_dir.name)
    # In an older run, stages would be skipped instead of repeated.
    if again.root.exists() and (not again.root.is_dir() or any(again.root.iterdir())):
        raise InputError(
            "Expected a folder for the repetition that is not there yet, or is empty.",
            received={"folder": str(again.root)},
            advice="Name another workspace.",
        )
    problems = check_files(run_dir)
    failure = ""
    try:
        profile = str(manifest.get("profile", "sample"))[:100]
        run_pipeline(settings, again, profile=profile, listener=listener, notebooks_dir=notebooks_dir)
    except StageError as error:
        failure = str(error)
    other_machine = list_differing(list_machine(manifest), {**machine(), **library_versions()})
    rows = compare_results(run_dir, again, same_machine=not other_machine)
    notes = _note_settings(kept, settings, changes)
    before, now = (str(content.get("commit", "unknown")) for content in (manifest, read_manifest(again)))
    if before != now or now.endswith("-dirty") or now == "unknown":
        notes.append(
            f"The run was made at commit {before}, its repetition at {now}: a difference can come from the code."
        )
    if new := [file for file in list_evaluated(again) if file not in list_evaluated(run_dir)]:
        notes.append(f"Only this checkout writes these, so that nothing is compared: {', '.join(new)}.")
    return Verification(run_dir.name, again.root, problems, rows, other_machine, failure, notes)


def _note_settings(kept: Mapping[str, Any], settings: Settings, changes: Mapping[str, Any]) -> list[str]:
    notes = []
    if kept.get("ablations", "none") != "none":
        notes.append("The run's variants were not trained again: ablations was set to none.")
    unknown = [name for name in Settings.model_fields if name not in kept]
    if unknown:
        values = ", ".join(f"{name}={getattr(settings, name)}" for name in unknown)
        notes.append(f"The run does not say, so that this version's defaults were taken: {values}.")
    replaced = [name for name in changes if name not in _NOT_REPEATED and kept.get(name) != getattr(settings, name)]
    if replaced:
        notes.append(f"Not the run's own settings, as asked for: {', '.join(replaced)}.")
    return notes
