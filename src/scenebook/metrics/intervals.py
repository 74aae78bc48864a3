"""Scores with 95% intervals: Wilson for proportions, the bootstrap for the rest. No TensorFlow."""

from __future__ import annotations

import math
from typing import TypedDict

import numpy as np
from scipy import stats

RESAMPLES = 10_000


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
    z = stats.norm.ppf((1 + confidence) / 2)
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

    F1 = 2J / (1 + J) of the proportion J of right ones among all pictures that have the class or were given it (Hand,
    Christen and Kirielle, 2021, Machine Learning 110, 451-456). J's Wilson interval is carried over, so that a class
    without an error has an interval too: a bootstrap of the matrix would call it certain.
    """
    n = true_positives + false_positives + false_negatives
    if n == 0:
        return None
    value, low, high = (2 * j / (1 + j) for j in (true_positives / n, *wilson_interval(true_positives, n)))
    return {"value": value, "low": low, "high": high}


def bootstrap_f1(matrix: np.ndarray, *, seed: int, resamples: int = RESAMPLES) -> dict[str, Score]:
    """Returns `macro_f1` and `weighted_f1` with percentile bootstrap intervals.

    Drawing n pictures with replacement and counting them again is a multinomial draw of the matrix's cells, so the
    resampling needs only the counts (Efron and Tibshirani, 1993, chapter 13). Empty cells stay empty.

    Args:
        matrix: Counts `(k, k)`, rows true, columns predicted.
        seed: Seed of the draws.
        resamples: How many draws.
    """
    rows, columns = np.nonzero(matrix)
    k, cells = len(matrix), len(rows)
    rng = np.random.default_rng(seed)
    of_row, of_column = np.eye(k)[rows], np.eye(k)[columns]
    of_diagonal = of_row * (rows == columns)[:, None]
    counts = matrix[rows, columns]
    block = max(1, 5_000_000 // max(k, cells))  # at most some 40 MB of counts at a time
    draws = []
    for start in range(0, resamples, block):
        drawn = rng.multinomial(counts.sum(), counts / counts.sum(), size=min(block, resamples - start)).astype(float)
        draws.append(_average_f1(drawn @ of_diagonal, drawn @ of_row, drawn @ of_column))
    value = _average_f1(counts @ of_diagonal, counts @ of_row, counts @ of_column)
    drawn_averages = np.concatenate(draws)
    return {
        name: _percentiles(float(value[index]), drawn_averages[:, index])
        for index, name in enumerate(("macro_f1", "weighted_f1"))
    }


def _average_f1(right: np.ndarray, true: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Returns macro and weighted F1 `(..., 2)` of counts `(..., k)`; a class that does not occur at all counts as 0."""
    both = true + predicted
    f1 = np.divide(2 * right, both, out=np.zeros_like(both), where=both > 0)
    return np.stack([f1.mean(axis=-1), (f1 * true).sum(axis=-1) / true.sum(axis=-1)], axis=-1)


def bootstrap_mean(values: np.ndarray, *, seed: int, resamples: int = RESAMPLES) -> Score:
    """Returns the mean of float `(n,)` values with a percentile bootstrap interval."""
    rng = np.random.default_rng(seed)
    block = max(1, 20_000_000 // len(values))
    means = [
        values[rng.integers(0, len(values), (min(block, resamples - start), len(values)))].mean(axis=1)
        for start in range(0, resamples, block)
    ]
    return _percentiles(float(values.mean()), np.concatenate(means))


def _percentiles(value: float, draws: np.ndarray) -> Score:
    low, high = np.percentile(draws, [2.5, 97.5])
    return {"value": value, "low": float(low), "high": float(high)}
