"""The sentences on where the images come from, how a folder was read, and what the audit of images and labels found."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from scenebook.core.settings import DRAWN_SCENES, INTEL
from scenebook.core.wording import count_noun, format_share, join_names, name_file, shorten
from scenebook.data.audit.labels import FOLDS
from scenebook.data.images import LIST_SUFFIX, FoundImages, source_name

_Sentences = Iterator[tuple[str, dict[str, Any]]]
_MOST_LISTED = 12
"""So many names are listed in a sentence; of more, the rest is counted."""
_LABEL_CHARACTERS = 24


def tell_found(found: FoundImages) -> _Sentences:
    """Yields sentences with fields, and the values of the fields, on everything that was not simply used.

    Nothing is said of what does not occur. What was set aside stands in a table of its own.
    """
    if found.source.suffix.lower() == LIST_SUFFIX:
        text = "Which images there are, and their classes, was read from the list {list}."
        text += " {repeated} another and {count} once." if found.repeated else ""
        repeated = count_noun(found.repeated, "row of it repeats", "rows of it repeat")
        count = "counts" if found.repeated == 1 else "count"
        yield text, {"list": found.source.name, "repeated": repeated, "count": count}
    if found.drawn_from is not None:
        text = "Of {listed:,} images {drawn:,} were taken class by class, at random: the setting max\\_per\\_class "
        yield text + "limits their number.", {"listed": found.drawn_from, "drawn": len(found.images)}
    if found.merged:
        merged = (f"{label} (from {join_names(names)})" for label, names in found.merged.items())
        yield "The class map makes one class of several: {merged}.", {"merged": _list(merged)}
    if found.left_out:
        left = (f"{label} ({count_noun(count, 'image')})" for label, count in found.left_out.items())
        yield "The class map leaves out: {left}.", {"left": _list(left)}
    if found.similar_names:
        text = (
            "Some names of classes look alike, because they differ only in upper and lower case or in how their "
            "letters are stored: {similar}. They are kept apart here; a class map makes one class of them."
        )
        yield text, {"similar": _list(map(join_names, found.similar_names))}
    if found.ignored_folders:
        text = "Not used, because only the folders for training and testing hold labelled images: {folders}."
        yield text, {"folders": _list(found.ignored_folders)}
    if found.passed_over:
        passed = (f"{what} ({count:,})" for what, count in found.passed_over.items())
        text = "Passed over, as what is hidden or left behind by operating systems always is: {passed}."
        yield text, {"passed": _list(passed)}


def _list(texts: Iterable[str]) -> str:
    """Joins with semicolons: the texts may hold commas."""
    texts = list(texts)
    rest = [f"and {len(texts) - _MOST_LISTED:,} more"] if len(texts) > _MOST_LISTED else []
    return "; ".join(texts[:_MOST_LISTED] + rest)


def tell_imbalance(counts: pd.DataFrame) -> str:
    """Returns the sentence on class sizes, for `say` with `ratio`."""
    if counts["train"].nunique() == 1:
        return "All classes have equally many training images."
    return "The largest class has {ratio:.2f} times the training images of the smallest."


_ORIGINS = {
    DRAWN_SCENES: "The program made these images itself: simple landscapes and streets, drawn from a seed, with "
    "classes that resemble one another enough to be confused.",
    INTEL: "They are photographs of landscapes and towns around the world, which Intel published for a competition on "
    "image classification and which Kaggle keeps.",
}
_UNKNOWN = "They were given to the program, which knows of their origin only what their files and folders say."


def name_dataset(dataset: str, source: Path) -> tuple[str, str]:
    """Returns what a data set is called and what kind of images it has; `source` is its folder or list."""
    kind = {DRAWN_SCENES: "drawn images", INTEL: "photographs"}.get(dataset, "images")
    return dataset if dataset in _ORIGINS else source_name(source), kind


def tell_origin(dataset: str, table: pd.DataFrame) -> tuple[str, dict[str, Any]]:
    """Returns a text with fields on what kind of images these are and how large, and the values of the fields.

    `table` has a row an image, with its width and height in pixels before it was resized.
    """
    sizes = table.groupby(["width", "height"]).size().sort_values(ascending=False, kind="stable")
    width, height = (int(number) for number in sizes.index[0])
    if len(sizes) == 1:
        size = "All are {width} by {height}&nbsp;pixels large."
    elif sizes.iloc[0] > len(table) / 2:
        size = "Most are {width} by {height}&nbsp;pixels large."
    else:
        size = "They are of many sizes, from {least} to {most}&nbsp;pixels on their longer side."
    longer = table[["width", "height"]].max(axis=1)
    values = {"width": width, "height": height, "least": int(longer.min()), "most": int(longer.max())}
    return f"{_ORIGINS.get(dataset, _UNKNOWN)} {size}", values


def tell_duplicates(findings: dict[str, Any]) -> _Sentences:
    """Yields sentences on the duplicates and on what was done about them."""
    groups = findings["duplicate_groups"]
    if not groups:
        text = "No image occurs twice: each was compared with every other one, and with its mirror image, for copies "
        yield text + "that were saved, scaled or cut anew.", {}
        return
    exact = sum(group["exact"] for group in groups)
    text = "{images} of {all:,} occur more than once, in {groups}: {exact} of files with the same bytes, {near} "
    yield (
        text + "of images that were saved, scaled, cut or mirrored anew.",
        {
            "images": count_noun(sum(len(group["paths"]) for group in groups), "image"),
            "all": findings["images"],
            "groups": count_noun(len(groups), "group"),
            "exact": exact,
            "near": len(groups) - exact,
        },
    )
    conflicts = sum(bool(group["across_classes"]) for group in groups)
    if conflicts:
        text = "{conflicts} two classes or more: at least one of the labels is wrong, and no network can get both "
        yield text + "right.", {"conflicts": count_noun(conflicts, "group holds", "groups hold")}
    yield _tell_splits(findings)
    large = [len(group["paths"]) for group in groups if group["large"]]
    if large:
        text = (
            "{groups} so large, up to {most:,} images, that it is no accident: frames of a film, say, or "
            "placeholders for missing images. Only those with the same bytes were kept together in one split."
        )
        yield text, {"groups": count_noun(len(large), "group is", "groups are"), "most": max(large)}


def _tell_splits(findings: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Returns the sentence on where the members of a group ended up."""
    straddling = sum(group["across_splits"] for group in findings["duplicate_groups"])
    seen = len(findings["seen_in_training"])
    if not straddling:
        return "Every group was kept in one split, so that nothing is tested on an image that was learned.", {}
    if not seen:
        groups = count_noun(straddling, "group straddles", "groups straddle")
        return "{groups} training and validation, which flatters the validation accuracy.", {"groups": groups}
    groups = count_noun(straddling, "group straddles splits", "groups straddle splits")
    return (
        "{groups}. The splits stay as they are, but {seen} in training or validation, and a network that remembers it "
        "is rewarded for that. The accuracy is therefore given with and without such images.",
        {"groups": groups, "seen": count_noun(seen, "test image has a copy", "test images have a copy")},
    )


