"""What a claims file may say: a paper's own numbers, and its claims. Unknown keys and wrong types are errors.

What the keys mean stands in `report/claims.yaml`, for those who write such a file.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

WorkKey = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_:.+/-]*$")]
"""A work's key in the bibliography."""
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
