from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from scenebook.core.errors import ClaimsError, ScenebookError
from scenebook.core.run_directory import RunDirectory
from scenebook.core.sentences import fill, without_marks
from scenebook.evaluation.claims.schema import Claim, ClaimsFile, Conditions, Expectation, Measured, Paper
from scenebook.evaluation.claims.verdicts import (
    CONSISTENT,
    CONTRADICTED,
    NOT_COMPARABLE,
    NOT_REPRODUCED,
    NOT_TESTED,
    NOTHING,
    REPRODUCED,
    UNDECIDED,
    Judged,
    concerns_run,
    decide,
    judge_paper_claims,
    list_departures,
)
from scenebook.notebook.prose.claims import (
    MOST_MEASURED,
    tabulate_all,
    tabulate_contradicted,
    tabulate_measured,
    tell_measured,
    tell_own_numbers,
    tell_paper,
    tell_remaining_claims,
    to_records,
)
from tests.unit.evaluation.claims.conftest import PAPER_RUN, make_score


def judge(listed: ClaimsFile, run_dir: RunDirectory, **changes: Any) -> dict[str, Judged]:
    run = {**PAPER_RUN, **changes}
    run_dir.write_json("training/recipe.json", run)
    return {one.claim.id: one for one in judge_paper_claims(listed, run_dir, run)}


def make_claim(reported: float | str, kind: Any = "equals", tolerance: float = 0.0, **more: Any) -> Claim:
    expect = Expectation(kind=kind, tolerance=tolerance)
    return Claim(id="c", statement="s", where="w", reported=reported, expect=expect, **more)


def test_the_papers_own_numbers_contradict_89_percent_and_152_layers(
    papers: ClaimsFile, paper_run: RunDirectory
) -> None:
    judged = judge(papers, paper_run)
    wrong = {name: (one.reported, one.own) for name, one in judged.items() if one.verdict == CONTRADICTED}
    assert wrong == {"accuracy-in-text": ("89%", "88.2%"), "layers": ("152", "50")}
    assert sum(bool(one.paper_holds) for one in judged.values()) == 34
    assert (judged["last-three-layers"].own, judged["last-three-layers"].measured) == ("3", "–")
    assert (judged["built-layers"].verdict, judged["built-layers"].measured) == (NOT_REPRODUCED, "50")


def test_contradictions_do_not_depend_on_the_run(papers: ClaimsFile, paper_run: RunDirectory) -> None:
    paper_run.write_json("data/classes.json", {"classes": ["cat", "dog"], "name": "pets"})
    judged = judge(papers, paper_run, backbone="MobileNetV2", epochs=2)
    assert judged["layers"].verdict == judged["accuracy-in-text"].verdict == CONTRADICTED
    assert judged["test-images"].verdict == CONSISTENT


def test_parameter_counts_are_reproduced_only_when_equal(papers: ClaimsFile, paper_run: RunDirectory) -> None:
    names = ("total-parameters", "trainable-parameters", "frozen-parameters")
    assert {judge(papers, paper_run)[name].verdict for name in names} == {REPRODUCED}
    paper_run.write_json("training/summary.json", {"total_params": 76_023_687})
    assert judge(papers, paper_run)["total-parameters"].verdict == NOT_REPRODUCED


@pytest.mark.parametrize(
    ("kind", "low", "high", "verdict"),
    [
        ("within", 0.87, 0.89, REPRODUCED),
        ("within", 0.86, 0.90, REPRODUCED),
        ("within", 0.93, 0.97, NOT_REPRODUCED),
        ("within", 0.70, 0.80, NOT_REPRODUCED),
        ("within", 0.85, 0.91, UNDECIDED),
        ("within", 0.85, 0.87, UNDECIDED),
        ("below", 0.85, 0.89, REPRODUCED),
        ("below", 0.89, 0.91, UNDECIDED),
        ("below", 0.90, 0.92, NOT_REPRODUCED),
        ("above", 0.87, 0.92, REPRODUCED),
        ("above", 0.85, 0.92, UNDECIDED),
        ("above", 0.80, 0.86, NOT_REPRODUCED),
    ],
)
def test_a_score_is_judged_by_its_whole_interval(kind: str, low: float, high: float, verdict: str) -> None:
    assert decide(make_claim(0.88, kind, 0.02), Measured((low + high) / 2, low, high))[0] == verdict


