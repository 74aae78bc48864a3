"""What a study makes of the paper's claims on single changes of the recipe: the rules."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from scenebook.core.errors import SettingsError
from scenebook.core.wording import join_names
from scenebook.evaluation.claims.schema import Claim, StudyExpectation
from scenebook.evaluation.claims.verdicts import NOT_REPRODUCED, NOT_TESTED, REPRODUCED, UNDECIDED
from scenebook.study.plan import Variant
from scenebook.study.summaries import Summary


def check_claims(variants: Iterable[Variant], claims: Iterable[Claim]) -> None:
    """Raises `SettingsError` for a variant that says it tests a claim which no study can test."""
    known = [claim.id for claim in claims if claim.study]
    for variant in variants:
        if variant.claim is not None and variant.claim not in known:
            raise SettingsError(
                f"Expected a claim that a study can test: {join_names(known) or 'the claims file has none'}.",
                received={"variant": variant.name, "claim": variant.claim},
                advice="Leave `claim` out of the plan where a variant tests none of them, or add `study` to the claim.",
            )


@dataclass(frozen=True)
class Judgement:
    """A claim that was held against the variants that make its change, `forward`.

    Those that make the reverse, `opposite`, have no part in the verdict, which is one of `evaluation.claims.verdicts`.
    """

    claim: Claim
    study: StudyExpectation
    forward: list[Summary]
    opposite: list[Summary]
    verdict: str


def judge_claims(summaries: Sequence[Summary], claims: Iterable[Claim]) -> list[Judgement]:
    """Returns what becomes of each claim that a variant of the plan tests; no claim is judged without one.

    A variant shows a claim when it shows all that the claim says of it, and contradicts it when it shows the reverse of
    any of that. A difference in accuracy is shown where McNemar's test and the interval both leave 0 out, one in the
    over-fitting gap where its interval does. Of several variants that make the change, one that shows the claim is
    enough to reproduce it and one that contradicts it to refute it; where they disagree, and where none of them shows
    anything, the claim is undecided. A variant of which only some seeds are done is judged by these, one that cannot
    be compared has no part in it. Claims without a `study` are left out.
    """
    judged = []
    for claim in claims:
        mine = [one for one in summaries if one.variant.claim == claim.id]
        forward, opposite = ([one for one in mine if one.variant.direction == way] for way in ("forward", "opposite"))
        if claim.study and forward:
            judged.append(Judgement(claim, claim.study, forward, opposite, _combine(claim.study, forward)))
    return judged


def judge_variant(expected: StudyExpectation, summary: Summary) -> str:
    """Returns the verdict that one variant alone gives."""
    if summary.comparison is None:
        return NOT_TESTED
    shown, contradicted, _ = sort_parts(expected, summary)
    return NOT_REPRODUCED if contradicted else REPRODUCED if shown == list(expected.directions) else UNDECIDED


def sort_parts(expected: StudyExpectation, summary: Summary) -> tuple[list[str], list[str], list[str]]:
    """Returns what a claim says of a compared variant, `accuracy` and `gap`, as shown, contradicted and left open."""
    assert summary.comparison is not None
    found = {"accuracy": summary.comparison.accuracy_direction, "gap": summary.comparison.gap_direction}
    agreement = {name: way * found[name] for name, way in expected.directions.items()}
    shown, contradicted, left_open = ([name for name, way in agreement.items() if way == at] for at in (1, -1, 0))
    return shown, contradicted, left_open


def _combine(expected: StudyExpectation, forward: Iterable[Summary]) -> str:
    verdicts = {judge_variant(expected, summary) for summary in forward} - {NOT_TESTED}
    decided = verdicts - {UNDECIDED}
    return NOT_TESTED if not verdicts else decided.pop() if len(decided) == 1 else UNDECIDED
