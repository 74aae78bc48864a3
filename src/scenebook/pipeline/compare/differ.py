"""Two runs side by side: settings, images, code, and scores with paired intervals."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from scenebook.core.errors import ScenebookError
from scenebook.core.profiles import read_settings
from scenebook.core.run_directory import RunDirectory
from scenebook.core.run_files import CLASSES, METRICS, PREDICTIONS, SPLITS
from scenebook.evaluation.metrics.intervals import Score, bootstrap_mean, compare_paired
from scenebook.pipeline.compare.read import (
    SPLIT_COLUMNS,
    list_machine,
    load_tested,
    match_images,
    read_manifest,
    read_mapping,
    read_table,
)

NOT_THERE = "(not there)"
_SECTIONS = ("modules", "cells")
"""Of a stage's key: digests of the code that it runs, by module and by number of the notebook's cell."""
BOOTSTRAP_SEED = 0
CodeRow = tuple[str, str, list[str], str]
"""Code that differs: stage, `modules` or `cells`, their names, and how: `differ`, or in which run only."""


class Change(NamedTuple):
    """A name whose value differs; `NOT_THERE` stands for the value of a run that does not know the name."""

    name: str
    first: Any
    second: Any


@dataclass(frozen=True)
class ImagesDiff:
    """The images of two runs. An image is its bytes: under another name it is still the same.

    Attributes:
        facts: What `data/classes.json` says differently: the digest, the classes, where the images lie.
        counts: A row a split and class whose number of images differs: split, label, first, second.
        common: How many images both runs have.
        sets: Paths by what is the matter with them, in words; those of the first run, where both have the image.
    """

    facts: list[Change]
    counts: list[tuple[str, str, int, int]]
    common: int
    sets: dict[str, list[str]]


@dataclass(frozen=True)
class PairedScores:
    """Two runs on the test images that both have under the same label. Differences are the second less the first.

    Attributes:
        n: How many images these are; where there are none, nothing is compared.
        n_first: Test images of the first run; of the second, `n_second`.
        other_label: Test images of both runs that have another label in each: these are not compared.
        right: What `compare_paired` says of the images that each gets right, the second run as its first argument.
        log_loss: The difference of the mean log loss, with the percentile interval of a bootstrap over images.
    """

    n: int
    n_first: int
    n_second: int
    other_label: int
    right: Mapping[str, Any] | None = None
    log_loss: Score | None = None


@dataclass(frozen=True)
class RunsDiff:
    """How the second run differs from the first; `None` stands for a part that one run lacks or that cannot be read.

    Attributes:
        first: The first run's name, `A` in tables; `second` is `B`.
        made_with: Commit, scenebook's version, the libraries' versions and the machine, where they differ.
        unknown: Stages whose code at least one run does not tell: an older version made it, or they were not run.
        scores: Name, value in the first, value in the second.
        notes: What is missing or cannot be read, and why, as sentences.
    """

    first: str
    second: str
    settings: list[Change] | None
    images: ImagesDiff | None
    made_with: list[Change]
    code: list[CodeRow]
    unknown: list[str]
    scores: list[tuple[str, Any, Any]] | None
    paired: PairedScores | None
    notes: list[str] = field(default_factory=list)


def diff_runs(first: RunDirectory, second: RunDirectory) -> RunsDiff:
    """Compares two runs, or raises `InputError` where one is none. What one of them lacks is told in `notes`."""
    sides = {"A": (first, read_manifest(first)), "B": (second, read_manifest(second))}
    notes: list[str] = []

    def attempt(compare: Callable[[RunDirectory, RunDirectory], Any], *files: str) -> Any:
        missing = []
        for side, (run_dir, manifest) in sides.items():
            for file in [file for file in files if not (run_dir.root / file).is_file()]:
                stage = file.split("/")[0]
                status = manifest["stages"].get(stage, {}).get("status", "not in the manifest")
                missing.append(f"{side} ({run_dir.name}) has no {file}. Its stage {stage}: {status}.")
        notes.extend(note for note in missing if note not in notes)
        if missing:
            return None
        try:
            return compare(first, second)
        except ScenebookError as error:
            notes.append(str(error))
            return None

    manifests = [manifest for _, manifest in sides.values()]
    code, unknown = diff_code(*(manifest["stages"] for manifest in manifests))
    return RunsDiff(
        first.name,
        second.name,
        settings=attempt(lambda one, other: list_differing(read_settings(one), read_settings(other))),
        images=attempt(diff_images, SPLITS, CLASSES),
        made_with=list_differing(*map(_list_made_with, manifests)),
        code=code,
        unknown=unknown,
        scores=attempt(diff_scores, METRICS),
        paired=attempt(pair_scores, SPLITS, PREDICTIONS),
        notes=notes,
    )


def _list_made_with(manifest: Mapping[str, Any]) -> dict[str, Any]:
    named = {name: manifest[name] for name in ("commit", "scenebook", "profile") if name in manifest}
    return named | list_machine(manifest)


def list_differing(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[Change]:
    """Returns the names whose values differ, in the first mapping's order, then those that only the second knows.

    20 and 20.0 are the same; 1 and true are not.
    """
    pairs = {name: (first.get(name, NOT_THERE), second.get(name, NOT_THERE)) for name in {**first, **second}}
    return [
        Change(name, one, other)
        for name, (one, other) in pairs.items()
        if one != other or isinstance(one, bool) != isinstance(other, bool)
    ]


def diff_code(first: Mapping[str, Any], second: Mapping[str, Any]) -> tuple[list[CodeRow], list[str]]:
    """Compares the stages of two manifests: `code` and `unknown` of a `RunsDiff`."""
    rows: list[CodeRow] = []
    unknown = []
    for stage in {**first, **second}:
        keys = [stages.get(stage, {}).get("key", {}) for stages in (first, second)]
        if not all(any(section in key for section in _SECTIONS) for key in keys):
            unknown.append(stage)
            continue
        for section in _SECTIONS:
            named: dict[str, list[str]] = {"differ": [], "only in A": [], "only in B": []}
            for change in list_differing(*(key.get(section, {}) for key in keys)):
                how = "only in B" if change.first == NOT_THERE else "differ"
                named["only in A" if change.second == NOT_THERE else how].append(change.name)
            rows += [(stage, section, names, how) for how, names in named.items() if names]
    return rows, unknown


def diff_images(first: RunDirectory, second: RunDirectory) -> ImagesDiff:
    """Compares `data/splits.csv` and `data/classes.json` of two runs."""
    facts = list_differing(_open_classes(first), _open_classes(second))
    one, other = (read_table(run_dir, SPLITS, SPLIT_COLUMNS)[list(SPLIT_COLUMNS)] for run_dir in (first, second))
    matched, only_first, only_second = match_images(one, other)

    def where_differs(column: str) -> list[str]:
        return list(matched["path_first"][matched[f"{column}_first"] != matched[f"{column}_second"]])

    sets = {
        "only in A": list(only_first["path"]),
        "only in B": list(only_second["path"]),
        "of these, the same path with other bytes": sorted({*only_first["path"]} & {*only_second["path"]}),
        "under another path": where_differs("path"),
        "in another split": where_differs("split"),
        "under another label": where_differs("label"),
    }
    sizes = pd.concat([table.groupby(["split", "label"]).size() for table in (one, other)], axis=1, sort=True)
    sizes = sizes.fillna(0).astype(int)
    counts = [(*names, int(a), int(b)) for names, (a, b) in zip(sizes.index, sizes.to_numpy(), strict=True) if a != b]
    return ImagesDiff(facts, counts, len(matched), sets)


def _open_classes(run_dir: RunDirectory) -> dict[str, Any]:
    """Returns what `data/classes.json` holds, `found` opened, lists in one line."""
    opened: dict[str, Any] = {}
    for name, value in read_mapping(run_dir, CLASSES).items():
        if name == "root" and Path(str(value)).is_relative_to(run_dir.root.resolve()):
            value = "(in the run)"  # as drawn images do: that these are two folders is no difference
        for inner, content in value.items() if isinstance(value, dict) else [("", value)]:
            key = f"{name}.{inner}" if inner else name
            opened[key] = ", ".join(map(str, content)) if isinstance(content, list) else content
    return opened


def diff_scores(first: RunDirectory, second: RunDirectory) -> list[tuple[str, Any, Any]]:
    """Returns the scores of both runs: name, value in the first, value in the second; `None` where one has it not."""
    one, other = (read_mapping(run_dir, METRICS) for run_dir in (first, second))
    return [(name, one.get(name), other.get(name)) for name in {**one, **other}]


def pair_scores(first: RunDirectory, second: RunDirectory) -> PairedScores:
    """Compares two runs on the test images that both have, matched by bytes and label."""
    one, other = load_tested(first), load_tested(second)
    matched, _, _ = match_images(one, other)
    same = matched[matched["label_first"] == matched["label_second"]]
    counts = len(same), len(one), len(other), len(matched) - len(same)
    if not len(same):
        return PairedScores(*counts)
    # Its difference is the first argument's less the second's; here it is what changed from the first run.
    sides = ((same[f"predicted_{side}"] == same[f"label_{side}"]).to_numpy() for side in ("second", "first"))
    changes = (same["log_loss_second"] - same["log_loss_first"]).to_numpy()
    return PairedScores(*counts, compare_paired(*sides), bootstrap_mean(changes, seed=BOOTSTRAP_SEED))
