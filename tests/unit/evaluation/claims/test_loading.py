from __future__ import annotations

from pathlib import Path

import pytest

from scenebook.core.errors import ClaimsError
from scenebook.evaluation.claims.loading import find_claim, list_works, load_claims
from scenebook.evaluation.claims.schema import ClaimsFile

MINE = """\
paper:
  title: Cats and Dogs
  source: he2016
  classes: [cat, dog]
  recipe: {epochs: 3}
  confusion_matrix: [[9, 1], [2, 8]]
claims:
  - id: accuracy
    statement: the accuracy
    where: Table 2
    reported: 0.85
    paper_measure: matrix_accuracy
    measure: evaluation/metrics.json:accuracy
    expect: {kind: above, tolerance: 0.01}
    applies_to: {recipe: [epochs]}
  - {id: cats, statement: recall of cats, where: Table 2, reported: 0.9, paper_measure: matrix_recall, of: cat}
"""


def load(folder: Path, text: str) -> ClaimsFile:
    path = folder / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    return load_claims(path)


def test_somebody_elses_claims_are_read(tmp_path: Path) -> None:
    loaded = load(tmp_path, MINE.replace("of: cat", "source: [deng2009], of: cat"))
    assert [claim.id for claim in loaded.claims] == ["accuracy", "cats"]
    works = list_works(tmp_path / "mine.yaml")
    assert [(key, where["entry"], where["line"]) for key, where in works] == [
        ("he2016", "paper.source", 3),
        ("deng2009", "claim cats: source", 16),
    ]


def test_a_claim_is_found_by_what_it_measures_and_expects(tmp_path: Path) -> None:
    loaded, measure = load(tmp_path, MINE), "evaluation/metrics.json:accuracy"
    assert find_claim(loaded, measure=measure, kind="above") == loaded.claims[0]
    assert find_claim(loaded, measure=measure, kind="within") is None


