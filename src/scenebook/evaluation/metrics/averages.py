"""Macro and weighted averages over the classes, with 95% intervals."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from scenebook.evaluation.metrics.intervals import (
    RESAMPLES,
    Score,
    percentile_bounds,
    proportion_score,
    score_class,
    split_draws,
)

SCORES = ("precision", "recall", "f1")
AVERAGES = ("macro", "weighted")


def average_scores(matrix: np.ndarray, *, seed: int, resamples: int = RESAMPLES) -> dict[str, Score]:
    """Returns `macro_precision`, `macro_recall`, `macro_f1` and the same `weighted_`, each with its interval.

    The macro average is the mean over the classes that have test images; the weighted one weights each class by how
    many it has. A class that is never predicted has no precision and counts as 0.

    The interval is the percentile bootstrap's (Efron, 1979). In a class without an error, no resample has one either,
    so where errors are few that interval is too short, and without any it is a point. It is therefore at least as wide
    as the one that follows from the classes' own intervals (Zou and Donner, 2008, Statistics in Medicine 27,
    1693-1702). Weighted recall is the accuracy, and has its Wilson interval.

    Args:
        matrix: Counts `(k, k)`, rows true, columns predicted; at least one image.
        seed: Seed of the draws.
        resamples: How many draws.
    """
    right, predicted, true = matrix.diagonal(), matrix.sum(axis=0), matrix.sum(axis=1)
    values = average_classes(right.astype(float), predicted.astype(float), true.astype(float))
    drawn = percentile_bounds(resample_averages(matrix, seed=seed, resamples=resamples))
    classes = [score_class(*map(int, counts)) for counts in zip(right, predicted, true, strict=True)]
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
    scores["weighted_recall"] = proportion_score(int(right.sum()), int(true.sum()))
    return scores


def average_classes(right: np.ndarray, predicted: np.ndarray, true: np.ndarray) -> np.ndarray:
    """Returns float `(..., 2, 3)`: the averages (macro, weighted) of precision, recall and F1.

    Args:
        right: float `(..., k)`: how many images of each class were given it.
        predicted: float `(..., k)`: how many were given it.
        true: float `(..., k)`: how many have it.
    """
    shares = np.stack([_divide(right, predicted), _divide(right, true), _divide(2 * right, predicted + true)], axis=-1)
    occurs = (true > 0).astype(float)
    weights = np.stack([occurs, true], axis=-2)
    return (weights / weights.sum(axis=-1, keepdims=True)) @ shares


def _divide(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)


def resample_averages(matrix: np.ndarray, *, seed: int, resamples: int = RESAMPLES) -> np.ndarray:
    """Returns float `(resamples, 2, 3)`: `average_classes` of resampled test images.

    Drawing n images with replacement and counting them again is a multinomial draw of the matrix's cells, so the
    resampling needs only the counts (Efron and Tibshirani, 1993, chapter 13). Empty cells stay empty.
    """
    rows, columns = np.nonzero(matrix)
    k, cells = len(matrix), len(rows)
    of_row, of_column = np.eye(k)[rows], np.eye(k)[columns]
    of_diagonal = of_row * (rows == columns)[:, None]
    counts = matrix[rows, columns]
    shares = counts / counts.sum()
    rng = np.random.default_rng(seed)
    draws = []
    for size in split_draws(resamples, max(6 * k, cells)):
        drawn = rng.multinomial(counts.sum(), shares, size=size).astype(float)
        draws.append(average_classes(drawn @ of_diagonal, drawn @ of_column, drawn @ of_row))
    return np.concatenate(draws)


def combine_intervals(scores: Sequence[Score | None], weights: np.ndarray) -> tuple[float, float]:
    """Returns the interval of a weighted sum of independent scores from theirs (Zou and Donner, 2008).

    Each bound lies off the sum by the root of the summed squares of what the scores' bounds lie off their values.

    Args:
        scores: A score a class; `None` counts as a certain 0.
        weights: float `(k,)`.
    """
    known = [(weight, score) for weight, score in zip(weights.tolist(), scores, strict=True) if score is not None]
    value = sum(weight * score["value"] for weight, score in known)
    below = sum((weight * (score["value"] - score["low"])) ** 2 for weight, score in known) ** 0.5
    above = sum((weight * (score["high"] - score["value"])) ** 2 for weight, score in known) ** 0.5
    return max(0.0, value - below), min(1.0, value + above)
