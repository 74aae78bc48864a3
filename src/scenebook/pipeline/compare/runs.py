"""Two runs side by side: settings, images, code, scores."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from scenebook.core.errors import ScenebookError
from scenebook.core.run_directory import RunDirectory
from scenebook.pipeline.compare.changes import Change, list_changes
from scenebook.pipeline.compare.code import CodeDiff, diff_code
from scenebook.pipeline.compare.images import CLASSES, SPLITS, ImagesDiff, diff_images
from scenebook.pipeline.compare.reading import read_manifest
from scenebook.pipeline.compare.scores import METRICS, PREDICTIONS, PairedScores, diff_scores, pair_scores
from scenebook.pipeline.settings_file import read_settings

_Result = TypeVar("_Result")


@dataclass(frozen=True)
class RunsDiff:
    """How the second run differs from the first.

    Attributes:
        first: The first run's name, `A` in tables.
        second: The second run's name, `B` in tables.
        settings: Settings whose values differ; `None` where one run's cannot be read.
        images: The images that differ; `None` where one run's list cannot be read.
        code: The code, versions and machines that differ.
        scores: Name, value in the first, value in the second; `None` where one run was not evaluated.
        paired: The scores image by image; `None` where one run's predictions cannot be read.
        notes: What is missing or cannot be read, and why, as sentences.
    """

    first: str
    second: str
    settings: list[Change] | None
    images: ImagesDiff | None
    code: CodeDiff
    scores: list[tuple[str, Any, Any]] | None
    paired: PairedScores | None
    notes: list[str] = field(default_factory=list)


def diff_runs(first: RunDirectory, second: RunDirectory) -> RunsDiff:
    """Compares two runs. What one of them lacks is told in `notes`.

    Raises:
        InputError: One of them is no run.
    """
    runs, manifests = (first, second), (read_manifest(first), read_manifest(second))
    notes: list[str] = []

    def attempt(compare: Callable[[RunDirectory, RunDirectory], _Result], *files: str) -> _Result | None:
        missing = _list_missing(runs, manifests, files)
        notes.extend(note for note in missing if note not in notes)
        if missing:
            return None
        try:
            return compare(first, second)
        except ScenebookError as error:
            notes.append(str(error))
            return None

    return RunsDiff(
        first.name,
        second.name,
        settings=attempt(lambda one, other: list_changes(read_settings(one), read_settings(other))),
        images=attempt(diff_images, SPLITS, CLASSES),
        code=diff_code(*manifests),
        scores=attempt(diff_scores, METRICS),
        paired=attempt(pair_scores, SPLITS, PREDICTIONS),
        notes=notes,
    )


def _list_missing(
    runs: Sequence[RunDirectory], manifests: Sequence[Mapping[str, Any]], files: Sequence[str]
) -> list[str]:
    """Returns a sentence for each of the files that a run lacks, with what became of the stage that writes it."""
    sentences = []
    for side, run_dir, manifest in zip("AB", runs, manifests, strict=True):
        for file in files:
            if not (run_dir.root / file).is_file():
                stage = file.split("/")[0]
                status = manifest["stages"].get(stage, {}).get("status", "not in the manifest")
                sentences.append(f"{side} ({run_dir.name}) has no {file}. Its stage {stage}: {status}.")
    return sentences