@pytest.mark.parametrize(
    ("reported", "kind", "measured", "verdict"),
    [
        (0.1, "within", 0.3, NOT_REPRODUCED),
        (5, "below", 5, NOT_REPRODUCED),
        (5, "below", 4, REPRODUCED),
        (5, "above", 5, NOT_REPRODUCED),
        (8, "equals", 8.0, REPRODUCED),
        ("8", "equals", 8, REPRODUCED),
        ("SGD", "equals", "Adam", NOT_REPRODUCED),
    ],
)
def test_a_value_without_an_interval_is_never_undecided(
    reported: float | str, kind: str, measured: float | str, verdict: str
) -> None:
    assert decide(make_claim(reported, kind), Measured(measured))[0] == verdict


def test_equals_may_have_a_tolerance() -> None:
    assert decide(make_claim(0.88, "equals", 0.005), Measured(0.884))[0] == REPRODUCED
    assert decide(make_claim(0.88, "equals"), Measured(0.884))[0] == NOT_REPRODUCED


@pytest.mark.parametrize(
    ("low", "high", "verdict"), [(0.86, 0.9, UNDECIDED), (0.89, 0.9, NOT_REPRODUCED), (0.88, 0.88, REPRODUCED)]
)
def test_a_score_is_not_refuted_by_an_interval_that_holds_the_reported_value(
    low: float, high: float, verdict: str
) -> None:
    assert decide(make_claim(0.88), Measured((low + high) / 2, low, high))[0] == verdict
    assert decide(make_claim("high"), Measured(0.88, low, high))[0] == NOT_REPRODUCED


@pytest.mark.parametrize(
    ("kind", "tolerance", "percent", "why"),
    [
        ("above", 0.005, False, "The whole interval is above it, or at most 0.005 below."),
        ("above", 0.02, True, "The whole interval is above it, or at most 2 percentage points below."),
        ("above", 0.0, True, "The whole interval is above it."),
        ("within", 0.05, False, "The whole interval is within 0.05 of it."),
    ],
)
def test_the_edge_is_told_without_rounding(kind: str, tolerance: float, percent: bool, why: str) -> None:
    assert decide(make_claim(0.88, kind, tolerance, percent=percent), Measured(0.9, 0.89, 0.91))[1] == why


def test_a_paper_that_starts_from_random_weights_is_comparable_with_such_a_run(
    papers: ClaimsFile, paper_run: RunDirectory
) -> None:
    paper = papers.paper.model_copy(update={"recipe": {**papers.paper.recipe, "weights": "random"}})
    other = papers.model_copy(update={"paper": paper})
    assert judge(other, paper_run, weights="random")["accuracy"].verdict != NOT_COMPARABLE
    assert judge(other, paper_run, weights="imagenet")["accuracy"].verdict == NOT_COMPARABLE


def test_a_text_that_was_measured_is_no_number() -> None:
    with pytest.raises(ClaimsError, match=r"Expected a number to be measured.*claim='c'.*measured='fast'"):
        decide(make_claim(0.88, "within"), Measured("fast"))


@pytest.mark.parametrize(
    ("changes", "claim", "why"),
    [
        ({"backbone": "MobileNetV2"}, "accuracy", "In this run backbone is MobileNetV2, in the paper ResNet50."),
        ({"epochs": 2}, "accuracy", "In this run epochs is 2, in the paper 8."),
        ({"head_units": 512}, "total-parameters", "head_units is 512"),
        ({"weights": "random"}, "accuracy", "random weights"),
        ({"dataset": "scenes"}, "f1-sea", "drawn by the program"),
        ({}, "wrong-sample", "drawn at random from the test images"),
    ],
)
def test_a_run_that_differs_is_not_comparable(
    papers: ClaimsFile, paper_run: RunDirectory, changes: dict[str, Any], claim: str, why: str
) -> None:
    found = judge(papers, paper_run, **changes)[claim]
    assert found.verdict == NOT_COMPARABLE
    assert why in found.why


