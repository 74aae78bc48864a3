"""The sentences of the discussion: what may explain a result, which errors are whose, what is open, what to try next.

They have fields for `evaluation.findings.collect_discussion_facts` and what `prose.conclusion` and `prose.baselines`
collect, and stand in notebook 06 under their names, as `{causes}`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from scenebook.core.sentences import escape
from scenebook.core.wording import count_noun, say_number, signed
from scenebook.evaluation.baselines import is_few
from scenebook.evaluation.findings import ALONE, BETTER, LINEAR, OPEN, WORSE, judge_network
from scenebook.evaluation.metrics.intervals import SIGNIFICANT

_STRONG_ROTATION = 45  # degrees from which a rotation shows images as they hardly occur among test images
_FEW_TESTED = 100  # test images; of fewer, the interval of an accuracy is at least 15 points wide


def tell_outcome(results: Mapping[str, Any]) -> str:
    """Returns the sentence on how the network compares with the linear classifier, with the counts behind it."""
    judged = judge_network(results)
    if judged == ALONE:
        return "The backbone starts from random weights, so there are no pretrained features to compare with."
    if judged == LINEAR:
        return (
            "The network of this run is a linear classifier on the frozen features; whether training more of its "
            "layers would be better has not been tried."
        )
    difference = (
        "{network_gain_points} percentage points (95% interval {network_gain_points.low} to {network_gain_points.high})"
    )
    rest = {
        BETTER: ": training adds something that those features do not contain.",
        WORSE: ": training loses something that those features contain.",
        OPEN: ", so these {test:,} test images cannot tell which of the two is better.",
    }[judged]
    differs = "The accuracy of {recipe} differs from that of the linear classifier on the frozen features by"
    return f"{differs} {difference}{rest}"


def tell_verdict(results: Mapping[str, Any]) -> str:
    """Returns the conclusion: what to use for these images, and what the result rests on."""
    told = {
        BETTER: "For these images, training is worthwhile: with an accuracy of {accuracy:.1%}, {recipe} does better "
        "than a linear classifier on the frozen features of {backbone}.",
        WORSE: "For these images, {recipe} ({accuracy:.1%}) is not worth its training: a linear classifier on the "
        "frozen features of {backbone} is more accurate ({pretrained_features:.1%}), and is fitted in seconds.",
        OPEN: "The {test:,} test images do not show whether {recipe} (accuracy {accuracy:.1%}) or a linear classifier "
        "on the frozen features of {backbone} ({pretrained_features:.1%}) is better; the latter is fitted in seconds.",
        LINEAR: "For these images, a linear classifier on the frozen features of {backbone} has an accuracy of "
        "{accuracy:.1%}, and is fitted in seconds.",
        ALONE: "Trained from random weights, the network classifies {accuracy:.1%} of the test images correctly.",
    }[judge_network(results)]
    if "transfer" not in results:
        return told
    if results["transfer_p"] >= SIGNIFICANT:
        return f"{told} It is not shown that the pretraining of the backbone helps."
    if results["transfer"]["value"] < 0:
        return f"{told} The pretraining of the backbone does not help."
    return f"{told} Pretraining is worth {{transfer_points}} percentage points to a linear classifier."


def tell_transfer(results: Mapping[str, Any]) -> str:
    """Returns the sentence on what the pretraining of the backbone is worth; nothing where it has none."""
    if "transfer" not in results:
        return ""
    start = (
        "On the features of the backbone with random weights, a linear classifier has an accuracy of "
        "{random_features:.1%}"
    )
    if is_few(results):
        start = (
            "Fitted to {few_train:,} training images, a linear classifier classifies {pretrained_few:.1%} of "
            "{few_test:,} test images correctly, and {random_features:.1%} if the weights of the backbone are random"
        )
    difference = "{transfer_points} percentage points (95% interval {transfer_points.low} to {transfer_points.high})"
    if results["transfer_p"] >= SIGNIFICANT:
        return f"{start}. The difference is {difference}: transfer learning is not shown to help."
    if results["transfer"]["value"] > 0:
        return f"{start}: the pretraining is worth {difference}."
    return f"{start}: the pretraining makes the features worse for these images, by {difference}."


def tell_causes(
    results: Mapping[str, Any], facts: Mapping[str, Any], study: pd.DataFrame, recipe: Mapping[str, Any]
) -> str:
    """Returns the sentences on what may explain how the network compares with the linear classifier.

    `results` is `evaluation/baselines.json`, `facts` are of `collect_discussion_facts` and `collect_facts`, `study` is
    from `read_study`, and `recipe` has the settings; `edited` lists the notebook's cells that are its own.
    """
    judged = judge_network(results)
    told = []
    if judged == BETTER:
        told.append(
            "The linear classifier is given each feature averaged over all places of an image; the trained network can "
            "also use where a feature occurs, and adapts the layers that are not frozen."
        )
    told.append(_tell_fit(judged, facts, results))
    if judged not in (BETTER, LINEAR):
        if recipe.get("head_pooling") == "flatten" and not recipe.get("edited"):
            told.append(
                "The head flattens the features, which gives every place of the image weights of its own: "
                "{trainable_params:,} trainable parameters for {train:,} training images."
            )
        if facts["rotation_range"] >= _STRONG_ROTATION and "augment" not in recipe.get("edited", []):
            told.append(
                "The augmentation rotates training images by up to {rotation_range:g} degrees in either direction, "
                "while test images are upright."
            )
        if facts["best_epoch"] == facts["last_epoch"] and not _over_fits(facts, results):
            told.append(
                "The validation loss was lowest in the last epoch (learning rate {learning_rate:g}): the training may "
                "have ended too early."
            )
    if len(study) or judged != LINEAR:
        told.append(_tell_study(study))
    return " ".join(told)


def _tell_fit(judged: str, facts: Mapping[str, Any], results: Mapping[str, Any]) -> str:
    fit = "{train_accuracy:.1%} of the training images are classified correctly"
    if judged != LINEAR:
        is_last = facts["kept_epoch"] == facts["last_epoch"]
        fit += " in the last epoch" if is_last else " in epoch {kept_epoch}, whose weights are kept"
        fit += ", although augmentation makes them harder" if facts["augmented"] else ""
    fit += ", and {network:.1%} of the test images"
    if _over_fits(facts, results):
        return f"There is a sign of over-fitting: {fit}."
    if judged != WORSE:
        return f"The accuracy shows no clear sign of over-fitting: {fit}."
    few = facts["train_accuracy"] < results["pretrained_features"]["low"]
    more = " It has learned too little rather than too much." if few else ""
    return f"Over-fitting is not the likely cause: {fit}.{more}"


def _over_fits(facts: Mapping[str, Any], results: Mapping[str, Any]) -> bool:
    return bool(facts["train_accuracy"] > results["network"]["high"])


def _tell_study(study: pd.DataFrame) -> str:
    if not len(study):
        return "No setting was varied by itself, so what makes the difference is not known."
    shown = study[study["p"] < SIGNIFICANT]
    better, worse = (shown[shown["difference"] * way > 0] for way in (1, -1))
    if len(study) == 1:
        row = _name_variant(study["title"].iloc[0], study["difference"].iloc[0])
        chance = "may be due to chance" if not len(shown) else "is significant"
        return f"One variant was trained ([@tbl:ablations]; {row}); its difference on the validation images {chance}."
    told = [f"Of {count_noun(len(study), 'variant')} that change one thing each ([@tbl:ablations]),"]
    for rows, word in ((better, "better"), (worse, "worse")):
        if len(rows):
            told.append(
                f"{say_number(len(rows))} {'is' if len(rows) == 1 else 'are'} {word} than the recipe on the validation "
                f"images ({', '.join(map(_name_variant, rows['title'], rows['difference']))}),"
            )
    undecided = len(study) - len(shown)
    if not len(shown):
        return f"{told[0]} none differs significantly from the recipe on the validation images."
    if undecided:
        told.append(f"and for the other {undecided} the difference may be due to chance,")
    return " ".join(told).rstrip(",") + "."


def _name_variant(title: str, difference: float) -> str:
    text = f"{title}, {signed(100 * difference, 1)} points"
    return escape(text).replace("{", "{{").replace("}", "}}")


def tell_errors(facts: Mapping[str, Any]) -> str:
    """Returns the sentences on which errors are the network's own, and which of them may be wrong labels."""
    if not facts["errors"]:
        return "The network makes no error on the test images."
    one = facts["errors"] == 1
    pair = "" if one else f" {_count_of_errors(facts, 'pair_errors')} of them"
    errors = f"{_count(facts, 'errors')} {'is' if one else 'are'} misclassified"
    told = [f"Of the {{test:,}} test images, {errors},{pair} by confusing {{pair}}."]
    if "shared_errors" in facts:
        others = (
            f"{_count(facts, 'linear_errors').replace('none', 'no')} other image{'s' * (facts['linear_errors'] > 1)}"
        )
        shared = "it" if one else f"{_count_of_errors(facts, 'shared_errors')} of them"
        if facts["shared_errors"]:
            told.append(f"The linear classifier misclassifies {shared} as well, and {others}.")
            told.append("What both misclassify may be difficult or mislabelled.")
        else:
            told.append(f"The linear classifier misclassifies none of these, and {others}.")
    if facts.get("suspicious_errors"):
        suspicious = "the" if one else f"{_count_of_errors(facts, 'suspicious_errors')} of the"
        image = "image" if one else "images"
        told.append(
            f"A second model suspects a wrong label in {suspicious} misclassified {image} ([@fig:label-issues])."
        )
    elif "suspicious_errors" in facts:
        told.append("A second model suspects a wrong label in no misclassified image.")
    return " ".join(told)


