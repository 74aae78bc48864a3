from __future__ import annotations

import numpy as np
import pytest
from mapie.classification import SplitConformalClassifier

from scenebook.evaluation.metrics.confidence import (
    CONFIDENCE,
    compute_conformal_sets,
    compute_coverage,
    compute_refusals,
    compute_set_scores,
    compute_threshold_rank,
)
from scenebook.evaluation.metrics.intervals import compute_proportion
from tests.unit.evaluation.metrics.confident import Probabilities, draw_probs


def test_the_curve_equals_a_hand_worked_case_and_answers_ties_together() -> None:
    confidence = np.array([0.9, 0.6, 0.8, 0.8])
    probs = np.stack([confidence, 1 - confidence], axis=1)
    curve = compute_coverage(probs, np.array([0, 1, 1, 0]))
    assert curve["threshold"].tolist() == [0.9, 0.8, 0.6]
    assert curve["n"].tolist() == [1, 3, 4]
    assert curve["coverage"].tolist() == [0.25, 0.75, 1.0]
    assert curve["accuracy"].tolist() == pytest.approx([1, 2 / 3, 0.5])
    assert curve[["low", "high"]].iloc[1].tolist() == pytest.approx(list(compute_proportion(2, 3).values())[1:])


def test_refusals_are_what_the_threshold_leaves() -> None:
    confidence = np.linspace(0.95, 0.55, 10)
    probs = np.stack([confidence, 1 - confidence], axis=1)
    facts = compute_refusals(compute_coverage(probs, np.array([0] * 7 + [1] * 3)))
    assert facts["answered_share"] == 0.8
    assert facts["answered_threshold"] == pytest.approx(confidence[7])
    assert facts["answered"] == compute_proportion(7, 8)
    assert facts["refused"] == compute_proportion(0, 2)
    assert facts["n_refused"] == 2


def test_equal_confidences_leave_nothing_to_refuse() -> None:
    facts = compute_refusals(compute_coverage(np.full((5, 2), 0.5), np.array([0, 0, 1, 1, 0])))
    assert facts["answered_share"] == 1
    assert facts["refused"] is None
    assert facts["answered"] == compute_proportion(3, 5)


@pytest.mark.parametrize("m", [10, 39, 42, 150])
def test_sets_equal_another_implementations_with_the_most_probable_class(m: int) -> None:
    calibration, test = draw_probs(m, seed=m), draw_probs(200, seed=1)[0]
    calibration[1][:4] = range(4)  # the other one wants every class among them
    other = SplitConformalClassifier(Probabilities(4), confidence_level=0.9, prefit=True, conformity_score="lac")
    _, expected = other.conformalize(*calibration).predict_set(test)
    expected = expected[:, :, 0] | (np.arange(4) == test.argmax(axis=1)[:, None])
    np.testing.assert_array_equal(compute_conformal_sets(*calibration, test), expected)


@pytest.mark.parametrize("m", [9, 25, 60])
def test_sets_hold_the_true_class_as_often_as_promised(m: int) -> None:
    held = []
    for seed in range(200):
        probs, positions = draw_probs(m + 100, seed=seed, temperature=2.0)
        sets = compute_conformal_sets(probs[:m], positions[:m], probs[m:])
        held.append(sets[np.arange(100), positions[m:]].mean())
    assert np.mean(held) >= CONFIDENCE - 0.01


@pytest.mark.parametrize("m", [1, 8])
def test_too_few_validation_images_give_sets_of_all_classes(m: int) -> None:
    test = draw_probs(20, seed=0)
    assert compute_conformal_sets(*draw_probs(m, seed=1), test[0]).all()
    facts = compute_set_scores(draw_probs(m, seed=1), *test, seed=0)
    assert facts["set_expected"] is None
    assert facts["set_needs"] == 9
    assert facts["set_size"] == {"value": 4, "low": 4, "high": 4}
    assert facts["set_coverage"]["value"] == 1


@pytest.mark.parametrize(("m", "rank"), [(8, 0), (9, 1), (18, 1), (19, 2), (99, 10)])
def test_the_thresholds_rank_counts_the_new_image(m: int, rank: int) -> None:
    assert compute_threshold_rank(m) == rank


def test_what_sets_do_is_counted() -> None:
    facts = compute_set_scores(draw_probs(80, seed=2), *draw_probs(300, seed=3), seed=0)
    assert sum(facts["set_sizes"]) == 300
    assert len(facts["set_sizes"]) == 4
    mean = sum(size * count for size, count in enumerate(facts["set_sizes"], start=1)) / 300
    assert facts["set_size"]["value"] == pytest.approx(mean)
    assert facts["set_single"] == compute_proportion(facts["set_sizes"][0], 300)
    assert facts["set_size"]["low"] < mean < facts["set_size"]["high"]


def test_the_expected_share_is_where_thresholds_of_so_few_images_lead() -> None:
    m, rank = 42, compute_threshold_rank(42)
    # Of uniform scores, the share above the threshold is 1 minus the threshold itself.
    thresholds = np.sort(np.random.default_rng(0).random((20_000, m)), axis=1)[:, rank - 1]
    expected = compute_set_scores(draw_probs(m, seed=2), *draw_probs(10, seed=3), seed=0)["set_expected"]
    assert (expected["low"], expected["high"]) == pytest.approx(
        tuple(np.percentile(1 - thresholds, [2.5, 97.5])), abs=0.005
    )