def test_other_epochs_leave_the_parameters_comparable(papers: ClaimsFile, paper_run: RunDirectory) -> None:
    assert judge(papers, paper_run, epochs=2)["total-parameters"].verdict == REPRODUCED


def test_other_classes_are_not_comparable(papers: ClaimsFile, paper_run: RunDirectory) -> None:
    paper_run.write_json("data/classes.json", {"classes": ["cat", "dog"], "name": "pets"})
    assert judge(papers, paper_run)["accuracy"].why == "This run has other classes."
    assert judge(papers, paper_run)["total-parameters"].why == "This run has 2 classes, the paper 6."


@pytest.mark.parametrize(
    ("wanted", "comparable"),
    [
        ({"dataset": ["photographs"]}, True),
        ({"dataset": ["intel", "folder"]}, True),
        ({"dataset": ["intel"]}, False),
        ({"backbone": ["VGG16", "ResNet50"]}, True),
        ({"backbone": ["VGG16"]}, False),
    ],
)
def test_a_claim_may_name_data_sets_and_backbones(
    papers: ClaimsFile, paper_run: RunDirectory, wanted: dict[str, Any], comparable: bool
) -> None:
    measure = "evaluation/metrics.json:accuracy.value"
    claim = make_claim(0.95, measure=measure, applies_to=Conditions(**wanted))
    found = judge(papers.model_copy(update={"claims": [claim]}), paper_run)["c"]
    assert (found.verdict != NOT_COMPARABLE) == comparable


def test_the_wrong_sample_counts_only_for_chosen_images(papers: ClaimsFile, paper_run: RunDirectory) -> None:
    found = judge(papers, paper_run, samples_dir="samples")["wrong-sample"]
    assert (found.measured, found.verdict) == ("sea as mountain", REPRODUCED)


def test_ranges_are_drawn_to_both_sides(papers: ClaimsFile, paper_run: RunDirectory) -> None:
    judged = judge(papers, paper_run)
    assert judged["rotation-drawn"].measured == "−90 to 90"
    assert judged["zoom-drawn"].measured == "0.8 to 1.2"
    assert judged["shear-drawn"].verdict == NOT_REPRODUCED


def test_what_was_not_measured_is_said_to_be_not_tested(papers: ClaimsFile, paper_run: RunDirectory) -> None:
    paper_run.path("evaluation/metrics.json").unlink()
    paper_run.write_json("evaluation/per_class.json", {name: {"f1": None} for name in ("sea",)})
    judged = judge(papers, paper_run)
    names = ("accuracy", "ilsvrc", "epochs", "f1-sea", "recall-sea", "f1-forest")
    assert {judged[name].verdict for name in names} == {NOT_TESTED}
    assert judged["accuracy"].measured == "–"


def test_an_ablation_may_leave_a_claim_open(papers: ClaimsFile, paper_run: RunDirectory) -> None:
    left = {"verdict": NOT_TESTED, "sentence": "One variant failed."}
    paper_run.write_json("ablations/verdicts.json", {"epochs": left})
    judged = judge_paper_claims(papers, paper_run, PAPER_RUN)
    assert "more epochs over-fit" not in set(tabulate_measured(judged)["claim"])
    assert any("One variant failed" in values.values() for _, values in tell_remaining_claims(judged))


def test_counts_that_fit_nothing_that_is_known_contradict_nothing(papers: ClaimsFile, paper_run: RunDirectory) -> None:
    assert papers.paper.parameters is not None
    counts = papers.paper.parameters.model_copy(update={"of_backbone": {}})
    paper = papers.paper.model_copy(update={"parameters": counts})
    assert judge(papers.model_copy(update={"paper": paper}), paper_run)["layers"].verdict == NOT_TESTED


