"""The scores of a run's stored predictions, for `evaluation/metrics.json`. No TensorFlow."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from scenebook.errors import ScenebookError
from scenebook.metrics.confusion import compute_confusion
from scenebook.metrics.intervals import Score, bootstrap_f1, bootstrap_mean, proportion_score


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
