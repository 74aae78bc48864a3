"""The sentences on groups of images, and on file names that look like series."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from scenebook.core.wording import count_noun, name_file

_Sentences = Iterator[tuple[str, dict[str, Any]]]


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
