"""Checks a run: are its files those that were written, and does this checkout give the same results again?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scenebook.core.errors import InputError
from scenebook.core.provenance import library_versions, machine
from scenebook.core.run_directory import RunDirectory, check_run_name
from scenebook.core.settings import Settings
from scenebook.pipeline.compare.changes import Change, list_changes
from scenebook.pipeline.compare.code import list_machine
from scenebook.pipeline.compare.files import FileProblem, check_files
from scenebook.pipeline.compare.reading import read_manifest
from scenebook.pipeline.compare.results import compare_results, list_evaluated
from scenebook.pipeline.compare.rows import Pair, Row
from scenebook.pipeline.compare.strangers import check_settings
from scenebook.pipeline.compare.tolerances import EQUAL, WITHIN, Rule
from scenebook.pipeline.running import Listener, PipelineFailedError, run_pipeline
from scenebook.pipeline.settings_file import read_settings

_NOT_REPEATED = {"ablations": "none", "ablation_plan": None}


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
        InputError: There is no such run, its settings cannot be used, or the workspace has a run of that name.
    """
    check_run_name(run_dir.name)
    manifest, kept = read_manifest(run_dir), read_settings(run_dir)
    settings = check_settings(run_dir, trust, {**(changes or {}), **_NOT_REPEATED})
    again = _open_fresh(workspace / run_dir.name)
    problems = check_files(run_dir)
    failure = ""
    try:
        profile = str(manifest.get("profile", "sample"))[:100]
        run_pipeline(settings, again, profile=profile, listener=listener, notebooks_dir=notebooks_dir)
    except PipelineFailedError as error:
        failure = str(error)
    other_machine = list_changes(list_machine(manifest), {**machine(), **library_versions()})
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
