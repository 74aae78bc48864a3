from __future__ import annotations

import time
import tracemalloc
from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest

from scenebook.core.errors import ScenebookError
from scenebook.core.sentences import fill, without_marks
from scenebook.evaluation.metrics.classification import (
    check_predictions,
    compute_class_scores,
    compute_confusion,
    compute_report,
    compute_score_without,
    compute_scores,
    list_confusions,
    select_confused,
    tabulate_intervals,
    tabulate_report,
)
from scenebook.evaluation.metrics.intervals import compute_proportion, compute_wilson_interval
from scenebook.notebook.prose.evaluation import tell_confusions, tell_error, tell_intervals, tell_report
from tests.unit.evaluation.metrics.tables import HOSTILE, NAMES, PAPER, matrix_of, predictions_of

ALL = {"accuracy", "macro_f1", "weighted_f1", "log_loss", "ece", "macro_precision", "macro_recall"}
ALL |= {"weighted_precision", "weighted_recall", "top2_accuracy"}


def test_scores_hold_their_value_between_their_bounds() -> None:
    scores = compute_scores(predictions_of(PAPER // 20, NAMES), NAMES, seed=0)
    assert set(scores) == ALL
    for name, score in scores.items():
        assert score["low"] < score["value"] < score["high"], name


def with_probs(labels: list[str], probs: list[list[float]], names: list[str]) -> pd.DataFrame:
    table = pd.DataFrame(probs, columns=[f"p_{name}" for name in names])
    return table.assign(label=labels, predicted=[names[int(np.argmax(row))] for row in probs])


def test_top_2_accuracy_counts_the_second_guess() -> None:
    probs = [[0.5, 0.3, 0.2], [0.5, 0.3, 0.2], [0.5, 0.3, 0.2], [0.4, 0.4, 0.2]]
    scores = compute_scores(with_probs(["a", "b", "c", "b"], probs, ["a", "b", "c"]), ["a", "b", "c"], seed=0)
    assert scores["accuracy"] == compute_proportion(1, 4)
    assert scores["top2_accuracy"] == compute_proportion(3, 4)


def test_top_2_accuracy_of_equal_probabilities_is_no_more_than_two_classes_worth() -> None:
    names = list("abcd")
    scores = compute_scores(with_probs(names, [[0.25] * 4] * 4, names), names, seed=0)
    assert scores["top2_accuracy"]["value"] == 0.5


def test_two_classes_have_no_top_2_accuracy() -> None:
    scores = compute_scores(predictions_of([[3, 1], [0, 4]], ["a", "b"]), ["a", "b"], seed=0)
    assert set(scores) == ALL - {"top2_accuracy"}


def test_log_loss_is_the_mean_of_minus_log_of_the_true_classs_probability() -> None:
    predictions = with_probs(["a", "b"], [[0.5, 0.5], [1.0, 0.0]], ["a", "b"])
    loss = compute_scores(predictions, ["a", "b"], seed=0)["log_loss"]
    # A probability of 0 counts as the least normal float32, 2 to the -126.
    assert loss["value"] == pytest.approx((np.log(2) + 126 * np.log(2)) / 2)


@pytest.mark.parametrize(
    "counts",
    [np.eye(6, dtype=int), np.ones((6, 6), dtype=int) - np.eye(6, dtype=int), np.eye(6, dtype=int)[[0] * 6]],
    ids=["all right", "all wrong", "always the same class"],
)
def test_one_test_image_a_class_gives_numbers(counts: np.ndarray) -> None:
    for score in compute_scores(predictions_of(counts, HOSTILE), HOSTILE, seed=0).values():
        assert np.isfinite([score["low"], score["value"], score["high"]]).all()


def test_predictions_that_do_not_fit_the_classes_are_refused() -> None:
    predictions = predictions_of(np.eye(2, dtype=int), ["a", "b"])
    with pytest.raises(ScenebookError, match="probabilities for each class"):
        check_predictions(predictions, ["a", "c"])
    with pytest.raises(ScenebookError, match="probabilities sum to 1"):
        check_predictions(predictions.assign(p_a=0.9), ["a", "b"])


def test_the_papers_7301_images_take_less_than_10_seconds_and_1_gigabyte() -> None:
    predictions = predictions_of(PAPER, NAMES)
    tracemalloc.start()
    started = time.process_time()
    compute_scores(predictions, NAMES, seed=0)
    seconds = time.process_time() - started
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert seconds < 10
    assert peak < 1e9


def make_seen(rights: list[bool]) -> pd.DataFrame:
    rows = [(f"{number}.jpg", "cat", "cat" if right else "dog") for number, right in enumerate(rights)]
    return pd.DataFrame(rows, columns=["path", "label", "predicted"])


def test_accuracy_without_duplicates_leaves_out_the_images_that_were_seen() -> None:
    predictions = make_seen([True] * 6 + [False] * 4)
    scores = compute_score_without(predictions, ["0.jpg", "1.jpg"])
    assert scores["n_without_duplicates"] == 8
    assert scores["accuracy_without_duplicates"] == compute_proportion(4, 8)
    assert compute_score_without(predictions, []) == {}
    assert compute_score_without(predictions, list(predictions["path"])) == {"n_without_duplicates": 0}


def read(matrix: pd.DataFrame) -> str:
    sentence, values = tell_confusions(matrix)
    return without_marks(fill(sentence, [values]).markdown)


def test_the_largest_confusions_come_first_and_stop_where_errors_do() -> None:
    matrix = compute_confusion(predictions_of(PAPER, NAMES), NAMES)
    assert list_confusions(matrix, most=2) == [("Glacier", "Mountain", 242), ("Buildings", "Street", 113)]
    assert list_confusions(matrix_of(np.eye(2, dtype=int), ["a", "b"])) == []


def test_the_sentence_on_errors_gives_each_kind_the_interval_of_its_share() -> None:
    said = read(matrix_of(PAPER, NAMES))
    low, high = compute_wilson_interval(242, 1330)
    assert "Of 7,301 test images, 861 are off the diagonal" in said
    assert f"Glacier misclassified as Mountain (242 of 1,330, 18.2%, interval {low:.1%} to {high:.1%})" in said
    assert said.count("misclassified as") == 3


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ([[5, 0], [0, 5]], "every image is on the diagonal"),
        (
            [[5, 0], [1, 4]],
            "1 is off the diagonal of [@fig:confusion]. All errors are of one kind: b misclassified as a",
        ),
        ([[4, 1], [1, 4]], "No two errors are of the same kind: a misclassified as b"),
        ([[0, 5], [4, 0]], "The errors, most frequent first, are a misclassified as b (5 of 5, 100%"),
        ([[2, 1, 1], [1, 2, 1], [1, 1, 2]], "No two errors are of the same kind; some of them: a misclassified as b"),
        ([[2, 3, 1], [1, 2, 1], [1, 1, 2]], "3 other kinds of error are as frequent as the last of these"),
        ([[2, 5, 4], [3, 2, 3], [1, 1, 2]], "Another kind of error is as frequent as the last of these"),
        ([[2, 5, 4], [3, 2, 2], [1, 1, 2]], "The most frequent errors are a misclassified as b (5 of 11"),
    ],
)
def test_the_sentence_on_errors_fits_how_many_there_are(counts: list[list[int]], expected: str) -> None:
    said = read(matrix_of(counts, list("abc")[: len(counts)]))
    assert expected in said
    assert ("[@fig:confused]" in said) == ("misclassified as" in said)


