from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator

from scenebook.evaluation.metrics.calibration import (
    SEARCHED,
    apply_temperature,
    compare_calibration,
    compute_calibration_error,
    compute_debiased_error,
    compute_log_losses,
    fit_temperature,
)
from tests.unit.evaluation.metrics.confident import Probabilities, draw_probs


def test_a_temperature_equals_a_hand_worked_case() -> None:
    # Halved logits are roots of the odds: 4 to 1 becomes 2 to 1.
    np.testing.assert_allclose(apply_temperature(np.array([[0.8, 0.2]]), 2.0), [[2 / 3, 1 / 3]])
    np.testing.assert_allclose(apply_temperature(np.array([[0.8, 0.2]]), 0.5), [[16 / 17, 1 / 17]])


def test_a_temperature_changes_no_answer_and_1_changes_nothing() -> None:
    probs, _ = draw_probs(100, seed=0)
    np.testing.assert_allclose(apply_temperature(probs, 1.0), probs, atol=1e-12)
    for temperature in (*SEARCHED, 3.0):
        scaled = apply_temperature(probs, temperature)
        np.testing.assert_array_equal(scaled.argmax(axis=1), probs.argmax(axis=1))
        np.testing.assert_allclose(scaled.sum(axis=1), 1)


def test_probabilities_of_0_stay_finite() -> None:
    probs = np.array([[1.0, 0.0], [0.0, 1.0]])
    assert np.isfinite(compute_log_losses(probs, np.array([1, 1]))).all()
    assert np.isfinite(apply_temperature(probs, 20.0)).all()


@pytest.mark.parametrize("temperature", [0.6, 1.0, 2.5])
def test_the_temperature_that_was_put_in_is_found(temperature: float) -> None:
    score = fit_temperature(*draw_probs(4000, seed=1, temperature=temperature))
    assert score is not None
    assert score["low"] < temperature < score["high"]
    assert score["value"] == pytest.approx(temperature, rel=0.08)


@pytest.mark.parametrize("n", [40, 300])
def test_the_temperature_equals_scikit_learns(n: int) -> None:
    probs, positions = draw_probs(n, seed=n, temperature=1.7)
    fitted = fit_temperature(probs, positions)
    other = CalibratedClassifierCV(FrozenEstimator(Probabilities(4)), method="temperature", ensemble=False)
    with np.errstate(all="ignore"):
        expected = other.fit(probs, positions).predict_proba(probs)
    assert fitted is not None
    np.testing.assert_allclose(apply_temperature(probs, fitted["value"]), expected, atol=2e-4)


def test_the_interval_ends_where_a_likelihood_ratio_test_rejects() -> None:
    probs, positions = draw_probs(42, seed=2)
    fitted = fit_temperature(probs, positions)
    assert fitted is not None
    best, low, high = (compute_log_losses(apply_temperature(probs, fitted[end]), positions).sum() for end in fitted)  # type: ignore[literal-required]
    assert stats.chi2.sf(2 * (low - best), df=1) == pytest.approx(0.05, abs=1e-6)
    assert stats.chi2.sf(2 * (high - best), df=1) == pytest.approx(0.05, abs=1e-6)


def test_more_images_give_a_narrower_interval() -> None:
    few, many = (fit_temperature(*draw_probs(n, seed=5)) for n in (40, 1000))
    assert few is not None
    assert many is not None
    assert many["high"] / many["low"] < few["high"] / few["low"]


@pytest.mark.parametrize("wanted", ["argmax", "argmin"])
def test_images_that_are_all_right_or_all_wrong_determine_no_temperature(wanted: str) -> None:
    probs, _ = draw_probs(30, seed=0)
    assert fit_temperature(probs, getattr(probs, wanted)(axis=1)) is None


def test_equal_probabilities_determine_no_temperature() -> None:
    assert fit_temperature(np.full((5, 2), 0.5), np.array([0, 1, 0, 1, 0])) is None


def test_the_comparison_measures_what_the_scores_measure() -> None:
    probs, positions = draw_probs(400, seed=3, temperature=2.0)
    facts = compare_calibration(probs, positions, 2.0, seed=0)
    scaled = apply_temperature(probs, 2.0)
    after = compute_calibration_error(scaled, positions, seed=0)
    before = compute_calibration_error(probs, positions, seed=0)
    assert facts["ece_after"] == pytest.approx(after)
    assert facts["ece_change"]["value"] == pytest.approx(after["value"] - before["value"])  # type: ignore[index]
    assert facts["ece_debiased_after"] == compute_debiased_error(scaled, positions)
    change = facts["log_loss_change"]
    assert isinstance(change, dict)
    assert change["low"] < change["value"] < change["high"] < 0
