"""Scores of stored predictions, each with a 95% interval. No TensorFlow."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any, TypedDict

import numpy as np
import pandas as pd
from scipy import stats
from sklearn.metrics import classification_report, confusion_matrix

from scenebook.errors import ScenebookError

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


def check_predictions(predictions: pd.DataFrame, class_names: Sequence[str]) -> None:
    """Raises `ScenebookError` unless the table holds probabilities of the classes, and at least one row."""
    expected = [f"p_{name}" for name in class_names]
    columns = [name for name in predictions.columns if name.startswith("p_")]
    if columns != expected:
        raise ScenebookError(
            f"Expected a probability column a class. Received: columns={columns}. Run notebook 02 again."
        )
    probs = predictions[expected].to_numpy(dtype=float)
    if not len(probs) or not np.allclose(probs.sum(axis=1), 1, atol=1e-4) or (probs < 0).any():
        raise ScenebookError(
            f"Expected predictions whose probabilities sum to 1. Received: rows={len(probs)}. Run notebook 02 again."
        )


def compute_confusion(predictions: pd.DataFrame, class_names: Sequence[str]) -> pd.DataFrame:
    """Returns the confusion matrix: int counts, a row a true class, a column a predicted class."""
    matrix = confusion_matrix(predictions["label"], predictions["predicted"], labels=list(class_names))
    names = list(class_names)
    return pd.DataFrame(matrix, index=pd.Index(names, name="label"), columns=names)


def compute_report(predictions: pd.DataFrame, class_names: Sequence[str]) -> pd.DataFrame:
    """Returns precision, recall, f1 and support: a row a class, then accuracy, macro avg and weighted avg.

    A class that is never predicted has no precision; it counts as 0, as scikit-learn's `zero_division=0` does.
    The accuracy row has its value in the column f1, as in scikit-learn's printed report.
    """
    names = list(class_names)
    # Positions instead of names: a class may be called "accuracy".
    positions = {name: index for index, name in enumerate(names)}
    labels, predicted = predictions["label"].map(positions), predictions["predicted"].map(positions)
    report = classification_report(labels, predicted, labels=range(len(names)), output_dict=True, zero_division=0)
    n = len(predictions)
    rows = [[name, *_report_row(report[str(index)])] for index, name in enumerate(names)]
    rows.append(["accuracy", None, None, float((labels == predicted).mean()), n])
    rows += [[name, *_report_row(report[name])] for name in ("macro avg", "weighted avg")]
    return pd.DataFrame(rows, columns=["class", "precision", "recall", "f1", "support"])


def _report_row(values: dict[str, float]) -> list[float]:
    return [values["precision"], values["recall"], values["f1-score"], int(values["support"])]


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


def compute_scores(predictions: pd.DataFrame, class_names: Sequence[str], *, seed: int) -> dict[str, Score]:
    """Returns all scores of `evaluation/metrics.json` but `n`: accuracy, macro_f1, weighted_f1, log_loss.

    Args:
        predictions: label, predicted, and a probability column a class.
        class_names: The classes.
        seed: Seed of the bootstrap.
    """
    right = int((predictions["label"] == predictions["predicted"]).sum())
    matrix = compute_confusion(predictions, class_names).to_numpy()
    averages = bootstrap_f1(matrix, seed=seed)
    probs = predictions[[f"p_{name}" for name in class_names]].to_numpy(dtype=float)
    positions = predictions["label"].map({name: index for index, name in enumerate(class_names)}).to_numpy()
    of_truth = np.clip(probs[np.arange(len(probs)), positions], np.finfo(np.float32).tiny, 1.0)
    return {
        "accuracy": proportion_score(right, len(predictions)),
        **averages,
        "log_loss": bootstrap_mean(-np.log(of_truth), seed=seed),
    }


def score_without(predictions: pd.DataFrame, paths: Collection[str]) -> dict[str, Any]:
    """Returns the accuracy on the test pictures that have no duplicate in training, for `evaluation/metrics.json`.

    Args:
        predictions: path, label, predicted.
        paths: The test pictures that have one.

    Returns:
        `n_without_duplicates` and, unless that is 0, `accuracy_without_duplicates`; nothing where `paths` is empty.
    """
    if not paths:
        return {}
    rest = predictions[~predictions["path"].isin(paths)]
    right = int((rest["label"] == rest["predicted"]).sum())
    score = {"accuracy_without_duplicates": proportion_score(right, len(rest))} if len(rest) else {}
    return {"n_without_duplicates": len(rest), **score}


def describe_without(scores: Mapping[str, Any]) -> str:
    """Returns the sentence on the accuracy without duplicates, for `say` with `metrics.json` and `seen`, how many."""
    sentence = "Of these test pictures {seen:,} have a duplicate among the training or validation pictures. "
    if "accuracy_without_duplicates" not in scores:
        return sentence + "As all of them have, nothing is known about the accuracy on new pictures."
    sentence += (
        "On the {n_without_duplicates:,} others the accuracy is **{accuracy_without_duplicates:.1%}** "
        "({accuracy_without_duplicates.low:.1%} to {accuracy_without_duplicates.high:.1%})"
    )
    rest, whole = scores["accuracy_without_duplicates"], scores["accuracy"]
    without = rest["value"]
    if rest["low"] <= whole["value"] <= rest["high"]:
        return sentence + ". This interval holds the first figure: the duplicates do not explain it."
    if whole["low"] <= without <= whole["high"]:
        return sentence + ", which is within the interval of the first: the duplicates do not explain it."
    if without > whole["high"]:
        return sentence + ", more than on all: the duplicates were recognised worse, as copies under another name are."
    return sentence + ". This is the figure to go by: the first one counts what was learned by heart."


def compute_class_scores(matrix: pd.DataFrame) -> dict[str, dict[str, Score | None]]:
    """Returns precision, recall and F1 of each class with 95% intervals.

    A class without test pictures has no recall, one that is never predicted no precision, and one of which both are
    true no F1: `None`.
    """
    counts = matrix.to_numpy()
    scores: dict[str, dict[str, Score | None]] = {}
    for index, name in enumerate(matrix.columns):
        right, predicted, true = int(counts[index, index]), int(counts[:, index].sum()), int(counts[index].sum())
        scores[name] = {
            "precision": proportion_score(right, predicted) if predicted else None,
            "recall": proportion_score(right, true) if true else None,
            "f1": f1_score(right, predicted - right, true - right),
        }
    return scores


def largest_confusions(matrix: pd.DataFrame, most: int = 3) -> list[tuple[str, str, int]]:
    """Returns the most frequent errors: true class, predicted class, count; fewer where there are fewer."""
    counts = matrix.to_numpy().copy()
    np.fill_diagonal(counts, 0)
    order = np.argsort(-counts, axis=None, kind="stable")[:most]
    rows, columns = np.unravel_index(order, counts.shape)
    names = list(matrix.columns)
    return [(names[r], names[c], int(counts[r, c])) for r, c in zip(rows, columns, strict=True) if counts[r, c]]


def describe_confusion(matrix: pd.DataFrame) -> str:
    """Returns the alternative text of a confusion matrix: its size, the share on the diagonal, the commonest errors."""
    counts = matrix.to_numpy()
    errors = "; ".join(
        f"{true} taken for {predicted} {count} times" for true, predicted, count in largest_confusions(matrix)
    )
    return (
        f"Confusion matrix of {len(matrix)} classes and {counts.sum()} pictures; {counts.trace()} of them on the "
        f"diagonal. Commonest errors: {errors or 'none'}."
    )


def with_intervals(report: pd.DataFrame, class_scores: dict[str, dict[str, Score | None]]) -> pd.DataFrame:
    """Returns the classification report as it is shown, with the interval of each class's F1 as a text column."""
    intervals = [
        f"{score['low']:.2f} to {score['high']:.2f}" if score else ""
        for score in (class_scores[name]["f1"] for name in report["class"].iloc[: len(class_scores)])
    ]
    intervals += [""] * (len(report) - len(intervals))
    columns = report.drop(columns="support").rename(columns={"f1": "F1"}).assign(**{"F1, 95% interval": intervals})
    return columns.assign(support=report["support"])
