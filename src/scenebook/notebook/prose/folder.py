"""The sentences of notebook 01 on sizes, groups and series of images."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from scenebook.core.wording import count_noun, name_file
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


def tell_groups(facts: Mapping[str, Any]) -> _Sentences:
    """Yields sentences with their values on how groups are spread over the splits, from `grouping.summarize_groups`."""
    if not facts:
        return
    text = (
        "The images belong to {groups:,} groups (groups: {setting}), and each is kept together: {train:,} groups have "
        "images in training, {validation:,} in validation and {test:,} in test."
    )
    if facts["alone"]:
        text += " {alone} to no group and may be in any split."
    alone = count_noun(facts["alone"], "image belongs", "images belong")
    yield text, {**facts["counts"], "groups": facts["groups"], "setting": facts["setting"], "alone": alone}
    if facts["across"]:
        yield (
            "**Warning:** The splits came with the data, and {across} images in more than one of them: {known} to a "
            "group that is in training or validation as well. For new groups the accuracy may be lower.",
            {
                "across": count_noun(facts["across"], "group has", "groups have"),
                "known": count_noun(facts["known"], "test image belongs", "test images belong"),
            },
        )


def tell_series(facts: Mapping[str, Any]) -> _Sentences:
    """Yields the warning that file names look like series, if they do, from `series.find_series`."""
    if not facts:
        return
    values = {**facts, "first": name_file(facts["first"]), "last": name_file(facts["last"])}
    if facts["alike"] is None:
        sign = "File names look like those of {series:,} series, such as {first} to {last}."
    else:
        sign = (
            "Files are numbered through ({first} to {last}, for one), and an image is more like that of the next "
            "number than like another of its class in {alike:.0%} of the cases (by chance: 50%)."
        )
    yield (
        f"**Warning:** {sign} Images of one series often show the same place, object or patient. Where a series is "
        "divided between training and test, the network may recognise it, and the accuracy is too high for others. The "
        "setting groups keeps each series in one split, as in groups={pattern}.",
        values,
    )


def list_group_warnings(findings: Mapping[str, Any]) -> list[str]:
    """Returns a line for each finding on groups and series, for the terminal of whoever started the run."""
    series, groups = findings["series"], findings["groups"]
    lines = []
    if series:
        lines.append(
            f"check: {name_file(series['first'])} to {name_file(series['last'])} look like a series, and no groups are "
            f"given: groups={series['pattern']}"
        )
    if groups and groups["across"]:
        lines.append(f"check: {count_noun(groups['across'], 'group is', 'groups are')} in more than one split")
    return lines
