from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import precision_recall_fscore_support

from scenebook.evaluation.metrics.intervals import (
    AVERAGES,
    SCORES,
    average_classes,
    combine_intervals,
    compute_averages,
    compute_percentile_bounds,
    compute_proportion,
    resample_averages,
)
from tests.unit.evaluation.metrics.tables import NAMES, PAPER, predictions_of


def averages_of(counts: np.ndarray) -> np.ndarray:
    counts = counts.astype(float)
    return average_classes(counts.diagonal(), counts.sum(axis=0), counts.sum(axis=1))


@pytest.mark.parametrize("average", AVERAGES)
@pytest.mark.parametrize("counts", [PAPER // 20, np.array([[3, 1], [4, 0]]), np.array([[0, 2], [3, 0]])])
def test_the_averages_are_scikit_learns(average: str, counts: np.ndarray) -> None:
    names = NAMES[: len(counts)]
    predictions = predictions_of(counts, names)
    *expected, _ = precision_recall_fscore_support(
        predictions["label"], predictions["predicted"], average=average, labels=names, zero_division=0
    )
    assert averages_of(counts)[AVERAGES.index(average)].tolist() == pytest.approx(expected)


def test_the_averages_of_a_hand_worked_case() -> None:
    # Precision 3/4 and 4/6, recall 3/5 and 4/5, F1 6/9 and 8/11; both classes have five images.
    macro, weighted = averages_of(np.array([[3, 2], [1, 4]]))
    assert macro.tolist() == pytest.approx([17 / 24, 0.7, (6 / 9 + 8 / 11) / 2])
    assert weighted.tolist() == pytest.approx(macro.tolist())


def test_a_class_without_test_images_stays_out_of_the_macro_average() -> None:
    macro, weighted = averages_of(np.array([[4, 0, 0], [0, 4, 0], [0, 0, 0]]))
    assert macro.tolist() == weighted.tolist() == [1, 1, 1]


def test_the_bootstrap_agrees_with_resampling_images() -> None:
    from sklearn.metrics import f1_score

    predictions = predictions_of(PAPER // 40, NAMES)
    rng = np.random.default_rng(1)
    labels, predicted = predictions["label"].to_numpy(), predictions["predicted"].to_numpy()
    draws = []
    for _ in range(200):
        rows = rng.integers(0, len(labels), len(labels))
        draws.append(f1_score(labels[rows], predicted[rows], labels=NAMES, average="macro", zero_division=0))
    found = compute_percentile_bounds(resample_averages(PAPER // 40, seed=0))[:, 0, SCORES.index("f1")]
    assert tuple(found) == pytest.approx(tuple(np.percentile(draws, [2.5, 97.5])), abs=0.025)


@pytest.mark.parametrize(
    "counts",
    [
        PAPER // 20,
        np.eye(3, dtype=int) * 50,
        1 - np.eye(3, dtype=int),
        np.array([[5, 0], [5, 0]]),
        np.eye(2, dtype=int),
    ],
    ids=["the paper's", "all right", "all wrong", "a class never predicted", "one image a class"],
)
def test_every_interval_holds_its_value_and_is_no_point(counts: np.ndarray) -> None:
    scores = compute_averages(counts.astype(int), seed=0, resamples=500)
    assert set(scores) == {f"{average}_{name}" for average in AVERAGES for name in SCORES}
    for name, score in scores.items():
        assert 0 <= score["low"] <= score["value"] <= score["high"] <= 1, name
        assert score["low"] < score["high"], name


def test_weighted_recall_is_the_accuracy() -> None:
    scores = compute_averages(PAPER, seed=0, resamples=10)
    assert scores["weighted_recall"] == compute_proportion(6440, 7301)


def test_combining_two_intervals_equals_a_hand_worked_case() -> None:
    first, second = compute_proportion(5, 10), compute_proportion(5, 10)
    low, high = combine_intervals([first, second, None], np.array([0.5, 0.5, 1.0]))
    # Each is 0.5 +- 0.2634; their mean's is shorter by the root of two.
    assert (low, high) == pytest.approx((0.5 - 0.2634 / 2**0.5, 0.5 + 0.2634 / 2**0.5), abs=1e-4)


def test_where_errors_are_few_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    truth = np.eye(3) * 0.3 + 0.1 / 9
    macro_f1 = averages_of(truth)[0, SCORES.index("f1")]
    rng = np.random.default_rng(0)
    held = {"both": 0, "bootstrap": 0}
    for _ in range(100):
        counts = rng.multinomial(40, truth.ravel() / truth.sum()).reshape(3, 3)
        score = compute_averages(counts, seed=0, resamples=200)["macro_f1"]
        low, high = compute_percentile_bounds(resample_averages(counts, seed=0, resamples=200))[
            :, 0, SCORES.index("f1")
        ]
        held["both"] += score["low"] <= macro_f1 <= score["high"]
        held["bootstrap"] += low <= macro_f1 <= high
    assert held["both"] >= 93 > held["bootstrap"]


@settings(max_examples=60, deadline=None, derandomize=True)
@given(arrays(np.int64, st.integers(2, 5).map(lambda k: (k, k)), elements=st.integers(0, 4)))
def test_no_matrix_gives_a_value_outside_its_interval(counts: np.ndarray) -> None:
    assume(counts.sum() > 0)
    for name, score in compute_averages(counts, seed=0, resamples=20).items():
        assert 0 <= score["low"] <= score["value"] <= score["high"] <= 1, name
