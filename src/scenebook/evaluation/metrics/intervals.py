"""Scores with 95% intervals: proportions, means, averages over classes, and differences of two classifiers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

import numpy as np

RESAMPLES = 10_000
_AT_ONCE = 100_000
"""Values that are drawn at once: they stay in the processor's cache, three times as fast as in one go."""
SCORES = ("precision", "recall", "f1")
AVERAGES = ("macro", "weighted")


class Score(TypedDict):
    """A score with the bounds of its 95% interval."""

    value: float
    low: float
    high: float


def compute_wilson_interval(successes: int, n: int) -> tuple[float, float]:
    """Returns the bounds of the 95% Wilson score interval of a proportion, of `n` trials, at least 1.

    Unlike the textbook interval p +- z sqrt(p (1 - p) / n) it stays inside [0, 1] and holds for small n and for
    proportions near 0 or 1 (Wilson, 1927, Journal of the American Statistical Association 22, 209-212).
    """
    from scipy import special

    z = float(special.ndtri(0.975))  # 1.96
    p = successes / n
    centre = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * math.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    # At 0 and n the bound is 0 and 1 exactly; rounding must not push it past them.
    return max(0.0, centre - half) if successes else 0.0, min(1.0, centre + half) if successes < n else 1.0


def compute_proportion(successes: int, n: int) -> Score:
    """Returns a proportion with its Wilson interval."""
    low, high = compute_wilson_interval(successes, n)
    return {"value": successes / n, "low": low, "high": high}


def compute_fold_mean(folds: Sequence[Mapping[str, int]]) -> Score:
    """Returns the mean accuracy over folds with Nadeau and Bengio's corrected interval.

    The folds share most of their training images, so that their accuracies vary less than those of independent
    trainings. The variance of the mean of k of them is therefore taken as (1 / k + m / n) times their own, with m
    images held out for n that are trained on, and not as 1 / k of it (Nadeau and Bengio, 2003, Machine Learning 52,
    239-281); Student's t distribution has k - 1 degrees of freedom.

    With a few folds their own variance may be near 0 by chance. The interval is therefore at least as wide as Wilson's
    of all images that were held out, as if one network had classified them.

    Args:
        folds: Two or more; of each, `train`, `held_out` and `right`: images trained on, held out, and right of these.
    """
    from scipy import special

    train, held_out, right = (np.array([fold[name] for fold in folds]) for name in ("train", "held_out", "right"))
    accuracies, count = right / held_out, len(folds)
    mean = float(accuracies.mean())
    variance = (1 / count + held_out.mean() / train.mean()) * accuracies.var(ddof=1)
    margin = float(special.stdtrit(count - 1, 0.975)) * math.sqrt(variance)
    low, high = compute_wilson_interval(int(right.sum()), int(held_out.sum()))
    return {"value": mean, "low": max(0.0, min(low, mean - margin)), "high": min(1.0, max(high, mean + margin))}


def compute_class_score(right: int, predicted: int, true: int) -> dict[str, Score | None]:
    """Returns precision, recall and F1 of one class with 95% intervals, each `None` where it would divide by nothing.

    The arguments are how many of its images were given it, and how many images were given it and have it in all. F1 =
    2J / (1 + J) of the proportion J of right ones among the images of either kind (Hand, Christen and Kirielle, 2021,
    Machine Learning 110, 451-456). J's Wilson interval is carried over, so that a class without an error has an
    interval too: a bootstrap of the matrix would call it certain.
    """
    precision, recall, shared = (
        compute_proportion(right, n) if n else None for n in (predicted, true, predicted + true - right)
    )
    if shared is None:
        return {"precision": None, "recall": None, "f1": None}
    value, low, high = (2 * j / (1 + j) for j in (shared["value"], shared["low"], shared["high"]))
    return {"precision": precision, "recall": recall, "f1": {"value": value, "low": low, "high": high}}


def bootstrap_mean(values: np.ndarray, *, seed: int) -> Score:
    """Returns the mean of float `(n,)` values with a percentile bootstrap interval (Efron, 1979)."""
    return compute_percentiles(values.mean(), resample_means(values[:, None], seed=seed)[:, 0])


def compute_percentiles(value: float, draws: np.ndarray) -> Score:
    low, high = compute_percentile_bounds(draws)
    return {"value": float(value), "low": float(low), "high": float(high)}


def compute_percentile_bounds(draws: np.ndarray) -> np.ndarray:
    return np.percentile(draws, [2.5, 97.5], axis=0)