@pytest.mark.parametrize(
    ("measure", "why"),
    [
        ("evaluation/none.json:a", "The run has no evaluation/none.json."),
        ("evaluation/metrics.json:acuracy", "In the run's evaluation/metrics.json nothing is called acuracy."),
        ("evaluation/metrics.json:accuracy.value.x", "nothing is called accuracy.value.x"),
        ("data/classes.json:classes.9", "nothing is called classes.9"),
        ("none", "The run does not measure it."),
    ],
)
def test_a_path_that_leads_nowhere_is_named(
    papers: ClaimsFile, paper_run: RunDirectory, measure: str, why: str
) -> None:
    found = judge(papers.model_copy(update={"claims": [make_claim(1, measure=measure)]}), paper_run)["c"]
    assert found.verdict == NOT_TESTED
    assert why in found.why


def test_ablations_decide_what_they_have_tested(papers: ClaimsFile, paper_run: RunDirectory) -> None:
    tested = {"verdict": UNDECIDED, "sentence": "Three seeds are too few."}
    paper_run.write_json("ablations/verdicts.json", {"epochs": tested})
    judged = judge(papers, paper_run)
    assert (judged["epochs"].verdict, judged["epochs"].why) == (UNDECIDED, "Three seeds are too few.")
    assert judged["learning-rate"].verdict == NOT_TESTED
    paper_run.write_json("ablations/verdicts.json", {"epochs": {**tested, "verdict": "true"}})
    with pytest.raises(ScenebookError, match=r"one of the verdicts .* Received: epochs='true'"):
        judge(papers, paper_run)


def test_a_measure_that_leads_to_a_list_is_an_error(papers: ClaimsFile, paper_run: RunDirectory) -> None:
    claim = make_claim(1, measure="data/classes.json:classes")
    with pytest.raises(ClaimsError, match=r"a score, a number or a text.*claim='c'"):
        judge(papers.model_copy(update={"claims": [claim]}), paper_run)
    one = claim.model_copy(update={"measure": "data/classes.json:classes.1", "reported": "forest"})
    assert judge(papers.model_copy(update={"claims": [one]}), paper_run)["c"].verdict == REPRODUCED


def test_an_accuracy_of_one_is_comparable(papers: ClaimsFile, paper_run: RunDirectory) -> None:
    paper_run.write_json("evaluation/metrics.json", {"accuracy": make_score(1.0, 1.0)})
    assert judge(papers, paper_run)["accuracy"].interval == "100.0% to 100.0%"


@pytest.mark.parametrize(
    ("run", "classes", "concerned"),
    [
        ({}, None, True),
        ({"epochs": 2}, None, True),
        ({"backbone": "MobileNetV2"}, None, False),
        ({"dataset": "scenes"}, None, False),
        ({}, ["cat", "dog"], False),
    ],
)
def test_a_paper_concerns_runs_of_its_classes_and_backbone(
    papers: ClaimsFile, paper_run: RunDirectory, run: dict[str, Any], classes: list[str] | None, concerned: bool
) -> None:
    if classes:
        paper_run.write_json("data/classes.json", {"classes": classes, "name": "pets"})
    assert concerns_run(papers.paper, paper_run, {**PAPER_RUN, **run}) == concerned


def test_fewer_training_images_count_as_a_difference(papers: ClaimsFile, paper_run: RunDirectory) -> None:
    splits = ["train"] * 1350 + ["validation"] * 150 + ["test"] * 600
    paper_run.write_csv("data/splits.csv", pd.DataFrame({"path": "x", "label": "sea", "split": splits}))
    found = list_departures(papers.paper, paper_run, {**PAPER_RUN, "epochs": 2})
    assert found == [
        "epochs is 2 in place of 8",
        "1,350 training images in place of 14,034",
        "600 other test images in place of 7,301",
    ]


def tell(listed: ClaimsFile, run_dir: RunDirectory, differences: tuple[str, ...] = (), **changes: Any) -> str:
    judged = judge_paper_claims(listed, run_dir, {**PAPER_RUN, **changes})
    sentences = [
        tell_paper(listed.paper, differences, "claims.yaml"),
        *tell_measured(judged, listed.paper, "claims.yaml"),
        *tell_own_numbers(judged, "claims.yaml"),
        *tell_remaining_claims(judged),
    ]
    filled = fill(" ".join(text for text, _ in sentences), [values for _, values in sentences])
    assert all(used.source for used in filled.used), "a value without a source"
    return without_marks(filled.markdown).replace("\\", "")


