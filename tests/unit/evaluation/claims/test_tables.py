from __future__ import annotations

from typing import Any

from scenebook.core.run_directory import RunDirectory
from scenebook.core.sentences import fill, without_marks
from scenebook.evaluation.claims.schema import Claim, ClaimsFile, Paper
from scenebook.evaluation.claims.verdicts import NOTHING, REPRODUCED, judge_paper_claims
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
from tests.unit.evaluation.claims.conftest import PAPER_RUN


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
