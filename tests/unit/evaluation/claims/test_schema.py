from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.metrics import precision_recall_fscore_support

from scenebook.evaluation.claims.schema import PAPER_MEASURES, Claim, ClaimsFile, ParameterCounts, measure_paper
from scenebook.evaluation.claims.verdicts import rounds_to, show_value


def measure(papers: ClaimsFile, own: str, of: str | None = None, **paper: Any) -> float | int | None:
    claim = Claim(id="c", statement="s", where="w", reported=1, paper_measure=own, of=of)
    return measure_paper(claim, papers.paper.model_copy(update=paper))


@pytest.mark.parametrize("average", ["macro", "weighted"])
def test_averages_agree_with_scikit_learn(papers: ClaimsFile, average: str) -> None:
    matrix = np.array(papers.paper.confusion_matrix)
    true = np.repeat(np.arange(6), matrix.sum(axis=1))
    predicted = np.concatenate([np.repeat(np.arange(6), row) for row in matrix])
    expected = precision_recall_fscore_support(true, predicted, average=average)
    for name, value in zip(("precision", "recall", "f1"), expected, strict=False):
        assert measure(papers, f"matrix_{average}_{name}") == pytest.approx(value)


def test_a_class_that_nobody_predicted_has_a_precision_of_0(papers: ClaimsFile) -> None:
    matrix: dict[str, Any] = {"classes": ["a", "b"], "confusion_matrix": [[3, 0], [2, 0]]}
    assert measure(papers, "matrix_precision", "b", **matrix) == 0
    assert measure(papers, "matrix_support", "b", **matrix) == 2
    assert measure(papers, "matrix_accuracy", **{**matrix, "confusion_matrix": [[0, 0], [0, 0]]}) == 0


def test_counts_that_fit_no_backbone_say_nothing(papers: ClaimsFile) -> None:
    counts = ParameterCounts(total=9, trainable=4, frozen=5, head=3)
    for name, own in PAPER_MEASURES.items():
        if own.needs == "parameters":
            value = measure(papers, name, parameters=counts)
            assert value == (9 if name == "sum_of_parameters" else None)


@pytest.mark.parametrize(
    ("reported", "percent", "value", "shown"),
    [
        (0.9, False, 0.8986, "0.90"),
        (0.001, False, 0.0012, "0.001"),
        (1e-7, False, 1e-7, "0.0000001"),
        (1e-12, False, 1e-12, "1e-12"),
        (0.89, True, 0.8821, "88.2%"),
        (0.8825, True, 0.8821, "88.21%"),
        (7301, False, 7301, "7,301"),
        (15, False, 12.345, "12.35"),
        ("many", False, 12.345, "12.35"),
    ],
)
def test_a_value_has_as_many_places_as_the_reported_one(
    reported: float | str, percent: bool, value: float, shown: str
) -> None:
    claim = Claim(id="c", statement="s", where="w", reported=reported, percent=percent)
    assert show_value(claim, value) == shown


@pytest.mark.parametrize(
    ("printed", "reported", "value", "same"),
    [
        ("89%", 0.89, 0.8821, False),
        ("88%", 0.88, 0.8821, True),
        ("88.2 %", 0.882, 0.8821, True),
        ("", 0.9, 0.8986, True),
        ("", 0.9, 0.8949, False),
        ("", 7301, 7301, True),
        ("7,301", 7301, 7302, False),
        ("about 0.9", 0.9, 0.9, True),
        ("about 0.9", 0.9, 0.901, False),
    ],
)
def test_a_value_is_held_against_what_is_printed_as_it_rounds(
    printed: str, reported: float, value: float, same: bool
) -> None:
    claim = Claim(id="c", statement="s", where="w", reported=reported, printed=printed)
    assert rounds_to(value, claim) == same
