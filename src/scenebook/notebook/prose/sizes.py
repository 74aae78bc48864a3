"""The sentences of notebook 01 on the size of the images, and on how they were made square."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from scenebook.core.wording import count_noun
from scenebook.data.audit.report import OBLONG
from scenebook.data.sizing import ImageSize

_Sentences = Iterator[tuple[str, dict[str, Any]]]
_MUCH, _MANY = 0.25, 0.1
"""Of the area of the median image, and of the images: more than these is worth a warning."""


def tell_size(size: ImageSize, shapes: Mapping[str, Any]) -> _Sentences:
    """Yields sentences on a size that was not set by hand, and on how images that are not square were made so.

    `size` is from `choose_size`, `shapes` from `measure_shapes`.
    """
    if size.shorter is not None:
        why = "no other size suits its weights better" if size.pixels == size.own else "it cannot take smaller images"
        if size.pixels == size.shorter:
            why = "more pixels would show nothing more"
        text = (
            "The size was chosen by the program: the backbone was pretrained on images of {own:,} by "
            "{own:,}&nbsp;pixels, the median shorter side of these images is {shorter:,}&nbsp;pixels, and {why}."
        )
        yield text, {**size._asdict(), "why": why}
    if not shapes["not_square"]:
        return
    told = {
        "crop": "the square in the middle of each is used",
        "pad": "each is padded with black",
        "squash": "each is squashed to a square",
    }
    count = count_noun(shapes["not_square"], "image is not square", "images are not square")
    yield "{count}: {how}.", {"count": count, "how": told[shapes["fit"]]}


def tell_shapes(findings: Mapping[str, Any]) -> _Sentences:
    """Yields a warning where making images square loses much of them, or distorts many."""
    shapes = findings["shapes"]
    lost = 1 - shapes["median"]
    told = {
        "crop": "cropping removes {lost:.0%} of the area of the median image, perhaps including its subject. "
        "`fit: pad` and `fit: squash` keep all of it.",
        "pad": "{lost:.0%} of the padded median image is black. With `fit: crop` or `fit: squash`, all pixels show "
        "something.",
    }
    if shapes["fit"] in told and lost > _MUCH:
        yield f"**Warning:** {told[shapes['fit']]}", {"lost": lost}
    elif shapes["fit"] == "squash" and shapes["oblong"] > _MANY * findings["images"]:
        text = (
            "**Warning:** {oblong} more than {ratio:g} times as long in one direction as in the other. Squashing them "
            "to a square distorts what they show; `fit: crop` and `fit: pad` do not."
        )
        yield text, {"oblong": count_noun(shapes["oblong"], "image is", "images are"), "ratio": OBLONG}
