"""What a run's probabilities are worth: calibration, abstaining, and sets of classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from scenebook.evaluation.metrics import calibration
from scenebook.evaluation.metrics.classification import as_arrays
from scenebook.evaluation.metrics.intervals import Score, bootstrap_mean, compute_proportion

CONFIDENCE = 0.9  # how often a set of classes is to hold the true one
ANSWERED = 0.8  # the share of images that are answered where a sentence gives one example of abstaining


@dataclass(frozen=True)
class Calibration:
    """What `compute_calibration` found: the content of `evaluation/calibration.json`, the curve of `compute_coverage`,
    and reliability bins of the test images, as they are and with the temperature, where there is one.
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
        return pd.concat(tables, ignore_index=True)[["temperature", *self.bins.columns]]


def compute_calibration(
    predictions: pd.DataFrame, validation: pd.DataFrame, class_names: Sequence[str], *, seed: int
) -> Calibration:
    """Measures how far the probabilities of the test images can be trusted.

    Whatever is chosen, the temperature and the threshold of the conformal sets, is chosen by the predictions of the
    validation images, of which there is at least one.
    """
    probs, positions = as_arrays(predictions, class_names)
    held_out = as_arrays(validation, class_names)
    curve = compute_coverage(probs, positions)
    temperature = calibration.fit_temperature(*held_out)
    right = int((probs.argmax(axis=1) == positions).sum())
    facts: dict[str, Any] = {
        "n": len(probs),
        "n_validation": len(validation),
        "errors": len(probs) - right,
        "bins": calibration.BINS,
        "accuracy": compute_proportion(right, len(probs)),
        "mean_confidence": float(probs.max(axis=1).mean()),
        "ece": calibration.compute_calibration_error(probs, positions, seed=seed),
        "ece_debiased": calibration.compute_debiased_error(probs, positions),
        "ece_by_chance": float(calibration.compute_chance_errors(probs, seed=seed).mean()),
        "log_loss": bootstrap_mean(calibration.compute_log_losses(probs, positions), seed=seed),
        "temperature": temperature,
    }
    bins_after = None
    if temperature is not None:
        facts |= calibration.compare_calibration(probs, positions, temperature["value"], seed=seed)
        bins_after = calibration.compute_reliability_bins(
            calibration.apply_temperature(probs, temperature["value"]), positions
        )
    facts |= compute_refusals(curve) | compute_set_scores(held_out, probs, positions, seed=seed)
    return Calibration(facts, calibration.compute_reliability_bins(probs, positions), bins_after, curve)


def compute_coverage(probs: np.ndarray, positions: np.ndarray) -> pd.DataFrame:
    """Returns the accuracy on the images that the network is surest of, from the surest few to all of them.

    A row a threshold of confidence, highest first: threshold, n (images at or above it), coverage (their share),
    right, accuracy, low, high (Wilson's interval of that row alone). Images of equal confidence are answered
    together.
    """
    images = pd.DataFrame({"threshold": probs.max(axis=1), "right": probs.argmax(axis=1) == positions})
    steps = images.groupby("threshold")["right"].agg(["size", "sum"]).sort_index(ascending=False).cumsum()
    scores = [compute_proportion(right, n) for n, right in steps.to_numpy().tolist()]
    table = pd.DataFrame({"threshold": steps.index, "n": steps["size"].to_numpy(), "right": steps["sum"].to_numpy()})
    table.insert(2, "coverage", table["n"] / len(probs))
    return table.join(pd.DataFrame(scores).rename(columns={"value": "accuracy"}))


def compute_refusals(curve: pd.DataFrame) -> dict[str, Any]:
    """Returns the accuracy where the network answers and where it abstains, each with Wilson's interval.

    `answered_share`, the least coverage of the curve that reaches `ANSWERED`; `answered_threshold`, the confidence
    from which on it answers; `answered` and `refused`, the accuracies; `n_refused`. Where it answers everything,
    `refused` is `None`.
    """
    row = curve.iloc[np.searchsorted(curve["coverage"].to_numpy(), ANSWERED - 1e-9)]
    total = curve.iloc[-1]
    n, right = int(row["n"]), int(row["right"])
    rest = int(total["n"]) - n
    return {
        "answered_share": float(row["coverage"]),
        "answered_threshold": float(row["threshold"]),
        "answered": compute_proportion(right, n),
        "n_refused": rest,
        "refused": compute_proportion(int(total["right"]) - right, rest) if rest else None,
    }


def compute_conformal_sets(
    calibration_probs: np.ndarray, calibration_positions: np.ndarray, probs: np.ndarray
) -> np.ndarray:
    """Returns which classes each image's set holds, bool `(n, num_classes)`.

    Split conformal prediction: of the validation images' probabilities of their true class, the threshold is the one
    that at most a share of 1 - `CONFIDENCE` lies below, counted so that a new image is one of them. All classes that
    reach it are in the set (Sadinle, Lei and Wasserman, 2019, "Least Ambiguous Set-Valued Classifiers"). The most
    probable class is in it in any case: an empty set would be no answer. Sets then hold the true class with at least
    this probability, over draws of validation and test images from one population.

    Probabilities are float `(m, num_classes)`, those for the calibration of images that the network was not fitted to.
    """
    m = len(calibration_probs)
    of_truth = np.sort(calibration_probs[np.arange(m), calibration_positions])
    below = compute_threshold_rank(m)
    # With too few images no threshold is low enough: every class is in.
    threshold = of_truth[below - 1] if below else -np.inf
    return (probs >= threshold) | (np.arange(probs.shape[1]) == probs.argmax(axis=1)[:, None])


def compute_threshold_rank(m: int) -> int:
    """Returns the rank, from the smallest, of the threshold among m validation images; 0 where they are too few."""
    # 1 - 0.9 is a little less than 0.1: without the tolerance 9 images were too few.
    return int(np.floor((m + 1) * (1 - CONFIDENCE) + 1e-9))


def compute_set_scores(
    held_out: tuple[np.ndarray, np.ndarray], probs: np.ndarray, positions: np.ndarray, *, seed: int
) -> dict[str, Any]:
    """Returns what conformal sets at 90% do on the test images; `held_out` is as for `compute_conformal_sets`.

    `set_coverage` with Wilson's interval; `set_size`, the mean number of classes, with a bootstrap interval;
    `set_single`, the share of images with just one; `set_sizes`, how many images have 1, 2, ... classes;
    `set_expected`, where the coverage lies in 95 of 100 cases for so few validation images: given these it follows
    Beta(m + 1 - r, r), r the threshold's rank (Vovk, 2013, "Conditional Validity of Inductive Conformal Predictors").
    """
    sets = compute_conformal_sets(*held_out, probs)
    n, k = sets.shape
    sizes = sets.sum(axis=1)
    m = len(held_out[0])
    rank = compute_threshold_rank(m)
    expected: Score | None = None
    if rank:
        low, high = stats.beta.ppf([0.025, 0.975], m + 1 - rank, rank)
        expected = {"value": (m + 1 - rank) / (m + 1), "low": float(low), "high": float(high)}
    return {
        "set_confidence": CONFIDENCE,
        "set_needs": next(count for count in range(1, 10_000) if compute_threshold_rank(count)),
        "set_coverage": compute_proportion(int(sets[np.arange(n), positions].sum()), n),
        "set_expected": expected,
        "set_size": bootstrap_mean(sizes.astype(float), seed=seed),
        "set_single": compute_proportion(int((sizes == 1).sum()), n),
        "set_sizes": np.bincount(sizes, minlength=k + 1)[1:].tolist(),
    }