def caption_pairs(splits: pd.DataFrame, pairs: pd.DataFrame) -> list[str]:
    """Returns a caption for either image of each pair of `select_pairs`: first, second, first, second, ..."""
    captions = []
    ends = pairs[["first", "second", "mirrored"]].itertuples(index=False, name=None)
    for number, (first, second, mirrored) in enumerate(ends, start=1):
        captions.append(f"{number}a: {_name_image(splits.iloc[first])}")
        captions.append(f"{number}b: {_name_image(splits.iloc[second])}" + (", mirrored" if mirrored else ""))
    return captions


def caption_odd_images(odd: pd.DataFrame) -> list[str]:
    """Returns the captions of the images of `select_odd_images`: what is odd, and which one it is."""
    return [f"{row['what']}: {_name_image(row)}" for _, row in odd.iterrows()]


def _name_image(row: pd.Series) -> str:
    return f"{name_file(row['path'])} ({shorten(str(row['label']), _LABEL_CHARACTERS)}, {row['split']})"


_TRAITS = {
    "dark": ("dark", "99% of the surface below a third of full brightness"),
    "light": ("light", "95% of the surface above two thirds of full brightness"),
    "blurry": ("blurry", "hardly changed by blurring it once more"),
    "grey": ("grey", "without colour"),
    "nearly empty": ("nearly empty", "grey levels that hold less than three bits"),
    "odd size": ("of an odd size", "not the size of the others"),
    "odd shape": ("of an odd shape", "twice as wide for the height as is usual, or half"),
}


