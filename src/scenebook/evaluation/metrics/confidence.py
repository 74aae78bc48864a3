"""What a run's probabilities are worth, as data for `evaluation/calibration.json` and in sentences. No TensorFlow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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

_FEW_ERRORS = 5


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


def describe_calibration(facts: Mapping[str, Any]) -> str:
    """Returns the sentences on the calibration error, for `say` with `calibration.json`."""
    sentence = (
        "On the test images ([@fig:reliability]) the expected calibration error is **{ece:.3f}** (95% interval "
        "{ece.low:.3f} to {ece.high:.3f}; debiased {ece_debiased:.3f}). On {n:,} images, "
        "chance alone gives a perfectly calibrated network {ece_by_chance:.3f} on average. "
    )
    means = "its mean confidence is {mean_confidence:.1%}, its accuracy {accuracy:.1%}."
    accuracy, confidence = facts["accuracy"], facts["mean_confidence"]
    excess = confidence - accuracy["value"]
    # The error is larger than the distance of the means only where bins err in both directions.
    both_ways = facts["ece"]["value"] > abs(excess) + 1e-6
    if facts["ece"]["low"] == 0:
        sentence += "The difference may be chance: nothing here speaks against the confidence of this network."
    elif both_ways and accuracy["low"] <= confidence <= accuracy["high"]:
        sentence += f"The network is too sure in some bins and not sure enough in others: {means}"
    else:
        sentence += f"The network is **{'too sure' if excess > 0 else 'not sure enough'}**: {means}"
    if facts["errors"] < _FEW_ERRORS:
        sentence += (
            " With so few errors among the test images ({errors:,}) this says little: the interval knows only errors "
            "that were made, and is too narrow."
        )
    return sentence


def describe_temperature(facts: Mapping[str, Any]) -> str:
    """Returns the sentences on the temperature and what it changes, for `say` with `calibration.json`."""
    if facts["temperature"] is None:
        return (
            "The validation images ({n_validation:,}) determine no temperature: the log loss still falls at the end "
            "of those that were tried, as it does where all images are right. The probabilities stay as they are."
        )
    fitted = facts["temperature"]
    sentence = (
        "The temperature fitted to the validation images ({n_validation:,}) is {temperature:.3f} "
        "({temperature.low:.3f} to {temperature.high:.3f}), "
    )
    if fitted["low"] <= 1 <= fitted["high"]:
        sentence += "an interval that holds 1: these images leave open whether there is anything to correct. "
    else:
        sentence += f"so it makes the probabilities {'more even' if fitted['value'] > 1 else 'more extreme'}. "
    sentence += (
        "With it the calibration error is {ece_after:.3f} ({ece_after.low:.3f} to {ece_after.high:.3f}; debiased "
        "{ece_debiased_after:.3f}), and the log loss {log_loss_after:.3f} instead of {log_loss:.3f} (change "
        "{log_loss_change:+.3f}, {log_loss_change.low:+.3f} to {log_loss_change.high:+.3f}): "
    )
    change = facts["log_loss_change"]
    if change["high"] < 0:
        return sentence + "the correction helps on new images too."
    if change["low"] > 0:
        return sentence + "the validation images misled it, and the probabilities are better as they were."
    return sentence + "whether the correction helps on new images is left open."


def describe_abstention(facts: Mapping[str, Any]) -> str:
    """Returns the sentences on what abstaining gains, for `say` with `calibration.json`."""
    if facts["errors"] in (0, facts["n"]):
        which = "Every" if facts["errors"] else "No"
        return f"{which} test image is misclassified, so there is nothing to gain by abstaining here."
    if facts["refused"] is None:
        return "So many test images were given the same confidence that the network cannot choose which to pass on."
    sentence = (
        "On the {answered_share:.0%} of the test images that the network is surest of (confidence of at least "
        "{answered_threshold:.3f}) it is right in **{answered:.1%}** of the cases ({answered.low:.1%} to "
        "{answered.high:.1%}) instead of {accuracy:.1%}. On the {n_refused:,} that it would pass on it is right in "
        "{refused:.1%} ({refused.low:.1%} to {refused.high:.1%}). "
    )
    if facts["answered"]["low"] > facts["refused"]["high"]:
        return sentence + "So the confidence does tell easy images from difficult ones."
    if facts["answered"]["high"] < facts["refused"]["low"]:
        return sentence + "So the confidence is lower for the easy images than for the difficult ones."
    return sentence + "The two intervals overlap: whether abstaining pays is left open."


def describe_sets(facts: Mapping[str, Any]) -> str:
    """Returns the sentences on conformal sets, for `say` with `calibration.json`."""
    if facts["set_expected"] is None:
        return (
            "For sets that hold the true class with a probability of {set_confidence:.0%} at least {set_needs} "
            "validation images are needed, and there are {n_validation:,}: each set would have to hold all classes."
        )
    sentence = (
        "Sets that are to hold the true class with a probability of {set_confidence:.0%} hold it for "
        "**{set_coverage:.1%}** of the test images ({set_coverage.low:.1%} to {set_coverage.high:.1%}). "
    )
    sentence += (
        "Each has just one class: for this probability no second one is needed. "
        if facts["set_single"]["value"] == 1
        else "They have **{set_size:.2f}** classes on average ({set_size.low:.2f} to {set_size.high:.2f}), and "
        "{set_single:.1%} of them just one. "
    )
    sentence += (
        "With a threshold from {n_validation:,} validation images the probability itself comes out anywhere between "
        "{set_expected.low:.1%} and {set_expected.high:.1%} [@vovk2013]. "
    )
    if facts["set_coverage"]["high"] < facts["set_expected"]["low"]:
        return sentence + "The measured share is below that: the test images are unlike the validation images."
    if facts["set_coverage"]["low"] > facts["set_expected"]["high"]:
        if facts["accuracy"]["value"] > facts["set_expected"]["high"]:
            return sentence + "The measured share is above that: the most probable class alone is right more often."
        return sentence + "The measured share is above that: the test images are easier than the validation images."
    return sentence + "The measured share agrees with it."
