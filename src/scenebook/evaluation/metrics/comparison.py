"""Two classifiers on the same images: McNemar's test, and the interval of the difference."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from scenebook.evaluation.metrics.intervals import Score

_EXACT_BELOW = 25
"""With fewer images than this that only one of the two gets right, the test is exact."""
SIGNIFICANT = 0.05
"""A difference whose p-value is not below this may be chance."""


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
