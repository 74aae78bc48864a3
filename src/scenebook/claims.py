"""The paper's claims as data, held against a run: reported, measured, verdict, and why. No TensorFlow."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from scenebook.artifacts import RunDirectory
from scenebook.config import DRAWN_SCENES, RANDOM
from scenebook.errors import InputError, MissingArtifactError
from scenebook.sentences import Sourced

REPRODUCED = "reproduced"
NOT_REPRODUCED = "not reproduced"
CONSISTENT = "consistent with the paper's own numbers"
CONTRADICTED = "contradicted by the paper's own numbers"
CONTRADICTED_BY_MODEL = "contradicted by the model"
UNDECIDED = "undecided at this n"
NOT_COMPARABLE = "not comparable"
NOT_TESTED = "not tested in this run"


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Expectation(_Strict):
    """How the measured value is compared with the reported one."""

    kind: Literal["equals", "within"]
    tolerance: float = Field(0.0, ge=0)


class Conditions(_Strict):
    """What a run must have to be comparable with the paper; what is not given does not matter.

    Attributes:
        recipe: Settings that must be those of the paper's recipe: their names, or `all`.
        num_classes: The number of classes.
        same_classes: Whether the classes must be the paper's.
        samples_given: Whether the sample pictures must have been chosen by the user.
    """

    recipe: list[str] | Literal["all"] = []
    num_classes: int | None = None
    same_classes: bool = False
    samples_given: bool = False


class Claim(_Strict):
    """One claim. `class_name` is written `class` in the file; `printed` is the value as the paper prints it."""

    id: str
    statement: str
    where: str
    reported: int | float | str
    printed: str = ""
    measure: str
    expect: Expectation | None = None
    applies_to: Conditions | None = None
    class_name: str | None = Field(None, alias="class")
    percent: bool = False
    contradiction: bool = False
    note: str = ""


class Paper(_Strict):
    """The paper's own numbers. `recipe`: its settings; `confusion_matrix`: counts, rows true, columns predicted."""

    title: str
    classes: list[str]
    recipe: dict[str, int | float | str | bool]
    confusion_matrix: list[list[int]]


class ClaimsFile(_Strict):
    """The content of `report/claims.yaml`."""

    paper: Paper
    claims: list[Claim]


@dataclass(frozen=True)
class Measured:
    """A measured value; `low` and `high` where it has a 95% interval."""

    value: float | int | str
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Evidence:
    """What claims are held against.

    Attributes:
        run_dir: The run.
        paper: The paper's own numbers.
        class_names: The run's classes.
        samples_given: Whether the sample pictures were chosen by the user rather than drawn.
    """

    run_dir: RunDirectory
    paper: Paper
    class_names: list[str]
    samples_given: bool


