"""The sentences on the comparison with simpler classifiers, and on the map of the test images.

`results` is the content of `evaluation/baselines.json`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
from scipy import stats

from scenebook.core.run_files import BASELINES, HISTORY
from scenebook.core.sentences import Sentence, Sourced
from scenebook.core.wording import join_names, signed
from scenebook.evaluation.baselines import COMPARISONS, RANDOM_KINDS
from scenebook.evaluation.metrics.comparison import SIGNIFICANT

_INPUTS = {
    "pixels": "pixels",
    "random_features": "random features",
    "random_untouched": "random features (batch normalisation as it came)",
    "random_renormalised": "random features (batch normalisation estimated)",
    "pretrained_features": "pretrained features",
}


_OVER_FITTED = 0.05
"""By how much more of the training than of the validation images is right where a network has over-fitted."""


def collect_baseline_points(results: Mapping[str, Any]) -> Sourced:
    """Returns the differences in percentage points as signed text, as `<key>_points`, for sentences."""
    points = {
        f"{name}_points": (
            {bound: signed(100 * value, 1) for bound, value in results[name].items()},
            f"{BASELINES}: {name}, times 100",
        )
        for name in COMPARISONS
        if name in results
    }
    return Sourced.from_pairs(points)


def tell_comparison(results: Mapping[str, Any]) -> str:
    """Returns the sentences on what transfer learning, training and features add over something simpler.

    They are for `say` with the results and `collect_baseline_points`; a comparison that the run lacks is left out.
    """
    return " ".join([_tell_transfer(results), _tell_network(results), _tell_simple(results)])


def _tell_transfer(results: Mapping[str, Any]) -> str:
    """Returns the sentences on what transfer learning itself adds."""
    if "transfer" not in results:
        return (
            "The weights of this run's backbone are random: nothing was transferred, so that what transfer learning "
            "adds cannot be told. A linear head on its features is right for {random_features:.1%} of the test "
            "images ([@tbl:baselines])."
        )
    start = (
        "With pretrained features the linear head is right for {pretrained_features:.1%} of the test images, with "
        "random ones for {random_features:.1%} ([@tbl:baselines])"
    )
    if results["transfer_p"] >= SIGNIFICANT:
        return (
            f"{start}. That difference of {_difference(results, 'transfer')} may be chance: that transfer learning "
            "adds anything is not shown by these {n:,} images."
        )
    if results["transfer"]["value"] > 0:
        return f"{start}: transfer learning itself adds **{_difference(results, 'transfer', '**')}."
    return (
        f"{start}, a difference of **{_difference(results, 'transfer', '**')}: what the backbone was pretrained on "
        "makes it worse here than random weights do."
    )


def _tell_network(results: Mapping[str, Any]) -> str:
    """Returns the sentence on what training the network adds to a linear head."""
    if "network_gain" not in results:
        return "The network is right for {network:.1%}."
    start = (
        "The network is right for {network:.1%}; against the linear head on pretrained features that is "
        f"{_difference(results, 'network_gain')}"
    )
    if results["network_gain_p"] >= SIGNIFICANT:
        return f"{start}, which may be chance: that training more than such a head helps is not shown."
    if results["network_gain"]["value"] > 0:
        return f"{start}: training more than such a head pays here."
    return f"{start}: that head alone would have been better."


def _tell_simple(results: Mapping[str, Any]) -> str:
    """Returns the sentences on what needs no backbone at all."""
    start = (
        "Naming the commonest class each time is right for {majority:.1%}; a linear head on tiny images, which show "
        "little but colours and where they are, for {pixels:.1%}"
    )
    if "transfer" in results and results["pixels"]["value"] > results["random_features"]["value"]:
        # What random weights lose is no merit of the transfer: the harder comparison is told too.
        start += (
            ", which is more than with random features. From there to pretrained features the difference is "
            f"{_difference(results, 'features_gain')}"
        )
        return start + _judge(results, "features_gain", "pretrained features tell")
    start += f". The network differs from that by {_difference(results, 'pixels_gain')}"
    return start + _judge(results, "pixels_gain", "it tells")


def _judge(results: Mapping[str, Any], name: str, who: str) -> str:
    if results[f"{name}_p"] >= SIGNIFICANT:
        return f", which may be chance: that {who} more than colours is not shown."
    return f": {who} {'more' if results[name]['value'] > 0 else 'less'} than colours."


def tell_why(results: Mapping[str, Any], epoch: pd.Series) -> Sentence:
    """Returns the sentence on why training beats a linear head or does not, and its values, for `say`.

    Args:
        results: The content of `evaluation/baselines.json`.
        epoch: The last row of `training/history.csv`.
    """
    last = Sourced({str(name): value for name, value in epoch.items()}, f"{HISTORY}, last row")
    if "network_gain" in results and results["network_gain_p"] < SIGNIFICANT and results["network_gain"]["value"] > 0:
        return (
            "A linear head has to take the features as they are, each averaged over all places of the image; what is "
            "trained here may also use where something is, and change the layers that are not frozen."
        ), last
    sentence = (
        "In its last epoch the network was right for {accuracy:.1%} of the training images and {val_accuracy:.1%} of "
        "the validation images: "
    )
    if last["accuracy"] - last["val_accuracy"] > _OVER_FITTED:
        sentence += "this points to over-fitting, for which more images or stronger augmentation are the remedies."
        return sentence, last
    return f"{sentence}nothing points to over-fitting, so more epochs or a higher learning rate may still help.", last


def tell_strengths(results: Mapping[str, Any]) -> Sentence:
    """Returns the sentences on what the validation images decided, and their values, for `say`."""
    told = [f"{{{name}_c:g}} for {_INPUTS[name]}" for name in results["strengths"]]
    sentence = (
        "The inverse strength of each regression's regularisation is what gave the validation images the lowest log "
        f"loss: {join_names(told)}."
    )
    if results["random_kind"]:
        better, other = sorted(RANDOM_KINDS, key=lambda kind: kind != results["random_kind"])
        sentence += (
            f" They also decided for {_INPUTS[better]}, so that random weights are given their best chance; with "
            f"{_INPUTS[other]} it would be {{{other}:.1%}}."
        )
    origins = {f"{name}_c": f"{BASELINES}: strengths.{name}" for name in results["strengths"]}
    values = {f"{name}_c": value for name, value in results["strengths"].items()}
    return sentence, Sourced(
        values | {kind: results[kind] for kind in RANDOM_KINDS if kind in results}, BASELINES, origins
    )


def _difference(results: Mapping[str, Any], name: str, closing: str = "") -> str:
    """Returns the fields of a difference and its interval, and the p-value; `closing` follows the difference itself."""
    p = "p&nbsp;&lt;&nbsp;0.001" if results[f"{name}_p"] < 0.001 else f"p&nbsp;=&nbsp;{{{name}_p:.3f}}"
    return (
        f"{{{name}_points}}&nbsp;percentage points{closing} (95% interval {{{name}_points.low}} to "
        f"{{{name}_points.high}}; {p})"
    )


def tell_projection_caption(facts: Mapping[str, Any], *, left_out: int = 0, others: int = 0) -> str:
    """Returns the caption of the map, of which `left_out` images are not drawn and `others` classes have no colour."""
    axes = "in which the training images differ most" if facts["share"] is None else "that set the classes apart best"
    drawn = f"; {left_out:,} of {facts['n']:,} are left out, drawn by lot" if left_out else ""
    colored = " The classes with the most errors are coloured." if others else ""
    return f"The test images by the two directions of their features {axes}{drawn}. A cross: an error.{colored}"


def tell_projection(facts: Mapping[str, Any]) -> str:
    """Returns the sentences on the map, for `say` with the content of `evaluation/projection.json`."""
    shown = "" if facts["share"] is None else " The map shows {share:.0%} of what sets the classes apart."
    if not facts["wrong"]:
        return "The network is right for all of these images." + shown
    told = (
        "On this map {wrong_share:.0%} of the {wrong:,} images that the network gets wrong lie nearer to the middle "
        "of another class than to that of their own"
    )
    if not facts["right"]:
        return f"{told}.{shown}"
    told += ", and {right_share:.0%} of the {right:,} that it gets right"
    table = [[facts[f"{kind}_astray"], facts[kind] - facts[f"{kind}_astray"]] for kind in ("wrong", "right")]
    more = "it errs more often where classes meet in the features that it started from"
    if stats.fisher_exact(table, alternative="greater").pvalue < 0.05:
        return f"{told}: {more}.{shown}"
    return f"{told}: that {more} is not shown.{shown}"
