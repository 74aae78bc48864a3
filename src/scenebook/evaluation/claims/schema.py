"""What a claims file may say, and what claims are held against: a run's files and a paper's own numbers.

Nothing in a claims file is run as code. Unknown keys and wrong types are errors; what the keys mean stands in
`report/claims.yaml`, for those who write such a file.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from scenebook.core.errors import ClaimsError, MissingArtifactError
from scenebook.core.run_directory import RunDirectory
from scenebook.core.run_files import PER_CLASS, RECIPE, SELECTION, STUDY_VERDICTS
from scenebook.core.settings import COLOURS
from scenebook.core.wording import MOST_NAMED

WorkKey = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_:.+/-]*$")]  # a work's key in the bibliography
NonEmptyText = Annotated[str, Field(min_length=1)]
Count = Annotated[int, Field(ge=0)]
Value = bool | int | float | str


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Expectation(_Strict):
    """How the measured value is compared with the reported one.

    The edge lies `tolerance` from the reported value, on the lenient side; of a proportion, 0.02 are 2 percentage
    points.
    """

    kind: Literal["equals", "within", "below", "above"]
    tolerance: float = Field(0.0, ge=0)


class StudyExpectation(_Strict):
    """What a training with the change that a claim speaks of is to have, against one without it."""

    accuracy: Literal["lower", "higher"] | None = None
    gap: Literal["smaller", "larger"] | None = None

    @property
    def directions(self) -> dict[str, int]:
        """What the claim speaks of, `accuracy` and `gap`: -1 where it is to fall, 1 where it is to rise."""
        told = {"accuracy": self.accuracy, "gap": self.gap}
        return {name: -1 if word in ("lower", "smaller") else 1 for name, word in told.items() if word}


class Conditions(_Strict):
    """What a run must have to be comparable with the paper; what is not given does not matter.

    `same_classes`: the classes must be the paper's, and the images no drawings; `samples_given`: a user chose the
    samples.
    """

    dataset: list[NonEmptyText] | None = None
    backbone: list[NonEmptyText] | None = None
    recipe: list[NonEmptyText] | Literal["all"] = Field(default_factory=list)
    num_classes: Annotated[int, Field(ge=2)] | None = None
    same_classes: bool = False
    samples_given: bool = False


class Claim(_Strict):
    """One claim of the paper."""

    id: str = Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")
    statement: NonEmptyText
    where: NonEmptyText
    reported: Value
    printed: str = ""
    percent: bool = False
    group: str = ""
    label: str = ""
    paper_measure: str | None = None
    measure: str = "none"
    study: StudyExpectation | None = None
    of: str | None = None
    expect: Expectation = Expectation(kind="equals", tolerance=0.0)
    applies_to: Conditions = Conditions()
    note: str = ""
    source: list[WorkKey] = Field(default_factory=list)


class ParameterCounts(_Strict):
    """What the paper prints of its network's size, and what that can be held against.

    Attributes:
        head: Parameters of the layers behind the backbone, by arithmetic.
        of_backbone: Parameters of backbones that come into question, by their number of layers with weights.
        of_last_layers: Trained parameters of the backbone's last layers, by how many layers are trained.
    """

    total: Count
    trainable: Count
    frozen: Count
    head: Count
    of_backbone: dict[int, Count] = Field(default_factory=dict)
    of_last_layers: dict[int, Count] = Field(default_factory=dict)


class Paper(_Strict):
    """The paper's own numbers; `train_images` and `test_images` are those of its data set, if they are known."""

    title: NonEmptyText
    source: WorkKey | None = None
    classes: list[NonEmptyText] = Field(default_factory=list)
    recipe: dict[str, Value] = Field(default_factory=dict)
    train_images: Count | None = None
    test_images: Count | None = None
    confusion_matrix: list[list[Count]] | None = None
    parameters: ParameterCounts | None = None
    remark: str = ""


class ClaimsFile(_Strict):
    """The content of a claims file."""

    paper: Paper
    claims: list[Claim] = Field(min_length=1)


NO_MEASURE = "none"
ABLATION = "ablation"
ARTIFACT = re.compile(r"(?P<file>[\w-]+(?:/[\w-]+)*\.json):(?P<path>[^\s.]+(?:\.[^\s.]+)*)")
RUN_MEASURES = {
    "class_precision": "class",
    "class_recall": "class",
    "class_f1": "class",
    "wrong_samples": "",
    "drawn_range": "range",
    ABLATION: "",
}
"""Measures of a run, for `measure:`, and what the claim's `of` must name."""


class PaperMeasure(NamedTuple):
    """A measure of the paper's own numbers: what it is computed from, as a clause, which key of `paper` it `needs`, and
    what the claim's `of` must name.
    """

    origin: str = "its confusion matrix"
    needs: str = "confusion_matrix"
    of: str = ""


_SCORES = ("precision", "recall", "f1")
PAPER_MEASURES = {
    "matrix_accuracy": PaperMeasure(),
    "matrix_count": PaperMeasure(),
    **{f"matrix_{name}": PaperMeasure(of="class") for name in (*_SCORES, "support")},
    **{f"matrix_{average}_{name}": PaperMeasure() for average in ("macro", "weighted") for name in _SCORES},
    **{
        name: PaperMeasure("its parameter counts", needs="parameters")
        for name in ("sum_of_parameters", "layers_by_parameters", "trained_layers_by_parameters")
    },
}
"""Measures of the paper's own numbers, for `paper_measure:`."""


