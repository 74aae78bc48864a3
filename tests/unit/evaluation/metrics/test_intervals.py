from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import optimize, stats
from sklearn.metrics import precision_recall_fscore_support
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.proportion import proportion_confint

from scenebook.evaluation.metrics import intervals
from scenebook.evaluation.metrics.intervals import (
    AVERAGES,
    SCORES,
    average_classes,
    bootstrap_mean,
    combine_intervals,
    compare_paired,
    compute_averages,
    compute_class_score,
    compute_difference,
    compute_fold_mean,
    compute_mcnemar,
    compute_percentile_bounds,
    compute_proportion,
    compute_wilson_interval,
    resample_averages,
)
from tests.unit.evaluation.metrics.tables import NAMES, PAPER, predictions_of


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
