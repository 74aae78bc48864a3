from __future__ import annotations

import pandas as pd
import pytest

from scenebook.core.sentences import fill, without_marks
from scenebook.evaluation.metrics.classification import find_unlike_shares
from scenebook.evaluation.metrics.intervals import compute_proportion
from scenebook.notebook.prose.evaluation import tell_accuracy_without, tell_cautions


def counts_of(train: list[int], validation: list[int], test: list[int]) -> pd.DataFrame:
    names = [f"c{number}" for number in range(len(train))]
    return pd.DataFrame({"train": train, "validation": validation, "test": test}, index=names)


def said(counts: pd.DataFrame) -> list[str]:
    return [without_marks(fill(sentence, [values]).markdown) for sentence, values in tell_cautions(counts)]


def test_nothing_is_said_where_there_is_nothing_to_be_careful_about() -> None:
    assert said(counts_of([63, 63, 63], [7, 7, 7], [50, 50, 50])) == []
    # One large class is in all splits what it is in one.
    assert said(counts_of([900, 90], [100, 10], [500, 50])) == []


def test_the_class_whose_share_differs_most_is_named() -> None:
    (sentence,) = said(counts_of([400, 100, 100], [40, 10, 10], [100, 100, 100]))
    assert "The test images are not divided among the classes as the training images are" in sentence
    assert "c0 has 33.3% of the test images and 66.7% of the training images" in sentence
    assert "3 classes differ by more than a quarter" in sentence
    (sentence,) = said(counts_of([100] * 9, [10] * 9, [100] * 8 + [60]))
    assert "c8 has" in sentence
    assert "classes differ" not in sentence


def test_validation_images_are_compared_too() -> None:
    (sentence,) = said(counts_of([100, 100], [40, 10], [50, 50]))
    assert sentence.startswith("The validation images are not divided")
    assert "The histories count" in sentence


@pytest.mark.parametrize(
    ("train", "other", "expected"),
    [
        ([63, 63], [7, 5], []),  # what rounding does
        ([100, 100], [1, 1], []),
        ([100, 100], [0, 0], []),
        ([100, 100], [0, 6], ["c0", "c1"]),
        ([300, 100, 100], [300, 130, 70], ["c1", "c2"]),
    ],
)
def test_shares_differ_by_more_than_a_quarter_and_more_than_rounding(
    train: list[int], other: list[int], expected: list[str]
) -> None:
    assert find_unlike_shares(counts_of(train, other, other), "test") == expected


@pytest.mark.parametrize(
    ("test", "expected"),
    [
        ([29, 40, 40], "c0 has only 29 test images. With fewer than 30 a class"),
        ([29, 25, 36], "c1 and c0 have only 25 to 29 test images."),
        ([1, 1, 1], "Each class has only 1 test image."),
        ([10, 12, 12], "Each class has only 10 to 12 test images."),
        ([20] * 9 + [30], "c0, c1, c2, c3 and 5 other classes have only 20 test images."),
    ],
)
def test_few_test_images_are_said(test: list[int], expected: str) -> None:
    assert any(expected in sentence for sentence in said(counts_of(test, test, test)))


def test_classes_without_test_images_are_named() -> None:
    sentences = said(counts_of([50, 50, 50], [5, 5, 5], [50, 0, 50]))
    assert any(sentence.startswith("Without test images: c1.") for sentence in sentences)
    assert not any("only" in sentence for sentence in sentences)


def test_the_sentence_on_duplicates_knows_whether_they_explain_the_accuracy() -> None:
    whole = {"accuracy": compute_proportion(90, 100)}
    near = {**whole, "n_without_duplicates": 98, "accuracy_without_duplicates": compute_proportion(88, 98)}
    far = {**whole, "n_without_duplicates": 40, "accuracy_without_duplicates": compute_proportion(20, 40)}
    assert "do not explain it" in tell_accuracy_without(near)
    better = {**whole, "n_without_duplicates": 90, "accuracy_without_duplicates": compute_proportion(90, 90)}
    assert "the figure to rely on" in tell_accuracy_without(far)
    assert "more than on all" in tell_accuracy_without(better)
    assert "nothing is known" in tell_accuracy_without({**whole, "n_without_duplicates": 0})
    few = {**whole, "n_without_duplicates": 12, "accuracy_without_duplicates": compute_proportion(12, 12)}
    assert "The first figure lies within this interval" in tell_accuracy_without(few)
