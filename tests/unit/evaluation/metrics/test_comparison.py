from __future__ import annotations

import numpy as np
import pytest
from scipy import optimize, stats
from statsmodels.stats.contingency_tables import mcnemar

from scenebook.evaluation.metrics.intervals import compare_paired, compute_difference, compute_mcnemar


@pytest.mark.parametrize(
    ("only_first", "only_second"), [(1, 7), (0, 3), (12, 12), (20, 4), (13, 12), (77, 12), (305, 26)]
)
def test_mcnemar_equals_statsmodels(only_first: int, only_second: int) -> None:
    exact = only_first + only_second < 25
    expected = mcnemar([[100, only_first], [only_second, 50]], exact=exact, correction=True)
    p, method = compute_mcnemar(only_first, only_second)
    assert p == pytest.approx(expected.pvalue, rel=1e-9)
    assert method == ("exact" if exact else "approximate")


def test_mcnemar_equals_a_hand_worked_case() -> None:
    # Of 8 images 1 to 7: twice the chance of at most one head in eight tosses, 2 * (1 + 8) / 256.
    assert compute_mcnemar(1, 7) == (pytest.approx(18 / 256), "exact")


def test_classifiers_that_never_differ_are_not_told_apart() -> None:
    assert compute_mcnemar(0, 0) == (1.0, "exact")
    score = compute_difference(0, 0, 50)
    assert score["value"] == 0
    assert score["low"] == pytest.approx(-score["high"])
    assert 0 < score["high"] < 0.1


def test_the_interval_equals_a_published_case() -> None:
    # 1 and 7 of 21 pairs differ; Fagerland, Lydersen and Laake, 2014, Statistics in Medicine 33, 2850-2875.
    score = compute_difference(1, 7, 21)
    assert (score["value"], score["low"], score["high"]) == pytest.approx((-0.286, -0.517, -0.026), abs=5e-4)


@pytest.mark.parametrize(("only_first", "only_second", "n"), [(12, 2, 50), (5, 9, 300), (30, 0, 40), (2, 1, 10)])
def test_at_its_bounds_the_score_test_with_the_likeliest_shares_just_rejects(
    only_first: int, only_second: int, n: int
) -> None:
    score = compute_difference(only_first, only_second, n)
    rest = n - only_first - only_second
    for bound in (score["low"], score["high"]):

        def surprise(share: float, bound: float = bound) -> float:
            shares = np.array([share + bound, share, 1 - 2 * share - bound])
            counts = np.array([only_first, only_second, rest])
            return -float(np.sum(counts * np.log(np.clip(shares, 1e-300, None))))

        limits = (max(0.0, -bound), (1 - bound) / 2)
        share = float(optimize.minimize_scalar(surprise, bounds=limits, method="bounded", options={"xatol": 1e-12}).x)
        variance = n * (2 * share + bound - bound**2)
        z = (only_first - only_second - n * bound) / np.sqrt(variance)
        assert abs(z) == pytest.approx(stats.norm.ppf(0.975), abs=2e-3)


@pytest.mark.parametrize(("only_first", "only_second", "n"), [(5, 0, 5), (0, 5, 5), (1, 0, 1), (7301, 0, 7301)])
def test_bounds_stay_between_minus_one_and_one(only_first: int, only_second: int, n: int) -> None:
    score = compute_difference(only_first, only_second, n)
    assert -1 <= score["low"] <= score["value"] <= score["high"] <= 1


def test_a_significant_test_has_an_interval_without_zero() -> None:
    for first in range(40):
        for second in range(40):
            if compute_mcnemar(first, second)[0] < 0.05:
                score = compute_difference(first, second, 200)
                assert score["low"] > 0 or score["high"] < 0, (first, second)


def test_the_interval_holds_the_difference_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    drawn = rng.multinomial(60, [0.15, 0.05, 0.8], size=600)
    scores = [compute_difference(int(first), int(second), 60) for first, second, _ in drawn]
    assert 0.92 < np.mean([score["low"] <= 0.1 <= score["high"] for score in scores]) < 0.98


def test_images_are_compared_one_by_one() -> None:
    first = np.array([True, True, True, False, False])
    second = np.array([True, False, False, True, False])
    found = compare_paired(first, second)
    assert (found["only_first"], found["only_second"], found["n"]) == (2, 1, 5)
    assert found["difference"]["value"] == pytest.approx(0.2)
    assert found["p"] == 1
    assert found["method"] == "exact"
