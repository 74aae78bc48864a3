"""One number that corrects a network's confidence, and what it does to the calibration error."""

from __future__ import annotations

import numpy as np
from scipy import optimize, special, stats

from scenebook.evaluation.metrics.calibration import (
    chance_errors,
    debiased_calibration_error,
    error_interval,
    gaps_by_bin,
)
from scenebook.evaluation.metrics.intervals import Score, percentile_score, resample_means

SEARCHED = (0.05, 20.0)
"""The temperatures among which the best one is looked for."""
LEAST_PROBABILITY = float(np.finfo(np.float32).tiny)
"""A probability below this counts as this: one that float32 rounds to 0 would have an infinite log loss."""


def apply_temperature(probs: np.ndarray, temperature: float) -> np.ndarray:
    """Returns the probabilities that the network would give with its logits divided by a temperature.

    Above 1 they become more even, below 1 more extreme; the most probable class stays the same. Logits are known up to
    a constant of each image, which softmax takes off again: the logarithms of the probabilities will do.

    Args:
        probs: float `(n, num_classes)`.
        temperature: Above 0.
    """
    return special.softmax(np.log(np.maximum(probs, LEAST_PROBABILITY)) / temperature, axis=1)


def log_losses(probs: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Returns the log loss of each image, float `(n,)`."""
    return -np.log(np.maximum(probs[np.arange(len(probs)), positions], LEAST_PROBABILITY))


def fit_temperature(probs: np.ndarray, positions: np.ndarray) -> Score | None:
    """Returns the temperature with the least log loss on validation images, with a 95% interval.

    Temperature scaling (Guo et al., 2017, "On Calibration of Modern Neural Networks"). The interval holds what a
    likelihood ratio test would not reject (Wilks, 1938): few images give a wide one.

    Args:
        probs: float `(n, num_classes)`, n at least 1.
        positions: int `(n,)`, the position of the true class.

    Returns:
        The temperature; `None` where the images determine none, because the log loss still falls at an end of what
        is searched: when all of them are right, say, any more extreme probability fits even better.
    """

    def loss(log_temperature: float) -> float:
        return float(log_losses(apply_temperature(probs, np.exp(log_temperature)), positions).sum())

    ends = np.log(SEARCHED)
    best = float(optimize.minimize_scalar(loss, bounds=ends, method="bounded", options={"xatol": 1e-8}).x)
    if min(loss(end) for end in ends) <= loss(best) + 1e-6:
        return None
    # The log loss is the negative log likelihood: twice its rise is compared with chi squared.
    most = loss(best) + stats.chi2.ppf(0.95, df=1) / 2
    low, high = (
        optimize.brentq(lambda log_t: loss(log_t) - most, *sorted((best, end))) if loss(end) > most else end
        for end in ends
    )
    return {"value": float(np.exp(best)), "low": float(np.exp(low)), "high": float(np.exp(high))}


def compare_calibration(
    probs: np.ndarray, positions: np.ndarray, temperature: float, *, seed: int
) -> dict[str, Score | float]:
    """Returns what a temperature does to the test images.

    `ece_after` and `log_loss_after`, each with its interval; `ece_change` and `log_loss_change`, after minus before on
    the same resampled images, with percentile intervals; `ece_debiased_after`.

    Args:
        probs: float `(n, num_classes)`, before.
        positions: int `(n,)`, the position of the true class.
        temperature: As fitted on validation images.
        seed: Seed of the draws.
    """
    scaled = apply_temperature(probs, temperature)
    before, after = gaps_by_bin(probs, positions), gaps_by_bin(scaled, positions)
    losses = np.stack([log_losses(probs, positions), log_losses(scaled, positions)], axis=1)
    columns = np.hstack([before, after, losses])
    k = before.shape[1]

    def measure(means: np.ndarray) -> np.ndarray:
        errors = np.stack([np.abs(means[..., :k]).sum(-1), np.abs(means[..., k : 2 * k]).sum(-1)], axis=-1)
        return np.concatenate([errors, means[..., 2 * k :]], axis=-1)

    values, drawn = measure(columns.mean(axis=0)), measure(resample_means(columns, seed=seed))
    debiased = debiased_calibration_error(scaled, positions)
    return {
        "ece_after": error_interval(float(values[1]), debiased, drawn[:, 1], chance_errors(scaled, seed=seed)),
        "ece_change": percentile_score(values[1] - values[0], drawn[:, 1] - drawn[:, 0]),
        "ece_debiased_after": debiased,
        "log_loss_after": percentile_score(values[3], drawn[:, 3]),
        "log_loss_change": percentile_score(values[3] - values[2], drawn[:, 3] - drawn[:, 2]),
    }
