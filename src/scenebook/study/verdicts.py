"""What a study makes of the paper's claims on single changes of the recipe: the rules. No TensorFlow."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from scenebook.core.errors import SettingsError
from scenebook.core.wording import join_names
from scenebook.evaluation.claims.verdicts import NOT_REPRODUCED, NOT_TESTED, REPRODUCED, UNDECIDED
from scenebook.study.plan import Variant
from scenebook.study.summaries import Summary


@dataclass(frozen=True)
class Expectation:
    """What a claim says of the variant that makes its change.

    Attributes:
        statement: The claim.
        accuracy: 1 where the variant is to be more accurate than the base, -1 where less, 0 where it says nothing.
        gap: The same of the over-fitting gap.
    """

    statement: str
    accuracy: int = 0
    gap: int = 0


EXPECTATIONS = {
    "learning-rate": Expectation("a higher learning rate lowers the accuracy and over-fits", accuracy=-1, gap=1),
    "epochs": Expectation("more epochs over-fit", gap=1),
    "no-augmentation": Expectation("training without augmentation is worse", accuracy=-1),
    "more-layers": Expectation("training more layers is better", accuracy=1),
}
"""The claims that a study can test, by their id in the claims file."""


def check_claims(variants: Iterable[Variant]) -> None:
    """Raises `SettingsError` for a variant that says it tests a claim which no study can test."""
    for variant in variants:
        if variant.claim is not None and variant.claim not in EXPECTATIONS:
            raise SettingsError(
                f"Expected a claim that a study can test: {join_names(list(EXPECTATIONS))}.",
                received={"variant": variant.name, "claim": variant.claim},
                advice="Leave `claim` out of the plan where a variant tests none of them.",
            )


@dataclass(frozen=True)
class Judgement:
    """A claim that was held against a study.

    Attributes:
        claim: Its id.
        expected: What it says.
        forward: The variants that make its change.
        opposite: Those that make the reverse; they have no part in the verdict.
        verdict: `REPRODUCED`, `NOT_REPRODUCED`, `UNDECIDED` or `NOT_TESTED`.
    """

    claim: str
    expected: Expectation
    forward: list[Summary]
    opposite: list[Summary]
    verdict: str


def judge_claims(summaries: Sequence[Summary]) -> list[Judgement]:
    """Returns what becomes of each claim that a variant of the plan tests; no claim is judged without one.

    A variant shows a claim when it shows all that the claim says of it, and contradicts it when it shows the reverse of
    any of that. A difference in accuracy is shown where McNemar's test and the interval both leave 0 out, one in the
    over-fitting gap where its interval does. Of several variants that make the change, one that shows the claim is
    enough to reproduce it and one that contradicts it to refute it; where they disagree, and where none of them shows
    anything, the claim is undecided. A variant of which only some seeds are done is judged by these, one that cannot
    be compared has no part in it.

    Args:
        summaries: From `summarize`.
    """
    judged = []
    for claim, expected in EXPECTATIONS.items():
        mine = [one for one in summaries if one.variant.claim == claim]
        forward, opposite = ([one for one in mine if one.variant.direction == way] for way in ("forward", "opposite"))
        if forward:
            judged.append(Judgement(claim, expected, forward, opposite, _combine(expected, forward)))
    return judged


def judge_variant(expected: Expectation, summary: Summary) -> str:
    """Returns the verdict that one variant alone gives."""
    if summary.comparison is None:
        return NOT_TESTED
    shown, contradicted, _ = sort_parts(expected, summary)
    told = [name for name in ("accuracy", "gap") if getattr(expected, name)]
    return NOT_REPRODUCED if contradicted else REPRODUCED if shown == told else UNDECIDED


def sort_parts(expected: Expectation, summary: Summary) -> tuple[list[str], list[str], list[str]]:
    """Returns what a claim says of a compared variant, `accuracy` and `gap`, as shown, contradicted and left open."""
    assert summary.comparison is not None
    found = {"accuracy": summary.comparison.accuracy_direction, "gap": summary.comparison.gap_direction}
    agreement = {name: getattr(expected, name) * way for name, way in found.items() if getattr(expected, name)}
    shown, contradicted, left_open = ([name for name, way in agreement.items() if way == at] for at in (1, -1, 0))
    return shown, contradicted, left_open


def _combine(expected: Expectation, forward: Iterable[Summary]) -> str:
    verdicts = {judge_variant(expected, summary) for summary in forward} - {NOT_TESTED}
    decided = verdicts - {UNDECIDED}
    return NOT_TESTED if not verdicts else decided.pop() if len(decided) == 1 else UNDECIDED
