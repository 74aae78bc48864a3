"""What becomes of a claim: a verdict, and why."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from scenebook.core.backbones import RANDOM
from scenebook.core.errors import ClaimsError, ScenebookError
from scenebook.core.run_directory import RunDirectory
from scenebook.core.run_files import CLASSES, SPLITS, SUMMARY
from scenebook.core.settings import DRAWN_SCENES
from scenebook.core.wording import join_names, show_setting
from scenebook.evaluation.claims.schema import (
    NO_MEASURE,
    PAPER_MEASURES,
    Claim,
    ClaimsFile,
    Conditions,
    Measured,
    Paper,
    Value,
    explain_missing,
    measure_paper,
    measure_run,
)

REPRODUCED = "reproduced"
NOT_REPRODUCED = "not reproduced"
CONTRADICTED = "contradicted by the paper's own numbers"
CONSISTENT = "consistent with the paper's own numbers"
UNDECIDED = "undecided"
NOT_COMPARABLE = "not comparable"
NOT_TESTED = "not tested in this run"
VERDICTS = (NOT_REPRODUCED, UNDECIDED, REPRODUCED, CONTRADICTED, CONSISTENT, NOT_COMPARABLE, NOT_TESTED)
"""In the order in which a reader wants to hear of them."""
NOTHING = "–"
_MOST_PLACES = 7
_SLACK = 1e-9  # so that 0.88 - 0.02 and 0.86 are the same edge


@dataclass(frozen=True)
class Judged:
    """A claim that was held against a run; `why` is a sentence, values are texts.

    Attributes:
        own: What follows from the paper's own numbers.
        by_run: Whether it was compared with the run, rather than with the paper's own numbers.
        paper_holds: Whether the paper's own numbers agree; `None` where they say nothing of it.
        shared: Why it is not comparable, as a clause that holds for all claims of that kind.
    """

    claim: Claim
    verdict: str
    why: str
    measured: str = NOTHING
    interval: str = ""
    own: str = NOTHING
    by_run: bool = False
    paper_holds: bool | None = None
    shared: str = ""

    @property
    def reported(self) -> str:
        return self.claim.printed or show_value(self.claim, self.claim.reported)


def judge_paper_claims(claims: ClaimsFile, run_dir: RunDirectory, recipe: dict[str, Any]) -> list[Judged]:
    """Holds every claim against the paper's own numbers, and then against a run.

    What needs a file that the run lacks is "not tested in this run". `recipe` has the settings of the run: dataset,
    samples_dir, weights, and all that the paper's recipe names.

    Raises:
        ClaimsError: A measure leads to something that cannot be compared.
    """
    run = _describe_run(run_dir, recipe)
    return [_judge(claim, claims.paper, run_dir, run) for claim in claims.claims]


def concerns_run(paper: Paper, run_dir: RunDirectory, recipe: dict[str, Any]) -> bool:
    """Returns whether a run has the paper's classes, in images that the program did not draw, and its backbone."""
    wanted = Conditions(
        recipe=["backbone"] if "backbone" in paper.recipe else [], same_classes=True, num_classes=len(paper.classes)
    )
    others = _other_data(wanted, paper, _describe_run(run_dir, recipe))
    return not others and recipe["backbone"] == paper.recipe.get("backbone", recipe["backbone"])


def list_departures(paper: Paper, run_dir: RunDirectory, recipe: dict[str, Any]) -> list[str]:
    """Returns in what a run is not the paper's, a clause each: settings, edited cells, weights, numbers of images."""
    run = _describe_run(run_dir, recipe)
    found = [
        f"{name} is {show_setting(run.get(name))} in place of {show_setting(value)}"
        for name, value in paper.recipe.items()
        if run.get(name) != value
    ]
    if run["edited"]:
        found.append(f"the notebook's {join_names(run['edited'])} was edited")
    if run["weights"] == RANDOM and "weights" not in paper.recipe:
        found.append("the backbone starts from random weights")
    counts = run_dir.read_csv(SPLITS)["split"].value_counts()
    train, test = int(counts.get("train", 0)), int(counts.get("test", 0))
    if paper.train_images and train != paper.train_images:
        found.append(f"{train:,} training images in place of {paper.train_images:,}")
    if paper.test_images:
        found.append(f"{test:,} other test images in place of {paper.test_images:,}")
    return found