def _count(facts: Mapping[str, Any], name: str) -> str:
    return say_number(facts[name]) if facts[name] < 2 else f"{{{name}:,}}"


def _count_of_errors(facts: Mapping[str, Any], name: str) -> str:
    """Returns how many of the errors these are, as 'none', 'both' or 'all'."""
    if facts[name] < facts["errors"]:
        return _count(facts, name)
    return "both" if facts["errors"] == 2 else "all"


def tell_unknown(*, trained_once: bool, drawn: bool) -> str:
    """Returns the sentences on what the run does not show: on other seeds, where none was tried, and other images."""
    told = ["The intervals say how far these numbers may move with other test images of the same kind."]
    if trained_once:
        told.append("The network was trained once; how much another seed would change the result is not known.")
    told.append(
        "Since the images are drawn, nothing is shown about photographs."
        if drawn
        else "Whether the same holds for images of another origin, or from another camera, is not shown."
    )
    return " ".join(told)


def choose_next(
    results: Mapping[str, Any], facts: Mapping[str, Any], study: pd.DataFrame, recipe: Mapping[str, Any]
) -> tuple[str, dict[str, Any]]:
    """Returns the next experiment, as in 'The next experiment is', and the settings it changes; none: the ablations.

    The arguments are those of `tell_causes`. What may explain a poor result is tried first.
    """
    if judge_network(results) in (WORSE, OPEN):
        if recipe.get("head_start") != "linear":
            change = {"head_pooling": "average", "head_units": 0, "head_start": "linear"}
            return "a head that starts from the linear classifier", change
        if facts["rotation_range"] >= _STRONG_ROTATION:
            return "a weaker rotation", {"rotation_range": 15}
        if judge_network(results) == OPEN and facts["test"] < _FEW_TESTED and not recipe.get("cross_validation"):
            return "a cross-validation, which judges the recipe by more images", {"cross_validation": 5}
        if facts["best_epoch"] == facts["last_epoch"] and not _over_fits(facts, results):
            return "a longer training", {"epochs": 2 * int(facts["last_epoch"])}
    if judge_network(results) == LINEAR:
        steps = {"optimizer": "adamw", "schedule": "cosine", "fine_tune_learning_rate": 0.0003, "fine_tune_epochs": 8}
        return "a phase that also trains the last layers of the backbone", steps
    if not len(study):
        return "to change one part of the recipe at a time", {}
    return "to train from other seeds, which shows how far the result depends on chance", {"seeds": 3}
