"""Scores with 95% intervals: Wilson's for proportions and F1, the bootstrap's for means."""

from __future__ import annotations

import math
from typing import TypedDict

import numpy as np
from scipy import special

RESAMPLES = 10_000
_AT_ONCE = 100_000
"""Values that are drawn at once: they stay in the processor's cache, three times as fast as in one go."""


class Score(TypedDict):
    """A score with the bounds of its 95% interval."""

    value: float
    low: float
    high: float


def wilson_interval(successes: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Returns the Wilson score interval of a proportion.

    Unlike the textbook interval p +- z sqrt(p (1 - p) / n) it stays inside [0, 1] and holds for small n and for
    proportions near 0 or 1 (Wilson, 1927, Journal of the American Statistical Association 22, 209-212).

    Args:
        successes: How often it happened, 0 to `n`.
        n: How often it was tried, at least 1.
        confidence: How often the interval is to hold the true proportion.

    Returns:
        The lower and the upper bound, in `[0, 1]`.
    """
    z = float(special.ndtri((1 + confidence) / 2))  # 1.96 for 95%
    p = successes / n
    centre = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * math.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    # At 0 and n the bound is 0 and 1 exactly; rounding must not push it past them.
    return max(0.0, centre - half) if successes else 0.0, min(1.0, centre + half) if successes < n else 1.0


def proportion_score(successes: int, n: int) -> Score:
    """Returns a proportion with its Wilson interval."""
    low, high = wilson_interval(successes, n)
    return {"value": successes / n, "low": low, "high": high}


def f1_score(true_positives: int, false_positives: int, false_negatives: int) -> Score | None:
    """Returns the F1 of one class with a 95% interval; `None` for a class that neither occurs nor is predicted.

    F1 = 2J / (1 + J) of the proportion J of right ones among all images that have the class or were given it (Hand,
    Christen and Kirielle, 2021, Machine Learning 110, 451-456). J's Wilson interval is carried over, so that a class
    without an error has an interval too: a bootstrap of the matrix would call it certain.
    """
    n = true_positives + false_positives + false_negatives
    if n == 0:
        return None
    value, low, high = (2 * j / (1 + j) for j in (true_positives / n, *wilson_interval(true_positives, n)))
    return {"value": value, "low": low, "high": high}


def score_class(right: int, predicted: int, true: int) -> dict[str, Score | None]:
    """Returns precision, recall and F1 of one class, each `None` where it would divide by nothing.

    Args:
        right: Images of the class that were given it.
        predicted: Images that were given it.
        true: Images of the class.
    """
    return {
        "precision": proportion_score(right, predicted) if predicted else None,
        "recall": proportion_score(right, true) if true else None,
        "f1": f1_score(right, predicted - right, true - right),
    }


def bootstrap_mean(values: np.ndarray, *, seed: int, resamples: int = RESAMPLES) -> Score:
    """Returns the mean of float `(n,)` values with a percentile bootstrap interval.

    Efron, 1979, The Annals of Statistics 7, 1-26.
    """
    return percentile_score(float(values.mean()), resample_means(values[:, None], seed=seed, resamples=resamples)[:, 0])


def resample_means(columns: np.ndarray, *, seed: int, resamples: int = RESAMPLES) -> np.ndarray:
    """Returns the column means of bootstrap samples, float `(resamples, m)`.

    How often each row was drawn, times the columns, is the sum of the drawn rows: one matrix product for all columns.

    Args:
        columns: float `(n, m)`.
        seed: Seed of the draws.
        resamples: How many draws.
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


def percentile_score(value: float, draws: np.ndarray) -> Score:
    """Returns a value with the percentile bootstrap's interval, from float `(resamples,)` draws."""
    low, high = percentile_bounds(draws)
    return {"value": float(value), "low": float(low), "high": float(high)}


def percentile_bounds(draws: np.ndarray) -> np.ndarray:
    """Returns float `(2, ...)`: the 2.5% and 97.5% quantiles of resampled values `(resamples, ...)`."""
    return np.percentile(draws, [2.5, 97.5], axis=0)
