from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest

from scenebook.core.sentences import fill, without_marks
from scenebook.evaluation.metrics.classification import (
    compute_class_scores,
    compute_report,
    compute_scores,
    tabulate_intervals,
    tabulate_report,
)
from scenebook.evaluation.metrics.intervals import compute_proportion, compute_wilson_interval
from scenebook.notebook.prose.evaluation import tell_intervals, tell_report
from tests.unit.evaluation.metrics.tables import NAMES, PAPER, matrix_of, predictions_of


def read(counts: Sequence[Sequence[int]] | np.ndarray, names: Sequence[str]) -> str:
    report = compute_report(predictions_of(counts, names), names)
    sentence, values = tell_report(report, compute_class_scores(matrix_of(counts, names)))
    return without_marks(fill(sentence, [values]).markdown)


def test_the_report_of_the_papers_matrix_is_the_papers_table() -> None:
    report = compute_report(predictions_of(PAPER, NAMES), NAMES).set_index("class")
    printed = {
        "Buildings": (0.92, 0.88, 0.90, 1144),
        "Forest": (0.97, 0.98, 0.98, 1166),
        "Glacier": (0.89, 0.77, 0.82, 1330),
        "Mountain": (0.78, 0.88, 0.82, 1297),
        "Sea": (0.87, 0.88, 0.88, 1128),
        "Street": (0.89, 0.92, 0.91, 1236),
        "macro avg": (0.89, 0.88, 0.88, 7301),
        "weighted avg": (0.88, 0.88, 0.88, 7301),
    }
    for name, (precision, recall, f1, support) in printed.items():
        row = report.loc[name]
        assert (row["precision"], row["recall"], row["f1"]) == pytest.approx((precision, recall, f1), abs=0.0051), name
        assert row["support"] == support
    assert report.loc["accuracy", "f1"] == pytest.approx(6440 / 7301)
    assert report.loc["accuracy", "support"] == 7301


def test_what_would_divide_by_nothing_is_missing_and_the_averages_are_not() -> None:
    names = ["a", "b", "c", "d"]
    counts = [[3, 0, 1, 0], [2, 0, 2, 0], [0, 0, 4, 0], [0, 0, 0, 0]]
    report = compute_report(predictions_of(counts, names), names).set_index("class")
    assert report["precision"].isna().tolist() == [False, True, False, True, True, False, False]
    assert (report.loc["b", "recall"], report.loc["b", "f1"]) == (0, 0)
    assert report.loc["d", ["precision", "recall", "f1"]].isna().all()
    # b counts as a precision of 0, d, of which there are no test images, does not count.
    assert report.loc["macro avg", "precision"] == pytest.approx((3 / 5 + 0 + 4 / 7) / 3)
    assert report.loc["macro avg", "recall"] == pytest.approx((3 / 4 + 0 + 1) / 3)


def test_classes_named_like_the_reports_own_rows_keep_their_scores() -> None:
    names = ["accuracy", "macro avg"]
    report = compute_report(predictions_of(np.array([[8, 2], [1, 9]]), names), names)
    assert report["class"].tolist() == ["accuracy", "macro avg", "accuracy", "macro avg", "weighted avg"]
    assert report["recall"].iloc[:2].tolist() == pytest.approx([0.8, 0.9])


def test_the_shown_tables_have_an_interval_a_score() -> None:
    names, counts = ["a", "b", "c"], [[3, 0, 1], [2, 0, 2], [0, 0, 4]]
    predictions, class_scores = predictions_of(counts, names), compute_class_scores(matrix_of(counts, names))
    scores = compute_scores(predictions, names, seed=0)
    shown = tabulate_report(compute_report(predictions, names), class_scores, scores)
    assert shown.columns.tolist() == ["class", "precision", "recall", "F1", "95% interval", "support"]
    assert shown["95% interval"].str.fullmatch(r"\d\.\d\d to \d\.\d\d").all()
    low, high = compute_wilson_interval(7, 12)
    assert shown["95% interval"].iloc[3] == f"{low:.2f} to {high:.2f}"
    table = tabulate_intervals(class_scores, scores).set_index("class")
    assert table.index.tolist() == [*names, "macro avg", "weighted avg"]
    assert table.loc["b", "precision"] == ""
    assert table.loc["a", "precision"] == "0.60 (0.23 to 0.88)"


