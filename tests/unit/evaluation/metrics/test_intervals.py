from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from scenebook.evaluation.metrics import intervals
from scenebook.evaluation.metrics.intervals import (
    bootstrap_mean,
    compute_class_score,
    compute_fold_mean,
    compute_wilson_interval,
)


@pytest.mark.parametrize(("successes", "n"), [(0, 10), (10, 10), (1, 1), (6440, 7301), (510, 600), (3, 7)])
def test_wilson_equals_scipy_and_statsmodels(successes: int, n: int) -> None:
    found = compute_wilson_interval(successes, n)
    expected = stats.binomtest(successes, n).proportion_ci(0.95, method="wilson")
    assert found == pytest.approx((expected.low, expected.high), abs=1e-12)
    assert found == pytest.approx(proportion_confint(successes, n, method="wilson"), abs=1e-12)


def test_wilson_equals_a_hand_worked_case() -> None:
    # p = 0.5, n = 10, z = 1.96: centre 0.5, half width 1.96 / 1.38416 * sqrt(0.025 + 0.009604) = 0.2634
    assert compute_wilson_interval(5, 10) == pytest.approx((0.2366, 0.7634), abs=1e-4)


def test_the_interval_of_f1_agrees_with_a_bootstrap_and_is_never_empty() -> None:
    rng = np.random.default_rng(0)
    right, wrong, missed, rest = 70, 12, 18, 200
    draws = rng.multinomial(300, np.array([right, wrong, missed, rest]) / 300, size=20_000)
    simulated = 2 * draws[:, 0] / (2 * draws[:, 0] + draws[:, 1] + draws[:, 2])
    score = compute_class_score(right, right + wrong, right + missed)["f1"]
    assert score is not None
    assert score["value"] == pytest.approx(2 * 70 / (140 + 30))
    assert (score["low"], score["high"]) == pytest.approx(tuple(np.percentile(simulated, [2.5, 97.5])), abs=0.01)
    perfect = compute_class_score(50, 50, 50)["f1"]
    assert perfect is not None
    assert (perfect["value"], perfect["high"]) == (1.0, 1.0)
    assert 0.9 < perfect["low"] < 1.0


@pytest.mark.parametrize(
    ("right", "predicted", "true", "missing"),
    [(0, 0, 5, {"precision"}), (0, 3, 0, {"recall"}), (0, 0, 0, {"precision", "recall", "f1"}), (2, 3, 4, set())],
    ids=["never predicted", "without test images", "neither", "both"],
)
def test_a_class_has_no_score_that_would_divide_by_nothing(
    right: int, predicted: int, true: int, missing: set[str]
) -> None:
    scores = compute_class_score(right, predicted, true)
    assert {name for name, score in scores.items() if score is None} == missing


def test_the_bootstrap_of_a_mean_agrees_with_scipy() -> None:
    values = np.random.default_rng(0).gamma(0.3, size=200)
    score = bootstrap_mean(values, seed=0)
    expected = stats.bootstrap(
        (values,), np.mean, method="percentile", n_resamples=10_000, rng=np.random.default_rng(1)
    ).confidence_interval
    assert score["value"] == pytest.approx(values.mean())
    assert (score["low"], score["high"]) == pytest.approx((expected.low, expected.high), rel=0.02)


def test_resampled_means_are_those_of_drawn_rows_whatever_is_drawn_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    columns = np.random.default_rng(0).normal(size=(25, 3))
    means = intervals.resample_means(columns, seed=5, resamples=40)
    rows = np.random.default_rng(5).integers(0, 25, (40, 25))
    np.testing.assert_allclose(means, columns[rows].mean(axis=1), atol=1e-12)
    monkeypatch.setattr(intervals, "_AT_ONCE", 60)
    np.testing.assert_allclose(intervals.resample_means(columns, seed=5, resamples=40), means, atol=1e-12)


def test_the_interval_over_folds_is_nadeau_and_bengios() -> None:
    right = [700, 800, 900, 850, 750]
    found = compute_fold_mean([{"train": 4000, "held_out": 1000, "right": one} for one in right])
    # The standard deviation is 0.079057; t of 4 degrees of freedom is 2.7764; (1 / 5 + 1 / 4) of the variance.
    margin = 2.7764 * 0.079057 * np.sqrt(1 / 5 + 1 / 4)
    assert found == pytest.approx({"value": 0.8, "low": 0.8 - margin, "high": 0.8 + margin}, abs=1e-4)
    assert margin > 1.4 * stats.t.ppf(0.975, 4) * 0.079057 / np.sqrt(5)  # that of independent trainings is too short


def test_equal_folds_leave_the_uncertainty_of_their_images() -> None:
    found = compute_fold_mean([{"train": 40, "held_out": 10, "right": 9}] * 5)
    assert (found["low"], found["high"]) == compute_wilson_interval(45, 50)


def test_the_same_seed_gives_the_same_interval() -> None:
    first, again, other = (bootstrap_mean(np.arange(50.0), seed=seed) for seed in (3, 3, 4))
    assert first == again != other