def resample_means(columns: np.ndarray, *, seed: int, resamples: int = RESAMPLES) -> np.ndarray:
    """Returns the column means of bootstrap samples, float `(resamples, m)`.

    How often each row was drawn, times the columns `(n, m)`, is the sum of the drawn rows: one matrix product for all.
    """
    n = len(columns)
    rng = np.random.default_rng(seed)
    means = []
    for size in split_draws(resamples, n):
        drawn = rng.integers(0, n, (size, n)) + n * np.arange(size)[:, None]
        times = np.bincount(drawn.ravel(), minlength=size * n).reshape(size, n)
        means.append(times.astype(float) @ columns / n)
    return np.concatenate(means)


def split_draws(resamples: int, n: int) -> list[int]:
    """Returns how many of the resamples, of n values each, are drawn at a time."""
    block = max(1, _AT_ONCE // n)
    return [min(block, resamples - start) for start in range(0, resamples, block)]


def compute_averages(matrix: np.ndarray, *, seed: int, resamples: int = RESAMPLES) -> dict[str, Score]:
    """Returns `macro_precision`, `macro_recall`, `macro_f1` and the same `weighted_`, each with its interval.

    The macro average is the mean over the classes that have test images; the weighted one weights each class by how
    many it has. A class that is never predicted has no precision and counts as 0. `matrix` has counts `(k, k)`, rows
    true.

    The interval is the percentile bootstrap's (Efron, 1979, The Annals of Statistics 7, 1-26). In a class without an
    error, no resample has one either, so where errors are few that interval is too short, and without any it is a
    point. It is therefore at least as wide as the one that follows from the classes' own intervals (Zou and Donner,
    2008, Statistics in Medicine 27, 1693-1702). Weighted recall is the accuracy, and has its Wilson interval.
    """
    right, predicted, true = matrix.diagonal(), matrix.sum(axis=0), matrix.sum(axis=1)
    values = average_matrix(matrix)
    drawn = compute_percentile_bounds(resample_averages(matrix, seed=seed, resamples=resamples))
    classes = [compute_class_score(*map(int, counts)) for counts in zip(right, predicted, true, strict=True)]
    weights = np.stack([(true > 0) / (true > 0).sum(), true / true.sum()])
    scores: dict[str, Score] = {}
    for a, average in enumerate(AVERAGES):
        for s, name in enumerate(SCORES):
            value = float(values[a, s])
            low, high = combine_intervals([scored[name] for scored in classes], weights[a])
            scores[f"{average}_{name}"] = {
                "value": value,
                # Rounding may put a bound of no width on the wrong side of the value.
                "low": min(value, low, float(drawn[0, a, s])),
                "high": max(value, high, float(drawn[1, a, s])),
            }
    scores["weighted_recall"] = compute_proportion(int(right.sum()), int(true.sum()))
    return scores


def average_classes(right: np.ndarray, predicted: np.ndarray, true: np.ndarray) -> np.ndarray:
    """Returns float `(..., 2, 3)`: the averages (macro, weighted) of precision, recall and F1.

    Each argument is float `(..., k)`: how many images of each class were given it, were given it or not, and have it.
    """
    shares = np.stack([_divide(right, predicted), _divide(right, true), _divide(2 * right, predicted + true)], axis=-1)
    occurs = (true > 0).astype(float)
    weights = np.stack([occurs, true], axis=-2)
    return (weights / weights.sum(axis=-1, keepdims=True)) @ shares


def average_matrix(matrix: np.ndarray) -> np.ndarray:
    """Returns `average_classes` of int counts `(k, k)`, rows true, columns predicted."""
    counts = matrix.astype(float)
    return average_classes(counts.diagonal(), counts.sum(axis=0), counts.sum(axis=1))


def _divide(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)


def resample_averages(matrix: np.ndarray, *, seed: int, resamples: int = RESAMPLES) -> np.ndarray:
    """Returns float `(resamples, 2, 3)`: `average_classes` of resampled test images.

    Drawing n images with replacement and counting them again is a multinomial draw of the matrix's cells, so the
    resampling needs only the counts (Efron and Tibshirani, 1993, chapter 13). Empty cells stay empty.
    """
    rows, columns = np.nonzero(matrix)
    k, counts = len(matrix), matrix[rows, columns]
    of_row, of_column = np.eye(k)[rows], np.eye(k)[columns]
    of_diagonal = of_row * (rows == columns)[:, None]
    rng = np.random.default_rng(seed)
    draws = []
    for size in split_draws(resamples, max(6 * k, len(counts))):
        drawn = rng.multinomial(counts.sum(), counts / counts.sum(), size=size).astype(float)
        draws.append(average_classes(drawn @ of_diagonal, drawn @ of_column, drawn @ of_row))
    return np.concatenate(draws)


def combine_intervals(scores: Sequence[Score | None], weights: np.ndarray) -> tuple[float, float]:
    """Returns the interval of a weighted sum of independent scores from theirs (Zou and Donner, 2008).

    Each bound lies off the sum by the root of the summed squares of what the scores' bounds lie off their values. A
    score that is `None` counts as a certain 0.
    """
    known = [(weight, score) for weight, score in zip(weights.tolist(), scores, strict=True) if score is not None]
    value = sum(weight * score["value"] for weight, score in known)
    below = sum((weight * (score["value"] - score["low"])) ** 2 for weight, score in known) ** 0.5
    above = sum((weight * (score["high"] - score["value"])) ** 2 for weight, score in known) ** 0.5
    return max(0.0, value - below), min(1.0, value + above)


_EXACT_BELOW = 25  # with fewer images than this that only one of the two gets right, the test is exact
SIGNIFICANT = 0.05  # a difference whose p-value is not below this may be chance


def compare_paired(first_right: np.ndarray, second_right: np.ndarray) -> dict[str, Any]:
    """Compares two classifiers, each given as whether it is right, bool `(n,)`, that were asked about the same images.

    What both get right, or both wrong, says nothing of which is better: the test and most of the interval rest on the
    images that only one of them gets right.

    Returns:
        `difference` (a `Score`: accuracy of the first less that of the second), `p` and `method` of McNemar's test
        (`exact` or `approximate`), `only_first` and `only_second` (images that only one gets right) and `n`.
    """
    only_first = int((first_right & ~second_right).sum())
    only_second = int((second_right & ~first_right).sum())
    p, method = compute_mcnemar(only_first, only_second)
    difference = compute_difference(only_first, only_second, len(first_right))
    counts = {"only_first": only_first, "only_second": only_second, "n": len(first_right)}
    return {"difference": difference, "p": p, "method": method, **counts}


def compute_mcnemar(only_first: int, only_second: int) -> tuple[float, str]:
    """Returns the two-sided p-value of McNemar's test (1947, Psychometrika 12, 153-157), and how it was computed.

    If both classifiers were equally good, each image that only one gets right would be as likely the first's as the
    second's: a binomial with a half, summed exactly for fewer than 25 such images, else by chi-squared
    with a continuity correction.
    """
    from scipy import stats  # takes most of a second, which who only reads results need not wait

    both = only_first + only_second
    if both < _EXACT_BELOW:
        return (float(stats.binomtest(only_first, both).pvalue) if both else 1.0), "exact"
    corrected = max(0, abs(only_first - only_second) - 1) ** 2 / both
    return float(stats.chi2.sf(corrected, df=1)), "approximate"


def compute_difference(only_first: int, only_second: int, n: int) -> Score:
    """Returns the difference of two paired proportions, of n images, with Tango's 95% score interval.

    It holds the differences that a score test would not reject (Tango, 1998, Statistics in Medicine 17, 891-908), as
    Wilson's does for one proportion: it stays inside [-1, 1], and is not empty where the two never differ.
    """
    from scipy import optimize, special

    value, z = (only_first - only_second) / n, special.ndtri(0.975)

    def excess(difference: float, bound: float) -> float:
        return _score_statistic(only_first, only_second, n, difference) - bound

    # The statistic falls as the difference grows; at the ends of [-1, 1] its variance vanishes.
    edge = 1 - 1e-12
    low = optimize.brentq(excess, -edge, value, args=(z,)) if value > -edge else -1.0
    high = optimize.brentq(excess, value, edge, args=(-z,)) if value < edge else 1.0
    return {"value": value, "low": float(low), "high": float(high)}


def _score_statistic(only_first: int, only_second: int, n: int, difference: float) -> float:
    """Returns Tango's statistic of a difference: how far the counts are from it, in standard deviations."""
    # The likeliest share of images that only the second gets right, if the difference were this one.
    b = (2 * n - only_first + only_second) * difference - only_first - only_second
    c = -only_second * difference * (1 - difference)
    share = (math.sqrt(max(0.0, b * b - 8 * n * c)) - b) / (4 * n)
    variance = n * (2 * share + difference * (1 - difference))
    distance = only_first - only_second - n * difference
    return distance / math.sqrt(variance) if variance > 0 else math.copysign(math.inf, distance) if distance else 0.0