def _describe_run(run_dir: RunDirectory, recipe: dict[str, Any]) -> dict[str, Any]:
    classes = run_dir.read_json(CLASSES)
    edited = run_dir.read_json(SUMMARY).get("edited", []) if run_dir.path(SUMMARY).is_file() else []
    return {**recipe, "edited": edited, "class_names": classes["classes"], "dataset_name": classes.get("name", "")}


def _judge(claim: Claim, paper: Paper, run_dir: RunDirectory, run: dict[str, Any]) -> Judged:
    paper_holds, own = None, NOTHING
    value = measure_paper(claim, paper) if claim.paper_measure else None
    if claim.paper_measure and value is not None:
        origin, paper_holds = PAPER_MEASURES[claim.paper_measure].origin, rounds_to(value, claim)
        own = show_value(claim, value)
        if not paper_holds:
            why = claim.note or f"According to {origin}, it is another value."
            return Judged(claim, CONTRADICTED, why, own=own, paper_holds=False)
        if claim.measure == NO_MEASURE:
            why = claim.note or f"It follows from {origin}."
            return Judged(claim, CONSISTENT, why, own=own, paper_holds=True)
    mismatch = _find_mismatch(claim, paper, run)
    measured = measure_run(claim, run_dir)
    shown = show_value(claim, measured.value) if measured else NOTHING
    bounds = (measured.low, measured.high) if measured else ()
    interval = " to ".join(show_value(claim, bound) for bound in bounds if bound is not None)
    if mismatch:
        why, shared = mismatch
        return Judged(claim, NOT_COMPARABLE, why, shown, interval, own, paper_holds=paper_holds, shared=shared)
    if measured is None:
        return Judged(
            claim, NOT_TESTED, claim.note or explain_missing(claim, run_dir), own=own, paper_holds=paper_holds
        )
    verdict, why = (measured.verdict, measured.why) if measured.verdict else decide(claim, measured)
    if verdict not in VERDICTS:
        raise ScenebookError(f"Expected one of the verdicts {', '.join(VERDICTS)}. Received: {claim.id}={verdict!r}.")
    decided = verdict not in (NOT_COMPARABLE, NOT_TESTED)
    clause = f"{why[:1].lower()}{why[1:].rstrip('.')}"
    return Judged(claim, verdict, why, shown, interval, own, decided, paper_holds, clause)


def _find_mismatch(claim: Claim, paper: Paper, run: dict[str, Any]) -> tuple[str, str] | None:
    """Returns why a run is not comparable with the paper for this claim; `None` where it is.

    That is a sentence on this claim, and the same as a clause that holds for all claims of that kind.
    """
    wanted = claim.applies_to
    if run.get("edited") and (wanted.recipe or wanted.backbone is not None):
        edited = join_names(run["edited"])
        return f"In this run the notebook's {edited} was edited.", "the run's notebook was edited"
    names = paper.recipe if wanted.recipe == "all" else wanted.recipe
    others = [(name, str(paper.recipe[name])) for name in names if run.get(name) != paper.recipe[name]]
    if wanted.backbone is not None and run["backbone"] not in wanted.backbone:
        others.insert(0, ("backbone", " or ".join(wanted.backbone)))
    if others:
        name, in_paper = others[0]
        why = f"In this run {name} is {show_setting(run.get(name))}, in the paper {in_paper}."
        return why, "a setting on which the claim depends differs in this run"
    clause = _other_data(wanted, paper, run)
    return (f"{clause[:1].upper()}{clause[1:]}.", clause) if clause else None


