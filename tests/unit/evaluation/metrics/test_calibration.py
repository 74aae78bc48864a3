from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from sklearn.calibration import CalibratedClassifierCV, calibration_curve
from sklearn.frozen import FrozenEstimator

from scenebook.evaluation.metrics import calibration
from scenebook.evaluation.metrics.calibration import (
    SEARCHED,
    apply_temperature,
    compare_calibration,
    compute_calibration_error,
    compute_debiased_error,
    compute_log_losses,
    fit_temperature,
)
from scenebook.evaluation.metrics.intervals import compute_proportion
from tests.unit.evaluation.metrics.confident import Probabilities, draw_probs, draw_too_sure


def of_confidence(confidence: list[float]) -> np.ndarray:
    return np.stack([confidence, 1 - np.array(confidence)], axis=1)


def test_the_calibration_error_equals_a_hand_worked_case() -> None:
    probs, positions = of_confidence([0.95, 0.95, 0.85, 0.65]), np.array([0, 1, 0, 0])
    # |0.5 - 0.95| of two images, |1 - 0.85| and |1 - 0.65| of one each
    assert compute_calibration_error(probs, positions, seed=0)["value"] == pytest.approx((0.9 + 0.15 + 0.35) / 4)


@pytest.mark.parametrize("n", [1, 30, 500])
def test_the_calibration_error_equals_scikit_learns_curve(n: int) -> None:
    probs, positions = draw_probs(n, seed=n)
    confidence, right = probs.max(axis=1), probs.argmax(axis=1) == positions
    accuracies, means = calibration_curve(right, confidence, n_bins=10, strategy="uniform")
    counts = np.histogram(confidence, bins=np.linspace(0, 1, 11))[0]
    expected = np.average(np.abs(accuracies - means), weights=counts[counts > 0])
    assert compute_calibration_error(probs, positions, seed=0, resamples=10)["value"] == pytest.approx(expected)


def test_a_bin_holds_its_upper_edge() -> None:
    bins = calibration.compute_reliability_bins(of_confidence([0.9, 0.91, 1.0]), np.array([0, 1, 0]))
    assert bins[["from", "to", "n", "right"]].to_numpy().tolist() == [[0.8, 0.9, 1, 1], [0.9, 1.0, 2, 1]]
    assert bins[["accuracy", "low", "high"]].to_numpy()[1].tolist() == list(compute_proportion(1, 2).values())
    assert bins["confidence"].tolist() == pytest.approx([0.9, 0.955])


@pytest.mark.parametrize("excess", [0.0, 0.05, 0.1])
def test_the_interval_holds_the_true_error_about_as_often_as_it_says(excess: float) -> None:
    hits = 0
    for seed in range(50):
        score = compute_calibration_error(*draw_too_sure(200, seed=seed, excess=excess), seed=seed, resamples=200)
        hits += score["low"] <= excess <= score["high"]
    assert hits >= 42


def test_the_interval_holds_the_value_and_stays_between_0_and_1() -> None:
    for seed in range(30):
        score = compute_calibration_error(
            *draw_probs(8 + seed, seed=seed, temperature=1 + seed / 10), seed=0, resamples=200
        )
        assert 0 <= score["low"] <= score["value"] <= score["high"] <= 1


@pytest.mark.parametrize("excess", [0.0, 0.1])
def test_the_debiased_error_is_nearer_to_the_truth_on_average(excess: float) -> None:
    plain, debiased = [], []
    for seed in range(30):
        probs, positions = draw_too_sure(60, seed=seed, excess=excess)
        plain.append(np.abs(calibration.compute_bin_gaps(probs, positions).mean(axis=0)).sum())
        debiased.append(calibration.compute_debiased_error(probs, positions))
    assert abs(np.mean(debiased) - excess) < abs(np.mean(plain) - excess)


def test_the_debiased_error_of_one_bin_equals_a_simulation() -> None:
    probs, positions = of_confidence([0.75] * 40), np.array([0] * 28 + [1] * 12)
    drawn = np.random.default_rng(0).normal(0.7, np.sqrt(0.7 * 0.3 / 40), 400_000)
    expected = 2 * 0.05 - np.abs(drawn - 0.75).mean()
    assert calibration.compute_debiased_error(probs, positions) == pytest.approx(expected, abs=5e-4)


def test_chance_makes_as_much_of_an_error_as_drawing_it_image_by_image() -> None:
    probs, _ = draw_probs(50, seed=3)
    confidence = probs.max(axis=1)
    rng = np.random.default_rng(7)
    errors = []
    for _ in range(1500):
        positions = np.where(rng.random(50) < confidence, probs.argmax(axis=1), probs.argmin(axis=1))
        errors.append(np.abs(calibration.compute_bin_gaps(probs, positions).mean(axis=0)).sum())
    by_chance = calibration.compute_chance_errors(probs, seed=0, resamples=4000)
    assert by_chance.mean() == pytest.approx(np.mean(errors), abs=0.004)
    assert np.percentile(by_chance, 97.5) == pytest.approx(np.percentile(errors, 97.5), abs=0.015)


def test_the_same_seed_gives_the_same_interval() -> None:
    probs, positions = draw_probs(80, seed=1)
    first, again, other = (compute_calibration_error(probs, positions, seed=seed, resamples=500) for seed in (3, 3, 4))
    assert first == again != other


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
