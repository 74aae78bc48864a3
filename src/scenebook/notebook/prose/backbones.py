"""The sentences on a study over backbones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from scenebook.core.run_files import STUDY_RESULTS
from scenebook.core.sentences import Sentence, Sourced
from scenebook.study.results import select_backbones, title_backbone
from scenebook.study.summaries import Summary


def tell_backbones(summaries: Sequence[Summary], backbone: str) -> Sentence:
    """Returns the sentences on the most accurate and the fastest backbone; one at least is done. `backbone` is the
    run's.
    """
    done = [one for one in select_backbones(summaries) if one.done]
    best = max(done, key=lambda one: one.accuracy["value"])
    timed = [one for one in done if not np.isnan(one.images_per_second)]
    values: dict[str, tuple[Any, str]] = {
        "best": (title_backbone(best, backbone), f"{STUDY_RESULTS}: title of the highest val_accuracy"),
        "accuracy": (best.accuracy, f"{STUDY_RESULTS}: {best.variant.name}, val_accuracy"),
    }
    sentences = [
        "The most accurate backbone is {best}, right for {accuracy:.1%} of the held-out images (95% interval "
        "{accuracy.low:.1%} to {accuracy.high:.1%})."
    ]
    if timed:
        fastest = max(timed, key=lambda one: one.images_per_second)
        values["fastest"] = (title_backbone(fastest, backbone), f"{STUDY_RESULTS}: title of the most images_per_second")
        values["rate"] = (fastest.images_per_second, f"{STUDY_RESULTS}: {fastest.variant.name}, images_per_second")
        sentences.append(
            "The fastest is {fastest}, with {rate:,.0f} images a second. Speeds are those of one worker of the study, "
            "while others may run beside it: they compare backbones, not machines."
        )
    sentences.append(
        "All were given the images at the same size and the same recipe; another size or recipe may suit one of them "
        "better. The most accurate of several is partly chosen by chance, so that its accuracy is a little too high."
    )
    return " ".join(sentences), Sourced.from_pairs(values)