def tell_odd_images(findings: dict[str, Any]) -> _Sentences:
    """Yields sentences on images that are dark, light, blurry, grey, nearly empty, or of an odd size or shape."""
    found = {name: record["images"] for name, record in findings["odd_images"].items() if record["images"]}
    if findings["common_traits"]:
        traits = join_names([_TRAITS[name][0] for name in findings["common_traits"]])
        yield "Most images are {traits}: that is how these data are, and so not odd.", {"traits": traits}
    if found:
        counted = [f"{count:,} {_TRAITS[name][0]} ({_TRAITS[name][1]})" for name, count in found.items()]
        yield (
            "Some images stand out, as [@tbl:odd] counts and [@fig:odd] shows: {found}.",
            {"found": "; ".join(counted)},
        )
    else:
        *others, last = (_TRAITS[name][0] for name in findings["odd_images"])
        yield "No image is {traits}.", {"traits": f"{', '.join(others)} or {last}"}


def tell_giveaways(findings: dict[str, Any]) -> _Sentences:
    """Yields sentences on classes that their average colour or size alone gives away, warnings first."""
    told = {"colour": "The average colour of an image", "size": "The width and height of a file"}
    for giveaway in sorted(findings["giveaways"], key=lambda one: not one["classes"]):
        values = {"accuracy": giveaway["balanced_accuracy"], "chance": giveaway["chance"]}
        right = "right for {accuracy:.0%} of the images of a class, on average; guessing would be for {chance:.0%}."
        if not giveaway["classes"]:
            text = " alone gives no class away for sure: a classifier that sees nothing else is "
            yield told[giveaway["feature"]] + text + right, values
            continue
        text = (
            " is enough to recognise {classes}, and a network may learn no more than that. In brackets stands how "
            "often an image of the class ranks above one of another by it. A classifier that sees nothing else is "
        )
        named = [f"{name} ({area:.2f})" for name, area in giveaway["classes"].items()]
        rest = [f"{len(named) - _MOST_LISTED:,} more"] if len(named) > _MOST_LISTED else []
        classes = join_names(named[:_MOST_LISTED] + rest)
        yield f"**Warning:** {told[giveaway['feature']]}{text}{right}", {**values, "classes": classes}


def caption_label_issue(issue: Mapping[str, Any]) -> str:
    """Returns the caption of a suspicious image: its file, its label, and what it looks like. Plain text."""
    looks = f"looks like {issue['suggested']} ({format_share(issue['p_suggested'])})"
    return f"{name_file(issue['path'])} ({issue['split']}): labelled {issue['label']}, {looks}"


def tell_label_issues(facts: Mapping[str, Any]) -> str:
    """Returns the sentences on wrong labels, for `say` with `facts` and `too_small`, the names of `left_out`."""
    if not facts["judged"] and facts["agreement"] is not None:
        sentence = (
            "No label could be judged: the features tell too little. That model itself agrees with only "
            "{agreement:.0%} of the labels, averaged over the classes."
        )
    elif not facts["judged"]:
        sentence = f"No label could be judged: that takes two classes with at least {FOLDS} training images."
    elif not facts["found"]:
        sentence = (
            "That model agrees with {agreement:.0%} of the labels, averaged over the classes, and none of the "
            "{judged:,} labels that were judged looks wrong."
        )
    else:
        sentence = (
            "That model agrees with {agreement:.0%} of the labels, averaged over the classes. Of {judged:,} labels "
            "that were judged, {found:,} look wrong, {in_test:,} of them in the test split; "
            "[@fig:label-issues] shows the most suspicious, `evaluation/label_issues.csv` lists all. Some will be "
            "right, and the image only hard to tell. Nothing was changed: all of them are used with the label that "
            "they came with, and only who looks at them can say which are wrong."
        )
    if facts["judged"] and facts["left_out"]:
        sentence += f" Not judged, because they have fewer than {FOLDS} training images: {{too_small}}."
    return sentence


def list_audit_warnings(findings: dict[str, Any]) -> list[str]:
    """Returns a line for each finding that can spoil the results, for the terminal of whoever started the run."""
    groups = findings["duplicate_groups"]
    conflicts = sum(bool(group["across_classes"]) for group in groups)
    counted = (
        (len(findings["set_aside"]), "file was set aside", "files were set aside"),
        (len(groups), "group of images that occur more than once", "groups of images that occur more than once"),
        (conflicts, "of these groups holds two classes", "of these groups hold two classes"),
        (
            len(findings["seen_in_training"]),
            "test image has a duplicate among those trained on",
            "test images have a duplicate among those trained on",
        ),
    )
    lines = [f"check: {count_noun(count, one, many)}" for count, one, many in counted if count]
    lines += [
        f"check: the {giveaway['feature']} alone tells {join_names(list(giveaway['classes']))} from the rest"
        for giveaway in findings["giveaways"]
        if giveaway["classes"]
    ]
    return lines
