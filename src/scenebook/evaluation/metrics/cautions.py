"""What a reader of the scores has to know of the test images: how many, and of which classes. No TensorFlow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from scenebook.core.sentences import Sourced
from scenebook.core.wording import count_noun, join_names

FEW = 30
"""With so many test images, the interval of a class's recall is up to a third wide; with fewer, wider."""
_RATIO = 1.25
_BY_ROUNDING = 2
_MOST_NAMES = 4
_CONSEQUENCES = {
    "test": "Accuracy and the weighted averages count the classes as often as they are among the test images; the "
    "macro averages count all alike.",
    "validation": "The histories count the classes as often as they are among the validation images.",
}


def describe_cautions(counts: pd.DataFrame) -> list[tuple[str, Mapping[str, Any]]]:
    """Returns sentences for `say`, each with its values; none where there is nothing to be careful about.

    Args:
        counts: Images a class (rows) a split (columns `train`, `validation`, `test`).
    """
    return [*_describe_shares(counts), *_describe_missing(counts), *_describe_few(counts)]


def _describe_shares(counts: pd.DataFrame) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for split, consequence in _CONSEQUENCES.items():
        differing = find_differing(counts, split)
        if differing:
            shares = counts / counts.sum()
            values = {
                "name": differing[0],
                "here": shares[split].to_dict()[differing[0]],
                "there": shares["train"].to_dict()[differing[0]],
                "differing": len(differing),
            }
            others = "; {differing} classes differ by more than a quarter" if len(differing) > 1 else ""
            sentence = (
                f"The {split} images are not divided among the classes as the training images are: {{name}} has "
                f"{{here:.1%}} of the {split} images and {{there:.1%}} of the training images{others}. "
                f"{consequence}"
            )
            origin = f"data/splits.csv: shares of that class in {split} and train"
            yield sentence, Sourced(values, origins=dict.fromkeys(values, origin))


def find_differing(counts: pd.DataFrame, split: str) -> list[str]:
    """Returns the classes whose share of a split is not that of train, the most different first.

    Not theirs, that is: larger or smaller by more than a quarter, and by more images than rounding explains.
    """
    expected = counts["train"] / counts["train"].sum() * counts[split].sum()
    found = counts[split]
    larger, smaller = pd.concat([found, expected], axis=1).max(axis=1), pd.concat([found, expected], axis=1).min(axis=1)
    differs = (larger - smaller > _BY_ROUNDING) & (larger > _RATIO * smaller)
    order = (larger - smaller)[differs].sort_values(ascending=False, kind="stable")
    return list(order.index)


def _describe_missing(counts: pd.DataFrame) -> Iterator[tuple[str, Mapping[str, Any]]]:
    missing = list(counts.index[counts["test"] == 0])
    if missing:
        sentence = "Without test images: {missing}. Nothing is known of how well these are recognised, and the "
        yield sentence + "averages leave them out.", {"missing": _name_few(missing)}


def _describe_few(counts: pd.DataFrame) -> Iterator[tuple[str, Mapping[str, Any]]]:
    tested = counts["test"][counts["test"] > 0].sort_values(kind="stable")
    few = tested[tested < FEW]
    if not len(few):
        return
    values: dict[str, Any] = {"least": int(few.iloc[0]), "most": int(few.iloc[-1]), "limit": FEW}
    origins = dict.fromkeys(["least", "most"], "data/splits.csv: rows of a class whose split is test")
    sized = "{least}" if values["least"] == values["most"] else "{least} to {most}"
    images = "image" if values["most"] == 1 else "images"
    which = "Each class has" if len(few) == len(counts) else "{few} {have}"
    values["few"], values["have"] = _name_few(list(few.index)), "has" if len(few) == 1 else "have"
    sentence = (
        f"{which} only {sized} test {images}. With fewer than {{limit}} a class, one image more or less that is "
        "right moves its scores by several points: go by the intervals, not by the scores."
    )
    yield sentence, Sourced(values, origins=origins)


def _name_few(names: list[str]) -> str:
    if len(names) <= _MOST_NAMES:
        return join_names(names)
    more = count_noun(len(names) - _MOST_NAMES, "other class", "other classes")
    return f"{', '.join(names[:_MOST_NAMES])} and {more}"
