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
    assert "the *base*, and 5 variants of it were trained 12 times" in told
    assert "Over all seeds, 450 images are held out; with" in told
    assert told.endswith(
        "Not run yet: 1 variant of the plan; `make ablations` goes on. Without some of the seeds: 1 variant. "
        "Failed: 1 variant. Left out: 2 results of other settings."
    )


def test_a_whole_study_has_nothing_missing(summaries: list[Summary]) -> None:
    assert show(tell_study(summaries[:3])).endswith(" the same ones for every variant.")


def test_where_nothing_was_run_one_sentence_says_how() -> None:
    for plan in ([], [make_base(), make_variant("v")]):
        told = show(tell_study(summarize_variants(plan, [])))
        assert told == "No ablation has been run with the settings of this run: `make ablations` does that."
    assert "this run (1 result of other settings left out): `make" in show(tell_study([], stale=1))


def test_differences_are_counted(summaries: list[Summary]) -> None:
    told = show(tell_differences(summaries))
    assert (
        "Of 4 variants, the accuracy is lower than the base's beyond chance for 2 and higher for none; for 2 " in told
    )
    assert told.endswith("larger beyond chance for one and smaller for one.")


def test_the_largest_and_the_smallest_gap_are_named(summaries: list[Summary]) -> None:
    told = show(tell_gaps(summaries))
    assert told.startswith("The over-fitting gap is largest in “worse”, 30.0 points, and smallest in “*no* `$x^2$`")
    assert told.endswith("”, 0.0 points.")
    assert show(tell_gaps(summaries[:1])) == "The over-fitting gap is largest in “as the run (base)”, 9.7 points."


def test_what_cannot_be_concluded_goes_by_the_seeds_that_there_are(summaries: list[Summary]) -> None:
    told = show(tell_limits(summaries))
    assert " with 3 seeds and " in told
    assert " with 1 seed: smaller differences" in told
    assert "Of 4 variants, 2 rest on one seed" in told
    assert "one in twenty" not in told
    whole = show(tell_limits(summaries[:3]))
    assert "rest on one seed" not in whole
    assert "not of further trainings" in whole


def test_of_many_intervals_some_are_said_to_miss() -> None:
    plan = [make_base(1), *(make_variant(f"v{number}", seeds=1) for number in range(5))]
    records = [make_record(variant.name) for variant in plan]
    assert "There are 10 intervals: of so many, one in twenty misses by chance." in show(
        tell_limits(summarize_variants(plan, records))
    )
