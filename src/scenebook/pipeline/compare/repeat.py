"""Checks a run: are its files those that were written, and does this checkout give the same results again?"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scenebook.core.errors import InputError
from scenebook.core.provenance import library_versions, machine, sha256_file
from scenebook.core.run_directory import RunDirectory, check_run_name
from scenebook.core.run_files import MANIFEST
from scenebook.core.settings import Settings
from scenebook.pipeline.compare.differ import Change, list_differing
from scenebook.pipeline.compare.read import check_settings, list_machine, read_manifest
from scenebook.pipeline.compare.results import Pair, Row, compare_results, list_evaluated
from scenebook.pipeline.compare.tolerances import EQUAL, WITHIN, Rule
from scenebook.pipeline.manifest import check_version
from scenebook.pipeline.running import Listener, PipelineFailedError, run_pipeline
from scenebook.pipeline.settings_file import read_settings

_PREDICTED = "predictions"
"""The folder that `predict` writes to: no stage's, and so not in the manifest."""
_NOT_REPEATED = {"ablations": "none", "ablation_plan": None}


@dataclass(frozen=True)
class FileProblem:
    """A file of a run, by its path below it, and in what it is not as its manifest says, as a clause."""

    path: str
    problem: str

    def __str__(self) -> str:
        return f"{self.path}: {self.problem}"


def check_files(run_dir: RunDirectory) -> list[FileProblem]:
    """Returns what is wrong with a run's files, sorted by path. Every byte is read.

    Each file of the manifest must be there with its SHA-256, and each file that is there must be in the manifest. Of
    the latter, hidden ones and those of `predictions/` are excepted, and the manifest itself.

    Raises:
        InputError: There is no such run, or its manifest is not one.
    """
    listed = read_manifest(run_dir)["files"]
    problems = [
        FileProblem(path, problem) for path, entry in listed.items() if (problem := _check_listed(run_dir, path, entry))
    ]
    problems += [problem for problem in _find_unlisted(run_dir.root) if problem.path not in listed]
    return sorted(problems, key=lambda problem: problem.path)


def _check_listed(run_dir: RunDirectory, relative: str, entry: Mapping[str, Any]) -> str:
    """Returns what is wrong with a file, or nothing. What lies outside the run is never opened."""
    try:
        path = (run_dir.root / relative).resolve()
        inside = path.is_relative_to(run_dir.root.resolve())
        there = inside and path.is_file()
    except (OSError, ValueError, RuntimeError):  # a name that no file can have, or links in a circle
        inside, there = True, False
    if not inside:
        return "leads out of the run"
    if not there:
        return "is missing"
    try:
        digest = sha256_file(path)
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    return "" if digest == entry.get("sha256") else "is not the file that was written: its SHA-256 differs"


def _find_unlisted(root: Path) -> Iterator[FileProblem]:
    """Yields every file of a run that a manifest would have to list, as if it did not."""
    for folder, folders, files in os.walk(root):
        place = Path(folder).relative_to(root)
        folders[:] = [name for name in folders if not _is_excepted(place / name)]
        links = [name for name in folders if (Path(folder) / name).is_symlink()]
        for name in (*files, *links):
            if not _is_excepted(place / name):
                yield FileProblem((place / name).as_posix(), "is not in the manifest")


def _is_excepted(path: Path) -> bool:
    return path.name.startswith(".") or path.as_posix() in (MANIFEST, _PREDICTED)


@dataclass(frozen=True)
class Verification:
    """What checking a run gave.

    Attributes:
        run: The run's name.
        repetition: The folder of the run that was made to compare with.
        problems: Files that are not as the manifest says.
        rows: The comparisons.
        machine: What differs between the run's machine and versions and these; nothing: no difference is accepted.
        failure: Why the repetition ended early, if it did.
        notes: What else to know, as sentences.
    """

    run: str
    repetition: Path
    problems: list[FileProblem]
    rows: list[Row]
    machine: list[Change] = field(default_factory=list)
    failure: str = ""
    notes: list[str] = field(default_factory=list)

    @property
    def same_machine(self) -> bool:
        """Whether the machine and all versions are those of the run."""
        return not self.machine

    @property
    def failed_rows(self) -> list[Row]:
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
    output of frozen layers is used again: `SCENEBOOK_CACHE` names another folder.

    Args:
        run_dir: The run; nothing in it is changed.
        trust: Whether a `.keras` file may be loaded as weights.
        listener: Is told what happens while the notebooks run.
        workspace: The folder in which a folder of the run's name is made, and left.
        notebooks_dir: The folder of the notebooks, for tests.
        changes: Settings that are put in place of the run's: where the images lie on this machine, say.

    Returns:
        What was found. A stage that fails is part of it.

    Raises:
        InputError: There is no such run, an older version made it, its settings cannot be used, or the workspace has a
            run of that name.
    """
    check_run_name(run_dir.name)
    manifest = read_manifest(run_dir)
    check_version(run_dir)
    kept = read_settings(run_dir)
    settings = check_settings(run_dir, trust, {**(changes or {}), **_NOT_REPEATED})
    again = _open_fresh(workspace / run_dir.name)
    problems = check_files(run_dir)
    failure = ""
    try:
        profile = str(manifest.get("profile", "sample"))[:100]
        run_pipeline(settings, again, profile=profile, listener=listener, notebooks_dir=notebooks_dir)
    except PipelineFailedError as error:
        failure = str(error)
    other_machine = list_differing(list_machine(manifest), {**machine(), **library_versions()})
    return Verification(
        run_dir.name,
        again.root,
        problems,
        compare_results(Pair(run_dir, again, Rule(same_machine=not other_machine))),
        other_machine,
        failure,
        [
            *_note_settings(kept, settings, changes or {}),
            *_note_commits(manifest, read_manifest(again)),
            *_note_new_tables(run_dir, again),
        ],
    )


def _open_fresh(root: Path) -> RunDirectory:
    """Returns a run directory that holds nothing: in an older run, stages would be skipped instead of repeated."""
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise InputError(
            "Expected a folder for the repetition that is not there yet, or is empty.",
            received={"folder": str(root)},
            advice="Name another workspace.",
        )
    return RunDirectory(root)


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


def _note_commits(manifest: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    before, now = (str(content.get("commit", "unknown")) for content in (manifest, new))
    if before == now and not now.endswith("-dirty") and now != "unknown":
        return []
    return [f"The run was made at commit {before}, its repetition at {now}: a difference can come from the code."]


def _note_new_tables(run_dir: RunDirectory, again: RunDirectory) -> list[str]:
    before = list_evaluated(run_dir)
    new = [file for file in list_evaluated(again) if file not in before]
    return [f"Only this checkout writes these, so that nothing is compared: {', '.join(new)}."] if new else []
