"""The abstract, and the sentence on test images that are no new ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scenebook.core.settings import RANDOM, is_augmented


def write_abstract(recipe: dict[str, Any], scores: Mapping[str, Any]) -> str:
    """Returns the abstract's sentences, for `say` with the scores and `collect_facts`.

    Args:
        recipe: The settings of the run.
        scores: The content of `evaluation/metrics.json`.
    """
    how = "by transfer learning from" if recipe["weights"] != RANDOM else "on top of"
    views = "with augmentation" if is_augmented(recipe) else "without augmentation"
    return (
        f"A classifier for {{k}} classes of {{kind}} (data set *{{name}}*) is trained {how} {{backbone}}. "
        f"It learns from {{train:,}} images over {{epochs}} {views}. On {{test:,}} test images, used only after "
        "training, its accuracy is {accuracy:.1%} (95% interval {accuracy.low:.1%} to {accuracy.high:.1%}). "
        + " ".join([*describe_leak(scores), "{confusion}"])
    )


def describe_leak(scores: Mapping[str, Any]) -> list[str]:
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