def test_only_what_has_no_error_at_all_is_shown_as_1() -> None:
    names, counts = ["a", "b"], [[999, 1], [0, 1000]]
    predictions, class_scores = predictions_of(counts, names), compute_class_scores(matrix_of(counts, names))
    scores = compute_scores(predictions, names, seed=0)
    shown = tabulate_report(compute_report(predictions, names), class_scores, scores).round(2)
    assert shown["precision"].tolist()[:2] == [1.0, 0.99]
    assert shown["recall"].tolist()[:2] == [0.99, 1.0]
    assert shown["F1"].tolist() == [0.99] * 5
    assert "The 2 classes in [@tbl:report] have the same F1 (0.99)" in read(counts, names)


def test_the_widest_interval_is_named_and_that_others_are_as_wide() -> None:
    scores = compute_class_scores(matrix_of([[50, 0, 0], [0, 2, 0], [0, 0, 0]], ["a", "b", "c"]))
    sentence, values = tell_intervals(scores)
    said = without_marks(fill(sentence, [values]).markdown)
    assert "is 0.34 to 1.00, that of the precision of b and of others." in said
    assert "A cell is empty" in said


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        (
            [[95, 5, 0], [0, 100, 0], [30, 0, 70]],
            "b is recognised best (0.98) and c worst (0.82). That difference is unlikely",
        ),
        ([[9, 1, 0], [0, 10, 0], [3, 0, 7]], "b is recognised best (0.95) and a and c are worst (0.82)."),
        ([[5, 0, 0], [0, 5, 0], [1, 0, 4]], "b is recognised best (1.00) and c worst (0.89). Chance alone"),
        ([[5, 0, 0], [0, 5, 0], [0, 0, 5]], "The 3 classes in [@tbl:report] have the same F1 (1.00)."),
        ([[0, 5, 0], [0, 0, 5], [5, 0, 0]], "The 3 classes in [@tbl:report] have the same F1 (0.00)."),
        ([[5, 0, 0], [0, 0, 0], [0, 0, 0]], "Only a has test images; its F1 in [@tbl:report] is 1.00."),
        ([[5, 0, 0], [4, 0, 0], [0, 0, 5]], "Never predicted, and therefore without a precision: b."),
    ],
)
def test_the_sentence_on_the_best_and_the_worst_class_knows_ties(counts: list[list[int]], expected: str) -> None:
    assert expected in read(counts, ["a", "b", "c"])


def test_many_classes_that_are_equally_good_are_counted() -> None:
    counts = np.eye(60, dtype=int) * 5
    counts[0, :2] = 4, 1
    names = [f"class {number}" for number in range(60)]
    assert "58 classes are recognised best (1.00) and class 0 is worst (0.89)" in read(counts, names)


@pytest.mark.parametrize("k", [2, 6, 60])
def test_chance_alone_seldom_tells_the_extremes_of_equal_classes_apart(k: int) -> None:
    rng = np.random.default_rng(k)
    found = 0
    for _ in range(40):
        right = rng.binomial(100, 0.8, k)
        counts = np.diag(right) + np.roll(np.diag(100 - right), 1, axis=1)
        scores = compute_class_scores(matrix_of(counts, [str(number) for number in range(k)]))
        report = pd.DataFrame(
            [[name, score["f1"]["value"], 100] for name, score in scores.items() if score["f1"]],
            columns=["class", "f1", "support"],
        )
        found += "unlikely to be due to" in tell_report(report, scores)[0]
    assert found <= 5


def test_a_table_without_scores_is_not_needed_for_class_scores() -> None:
    scores = compute_class_scores(pd.DataFrame([[3, 1], [0, 0]], index=["a", "b"], columns=["a", "b"]))
    assert scores["b"]["recall"] is None
    assert scores["a"]["recall"] == compute_proportion(3, 4)
