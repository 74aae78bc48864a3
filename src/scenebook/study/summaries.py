"""What is there of each variant, and how it compares with the base."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from scenebook.core.errors import ScenebookError
from scenebook.evaluation.metrics.comparison import SIGNIFICANT, compare_paired
from scenebook.evaluation.metrics.intervals import Score
from scenebook.study.gaps import compare_gaps, measure_gap
from scenebook.study.plan import BASE, Variant
from scenebook.study.records import DONE, FAILED, Record

INCOMPLETE, NOT_RUN = "incomplete", "not run"


@dataclass(frozen=True)
class Comparison:
    """A variant held against the base, on the images of the seeds that both have.

    Seeds hold out other images, unless there are more seeds than parts; an image then counts with each of its seeds.

    Attributes:
        accuracy: The variant's validation accuracy less the base's, over all images, with its 95% interval.
        p: Of McNemar's test.
        gap: The variant's over-fitting gap less the base's.
        images: Validation images that were compared.
        accuracies: float64 `(seeds,)`: the difference of each seed.
        gaps: float64 `(seeds,)`: the same of the gaps.
    """

    accuracy: Score
    p: float
    gap: Score
    images: int
    accuracies: np.ndarray
    gaps: np.ndarray

    @property
    def accuracy_direction(self) -> int:
        """1 where the variant is shown to be more accurate, -1 where less, 0 where the difference may be chance.

        The interval is a little less careful than the test: where only the test leaves a difference to chance, it is
        left to chance.
        """
        return _direction(self.accuracy) if self.p < SIGNIFICANT else 0

    @property
    def gap_direction(self) -> int:
        """1 where the variant is shown to have the larger gap, -1 where the smaller, 0 where that may be chance."""
        return _direction(self.gap)


def _direction(score: Score) -> int:
    return 1 if score["low"] > 0 else -1 if score["high"] < 0 else 0


@dataclass(frozen=True)
class Summary:
    """What is there of one variant.

    Attributes:
        number: Its place in the plan, from 0.
        variant: The variant.
        done: Its finished trainings.
        failed: Those that ended with an error.
        comparison: With the base; `None` of the base itself, and where the two have no seed in common.
    """

    number: int
    variant: Variant
    done: list[Record]
    failed: list[Record]
    comparison: Comparison | None = None

    @property
    def status(self) -> str:
        """`done`, `incomplete` where only some of the seeds are done, `failed`, or `not run`."""
        if self.done:
            return DONE if len(self.done) >= self.variant.seeds else INCOMPLETE
        return FAILED if self.failed else NOT_RUN

    @property
    def title(self) -> str:
        """The variant's title; that of the base says that it is the base."""
        return f"{self.variant.title} (base)" if self.variant.name == BASE else self.variant.title

    @property
    def changes(self) -> Mapping[str, Any]:
        """The settings that differ from the run's, as numbers where the built network has told them."""
        return self.done[0].settings if self.done else self.variant.change

    @property
    def error(self) -> str:
        """What went wrong, by seed; empty where nothing did."""
        return "; ".join(f"seed {record.seed}: {record.error}" for record in self.failed)

    @property
    def note(self) -> str:
        """What a figure has to say of it: that it failed, or which seeds it has; empty where all are done."""
        if self.done:
            return f"{len(self.done)} of {self.variant.seeds} seeds" if self.status == INCOMPLETE else ""
        return "diverged" if self.diverged else "failed" if self.failed else ""

    @property
    def diverged(self) -> int:
        """In how many seeds the training did not finish because its loss was no finite number."""
        return sum(record.diverged for record in self.failed)

    @property
    def accuracies(self) -> np.ndarray:
        """The validation accuracies, float64 `(seeds,)`."""
        return np.array([record.val_right.mean() for record in self.done], dtype=np.float64)

    @property
    def gaps(self) -> np.ndarray:
        """The over-fitting gaps, float64 `(seeds,)`."""
        return np.array([measure_gap(record) for record in self.done], dtype=np.float64)


def summarize_variants(variants: Sequence[Variant], records: Sequence[Record]) -> list[Summary]:
    """Returns a summary a variant, in their order.

    Args:
        variants: The plan, the base among them.
        records: What was run of it, in any order; some may be missing or have failed.

    Raises:
        ScenebookError: A variant and the base have other images for the same seed.
    """
    listed = {variant.name: [one for one in records if one.variant == variant.name] for variant in variants}
    base = {record.seed: record for record in listed.get(BASE, ()) if record.status == DONE}
    summaries = []
    for number, variant in enumerate(variants):
        mine = sorted(listed[variant.name], key=lambda record: record.seed)
        done, failed = ([one for one in mine if (one.status == DONE) is wanted] for wanted in (True, False))
        paired = [(one, base[one.seed]) for one in done if one.seed in base]
        comparison = _compare(paired) if paired and variant.name != BASE else None
        summaries.append(Summary(number, variant, done, failed, comparison))
    return summaries


def has_base(summaries: Sequence[Summary]) -> bool:
    """Returns whether there is a base to compare with."""
    return any(one.variant.name == BASE and one.done for one in summaries)


def _compare(paired: Sequence[tuple[Record, Record]]) -> Comparison:
    for one, other in paired:
        if one.val_paths != other.val_paths or one.train_paths != other.train_paths:
            raise ScenebookError(
                "Expected a variant and the base to have the same images for the same seed. "
                f"Received: variant={one.variant!r}, seed={one.seed}. Run `make ablations` again."
            )
    mine, base = zip(*paired, strict=True)
    right, base_right = (np.concatenate([record.val_right for record in records]) for records in (mine, base))
    tested = compare_paired(right, base_right)
    return Comparison(
        accuracy=tested["difference"],
        p=tested["p"],
        gap=compare_gaps(mine, base, tested["difference"]),
        images=tested["n"],
        accuracies=np.array([one.val_right.mean() - other.val_right.mean() for one, other in paired]),
        gaps=np.array([measure_gap(one) - measure_gap(other) for one, other in paired]),
    )
