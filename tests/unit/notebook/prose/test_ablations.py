from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from scenebook.core.run_directory import RunDirectory
from scenebook.core.run_files import STUDY_VERDICTS
from scenebook.core.sentences import Sentence, fill, without_marks
from scenebook.evaluation.claims.loading import claims_path, load_claims
from scenebook.evaluation.claims.schema import measure_run
from scenebook.evaluation.claims.verdicts import NOT_REPRODUCED, NOT_TESTED, REPRODUCED
from scenebook.notebook.prose.ablations import (
    tell_differences,
    tell_gaps,
    tell_limits,
    tell_study,
    tell_study_claims,
    tell_study_outcome,
    tell_study_verdicts,
)
from scenebook.study.plan import Variant
from scenebook.study.summaries import Summary, summarize_variants
from scenebook.study.trials import Record
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
    assert "none of 2 variants differs" in show(tell_differences(summaries[:1] + summaries[2:4]))


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


BASE = make_base()
CLAIMS = load_claims(claims_path(None)).claims


def show(sentence: Sentence) -> str:
    """The sentence as a reader sees it; each of its values must know where it is from."""
    text, values = sentence
    filled = fill(text, [values])
    assert all(used.source for used in filled.used), "a value without a source"
    return without_marks(filled.markdown).replace("\\", "")


def tell(variants: Sequence[Variant], *records: Record, base: bool = True) -> str:
    kept = [*records, *(make_records("base") if base else [])]
    return " ".join(
        show(sentence) for sentence in tell_study_claims(summarize_variants([BASE, *variants], kept), CLAIMS)
    )


def test_a_claim_that_is_reproduced_is_told_with_its_numbers() -> None:
    told = tell([make_variant("fast", "learning-rate")], *make_records("fast", train=1.0, validation=0.7, draw=1))
    assert told.startswith("**A higher learning rate lowers the accuracy and over-fits: reproduced.** Over 3 seeds ")
    assert "with 450 validation images in all, the accuracy of “fast” is 70.0%, −15.3 points against" in told
    assert "; p < 0.001), and its over-fitting gap is 30.0 points, +20.3 against the base (95% interval +" in told
    assert told.endswith("The accuracy is lower and the gap is larger, as the paper says.")


def test_the_opposite_of_a_claim_is_told() -> None:
    told = tell([make_variant("bare", "no-augmentation")], *make_records("bare", validation=0.95))
    assert "is worse: not reproduced.**" in told
    assert told.endswith("The accuracy is higher: the paper says the opposite.")


def test_what_is_undecided_is_told() -> None:
    variant = make_variant("fast", "learning-rate")
    nothing = tell([variant], *make_records("fast", draw=1))
    assert "over-fits: undecided.**" in nothing
    assert "Whether the accuracy is lower and the gap is larger, as the paper says, is undecided." in nothing
    half = tell([variant], *make_records("fast", train=0.85, validation=0.75))
    assert "The accuracy is lower, as the paper says. Whether the gap is larger, as the paper says, is un" in half


def test_epochs_have_a_word_on_the_accuracy_beside_the_verdict() -> None:
    variant = make_variant("long", "epochs")
    told = tell([variant], *make_records("long", train=1.0))
    assert "More epochs over-fit: reproduced.**" in told
    assert told.endswith("The gap is larger, as the paper says. Whether the accuracy changes is undecided.")
    worse = tell([variant], *make_records("long", train=1.0, validation=0.7))
    assert worse.endswith("The accuracy, which the claim does not mention, is lower.")


def test_variants_that_disagree_are_said_to() -> None:
    plan = [make_variant("block", "more-layers"), make_variant("stage", "more-layers")]
    told = tell(plan, *make_records("block", validation=0.95), *make_records("stage", validation=0.7))
    assert "Training more layers would be better: undecided.**" in told
    assert told.endswith("The variants disagree, so the claim as a whole is undecided.")
    both = tell(plan, *make_records("block", validation=0.95), *make_records("stage", validation=0.95))
    assert both.endswith("All of them show it.")
    one = tell(plan, *make_records("block", validation=0.95), *make_records("stage"))
    assert one.endswith("One that shows it is enough; none contradicts it.")
    none = tell(plan, *make_records("block"), *make_records("stage", validation=0.7))
    assert none.endswith("None of them shows it.")