def test_a_title_and_one_claim_are_enough(tmp_path: Path) -> None:
    claim = "{id: a, statement: s, where: w, reported: 1}"
    assert load(tmp_path, f"paper: {{title: Cats}}\nclaims: [{claim}]\n").claims[0].measure == "none"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("kind: above", "kind: near", r"entry='claim accuracy: expect\.kind', line=14, value='near'"),
        ("tolerance: 0.01", "tolerance: -1", r"claim accuracy: expect\.tolerance.*line=14"),
        ("tolerance: 0.01", "tolerance: wide", r"expect\.tolerance', line=14, value='wide'"),
        ("where: Table 2\n", "place: Table 2\n", r"claim accuracy: (where|place)', line=(8|10)"),
        ("    where: Table 2\n    rep", "    rep", r"claim accuracy: where', line=8"),
        ("statement: the", "statment: the", r"only known keys.*claim accuracy.*line=9.*Did you mean statement\?"),
        ("reported: 0.85", "reported: [1]", r"a number, a text, true or false.*claim accuracy: reported', line=11"),
        ("reported: 0.85", "reported:", r"a number, a text, true or false.*line=11, value=None"),
        ("reported: 0.85", "reported: 85\n    percent: true", r"a share of one.*line=11, value=85.*0\.89 for 89%"),
        ("kind: above, tolerance: 0.01", "kind: within", r"a tolerance above 0.*claim accuracy: expect', line=14"),
        ("0.85\n    paper_measure: matrix_accuracy\n", "'0.85'\n", r"because of expect above.*line=11, value='0\.85'"),
        (
            "0.85\n    paper_measure: matrix_accuracy\n"
            "    measure: evaluation/metrics.json:accuracy\n    expect: {kind: above,",
            "high\n    expect: {kind: equals,",
            r"because of expect equals.*line=11, value='high'",
        ),
        ("{recipe: [epochs]}", "{recipe: al}", r"a list of names, or all.*line=15, value='al'"),
        ("{epochs: 3}", "{epochs: three}", r"of the type that the setting takes.*epochs', line=5, value='three'"),
        ("reported: 0.85", "reported: .nan", r"claim accuracy: reported', line=11"),
        ("reported: 0.85", "reported: high", r"a number, because it is held against one\..*line=11, value='high'"),
        ("paper_measure: matrix_accuracy", "paper_measure: matrix_acuracy", r"line=12.*Did you mean matrix_accuracy\?"),
        ("paper_measure: matrix_accuracy", "paper_measure: sum_of_parameters", r"the paper's parameters in.*line=12"),
        ("measure: evaluation/metrics.json:accuracy", "measure: __import__('os')", r"line=13.*Registered: class_prec"),
        ("measure: evaluation/metrics.json:accuracy", "measure: ../x.json:a", r"file\.json:dotted\.path.*line=13"),
        ("measure: evaluation/metrics.json:accuracy", "measure: /etc/x.json:a", "line=13"),
        ("measure: evaluation/metrics.json:accuracy", "measure: class_f1", r"the name of a class.*line=8.*Known: cat"),
        ("evaluation/metrics.json:accuracy", "ablation", r"expects of a training.*claim accuracy: study', line=8"),
        ("measure: evaluation", "study: {gap: larger}\n    measure: evaluation", r"ablation, because.*line=14"),
        ("where: Table 2\n", "where: Table 2\n    study: {gap: lower}\n", r"claim accuracy: study\.gap', line=11"),
        ("of: cat", "of: cats", r"claim cats: of', line=16.*Did you mean cat\?"),
        ("id: cats", "id: accuracy", r"every id once.*line=16, value='accuracy'.*number 1"),
        ("id: cats", "id: Cats!", r"claim Cats!: id', line=16"),
        ("{recipe: [epochs]}", "{recipe: [epoch]}", r"applies_to\.recipe', line=15, value='epoch'.*mean epochs"),
        ("{recipe: [epochs]}", "{recepe: [epochs]}", r"only known keys.*line=15.*Did you mean recipe\?"),
        ("{epochs: 3}", "{epoch: 3}", r"entry='paper\.recipe\.epoch', line=5.*Did you mean epochs\?"),
        ("[[9, 1], [2, 8]]", "[[9, 1]]", r"a row and a column for each.*line=6"),
        ("[[9, 1], [2, 8]]", "[[9, -1], [2, 8]]", r"paper\.confusion_matrix\.0\.1', line=6"),
        ("[cat, dog]", "[cat, cat]", r"every class once.*line=4"),
        ("source: he2016", "source: '@he 2016'", r"paper\.source', line=3"),
        ("title: Cats and Dogs", "title: [", r"a claims file in YAML"),
        ("paper:\n", "papers:\n", r"only known keys.*line=1.*Did you mean paper\?"),
        ("paper:\n", "name: mine\npaper:\n", r"only known keys.*entry='name', line=1"),
        (
            "    where: Table 2\n",
            "    where: Table 2\n    where: Table 3\n",
            r"every key of the claims file once.*line=11",
        ),
        ("claims:\n", "claims: none\nmore:\n", r"entry='(claims|more)', line=(7|8)"),
    ],
)
def test_a_wrong_entry_is_an_error_that_names_the_claim_and_the_line(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    assert old in MINE
    with pytest.raises(ClaimsError, match=said):
        load(tmp_path, MINE.replace(old, new, 1))


def test_a_number_may_be_written_without_a_dot(tmp_path: Path) -> None:
    loaded = load(tmp_path, MINE.replace("epochs: 3", "epochs: 3, learning_rate: 1e-4").replace("0.9,", "9e-1,"))
    assert loaded.paper.recipe["learning_rate"] == 0.0001
    assert loaded.claims[1].reported == 0.9


@pytest.mark.parametrize(
    "text",
    ["", "paper: {title: Cats}\nclaims: []\n", "- a\n", "just text", "1: 2\n", "paper: 3\nclaims: [3, {id: 4}]\n"],
)
def test_something_else_than_claims_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ClaimsError, match=r"mine\.yaml"):
        load(tmp_path, text)
