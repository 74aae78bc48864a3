"""The sentences on what the network's probabilities are worth, for `say` with `evaluation/calibration.json`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_FEW_ERRORS = 5


def tell_calibration(facts: Mapping[str, Any]) -> str:
    """Returns the sentences on the calibration error."""
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
        sentence += "The difference may be due to chance: nothing here speaks against the confidence of this network."
    elif both_ways and accuracy["low"] <= confidence <= accuracy["high"]:
        sentence += f"The network is overconfident in some bins and underconfident in others: {means}"
    else:
        sentence += f"The network is **{'overconfident' if excess > 0 else 'underconfident'}**: {means}"
    if facts["errors"] < _FEW_ERRORS:
        sentence += (
            " With so few errors among the test images ({errors:,}), this says little, and the interval is too narrow."
        )
    return sentence


def tell_temperature(facts: Mapping[str, Any]) -> str:
    """Returns the sentences on the temperature and what it changes."""
    if facts["temperature"] is None:
        return (
            "No temperature can be fitted to the {n_validation:,} validation images: the log loss still falls at the "
            "end of the range that was tried, as it does where all of them are classified correctly. The probabilities "
            "stay as they are."
        )
    fitted = facts["temperature"]
    sentence = (
        "The temperature fitted to the validation images ({n_validation:,}) is {temperature:.2f} "
        "({temperature.low:.2f} to {temperature.high:.2f}), "
    )
    if fitted["low"] <= 1 <= fitted["high"]:
        sentence += "an interval that contains 1: there may be nothing to correct. "
    else:
        sentence += f"so it makes the probabilities {'more even' if fitted['value'] > 1 else 'more extreme'}. "
    sentence += (
        "With it the calibration error is {ece_after:.3f} ({ece_after.low:.3f} to {ece_after.high:.3f}; debiased "
        "{ece_debiased_after:.3f}), and the log loss {log_loss_after:.3f} instead of {log_loss:.3f} (change "
        "{log_loss_change:+.3f}, {log_loss_change.low:+.3f} to {log_loss_change.high:+.3f}): "
    )
    change = facts["log_loss_change"]
    if change["high"] < 0:
        return sentence + "the correction helps on the test images, too."
    if change["low"] > 0:
        return sentence + "the correction does not carry over to the test images."
    return sentence + "whether the correction helps on the test images is not shown."


def tell_abstention(facts: Mapping[str, Any]) -> str:
    """Returns the sentences on what abstaining gains."""
    if facts["errors"] in (0, facts["n"]):
        which = "Every" if facts["errors"] else "No"
        return f"{which} test image is misclassified, so there is nothing to gain by abstaining."
    if facts["refused"] is None:
        return "So many test images have the same confidence that the network cannot choose which to pass on."
    sentence = (
        "On the {answered_share:.0%} of the test images with the highest confidence (at least "
        "{answered_threshold:.3f}), the accuracy is **{answered:.1%}** ({answered.low:.1%} to {answered.high:.1%}) "
        "instead of {accuracy:.1%}. On the {n_refused:,} images that would be passed on, it is {refused:.1%} "
        "({refused.low:.1%} to {refused.high:.1%}). "
    )
    if facts["answered"]["low"] > facts["refused"]["high"]:
        return sentence + "The confidence tells easy images from difficult ones."
    if facts["answered"]["high"] < facts["refused"]["low"]:
        return sentence + "The confidence is lower for the easy images than for the difficult ones."
    return sentence + "The two intervals overlap: it is not shown that abstaining helps."


def tell_sets(facts: Mapping[str, Any]) -> str:
    """Returns the sentences on conformal sets."""
    if facts["set_expected"] is None:
        return (
            "Sets that contain the true class with a probability of {set_confidence:.0%} need at least {set_needs} "
            "validation images, and there are {n_validation:,}."
        )
    sentence = (
        "Sets that are to contain the true class with a probability of {set_confidence:.0%} contain it for "
        "**{set_coverage:.1%}** of the test images ({set_coverage.low:.1%} to {set_coverage.high:.1%}). "
    )
    sentence += (
        "Each has just one class. "
        if facts["set_single"]["value"] == 1
        else "They have **{set_size:.2f}** classes on average ({set_size.low:.2f} to {set_size.high:.2f}); "
        "{set_single:.1%} of them have one. "
    )
    sentence += (
        "With a threshold from {n_validation:,} validation images, anything between {set_expected.low:.1%} and "
        "{set_expected.high:.1%} is to be expected [@vovk2013]. "
    )
    if facts["set_coverage"]["high"] < facts["set_expected"]["low"]:
        return sentence + "The measured share is below that: the test images are unlike the validation images."
    if facts["set_coverage"]["low"] > facts["set_expected"]["high"]:
        if facts["accuracy"]["value"] > facts["set_expected"]["high"]:
            return sentence + "The measured share is above that: the most probable class alone is right more often."
        return sentence + "The measured share is above that: the test images are easier than the validation images."
    return sentence + "The measured share agrees with it."
