from __future__ import annotations

import time
import tracemalloc

import numpy as np
import pandas as pd
import pytest

from scenebook.core.errors import ScenebookError
from scenebook.evaluation.metrics.classification import check_predictions, compute_score_without, compute_scores
from scenebook.evaluation.metrics.intervals import compute_proportion
from tests.unit.evaluation.metrics.tables import HOSTILE, NAMES, PAPER, predictions_of

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
