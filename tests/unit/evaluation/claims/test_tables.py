from __future__ import annotations

from typing import Any

from scenebook.core.run_directory import RunDirectory
from scenebook.core.sentences import fill, without_marks
from scenebook.evaluation.claims.schema import Claim, ClaimsFile, Paper
from scenebook.evaluation.claims.tables import tabulate_all, tabulate_decided, to_records
from scenebook.evaluation.claims.verdicts import CONTRADICTED, REPRODUCED, judge_paper_claims
from scenebook.notebook.prose.claims import tell_paper, tell_remaining_claims, tell_verdicts
from tests.unit.evaluation.claims.conftest import PAPER_RUN


def tell(listed: ClaimsFile, run_dir: RunDirectory, **changes: Any) -> str:
    run = {**PAPER_RUN, **changes}
    judged = judge_paper_claims(listed, run_dir, run)
    sentences = [
        tell_paper(listed.paper, run, "claims.yaml"),
        *tell_verdicts(judged, listed.paper, "claims.yaml"),
        *tell_remaining_claims(judged, "claims.yaml"),
    ]
    filled = fill(" ".join(text for text, _ in sentences), [values for _, values in sentences])
    assert all(used.source for used in filled.used), "a value without a source"
    return without_marks(filled.markdown).replace("\\", "")


def test_the_sentences_tell_of_contradictions_and_of_what_holds(papers: ClaimsFile, paper_run: RunDirectory) -> None:
    told = tell(papers, paper_run)
    assert "it prints 152 where they give 50" in told
    assert "it prints 89% where they give 88.2% [@he2016]" in told
    assert "(9 from the paper's own numbers alone)" in told
    assert "34 of its printed numbers agree" in told
    assert "Of the 16 settings that are known of its recipe this run changes none." in told
    assert "The labels of the paper's own test images are not public" in told
    assert "winning" not in told
    assert "an ensemble with a ResNet of 152 layers in it [@he2016]" in told


def test_one_reason_is_told_once(papers: ClaimsFile, paper_run: RunDirectory) -> None:
    told = tell(papers, paper_run, backbone="MobileNetV2", epochs=2)
    assert told.count("MobileNetV2") == 1
    assert told.count("because a setting on which such a claim depends is another in this run") == 1
    assert "not public" not in told
    assert "this run changes backbone (MobileNetV2, not ResNet50) and epochs (2, not 8)." in told


def test_claims_of_one_group_and_verdict_share_a_row(papers: ClaimsFile, paper_run: RunDirectory) -> None:
    judged = judge_paper_claims(papers, paper_run, PAPER_RUN)
    table = tabulate_decided(judged)
    assert len(table) < 20
    row = table[table["claim"] == "parameter counts: all, trained and frozen"].iloc[0]
    assert row["measured"] == "76,023,686; 52,440,070; 23,583,616"
    assert row["verdict"] == REPRODUCED
    assert len(tabulate_all(judged)) == len(papers.claims) == len(to_records(judged))


def test_a_run_that_decides_nothing_still_shows_the_contradictions(papers: ClaimsFile, paper_run: RunDirectory) -> None:
    paper_run.write_json("data/classes.json", {"classes": ["cat", "dog"], "name": "pets"})
    other = {**PAPER_RUN, "rotation_range": 1, "width_shift_range": 0, "height_shift_range": 0, "zoom_range": 0}
    judged = judge_paper_claims(papers, paper_run, {**other, "shear_range": 0, "backbone": "VGG16"})
    assert set(tabulate_decided(judged)["verdict"]) == {CONTRADICTED}


def test_a_single_claim_makes_sentences_too(paper_run: RunDirectory) -> None:
    claim = Claim(id="c-1", statement="*it* {works} <b>", where="p. 1", reported="yes", note="Nobody can.")
    told = tell(ClaimsFile(paper=Paper(title="A {title}"), claims=[claim]), paper_run)
    assert "A {title}" in told
    assert "Of 1 claim 1 is not tested in this run." in told
    assert "Not tested in this run: **it* {works} <b>*. Nobody can." in told


def test_a_row_of_many_claims_gives_their_number(paper_run: RunDirectory) -> None:
    measure = "evaluation/metrics.json:n"
    listed = [
        Claim(id=f"c{n}", statement=f"s{n}", where="w", reported=3000, group="g", measure=measure) for n in range(9)
    ]
    judged = judge_paper_claims(ClaimsFile(paper=Paper(title="T"), claims=listed), paper_run, PAPER_RUN)
    assert tabulate_decided(judged).iloc[0].tolist()[:4] == [
        "g: 9 numbers",
        "9 numbers",
        "9 numbers",
        REPRODUCED,
    ]