def test_what_was_measured_is_told_apart_from_the_papers_own_numbers(
    papers: ClaimsFile, paper_run: RunDirectory
) -> None:
    told = tell(papers, paper_run)
    assert "36 of the paper's numbers can be computed from its other numbers: 34 agree and 2 do not" in told
    assert "([@tbl:own-numbers]) [@he2016]" in told
    assert "The labels of the paper's own test images are not public" in told
    assert "an ensemble that contained a ResNet of 152 layers [@he2016]" in told
    assert "in no setting" in told


def test_differences_are_counted(papers: ClaimsFile, paper_run: RunDirectory) -> None:
    told = tell(papers, paper_run, ("epochs is 2 in place of 8", "1,350 training images in place of 14,034"), epochs=2)
    assert "in 2 respects: epochs is 2 in place of 8; 1,350 training images in place of 14,034." in told
    assert told.count("because a setting on which the claim depends differs in this run") == 1
    assert "not public" not in told


def test_a_run_and_the_papers_own_numbers_never_share_a_column(papers: ClaimsFile, paper_run: RunDirectory) -> None:
    ablation = {"verdict": REPRODUCED, "sentence": "It over-fits.", "measured": "gap +9.0 points"}
    paper_run.write_json("ablations/verdicts.json", {"epochs": ablation, "learning-rate": ablation})
    judged = judge_paper_claims(papers, paper_run, PAPER_RUN)
    measured = tabulate_measured(judged)
    assert len(measured) <= MOST_MEASURED
    assert set(measured["claim"][:2]) == {
        "more epochs over-fit",
        "a higher learning rate lowers the accuracy and over-fits",
    }
    assert measured["claim"][2] in {"test accuracy", "ResNet50 consists of 152 layers"}
    assert "averages" in set(measured["claim"])
    contradicted = tabulate_contradicted(judged)
    assert contradicted["by the paper's numbers"].tolist() == ["50", "88.2%"]
    assert not set(contradicted["claim"]) & set(measured["claim"])
    everything = tabulate_all(judged).set_index("claim")
    assert everything.loc["number of test images", "measured in this run"] == NOTHING
    assert everything.loc["number of test images", "by the paper's numbers"] == "7,301"
    assert len(everything) == len(papers.claims) == len(to_records(judged))


def test_a_run_that_decides_nothing_has_no_row(papers: ClaimsFile, paper_run: RunDirectory) -> None:
    paper_run.write_json("data/classes.json", {"classes": ["cat", "dog"], "name": "pets"})
    other = {**PAPER_RUN, "rotation_range": 1, "width_shift_range": 0, "height_shift_range": 0, "zoom_range": 0}
    judged = judge_paper_claims(papers, paper_run, {**other, "shear_range": 0, "backbone": "VGG16"})
    assert tabulate_measured(judged).empty


def test_a_single_claim_makes_sentences_too(paper_run: RunDirectory) -> None:
    claim = Claim(id="c-1", statement="*it* {works} <b>", where="p. 1", reported="yes", note="Nobody can.")
    told = tell(ClaimsFile(paper=Paper(title="A {title}"), claims=[claim]), paper_run)
    assert "A {title}" in told
    assert "one is not tested" in told
    assert "“*it* {works} <b>”. Nobody can." in told


def test_a_row_of_several_claims_gives_their_number(paper_run: RunDirectory) -> None:
    measure = "evaluation/metrics.json:n"
    listed = [
        Claim(id=f"c{n}", statement=f"s{n}", where="w", reported=3000, group="g", measure=measure) for n in range(9)
    ]
    judged = judge_paper_claims(ClaimsFile(paper=Paper(title="T"), claims=listed), paper_run, PAPER_RUN)
    assert tabulate_measured(judged).iloc[0].tolist() == ["g", "9 values", "9 values", REPRODUCED]
