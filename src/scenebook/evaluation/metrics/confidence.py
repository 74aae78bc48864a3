"""What a run's probabilities are worth, as data for `evaluation/calibration.json` and in sentences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from scenebook.evaluation.metrics.abstention import accuracy_by_coverage, measure_refusals, measure_sets
from scenebook.evaluation.metrics.calibration import (
    BINS,
    calibration_error,
    chance_errors,
    debiased_calibration_error,
    reliability_bins,
)
from scenebook.evaluation.metrics.intervals import bootstrap_mean, proportion_score
from scenebook.evaluation.metrics.scores import as_arrays
from scenebook.evaluation.metrics.temperature import apply_temperature, compare_calibration, fit_temperature, log_losses


@dataclass(frozen=True)
class Calibration:
    """What `measure_calibration` found.

    Args:
        facts: For `evaluation/calibration.json`.
        bins: Reliability bins of the test images as the network gives its probabilities.
        bins_after: The same with the temperature, or `None` where there is none.
        curve: Accuracy by coverage.
    """

    facts: dict[str, Any]
    bins: pd.DataFrame
    bins_after: pd.DataFrame | None
    curve: pd.DataFrame

    def list_bins(self) -> pd.DataFrame:
        """Returns both tables of bins as one, with the temperature in the first column."""
        tables = [self.bins.assign(temperature=1.0)]
        if self.bins_after is not None:
            tables.append(self.bins_after.assign(temperature=self.facts["temperature"]["value"]))
        both = pd.concat(tables, ignore_index=True)
        return both[["temperature", *self.bins.columns]]


def measure_calibration(
    predictions: pd.DataFrame, validation: pd.DataFrame, class_names: Sequence[str], *, seed: int
) -> Calibration:
    """Measures how far the probabilities of the test images can be trusted.

    Whatever is chosen, the temperature and the threshold of the conformal sets, is chosen by the validation images.

    Args:
        predictions: Of the test images: label, and a probability column a class.
        validation: Of the validation images, likewise; at least one.
        class_names: The classes.
        seed: Seed of the bootstrap.
    """
    probs, positions = as_arrays(predictions, class_names)
    held_out = as_arrays(validation, class_names)
    curve = accuracy_by_coverage(probs, positions)
    temperature = fit_temperature(*held_out)
    right = int((probs.argmax(axis=1) == positions).sum())
    facts: dict[str, Any] = {
        "n": len(probs),
        "n_validation": len(validation),
        "errors": len(probs) - right,
        "bins": BINS,
        "accuracy": proportion_score(right, len(probs)),
        "mean_confidence": float(probs.max(axis=1).mean()),
        "ece": calibration_error(probs, positions, seed=seed),
        "ece_debiased": debiased_calibration_error(probs, positions),
        "ece_by_chance": float(chance_errors(probs, seed=seed).mean()),
        "log_loss": bootstrap_mean(log_losses(probs, positions), seed=seed),
        "temperature": temperature,
    }
    bins_after = None
    if temperature is not None:
        facts |= compare_calibration(probs, positions, temperature["value"], seed=seed)
        bins_after = reliability_bins(apply_temperature(probs, temperature["value"]), positions)
    facts |= measure_refusals(curve) | measure_sets(*held_out, probs, positions, seed=seed)
    return Calibration(facts, reliability_bins(probs, positions), bins_after, curve)
