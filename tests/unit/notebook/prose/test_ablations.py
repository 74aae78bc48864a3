from __future__ import annotations

import pytest

from scenebook.notebook.prose.ablations import tell_differences, tell_gaps, tell_limits, tell_study
from scenebook.study.summaries import Summary, summarize_variants
from tests.unit.notebook.prose.test_study_claims import show
from tests.unit.study.study import HOSTILE, make_base, make_failed, make_record, make_records, make_variant


@pytest.fixture(scope="module")
def summaries() -> list[Summary]:
    plan = [make_base(), *(make_variant(name) for name in ("worse", "same", "missing", "unrun"))]
    plan += [make_variant("single", title=HOSTILE, seeds=1), make_variant("failed", seeds=1)]
    records = [*make_records("base"), *make_records("worse", train=1.0, validation=0.7), *make_records("same")]
    records += [make_record("missing", 1), make_record("single", train=0.6, validation=0.6), make_failed("failed")]
    return summarize_variants(plan, records)


def test_what_was_run_is_told_and_what_was_not(summaries: list[Summary]) -> None:
    told = show(tell_study(summaries, stale=2))
    assert "5 variants of it were trained 12 times" in told
    assert "450 images" in told
    assert "1 variant of the plan has not been trained" in told
    assert "1 variant lacks some of the seeds. 1 variant failed. 2 results of other settings" in told


def test_a_whole_study_has_nothing_missing(summaries: list[Summary]) -> None:
    told = show(tell_study(summaries[:3]))
    assert [word for word in ("plan", "lack", "failed", "other settings") if word in told] == []


def test_where_nothing_was_run_one_sentence_says_how() -> None:
    for plan in ([], [make_base(), make_variant("v")]):
        told = show(tell_study(summarize_variants(plan, [])))
        assert told == "No ablation has been run with the settings of this run: `make ablations` does that."
    assert "this run (1 result of other settings left out): `make" in show(tell_study([], stale=1))


def test_differences_are_counted(summaries: list[Summary]) -> None:
    told = show(tell_differences(summaries))
    assert "Of 4 variants compared" in told
    assert "accuracy is significantly lower for 2 and the over-fitting gap is" in told
    assert "smaller for one and larger for one" in told
    assert "accuracy differs significantly for none" in show(tell_differences(summaries[:1] + summaries[2:4]))


def test_the_largest_and_the_smallest_gap_are_named(summaries: list[Summary]) -> None:
    told = show(tell_gaps(summaries))
    assert told.startswith("The over-fitting gap is largest in “worse”, 30.0 points, and smallest in “*no* `$x^2$`")
    assert told.endswith("”, 0.0 points.")
    assert show(tell_gaps(summaries[:1])) == "The over-fitting gap is largest in “as the run (base)”, 9.7 points."


def test_what_cannot_be_concluded_goes_by_the_seeds_that_there_are(summaries: list[Summary]) -> None:
    told = show(tell_limits(summaries))
    assert " points with 3 seeds and " in told
    assert " points with 1 seed " in told
    assert "Of 4 variants, 2 rest on one seed" in told
    assert "one in twenty" not in told
    assert "on one seed" not in show(tell_limits(summaries[:3]))


def test_of_many_intervals_some_are_said_to_miss() -> None:
    plan = [make_base(1), *(make_variant(f"v{number}", seeds=1) for number in range(5))]
    records = [make_record(variant.name) for variant in plan]
    assert "Of 10 such intervals, one in twenty" in show(tell_limits(summarize_variants(plan, records)))
