"""The scores of a run's stored predictions, for `evaluation/metrics.json`."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import pandas as pd

from scenebook.core.errors import ScenebookError
from scenebook.evaluation.metrics.calibration import compute_calibration_error, compute_log_losses
from scenebook.evaluation.metrics.intervals import Score, bootstrap_mean, compute_averages, compute_proportion
from scenebook.evaluation.metrics.report import compute_confusion


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


def as_arrays(predictions: pd.DataFrame, class_names: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Returns the probabilities, float64 `(n, num_classes)`, and the positions of the true classes, int64 `(n,)`."""
    positions = {name: index for index, name in enumerate(class_names)}
    probs = predictions[[f"p_{name}" for name in class_names]].to_numpy(dtype=float)
    return probs, predictions["label"].map(positions).to_numpy(dtype=np.int64)


def compute_scores(predictions: pd.DataFrame, class_names: Sequence[str], *, seed: int) -> dict[str, Score]:
    """Returns the scores of `evaluation/metrics.json`, each with its 95% interval.

    These are accuracy, top2_accuracy (of more than two classes), macro and weighted precision, recall and f1,
    log_loss, and ece, the expected calibration error.
    """
    right = (predictions["label"] == predictions["predicted"]).to_numpy()
    matrix = compute_confusion(predictions, class_names).to_numpy()
    probs, positions = as_arrays(predictions, class_names)
    scores = {"accuracy": compute_proportion(int(right.sum()), len(right))}
    if len(class_names) > 2:  # of two classes, the true one is always among the two most probable
        most_probable = np.argsort(-probs, axis=1, kind="stable")[:, :2]  # of equals, the first ones count
        among = right | (most_probable == positions[:, None]).any(axis=1)
        scores["top2_accuracy"] = compute_proportion(int(among.sum()), len(among))
    return {
        **scores,
        **compute_averages(matrix, seed=seed),
        "log_loss": bootstrap_mean(compute_log_losses(probs, positions), seed=seed),
        "ece": compute_calibration_error(probs, positions, seed=seed),
    }


def compute_score_without(predictions: pd.DataFrame, paths: Collection[str]) -> dict[str, Any]:
    """Returns the accuracy on the test images that have no duplicate in training, for `evaluation/metrics.json`.

    That is `n_without_duplicates` and, unless it is 0, `accuracy_without_duplicates`; nothing where none of the `paths`
    of test images has one.
    """
    if not paths:
        return {}
    rest = predictions[~predictions["path"].isin(paths)]
    right = int((rest["label"] == rest["predicted"]).sum())
    score = {"accuracy_without_duplicates": compute_proportion(right, len(rest))} if len(rest) else {}
    return {"n_without_duplicates": len(rest), **score}
