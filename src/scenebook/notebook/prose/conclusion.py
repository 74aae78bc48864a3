"""The abstract and the conclusion: each sentence is chosen by the run's numbers, with both outcomes written.

`facts` are those of `collect_facts`, `scores` the content of `evaluation/metrics.json`, `results` that of
`evaluation/baselines.json`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scenebook.core.backbones import RANDOM
from scenebook.core.settings import make_settings
from scenebook.evaluation.metrics.comparison import SIGNIFICANT
from scenebook.evaluation.metrics.intervals import Score


def tell_conclusion(facts: Mapping[str, Any], scores: Mapping[str, Any], results: Mapping[str, Any]) -> str:
    """Returns the conclusion's first sentences: how often the classifier is right, and where it errs.

    They are for `say` with the scores, the results and the facts.
    """
    leak = _tell_duplicates(scores)
    interval = "For further such images, the 95% interval says {accuracy.low:.1%} to {accuracy.high:.1%}."
    also = "" if facts["base_layers"] == "0 layers" else ", with its last {base_layers} trained too,"
    return " ".join(
        [
            f"A new head on {{backbone}}{also} learned from {{train:,}} images and classifies {{accuracy:.1%}} of "
            f"{{test:,}} {'test' if leak else 'unseen'} images of the data set *{{name}}* correctly.",
            *(leak or [interval]),
            _tell_majority(results["majority"]["value"], scores["accuracy"]),
            "{confusion}",
        ]
    )


def tell_reasons(facts: Mapping[str, Any], scores: Mapping[str, Any], results: Mapping[str, Any]) -> str:
    """Returns the conclusion's further sentences: what the result owes to what, and how far it can be trusted.

    They are for `say` with the scores, the results, `collect_baseline_points`, `collect_points` and the facts. A
    comparison that the results lack is left out.
    """
    sentences = []
    if "transfer" in results:
        sentences.append(_tell_transfer(results))
    if "network_gain" in results:
        sentences.append(_tell_gain(results))
    sentences.append(tell_overfitting(facts["train_accuracy"], scores["accuracy"], augmented=facts["augmented"]))
    if "ece" in scores:
        sentences.append(
            "How sure it is and how often it is right lie {ece_points:.1f} percentage points apart on average "
            "(95% interval {ece_points.low:.1f} to {ece_points.high:.1f})."
        )
    return " ".join(sentences)


def _tell_transfer(results: Mapping[str, Any]) -> str:
    models = (
        "A linear head is right for {pretrained_features:.1%} of the test images on the features of the backbone, "
        "and for {random_features:.1%} on those of the same backbone with random weights"
    )
    points = _points("transfer")
    if results["transfer_p"] >= SIGNIFICANT:
        return f"{models}. The difference, {points}, may be chance: that transfer learning helps is not shown."
    if results["transfer"]["value"] > 0:
        return f"{models}: against these, transfer learning itself is worth {points}."
    return f"{models}: transfer learning does harm here, {points}."


def _tell_gain(results: Mapping[str, Any]) -> str:
    other, points = "a linear head on the backbone's features", _points("network_gain")
    if results["network_gain_p"] >= SIGNIFICANT:
        return f"Whether the trained network does better than {other} is undecided: {points}."
    if results["network_gain"]["value"] > 0:
        return f"The trained network does better than {other}: {points}."
    return f"The trained network does worse than {other}: {points}."


def _points(name: str) -> str:
    return f"{{{name}_points}} percentage points (95% interval {{{name}_points.low}} to {{{name}_points.high}})"


def _tell_majority(majority: float, accuracy: Score) -> str:
    named = "Naming the commonest class each time would be right for {majority:.1%} of the test images"
    if accuracy["low"] > majority:
        return f"{named}, which is less."
    if accuracy["high"] < majority:
        return f"{named}, which is more: the network is worse than no network."
    return f"{named}, which lies in the accuracy's interval: nothing has been shown to be learned."


def tell_overfitting(train_accuracy: float, accuracy: Score, *, augmented: bool) -> str:
    """Returns the sentence on over-fitting: the last epoch's training accuracy against the test accuracy.

    Training images that were `augmented` are harder than others.
    """
    last = "In its last epoch it classified {train_accuracy:.1%} of the training images correctly"
    if train_accuracy > accuracy["high"]:
        return f"{last}, more than the interval allows for unseen ones: a sign of over-fitting."
    if train_accuracy > accuracy["value"]:
        return f"{last}, more than of the unseen ones but within their interval: no clear sign of over-fitting."
    if augmented:
        return (
            f"{last}, no more than of the unseen ones. Augmented images are harder than others, so this alone does "
            "not rule out over-fitting."
        )
    return f"{last}, no more than of the unseen ones: there is no sign of over-fitting."


def tell_abstract(recipe: dict[str, Any], scores: Mapping[str, Any]) -> str:
    """Returns the abstract's sentences, for `say` with the scores and the facts; `recipe` are the run's settings."""
    how = "by transfer learning from" if recipe["weights"] != RANDOM else "on top of"
    views = "with augmentation" if make_settings(recipe).is_augmented else "without augmentation"
    return (
        f"A classifier for {{k}} classes of {{kind}} (data set *{{name}}*) is trained {how} {{backbone}}. "
        f"It learns from {{train:,}} images over {{epochs}} {views}. On {{test:,}} test images, used only after "
        "training, its accuracy is {accuracy:.1%} (95% interval {accuracy.low:.1%} to {accuracy.high:.1%}). "
        + " ".join([*_tell_duplicates(scores), "{confusion}"])
    )


def _tell_duplicates(scores: Mapping[str, Any]) -> list[str]:
    """Returns the sentence on test images that are no new ones; none where all of them are new."""
    if "n_without_duplicates" not in scores:
        return []
    if "accuracy_without_duplicates" not in scores:
        return [
            "**But every test image has a duplicate among the training or validation images**, so nothing is known "
            "about new images."
        ]
    return [
        "On the {n_without_duplicates:,} of them that have no duplicate among the training or validation images it "
        "is {accuracy_without_duplicates:.1%} ({accuracy_without_duplicates.low:.1%} to "
        "{accuracy_without_duplicates.high:.1%})."
    ]
