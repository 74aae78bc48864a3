"""The accuracy without test images that have a duplicate in training. No TensorFlow."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import pandas as pd

from scenebook.evaluation.metrics.intervals import proportion_score


def score_without(predictions: pd.DataFrame, paths: Collection[str]) -> dict[str, Any]:
    """Returns the accuracy on the test images that have no duplicate in training, for `evaluation/metrics.json`.

    Args:
        predictions: path, label, predicted.
        paths: The test images that have one.

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
    sentence = "Of these test images {seen:,} have a duplicate among the training or validation images. "
    if "accuracy_without_duplicates" not in scores:
        return sentence + "As all of them have, nothing is known about the accuracy on new images."
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