def _other_data(wanted: Conditions, paper: Paper, run: dict[str, Any]) -> str:
    names = run["class_names"]
    if wanted.recipe == "all" and run["weights"] == RANDOM and "weights" not in paper.recipe:
        return "this run starts from random weights"
    if wanted.dataset is not None and not {run["dataset"], run["dataset_name"]} & set(wanted.dataset):
        return f"the data set of the paper is {' or '.join(wanted.dataset)}"
    if wanted.num_classes is not None and len(names) != wanted.num_classes:
        return f"this run has {len(names)} classes, the paper {wanted.num_classes}"
    if wanted.same_classes and sorted(names) != sorted(paper.classes):
        return "this run has other classes"
    if wanted.same_classes and run["dataset"] == DRAWN_SCENES:
        return "the images of this run are drawn by the program"
    if wanted.samples_given and run["samples_dir"] is None:
        return "the sample images of this run are other ones, drawn at random from the test images"
    return ""


def decide(claim: Claim, measured: Measured) -> tuple[str, str]:
    """Returns the verdict on a claim that can be compared, and why.

    With an interval: reproduced when all of it lies on the right side of the edge, not reproduced when none of it does,
    undecided otherwise.

    Raises:
        ClaimsError: A text was measured where the claim expects a number.
    """
    kind, tolerance = claim.expect.kind, claim.expect.tolerance
    if kind == "equals" and not tolerance and (measured.low is None or isinstance(claim.reported, (bool, str))):
        same = measured.value == claim.reported
        if isinstance(claim.reported, str):
            same = str(measured.value) == claim.reported
        return (REPRODUCED if same else NOT_REPRODUCED), claim.note or ("It is equal." if same else "It is not equal.")
    if isinstance(measured.value, (bool, str)) or isinstance(claim.reported, (bool, str)):
        raise ClaimsError(
            f"Expected a number to be measured, because the claim expects {kind}.",
            received={"claim": claim.id, "measure": claim.measure, "measured": measured.value},
        )
    low = measured.value if measured.low is None else measured.low
    high = measured.value if measured.high is None else measured.high
    least, most = _edges(kind, float(claim.reported), tolerance)
    whole, none_of_it = "The whole interval", "No part of the interval is"
    if measured.low is None:
        whole, none_of_it = "The measured value", "The measured value is not"
    where = _describe_edges(claim)
    if least <= low and high <= most:
        return REPRODUCED, f"{whole} is {where}."
    if high < least or most < low:
        return NOT_REPRODUCED, f"{none_of_it} {where}."
    return UNDECIDED, f"Only a part of the interval is {where}."


def _edges(kind: str, reported: float, tolerance: float) -> tuple[float, float]:
    if kind == "below":
        return float("-inf"), reported + tolerance - _SLACK
    if kind == "above":
        return reported - tolerance + _SLACK, float("inf")
    return reported - tolerance - _SLACK, reported + tolerance + _SLACK


def _describe_edges(claim: Claim) -> str:
    kind, tolerance = claim.expect.kind, claim.expect.tolerance
    if not tolerance:
        return "equal to it" if kind == "equals" else f"{kind} it"
    distance = f"{100 * tolerance:g} percentage points" if claim.percent else f"{tolerance:g}"
    if kind in ("below", "above"):
        return f"{kind} it, or at most {distance} {'above' if kind == 'below' else 'below'}"
    return f"within {distance} of it"


def rounds_to(value: float, claim: Claim) -> bool:
    """Returns whether a value, rounded as the paper prints it, is the reported one."""
    text = (claim.printed or show_value(claim, claim.reported)).replace(",", "").strip()
    try:  # the last printed place: 0.01 of 0.90 and of 89%, 1 of 7,301
        exponent = int(Decimal(text.rstrip("%").strip()).as_tuple().exponent)
        unit = 10.0 ** (exponent - (2 if text.endswith("%") else 0))
    except ArithmeticError:
        unit = 0.0
    return abs(value - float(claim.reported)) <= unit / 2 + _SLACK


def show_value(claim: Claim, value: Value) -> str:
    """Returns a value of a claim as text: two places, or one of a percentage, or as many as the reported value has."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "yes" if value else "no"
    if claim.percent:
        return f"{value:.{max(1, _count_places(claim.reported) - 2)}%}"
    if isinstance(value, int):
        return f"{value:,}"
    places = max(2, _count_places(claim.reported))
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.{places}f}" if places <= _MOST_PLACES else f"{value:g}"


def _count_places(value: Value) -> int:
    return max(0, -int(Decimal(repr(value)).as_tuple().exponent)) if isinstance(value, float) else 0