@dataclass(frozen=True)
class Measured:
    """A measured value, with its 95% interval where it has one, and a verdict where it has been judged already."""

    value: float | int | str | bool
    low: float | None = None
    high: float | None = None
    verdict: str = ""
    why: str = ""


def measure_run(claim: Claim, run_dir: RunDirectory) -> Measured | None:
    """Returns what the run says about a claim; `None` where it says nothing, because a file or a value is missing.

    Raises:
        ClaimsError: What the claim's dotted path leads to is neither a score nor a single value.
    """
    if claim.measure == NO_MEASURE:
        return None
    try:
        if claim.measure in RUN_MEASURES:
            return _measure_named(claim, run_dir)
        found = ARTIFACT.fullmatch(claim.measure)
        value = _follow(run_dir.read_json(found["file"]), found["path"]) if found else None
    except MissingArtifactError:
        return None
    if isinstance(value, dict) and {"value", "low", "high"} <= set(value):
        return Measured(value["value"], value["low"], value["high"])
    if value is not None and not isinstance(value, (bool, int, float, str)):
        raise ClaimsError(
            "Expected the measure of a claim to lead to a score, a number or a text.",
            received={"claim": claim.id, "measure": claim.measure},
        )
    return None if value is None else Measured(value)


def explain_missing(claim: Claim, run_dir: RunDirectory) -> str:
    """Returns the sentence on why a run says nothing about a claim: a wrong path should not go unnoticed."""
    found = ARTIFACT.fullmatch(claim.measure)
    if claim.measure == NO_MEASURE or found is None:
        return "The run does not measure it."
    if not run_dir.path(found["file"]).is_file():
        return f"The run has no {found['file']}."
    return f"In the run's {found['file']} nothing is called {found['path']}."


def _measure_named(claim: Claim, run_dir: RunDirectory) -> Measured | None:
    match claim.measure:
        case "wrong_samples":
            selection = run_dir.read_csv(SELECTION)
            wrong = selection[selection["label"] != selection["predicted"]]
            told = [f"{row.label} as {row.predicted}" for row in wrong[:MOST_NAMED].itertuples()]
            more = [f"{len(wrong) - MOST_NAMED:,} more"] if len(wrong) > MOST_NAMED else []
            return Measured(", ".join(told + more) or "none")
        case "drawn_range":  # from where to where Keras, and with it this program, draws for a setting of augmentation
            largest = run_dir.read_json(RECIPE)[claim.of]
            low, high = (1 - largest, 1 + largest) if claim.of in ("zoom_range", *COLOURS) else (-largest, largest)
            return Measured(f"{low:g} to {high:g}".replace("-", "−"))
        case "ablation":
            found = run_dir.read_json(STUDY_VERDICTS).get(claim.id)
            return found and Measured(found.get("measured", "–"), verdict=found["verdict"], why=found["sentence"])
        case _:
            score = run_dir.read_json(PER_CLASS).get(claim.of, {}).get(claim.measure.removeprefix("class_"))
            return score and Measured(score["value"], score["low"], score["high"])


def _follow(value: Any, path: str) -> Any:
    for key in path.split("."):
        if isinstance(value, dict):
            value = value.get(key)
        elif isinstance(value, list) and key.isdecimal() and int(key) < len(value):
            value = value[int(key)]
        else:
            return None
    return value


def measure_paper(claim: Claim, paper: Paper) -> float | int | None:
    """Returns what the paper's own numbers say about a claim that names one of `PAPER_MEASURES`.

    Layers are counted by parameters: how many the backbone has whose parameters, with the head's, give the total, and
    how many of its last ones have those that are trained beside the head's; `None` where none fits.
    """
    name, counts = str(claim.paper_measure), paper.parameters
    if counts is None or name.startswith("matrix_"):
        position = paper.classes.index(claim.of) if claim.of in paper.classes else None
        return _measure_matrix(name.removeprefix("matrix_"), paper.confusion_matrix or [], position)
    if name == "sum_of_parameters":
        return counts.trainable + counts.frozen
    if name == "layers_by_parameters":
        known, wanted = counts.of_backbone, counts.total - counts.head
    else:
        known, wanted = counts.of_last_layers, counts.trainable - counts.head
    return next((layers for layers, n in known.items() if n == wanted), None)


def _measure_matrix(name: str, counts: Sequence[Sequence[int]], position: int | None) -> float | int:
    """Returns a score of counts `(k, k)`, of one class or averaged; what nothing is known of counts as 0."""
    import numpy as np

    matrix = np.array(counts)
    right, true, predicted = matrix.diagonal(), matrix.sum(axis=1), matrix.sum(axis=0)
    if name == "accuracy":
        return float(right.sum() / max(matrix.sum(), 1))
    if name == "count":
        return int(matrix.sum())
    if name == "support":
        return int(true[position])
    average, _, score = name.rpartition("_")
    part, whole = {"precision": (right, predicted), "recall": (right, true), "f1": (2 * right, true + predicted)}[score]
    values = np.divide(part, whole, out=np.zeros(len(part)), where=whole > 0)
    if not average:
        return float(values[position])
    return float(np.average(values, weights=true if average == "weighted" else None))