def test_class_names_that_are_markup_stay_text() -> None:
    said = read(matrix_of(np.ones((6, 6), dtype=int), HOSTILE))
    assert '\\<b\\>bold\\</b\\> misclassified as said \\"so\\"' in said


def test_the_images_of_a_kind_of_error_are_those_that_the_network_was_surest_of() -> None:
    predictions = pd.DataFrame(
        [("1", "a", "b", 0.6), ("2", "a", "b", 0.9), ("3", "a", "b", 0.8), ("4", "b", "a", 0.7), ("5", "a", "a", 1.0)],
        columns=["path", "label", "predicted", "confidence"],
    )
    kinds = [("a", "b", 3), ("b", "a", 1)]
    assert select_confused(predictions, kinds, most=4)["path"].tolist() == ["2", "3", "4"]
    assert select_confused(predictions, kinds, most=2)["path"].tolist() == ["2", "4"]
    assert select_confused(predictions, [], most=2).empty


def test_the_caption_of_an_error_names_the_file_and_both_classes() -> None:
    row = {"path": f"test/sea/{'long' * 20}.jpg", "label": "sea", "predicted": "<b>", "confidence": 0.998}
    assert tell_error(row) == "longlonglong…onglong.jpg: sea misclassified as <b> (>99%)"


def read_report(counts: Sequence[Sequence[int]] | np.ndarray, names: Sequence[str]) -> str:
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
    assert "The 2 classes in [@tbl:report] have the same F1 (0.99)" in read_report(counts, names)


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
    assert expected in read_report(counts, ["a", "b", "c"])


def test_many_classes_that_are_equally_good_are_counted() -> None:
    counts = np.eye(60, dtype=int) * 5
    counts[0, :2] = 4, 1
    names = [f"class {number}" for number in range(60)]
    assert "58 classes are recognised best (1.00) and class 0 is worst (0.89)" in read_report(counts, names)


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