def load_claims(path: Path) -> ClaimsFile:
    """Reads a claims file.

    Raises:
        InputError: It cannot be read, or an entry is wrong; the error names the claim.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        return ClaimsFile.model_validate(content)
    except (OSError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise InputError("Expected a readable claims file.", received={"file": path.name}, advice=reason) from None
    except ValidationError as error:
        first = error.errors()[0]
        raise InputError(
            f"Expected a valid claims file: {first['msg']}.",
            received={"file": path.name, "entry": _name_entry(content, first["loc"])},
        ) from None


def _name_entry(content: Any, location: tuple[int | str, ...]) -> str:
    """Returns 'claim accuracy: expect.kind' for ('claims', 6, 'expect', 'kind')."""
    if location[:1] == ("claims",) and len(location) > 1 and isinstance(content["claims"], list):
        entry = content["claims"][int(location[1])]
        name = entry.get("id", f"number {int(location[1]) + 1}") if isinstance(entry, dict) else location[1]
        return f"claim {name}: {'.'.join(str(part) for part in location[2:])}"
    return ".".join(str(part) for part in location)


def _paper_matrix_accuracy(evidence: Evidence, claim: Claim) -> Measured:
    matrix = np.array(evidence.paper.confusion_matrix)
    return Measured(float(matrix.trace() / matrix.sum()))


def _paper_matrix_count(evidence: Evidence, claim: Claim) -> Measured:
    return Measured(int(np.sum(evidence.paper.confusion_matrix)))


def _class_f1(evidence: Evidence, claim: Claim) -> Measured | None:
    scores = evidence.run_dir.read_json("evaluation/per_class.json").get(claim.class_name)
    return None if scores is None else Measured(**scores["f1"])


def _wrong_samples(evidence: Evidence, claim: Claim) -> Measured:
    selection = evidence.run_dir.read_csv("samples/selection.csv")
    wrong = selection[selection["label"] != selection["predicted"]]
    return Measured(", ".join(f"{row.label} as {row.predicted}" for row in wrong.itertuples()) or "none")


MEASURES: dict[str, Callable[[Evidence, Claim], Measured | None]] = {
    "paper_matrix_accuracy": _paper_matrix_accuracy,
    "paper_matrix_count": _paper_matrix_count,
    "class_f1": _class_f1,
    "wrong_samples": _wrong_samples,
}


def measure(claim: Claim, evidence: Evidence) -> Measured | None:
    """Returns what the run, or the paper's own matrix, says about a claim; `None` where it says nothing.

    Raises:
        InputError: The claim's measure is neither registered nor of the form `file.json:dotted.path`.
    """
    if claim.measure == "none":
        return None
    try:
        if claim.measure in MEASURES:
            return MEASURES[claim.measure](evidence, claim)
        file, colon, path = claim.measure.partition(":")
        if not colon:
            raise InputError(
                "Expected a registered measure or file.json:dotted.path.",
                received={"claim": claim.id, "measure": claim.measure},
                advice=f"Registered: {', '.join(MEASURES)}.",
            )
        value = evidence.run_dir.read_json(file)
        for key in path.split("."):
            value = value.get(key) if isinstance(value, dict) else None
    except MissingArtifactError:
        return None
    if isinstance(value, dict):
        return Measured(value["value"], value["low"], value["high"])
    return None if value is None else Measured(value)


def find_difference(claim: Claim, evidence: Evidence, recipe: dict[str, Any]) -> str:
    """Returns why a run is not comparable with the paper for this claim; empty where it is.

    Args:
        claim: The claim.
        evidence: The run.
        recipe: The settings that the run was made with.
    """
    wanted = claim.applies_to or Conditions()
    paper = evidence.paper
    for name in paper.recipe if wanted.recipe == "all" else wanted.recipe:
        if recipe[name] != paper.recipe[name]:
            return f"{name} is {recipe[name]} in this run, {paper.recipe[name]} in the paper"
    if wanted.recipe == "all" and recipe["weights"] == RANDOM:
        return "this run starts from random weights, the paper from ImageNet's"
    if wanted.num_classes is not None and len(evidence.class_names) != wanted.num_classes:
        return f"this run has {len(evidence.class_names)} classes, the paper {wanted.num_classes}"
    if wanted.same_classes and evidence.class_names != sorted(paper.classes):
        return "this run has other classes"
    if wanted.same_classes and recipe["dataset"] == DRAWN_SCENES:
        return "the pictures of this run are drawn by the program"
    if wanted.samples_given and not evidence.samples_given:
        return "the pictures of this run are others, taken at random from the test pictures"
    return ""


def compare(claim: Claim, measured: Measured) -> tuple[str, str]:
    """Returns the verdict on a claim that can be compared, and why.

    With an interval: reproduced when all of it lies within the tolerance around the reported value, not reproduced
    when none of it does, undecided otherwise.
    """
    about_paper = claim.applies_to is None
    passed = CONSISTENT if about_paper else REPRODUCED
    failed = CONTRADICTED if about_paper else CONTRADICTED_BY_MODEL if claim.contradiction else NOT_REPRODUCED
    if claim.expect is None or claim.expect.kind == "equals":
        same = measured.value == claim.reported
        return (passed, claim.note or "equal") if same else (failed, claim.note or "not equal")
    reported, tolerance = float(claim.reported), claim.expect.tolerance
    low = float(measured.value) if measured.low is None else measured.low
    high = float(measured.value) if measured.high is None else measured.high
    most = reported + tolerance if reported > 1 else min(1.0, reported + tolerance)  # shares end at 1
    bounds = f"{_show(claim, reported - tolerance)} to {_show(claim, most)}"
    what = "the measured value" if measured.low is None else "the interval"
    if reported - tolerance <= low and high <= reported + tolerance:
        return passed, f"{what} lies within {bounds}"
    if high < reported - tolerance or low > reported + tolerance:
        return failed, f"{what} lies outside {bounds}"
    return UNDECIDED, f"the interval crosses the edge of {bounds}"


def _show(claim: Claim, value: float | int | str) -> str:
    if isinstance(value, str):
        return value
    if claim.percent:
        return f"{value:.1%}"
    return f"{value:,}" if isinstance(value, int) else f"{value:.2f}"


def _show_measured(claim: Claim, measured: Measured | None) -> str:
    if measured is None:
        return "–"
    text = _show(claim, measured.value)
    if measured.low is None or measured.high is None:
        return text
    return f"{text} ({_show(claim, measured.low)} to {_show(claim, measured.high)})"


def check_claims(claims: ClaimsFile, run_dir: RunDirectory, recipe: dict[str, Any]) -> pd.DataFrame:
    """Holds every claim against a run.

    Args:
        claims: The claims file.
        run_dir: The run; files that are missing make a claim "not tested in this run".
        recipe: The settings of the run: dataset, samples_dir, weights, and all that the paper's recipe names.

    Returns:
        A row a claim, as text: id, claim, reported, measured, verdict, why.
    """
    class_names = run_dir.read_json("data/classes.json")["classes"]
    evidence = Evidence(run_dir, claims.paper, class_names, recipe["samples_dir"] is not None)
    rows = []
    for claim in claims.claims:
        measured = measure(claim, evidence)
        difference = find_difference(claim, evidence, recipe)
        if difference:
            verdict, why = NOT_COMPARABLE, difference
        elif measured is None:
            verdict, why = NOT_TESTED, claim.note
        else:
            verdict, why = compare(claim, measured)
        rows.append(
            {
                "id": claim.id,
                "claim": claim.statement,
                "reported": claim.printed or _show(claim, claim.reported),
                "measured": _show_measured(claim, measured),
                "verdict": verdict,
                "why": why,
            }
        )
    return pd.DataFrame(rows)


def explain_verdicts(table: pd.DataFrame) -> str:
    """Returns sentences on what a reader of the table must know, for `say` with `collect_values` and the run's facts.

    They tell of the paper's own contradictions that were found, and of what makes a comparison of accuracies loose.

    Args:
        table: From `check_claims`.
    """
    verdicts = dict(zip(table["id"], table["verdict"], strict=True))
    sentences = []
    if verdicts.get("matrix-accuracy") == CONTRADICTED:
        sentences.append(
            "The paper's text gives an accuracy of {matrix_accuracy_reported}, its own confusion matrix "
            "{matrix_accuracy_measured}."
        )
    if verdicts.get("layers") == CONTRADICTED_BY_MODEL:
        sentences.append(
            "It says that the network consists of {layers_reported} layers; the backbone that was built here has, "
            "with the one classification layer of its own, {layers_measured} layers with weights."
        )
    if verdicts.get("accuracy", NOT_COMPARABLE) not in (NOT_COMPARABLE, NOT_TESTED):
        sentences.append(
            "The labels of the paper's own test pictures are not public: the accuracy and F1 of this run come from "
            "{test:,} other test pictures and {train:,} training pictures, so that they can differ although the recipe "
            "is the same."
        )
    if verdicts.get("learning-rate") == NOT_TESTED:
        sentences.append(
            "What the paper concludes about the learning rate, the number of epochs, augmentation and more trained "
            "layers is not tested here: that takes runs that change one setting at a time."
        )
    return " ".join(sentences)


def collect_values(table: pd.DataFrame) -> Sourced:
    """Returns what each claim reports and what was measured, named `<id>_reported` and `<id>_measured`."""
    values, origins = {}, {}
    for row in table.to_dict("records"):
        for column, file in (("reported", "report/claims.yaml"), ("measured", "conclusion/claims.json")):
            name = f"{str(row['id']).replace('-', '_')}_{column}"
            values[name], origins[name] = row[column], f"{file}: {row['id']}, {column}"
    return Sourced(values, origins=origins)
