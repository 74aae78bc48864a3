from __future__ import annotations

import numpy as np
import pytest

from scenebook.evaluation.claims.loading import claims_path, load_claims
from scenebook.evaluation.claims.verdicts import NOT_REPRODUCED, NOT_TESTED, REPRODUCED, UNDECIDED
from scenebook.study.summaries import Comparison, Summary
from scenebook.study.verdicts import judge_claims
from tests.unit.study.study import make_variant

LOWER, OPEN, HIGHER = -1, 0, 1
CLAIMS = load_claims(claims_path(None)).claims


def make_summary(
    claim: str, accuracy: int | None = OPEN, gap: int = OPEN, *, name: str = "v", opposite: bool = False
) -> Summary:
    """A variant whose differences are shown to be lower or higher, or left open; `None`: it cannot be compared."""
    variant = make_variant(name, claim, opposite=opposite)
    if accuracy is None:
        return Summary(0, variant, [], [])
    scores = [{"value": 0.04 * way, "low": 0.04 * way - 0.03, "high": 0.04 * way + 0.03} for way in (accuracy, gap)]
    p = 0.001 if accuracy else 0.6
    comparison = Comparison(scores[0], p, scores[1], 450, np.zeros(3), np.zeros(3))  # type: ignore[arg-type]
    return Summary(0, variant, [], [], comparison)


def judge(*summaries: Summary) -> str:
    (found,) = judge_claims(summaries, CLAIMS)
    return found.verdict


@pytest.mark.parametrize(
    ("accuracy", "gap", "verdict"),
    [
        (LOWER, HIGHER, REPRODUCED),
        (LOWER, OPEN, UNDECIDED),
        (OPEN, HIGHER, UNDECIDED),
        (OPEN, OPEN, UNDECIDED),
        (HIGHER, HIGHER, NOT_REPRODUCED),
        (LOWER, LOWER, NOT_REPRODUCED),
        (HIGHER, OPEN, NOT_REPRODUCED),
        (OPEN, LOWER, NOT_REPRODUCED),
        (HIGHER, LOWER, NOT_REPRODUCED),
    ],
)
def test_a_higher_learning_rate_has_to_lower_the_accuracy_and_to_over_fit(
    accuracy: int, gap: int, verdict: str
) -> None:
    assert judge(make_summary("learning-rate", accuracy, gap)) == verdict


@pytest.mark.parametrize(("gap", "verdict"), [(HIGHER, REPRODUCED), (OPEN, UNDECIDED), (LOWER, NOT_REPRODUCED)])
@pytest.mark.parametrize("accuracy", [LOWER, OPEN, HIGHER])
def test_more_epochs_over_fit_by_the_gap_alone(accuracy: int, gap: int, verdict: str) -> None:
    assert judge(make_summary("epochs", accuracy, gap)) == verdict


@pytest.mark.parametrize(("claim", "sign"), [("no-augmentation", -1), ("more-layers", 1)])
@pytest.mark.parametrize("gap", [LOWER, OPEN, HIGHER])
def test_what_is_worse_or_better_is_told_by_the_accuracy_alone(claim: str, sign: int, gap: int) -> None:
    verdicts = {way: judge(make_summary(claim, way * sign, gap)) for way in (1, 0, -1)}
    assert verdicts == {1: REPRODUCED, 0: UNDECIDED, -1: NOT_REPRODUCED}


@pytest.mark.parametrize(
    ("first", "second", "verdict"),
    [
        (HIGHER, HIGHER, REPRODUCED),
        (HIGHER, OPEN, REPRODUCED),
        (HIGHER, None, REPRODUCED),
        (HIGHER, LOWER, UNDECIDED),
        (OPEN, OPEN, UNDECIDED),
        (OPEN, LOWER, NOT_REPRODUCED),
        (None, LOWER, NOT_REPRODUCED),
        (LOWER, LOWER, NOT_REPRODUCED),
        (None, OPEN, UNDECIDED),
        (None, None, NOT_TESTED),
    ],
)
def test_of_two_variants_one_is_enough_unless_they_disagree(
    first: int | None, second: int | None, verdict: str
) -> None:
    one, other = make_summary("more-layers", first), make_summary("more-layers", second, name="w")
    assert judge(one, other) == judge(other, one) == verdict


def test_the_reverse_has_no_part_in_the_verdict() -> None:
    forward = make_summary("no-augmentation", LOWER)
    reverse = make_summary("no-augmentation", HIGHER, name="w", opposite=True)
    assert judge(forward, reverse) == REPRODUCED


def test_a_claim_is_judged_only_by_a_variant_that_makes_its_change() -> None:
    alone = make_summary("no-augmentation", HIGHER, opposite=True)
    assert judge_claims([alone, make_summary("a-claim-of-ones-own", HIGHER)], CLAIMS) == []
