"""What claims are held against: files of a run, and measures with a name. Nothing in a claims file is run as code."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from scenebook.core.errors import ClaimsError, MissingArtifactError
from scenebook.core.run_directory import RunDirectory
from scenebook.core.run_files import PER_CLASS, RECIPE, SELECTION, STUDY_VERDICTS
from scenebook.evaluation.claims.schema import Claim

NO_MEASURE = "none"
ABLATION = "ablation"
ARTIFACT = re.compile(r"(?P<file>[\w-]+(?:/[\w-]+)*\.json):(?P<path>[^\s.]+(?:\.[^\s.]+)*)")


@dataclass(frozen=True)
class Measured:
    """A measured value; `low` and `high` where it has a 95% interval.

    `verdict` and `why` are given where whoever measured it has judged it too.
    """

    value: float | int | str | bool
    low: float | None = None
    high: float | None = None
    verdict: str = ""
    why: str = ""


@dataclass(frozen=True)
class Measure:
    """A registered measure of a run.

    Attributes:
        compute: From the run and the claim to a value, or `None` where the run has none.
        of: What the claim's `of` must name: `class`, `setting`, or nothing.
    """

    compute: Callable[[RunDirectory, Claim], Measured | None]
    of: str = ""


def measure_run(claim: Claim, run_dir: RunDirectory) -> Measured | None:
    """Returns what the run says about a claim; `None` where it says nothing, because a file or a value is missing.

    Raises:
        ClaimsError: What the claim's dotted path leads to is neither a score nor a single value.
    """
    if claim.measure == NO_MEASURE:
        return None
    try:
        if claim.measure in MEASURES:
            return MEASURES[claim.measure].compute(run_dir, claim)
        found = ARTIFACT.fullmatch(claim.measure)
        value = _follow(run_dir.read_json(found["file"]), found["path"]) if found else None
    except MissingArtifactError:
        return None
    return _as_measured(value, claim)


def explain_missing(claim: Claim, run_dir: RunDirectory) -> str:
    """Returns the sentence on why a run says nothing about a claim: a wrong path should not go unnoticed."""
    found = ARTIFACT.fullmatch(claim.measure)
    if claim.measure == NO_MEASURE or found is None:
        return "The run does not measure it."
    if not run_dir.path(found["file"]).is_file():
        return f"The run has no {found['file']}."
    return f"In the run's {found['file']} nothing is called {found['path']}."


def _follow(value: Any, path: str) -> Any:
    for key in path.split("."):
        if isinstance(value, dict):
            value = value.get(key)
        elif isinstance(value, list) and key.isdecimal() and int(key) < len(value):
            value = value[int(key)]
        else:
            return None
    return value


def _as_measured(value: Any, claim: Claim) -> Measured | None:
    if isinstance(value, dict) and {"value", "low", "high"} <= set(value):
        return Measured(value["value"], value["low"], value["high"])
    if value is not None and not isinstance(value, (bool, int, float, str)):
        raise ClaimsError(
            "Expected the measure of a claim to lead to a score, a number or a text.",
            received={"claim": claim.id, "measure": claim.measure},
        )
    return None if value is None else Measured(value)


def _class_score(name: str) -> Callable[[RunDirectory, Claim], Measured | None]:
    def compute(run_dir: RunDirectory, claim: Claim) -> Measured | None:
        score = run_dir.read_json(PER_CLASS).get(claim.of, {}).get(name)
        return None if score is None else Measured(score["value"], score["low"], score["high"])

    return compute


def _wrong_samples(run_dir: RunDirectory, claim: Claim) -> Measured:
    selection = run_dir.read_csv(SELECTION)
    wrong = selection[selection["label"] != selection["predicted"]]
    return Measured(", ".join(f"{row.label} as {row.predicted}" for row in wrong.itertuples()) or "none")


def _drawn_range(run_dir: RunDirectory, claim: Claim) -> Measured:
    """Returns from where to where Keras, and with it this program, draws for a setting of augmentation."""
    largest = run_dir.read_json(RECIPE)[claim.of]
    low, high = (1 - largest, 1 + largest) if claim.of == "zoom_range" else (-largest, largest)
    return Measured(f"{low:g} to {high:g}".replace("-", "−"))


def _ablation(run_dir: RunDirectory, claim: Claim) -> Measured | None:
    """Returns the verdict of the runs that change one setting at a time, where they were made."""
    found = run_dir.read_json(STUDY_VERDICTS).get(claim.id)
    return found and Measured(found.get("measured", "–"), verdict=found["verdict"], why=found["sentence"])


MEASURES: dict[str, Measure] = {
    "class_precision": Measure(_class_score("precision"), of="class"),
    "class_recall": Measure(_class_score("recall"), of="class"),
    "class_f1": Measure(_class_score("f1"), of="class"),
    "wrong_samples": Measure(_wrong_samples),
    "drawn_range": Measure(_drawn_range, of="range"),
    ABLATION: Measure(_ablation),
}
"""Measures of a run, for `measure:`."""
