"""The sentences on the comparison with simpler classifiers, and on the map of the test images.

`results` is the content of `evaluation/baselines.json`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scenebook.core.run_files import BASELINES
from scenebook.core.sentences import Sentence, Sourced
from scenebook.core.wording import join_names, signed
from scenebook.evaluation.baselines import COMPARISONS, RANDOM_KINDS, is_few
from scenebook.evaluation.metrics.intervals import SIGNIFICANT

_INPUTS = {
    "pixels": "pixels",
    "random_features": "random features",
    "random_untouched": "random features (batch normalisation as initialised)",
    "random_renormalised": "random features (batch normalisation estimated)",
    "pretrained_few": "pretrained features of as many images",
    "pretrained_features": "pretrained features",
}


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
    if "transfer" not in results:
        return (
            "The weights of this run's backbone are random, so nothing is transferred. A linear classifier on its "
            "features classifies {random_features:.1%} of the test images correctly ([@tbl:baselines])."
        )
    start = (
        "On pretrained features, the linear classifier has an accuracy of {pretrained_features:.1%}, on random ones "
        "{random_features:.1%} ([@tbl:baselines])"
    )
    tested = "{n:,}"
    if is_few(results):
        tested = "{few_test:,}"
        start = (
            "Random features were computed for {few_train:,} training images and {few_test:,} test images, which were "
            "drawn at random. With these images alone, the linear classifier has an accuracy of {pretrained_few:.1%} "
            "on pretrained features and of {random_features:.1%} on random ones ([@tbl:baselines])"
        )
    if results["transfer_p"] >= SIGNIFICANT:
        return (
            f"{start}. The difference is {_difference(results, 'transfer')}: these {tested} images do not show that "
            "transfer learning adds anything."
        )
    if results["transfer"]["value"] > 0:
        return f"{start}: transfer learning adds **{_difference(results, 'transfer', '**')}."
    return (
        f"{start}, a difference of **{_difference(results, 'transfer', '**')}: here the pretrained weights do worse "
        "than random ones."
    )


def _tell_network(results: Mapping[str, Any]) -> str:
    if "network_gain" not in results:
        return "The network has an accuracy of {network:.1%}."
    if results.get("is_linear"):
        return (
            "The network of this run, with {network:.1%}, is such a linear classifier itself; it differs from the one "
            "in the table in how strongly it is regularised."
        )
    start = (
        "The network has an accuracy of {network:.1%}; the difference from the linear classifier on pretrained "
        f"features is {_difference(results, 'network_gain')}"
    )
    if results["network_gain_p"] >= SIGNIFICANT:
        return f"{start}: it is not shown that training the network helps."
    if results["network_gain"]["value"] > 0:
        return f"{start}: training the network is worthwhile here."
    return f"{start}: the linear classifier alone is better."


def _tell_simple(results: Mapping[str, Any]) -> str:
    start = (
        "Always naming the most frequent class would give {majority:.1%}; a linear classifier on tiny images, which "
        "show little but colours and where they are, has {pixels:.1%}"
    )
    if "transfer" in results and results["pixels"]["value"] > results["random_features"]["value"]:
        # What random weights lose is no merit of the transfer: the harder comparison is told too.
        more = ", more than with random features" if not is_few(results) else ""
        start += (
            f"{more}. The difference between the pretrained features and these tiny "
            f"images is {_difference(results, 'features_gain')}"
        )
        return start + _judge(results, "features_gain", "pretrained features hold")
    start += f". The difference between the network and these tiny images is {_difference(results, 'pixels_gain')}"
    return start + _judge(results, "pixels_gain", "the network uses")


def _judge(results: Mapping[str, Any], name: str, who: str) -> str:
    if results[f"{name}_p"] >= SIGNIFICANT:
        return f": it is not shown that {who} more than colours."
    return f": {who} {'more' if results[name]['value'] > 0 else 'less'} than colours."


def tell_strengths(results: Mapping[str, Any]) -> Sentence:
    """Returns the sentences on what the validation images decided, and their values, for `say`."""
    told = [f"{{{name}_c:g}} for {_INPUTS[name]}" for name in results["strengths"]]
    sentence = (
        "The regularisation of each regression (its inverse strength is given) is the one with the lowest log loss on "
        f"the validation images: {join_names(told)}."
    )
    if results["random_kind"]:
        better, other = sorted(RANDOM_KINDS, key=lambda kind: kind != results["random_kind"])
        sentence += (
            f" By the same criterion, {_INPUTS[better]} were chosen; with {_INPUTS[other]}, the accuracy would be "
            f"{{{other}:.1%}}."
        )
    origins = {f"{name}_c": f"{BASELINES}: strengths.{name}" for name in results["strengths"]}
    values = {f"{name}_c": value for name, value in results["strengths"].items()}
    return sentence, Sourced(
        values | {kind: results[kind] for kind in RANDOM_KINDS if kind in results}, BASELINES, origins
    )


def _difference(results: Mapping[str, Any], name: str, closing: str = "") -> str:
    p = "p&nbsp;&lt;&nbsp;0.001" if results[f"{name}_p"] < 0.001 else f"p&nbsp;=&nbsp;{{{name}_p:.3f}}"
    return (
        f"{{{name}_points}}&nbsp;percentage points{closing} (95% interval {{{name}_points.low}} to "
        f"{{{name}_points.high}}; {p})"
    )


def tell_projection_caption(facts: Mapping[str, Any], *, left_out: int = 0, others: int = 0) -> str:
    """Returns the caption of the map, of which `left_out` images are not drawn and `others` classes have no colour."""
    axes = "in which the training images differ most" if facts["share"] is None else "that separate the classes best"
    drawn = f"; {left_out:,} of {facts['n']:,}, chosen at random, are left out" if left_out else ""
    colored = " The classes with the most errors are coloured." if others else ""
    return f"The test images along the two directions of their features {axes}{drawn}. Crosses: errors.{colored}"


def tell_projection(facts: Mapping[str, Any]) -> str:
    """Returns the sentences on the map, for `say` with the content of `evaluation/projection.json`."""
    shown = "" if facts["share"] is None else " The map holds {share:.0%} of what separates the classes."
    if not facts["wrong"]:
        return "The network classifies all of these images correctly." + shown
    told = (
        "On this map, {wrong_share:.0%} of the {wrong:,} misclassified images lie nearer to the centre of another "
        "class than to that of their own"
    )
    if not facts["right"]:
        return f"{told}.{shown}"
    told += ", and {right_share:.0%} of the {right:,} others"
    table = [[facts[f"{kind}_astray"], facts[kind] - facts[f"{kind}_astray"]] for kind in ("wrong", "right")]
    from scipy import stats

    more = "errors are more frequent where the classes meet in the pretrained features"
    if stats.fisher_exact(table, alternative="greater").pvalue < 0.05:
        return f"{told}: {more}.{shown}"
    return f"{told}. It is not shown that {more}.{shown}"
