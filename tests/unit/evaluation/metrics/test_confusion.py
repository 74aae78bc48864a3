from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from scenebook.core.sentences import fill, without_marks
from scenebook.evaluation.metrics.classification import compute_confusion, list_confusions, select_confused
from scenebook.evaluation.metrics.intervals import compute_wilson_interval
from scenebook.notebook.prose.evaluation import tell_confusions, tell_error
from tests.unit.evaluation.metrics.tables import HOSTILE, NAMES, PAPER, matrix_of, predictions_of


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