def test_the_reverse_is_told_for_comparison() -> None:
    plan = [make_variant("fast", "learning-rate"), make_variant("slow", "learning-rate", opposite=True)]
    told = tell(plan, *make_records("fast"), *make_records("slow", validation=0.7))
    assert "For comparison, the reverse: “slow” has an accuracy of 70.0%, −15.3 points against the base" in told


def test_a_training_that_diverged_is_told_as_evidence() -> None:
    variant = make_variant("fast", "learning-rate")
    told = tell([variant], *(make_failed("fast", seed) for seed in range(3)))
    assert "over-fits: not tested in this run.**" in told
    assert "training did not finish in 3 of 3 seeds, because the loss was not a finite number; there is no acc" in told
    rest = tell([variant], make_failed("fast", 0), *(make_record("fast", seed, validation=0.7) for seed in (1, 2)))
    assert "Over 2 of 3 seeds with 300 validation images" in rest
    assert "did not finish in 1 of 3 seeds, because the loss was not a finite number; the numbers are those of" in rest


def test_other_failures_and_missing_results_are_told() -> None:
    plan = [make_variant("block", "more-layers"), make_variant("stage", "more-layers")]
    told = tell(plan, make_failed("block", error="MemoryError: {no} *room*."))
    assert "“block” failed in 1 of 3 seeds (MemoryError: {no} *room*). “stage” has not been run: make abl" in told
    assert "The base has no result" in tell(plan, *make_records("block"), base=False)
    alone = summarize_variants([BASE, *plan], [make_record("base", 1), make_record("block", 0)])
    assert "“block” has no seed in common with the base." in show(tell_study_claims(alone, CLAIMS)[0])


def test_the_text_names_the_verdicts_and_leaves_the_numbers_to_the_supplement() -> None:
    plan = [BASE, make_variant("fast", "learning-rate"), make_variant("bare", "no-augmentation")]
    records = [*make_records("base"), *make_records("bare", validation=0.7)]
    told = show(tell_study_outcome(summarize_variants(plan, records), CLAIMS))
    assert told.endswith("Reproduced: training without augmentation is worse.")
    assert "learning rate" not in told
    assert tell_study_outcome(summarize_variants(plan, []), CLAIMS)[0] == ""


def test_titles_are_text_whatever_they_hold() -> None:
    variant = make_variant("v", "epochs", title=HOSTILE)
    summaries = summarize_variants([BASE, variant], [*make_records("base"), *make_records("v")])
    (sentence, values) = tell_study_claims(summaries, CLAIMS)[0]
    assert "\\*no\\* \\`\\$x\\^2\\$\\` \\{0\\}" in without_marks(fill(sentence, [values]).markdown)
    assert " ".join(HOSTILE.split()) in " ".join(tell_study_verdicts(summaries, CLAIMS)["epochs"]["sentence"].split())


@pytest.mark.parametrize(("validation", "verdict"), [(0.7, REPRODUCED), (0.95, NOT_REPRODUCED)])
def test_the_claims_read_what_a_study_wrote(run_dir: RunDirectory, validation: float, verdict: str) -> None:
    plan = [BASE, make_variant("bare", "no-augmentation")]
    records = [*make_records("base"), *make_records("bare", validation=validation)]
    run_dir.write_json(STUDY_VERDICTS, tell_study_verdicts(summarize_variants(plan, records), CLAIMS))
    listed = {claim.id: claim for claim in CLAIMS}
    measured = measure_run(listed["no-augmentation"], run_dir)
    assert measured is not None
    assert measured.verdict == verdict
    assert str(measured.value).startswith("accuracy −15.3 points, gap +15" if validation < 0.85 else "accuracy +")
    assert "of “bare” is" in measured.why
    assert measure_run(listed["epochs"], run_dir) is None


def test_the_verdicts_of_each_variant_are_kept_and_are_json() -> None:
    plan = [BASE, make_variant("block", "more-layers"), make_variant("stage", "more-layers")]
    records = [*make_records("base"), *make_records("block", validation=0.95)]
    found = tell_study_verdicts(summarize_variants(plan, records), CLAIMS)["more-layers"]
    assert found["variants"] == {"block": REPRODUCED, "stage": NOT_TESTED}
    assert found["measured"].startswith("block: accuracy +")
    json.dumps(found, allow_nan=False)


def test_where_nothing_was_run_there_is_no_verdict() -> None:
    assert tell_study_verdicts(summarize_variants([BASE, make_variant("long", "epochs")], []), CLAIMS) == {}
