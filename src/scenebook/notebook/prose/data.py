"""The sentences on where the images come from, how a folder was read, and what the audit of images and labels found."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from scenebook.core.settings import DRAWN_SCENES, INTEL
from scenebook.core.wording import (
    MOST_NAMED,
    count_noun,
    format_share,
    join_names,
    join_some,
    name_file,
    say_number,
    shorten,
)
from scenebook.data.audit.shortcuts import FOLDS
from scenebook.data.images import LIST_SUFFIX, FoundImages, source_name

_Sentences = Iterator[tuple[str, dict[str, Any]]]
_LABEL_CHARACTERS = 24


def tell_layout(dataset: str, found: FoundImages) -> _Sentences:
    """Yields the sentence on how folders were read that hold more than a folder for each class."""
    if dataset != DRAWN_SCENES and (found.ignored_folders or any(image.split for image in found.images)):
        yield "The images were read as {layout}.", {"layout": found.layout}


def tell_found(found: FoundImages) -> _Sentences:
    """Yields sentences with fields, and their values, on everything that was not simply used, where it occurs.

    What was set aside stands in a table of its own.
    """
    if found.source.suffix.lower() == LIST_SUFFIX:
        text = "The images and their classes are those of the list {list}."
        text += " {repeated} another and {count} once." if found.repeated else ""
        repeated = count_noun(found.repeated, "row of it repeats", "rows of it repeat")
        count = "counts" if found.repeated == 1 else "count"
        yield text, {"list": found.source.name, "repeated": repeated, "count": count}
    if found.drawn_from is not None:
        text = "Of {listed:,} images, {drawn:,} were drawn at random, class by class: the setting max\\_per\\_class "
        yield text + "limits their number.", {"listed": found.drawn_from, "drawn": len(found.images)}
    if found.merged:
        merged = (f"{label} (from {join_some(names)})" for label, names in found.merged.items())
        yield "The class map merges classes: {merged}.", {"merged": _list(merged)}
    if found.left_out:
        left = (f"{label} ({count_noun(count, 'image')})" for label, count in found.left_out.items())
        yield "The class map leaves out: {left}.", {"left": _list(left)}
    if found.similar_names:
        text = (
            "Some class names differ only in case, in spaces, or in how letters are stored: {similar}. They count "
            "as different classes; a class map merges them."
        )
        yield text, {"similar": _list(map(join_names, found.similar_names))}
    if found.passed_over:
        passed = (f"{what} ({count:,})" for what, count in found.passed_over.items())
        text = "Hidden files, and those of operating systems, are not used: {passed}."
        yield text, {"passed": _list(passed)}


def _list(texts: Iterable[str]) -> str:
    """Joins with semicolons: the texts may hold commas."""
    texts = list(texts)
    rest = [f"and {len(texts) - MOST_NAMED:,} more"] if len(texts) > MOST_NAMED else []
    return "; ".join(texts[:MOST_NAMED] + rest)


_UNEQUAL = 3  # classes whose sizes differ by more than this factor are remarked on


def tell_imbalance(counts: pd.DataFrame) -> str:
    """Returns the sentence on class sizes, for `say` with `ratio`."""
    if counts["train"].nunique() == 1:
        return "All classes have equally many training images."
    told = "The largest class has {ratio:.2f} times as many training images as the smallest."
    if counts["train"].max() > _UNEQUAL * counts["train"].min():
        told += (
            " Rare classes count little in the accuracy and in the loss, so look at the recall of each class as well. "
            "With class_weights set to balanced, the images of rare classes count more in training."
        )
    return told


_ORIGINS = {
    DRAWN_SCENES: "The images are drawn by the program: simple landscapes and streets, with classes that resemble one "
    "another enough to be confused.",
    INTEL: "The images are photographs of landscapes and towns around the world, which Intel published for a "
    "competition in image classification, and which are available from Kaggle.",
}
_UNKNOWN = "Nothing was recorded about the origin of the images."


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
        size = "All are {width} by {height}&nbsp;pixels in size."
    elif sizes.iloc[0] > len(table) / 2:
        size = "Most are {width} by {height}&nbsp;pixels in size."
    else:
        size = "Their longer sides measure {least} to {most}&nbsp;pixels."
    longer = table[["width", "height"]].max(axis=1)
    values = {"width": width, "height": height, "least": int(longer.min()), "most": int(longer.max())}
    return f"{_ORIGINS.get(dataset, _UNKNOWN)} {size}", values


def tell_duplicates(findings: dict[str, Any]) -> _Sentences:
    """Yields sentences on the duplicates and on what was done about them."""
    groups = findings["duplicate_groups"]
    if not groups:
        text = (
            "No image occurs twice: each was compared with every other image and its mirror image, in a way that also "
        )
        yield text + "finds copies that were resaved, scaled or cropped.", {}
        return
    exact = sum(group["exact"] for group in groups)
    kinds = {
        " of identical files": exact,
        " of images that were resaved, scaled, cropped or mirrored": len(groups) - exact,
    }
    found = [(count, kind) for kind, count in kinds.items() if count]
    told = found[0][1] if len(found) == 1 else f": {', '.join(f'{say_number(count)}{kind}' for count, kind in found)}"
    values = {
        "images": count_noun(sum(len(group["paths"]) for group in groups), "image"),
        "all": findings["images"],
        "groups": count_noun(len(groups), "group"),
    }
    yield f"{{images}} of {{all:,}} occur more than once, in {{groups}}{told}.", values
    conflicts = sum(bool(group["across_classes"]) for group in groups)
    if conflicts:
        text = "{conflicts} more than one class, so at least one of the labels is wrong."
        yield text, {"conflicts": count_noun(conflicts, "group holds", "groups hold")}
    yield _tell_splits(findings)
    large = [len(group["paths"]) for group in groups if group["large"]]
    if large:
        text = (
            "{groups} so large (up to {most:,} images) that they may be frames of a film, or placeholders for missing "
            "images. Of these, only identical files are kept together in one split."
        )
        yield text, {"groups": count_noun(len(large), "group is", "groups are"), "most": max(large)}


def _tell_splits(findings: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    straddling = sum(group["across_splits"] for group in findings["duplicate_groups"])
    seen = len(findings["seen_in_training"])
    if not straddling:
        return "Every group was kept in one split, so no test image has a copy among the training images.", {}
    if not seen:
        groups = count_noun(straddling, "group straddles", "groups straddle")
        return "{groups} training and validation, which raises the validation accuracy.", {"groups": groups}
    groups = count_noun(straddling, "group straddles splits", "groups straddle splits")
    return (
        "{groups}. The splits stay as they came, but {seen} in training or validation, where a network may have "
        "memorised it. The accuracy is therefore given with and without such images.",
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
    "dark": ("dark", "99% of the pixels below a third of full brightness"),
    "light": ("light", "95% of the pixels above two thirds of full brightness"),
    "blurry": ("blurry", "hardly changed by further blurring"),
    "grey": ("grey", "without colour"),
    "nearly empty": ("nearly empty", "with few grey levels"),
    "odd size": ("of an odd size", "unlike the others"),
    "odd shape": ("of an odd shape", "twice as wide for their height as usual, or half"),
}


def tell_odd_images(findings: dict[str, Any]) -> _Sentences:
    """Yields sentences on images that are dark, light, blurry, grey, nearly empty, or of an odd size or shape."""
    found = {name: record["images"] for name, record in findings["odd_images"].items() if record["images"]}
    if findings["common_traits"]:
        traits = join_names([_TRAITS[name][0] for name in findings["common_traits"]])
        yield "Most images are {traits}; this is typical of these data and does not count as odd.", {"traits": traits}
    if found:
        counted = [f"{count:,} {_TRAITS[name][0]} ({_TRAITS[name][1]})" for name, count in found.items()]
        yield "Some images stand out ([@tbl:odd], [@fig:odd]): {found}.", {"found": "; ".join(counted)}
    else:
        *others, last = (_TRAITS[name][0] for name in findings["odd_images"])
        yield "No image is {traits}.", {"traits": f"{', '.join(others)} or {last}"}


def tell_giveaways(findings: dict[str, Any]) -> _Sentences:
    """Yields sentences on classes that their average colour or size alone gives away, warnings first."""
    told = {"colour": "The average colour of an image", "size": "The width and height of a file"}
    for giveaway in sorted(findings["giveaways"], key=lambda one: not one["classes"]):
        values = {"accuracy": giveaway["balanced_accuracy"], "chance": giveaway["chance"]}
        right = "recognises {accuracy:.0%} of the images of a class, on average (guessing: {chance:.0%})."
        if not giveaway["classes"]:
            text = " alone does not identify any class: a classifier that uses nothing else "
            yield told[giveaway["feature"]] + text + right, values
            continue
        text = (
            " is enough to recognise {classes}, and the network may learn no more than that (in parentheses: how often "
            "it ranks an image of the class above one of another class). A classifier that uses nothing else "
        )
        classes = join_some([f"{name} ({area:.2f})" for name, area in giveaway["classes"].items()])
        yield f"**Warning:** {told[giveaway['feature']]}{text}{right}", {**values, "classes": classes}


def caption_label_issue(issue: Mapping[str, Any]) -> str:
    """Returns the caption of a suspicious image: its file, its label, and what it looks like. Plain text."""
    looks = f"looks like {issue['suggested']} ({format_share(issue['p_suggested'])})"
    return f"{name_file(issue['path'])} ({issue['split']}): labelled {issue['label']}, {looks}"


def tell_label_issues(facts: Mapping[str, Any]) -> str:
    """Returns the sentences on wrong labels, for `say` with `facts` and `too_small`, the names of `left_out`."""
    if not facts["judged"] and facts["agreement"] is not None:
        sentence = (
            "No label could be judged, because the features hold too little: the model itself agrees with only "
            "{agreement:.0%} of the labels, averaged over the classes."
        )
    elif not facts["judged"]:
        sentence = f"No label could be judged, because this takes two classes with at least {FOLDS} training images."
    elif not facts["found"]:
        sentence = (
            "The model agrees with {agreement:.0%} of the labels, averaged over the classes, and none of the "
            "{judged:,} labels judged looks wrong."
        )
    else:
        sentence = (
            "The model agrees with {agreement:.0%} of the labels, averaged over the classes. Of {judged:,} labels, "
            "{found:,} look wrong, {in_test:,} of them in the test split; [@fig:label-issues] shows the most "
            "suspicious, and `evaluation/label_issues.csv` lists them all. Some will be correct labels of difficult "
            "images, so no label was changed."
        )
    if facts["judged"] and facts["left_out"]:
        sentence += f" Not judged, because they have fewer than {FOLDS} training images: {{too_small}}."
    return sentence


def list_audit_warnings(findings: dict[str, Any]) -> list[str]:
    """Returns a line for each finding that can spoil the results, for the terminal of whoever started the run."""
    groups = findings["duplicate_groups"]
    conflicts = sum(bool(group["across_classes"]) for group in groups)
    seen, duplicate = len(findings["seen_in_training"]), "a duplicate among the training images"
    counted = (
        (len(findings["set_aside"]), "file cannot be used", "files cannot be used"),
        (len(groups), "group of images that occur more than once", "groups of images that occur more than once"),
        (conflicts, "of these groups has images of two classes", "of these groups have images of two classes"),
        (seen, f"test image has {duplicate}", f"test images have {duplicate}"),
    )
    lines = [f"check: {count_noun(count, one, many)}" for count, one, many in counted if count]
    lines += [
        f"check: the {giveaway['feature']} alone identifies {join_some(list(giveaway['classes']))}"
        for giveaway in findings["giveaways"]
        if giveaway["classes"]
    ]
    return lines
