"""What the folders of a data set mean: which are classes, and which are splits that hold them."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

from scenebook.core.errors import DatasetError
from scenebook.core.settings import AUTO
from scenebook.core.wording import join_some
from scenebook.data.files import LINK_OUT, Tree
from scenebook.data.layout import (
    SPLIT_NAMES,
    ClassFolder,
    Layout,
    is_neutral,
    is_unlabelled,
    make_layout,
    mentions_split,
    name_splits,
    parse_splits,
)
from scenebook.data.user_tables import THE_REST, ClassMap

_BESIDE_IMAGES = frozenset(
    (
        *("mask", "masks", "annotation", "annotations", "label", "labels", "thumbnails", "depth", "trimaps"),
        *("ground_truth", "groundtruth", "gt"),
    )
)
"""Folders that hold no images of any class, where one called `images` lies beside them."""

_NO_FOLDERS = "put the images of each class into a folder, or list path, label and split of each in a CSV file"


def read_layout(tree: Tree, splits: str | None = AUTO, class_map: ClassMap | None = None) -> Layout:
    """Reads a folder of class folders, or of splits that hold class folders, or of classes that hold splits.

    A folder around all of them is entered, such as an archive leaves; Kaggle's doubled `seg_train/seg_train` is
    understood. Where there are two readings, a class map that fits one of them alone decides.

    The setting `splits` is `auto`; `None`, where every folder is a class; or says which folders are which split.

    Raises:
        DatasetError: There are no class folders, or they can be read in more than one way.
    """
    if splits not in (AUTO, None):
        return _read_named(tree, parse_splits(str(splits)))
    around = _enter(tree, "")
    folders = require_folders(tree, around[-1])
    by_class = make_layout(tree, *_make_classes(tree, folders, None, around))
    if splits is None:
        return by_class
    full = [path for path in folders if tree.holds_images(path)]
    found = _name_splits(folders, _name(around[-1]) or tree.root.name)
    ways = {path: _descend(tree, path) for path in found}
    labelled = {path: split for path, split in found.items() if tree.peek(ways[path][-1]).folders}
    loose = [path for path in full if path in found and path not in labelled]
    rivals = [path for path in full if path not in found and not is_unlabelled(_name(path))]
    by_split = _read_splits(tree, labelled, ways, around) if "train" in labelled.values() else None
    named = {found[path] for path in (*labelled, *loose)}
    if by_split and (len(named) > 1 or not rivals):
        _check_one_each(tree, labelled)
        return by_split
    if labelled and not by_split and not rivals and not loose:
        raise DatasetError(
            "Expected a training folder beside the test folder.",
            received={"dataset": str(tree.root), "found": list(labelled)},
            advice='Call it train, or name it: SET="splits=train:FOLDER,test:FOLDER".',
        )
    if loose and len(full) == 1:
        require_folders(tree, ways[loose[0]][-1])
    other = None
    if labelled or len(named) > 1 or (loose and not rivals):
        other = _tell_splits(labelled, ways, loose)
    elif layout := _read_classes_of_splits(tree, full, around):
        return layout
    other = other or _tell_nested(tree, full)
    return _choose(tree, by_class, by_split, class_map, other) if other else by_class


def require_folders(tree: Tree, folder: str) -> list[str]:
    """Returns the paths of the folders in a folder that should hold class folders.

    Raises:
        DatasetError: There is none.
    """
    folders = tree.list_folders(folder)
    if not folders:
        links = [path for path, reason in tree.peek(folder).set_aside if reason == LINK_OUT]
        raise DatasetError(
            "Expected class folders, one folder of images a class.",
            received={"folder": str(tree.root / folder), **({"links, not followed": links[:5]} if links else {})},
            advice="Put the images of each class into a folder with the class's name."
            + (' SET="follow_links=true" follows links.' if links else ""),
        )
    return folders


def _make_classes(
    tree: Tree, folders: Sequence[str], split: str | None, around: Sequence[str]
) -> tuple[list[ClassFolder], list[str]]:
    classes, all_around = [], list(around)
    for path in folders:
        inside = [] if tree.peek(path).images else tree.list_folders(path, with_images=True)
        images = [one for one in inside if is_neutral(_name(one))]
        others = [one for one in inside if _name(one).lower() in _BESIDE_IMAGES]
        if len(images) == 1 and others and len(inside) == 1 + len(others):
            all_around.append(path)
            classes.append(ClassFolder(images[0], _name(path), split))
        else:
            classes.append(ClassFolder(path, _name(path), split))
    return classes, all_around


def _read_named(tree: Tree, named: Sequence[tuple[str, str]]) -> Layout:
    classes: list[ClassFolder] = []
    around = [""]
    for split, path in named:
        for above in itertools.accumulate(path.split("/"), lambda folder, name: f"{folder}/{name}"):
            parent = above.rpartition("/")[0]
            if above not in tree.list_folders(parent):
                raise DatasetError(
                    "Expected splits to name folders of the data set.",
                    received={"split": split, "folder": path},
                    advice=f"{parent or tree.root.name} holds: {join_some(tree.peek(parent).folders)}.",
                )
            around.append(above)
        more, around = _make_classes(tree, require_folders(tree, path), split, around)
        classes += more
    return make_layout(tree, classes, around, {path: split for split, path in named})


def _read_splits(
    tree: Tree, found: Mapping[str, str], ways: Mapping[str, Sequence[str]], around: Sequence[str]
) -> Layout:
    """Reads folders that are called as splits; `ways` leads from each to the folder that holds the class folders."""
    classes: list[ClassFolder] = []
    for path, split in found.items():
        more, around = _make_classes(tree, tree.list_folders(ways[path][-1]), split, [*around, *ways[path]])
        classes += more
    return make_layout(tree, classes, around, {ways[path][-1]: split for path, split in found.items()})


def _read_classes_of_splits(tree: Tree, full: Sequence[str], around: Sequence[str]) -> Layout | None:
    classes: list[ClassFolder] = []
    for path in full:
        found = _name_splits(tree.list_folders(path, with_images=True))
        if tree.peek(path).images or len(set(found.values())) < 2 or any(tree.peek(end).folders for end in found):
            return None
        classes += [ClassFolder(end, _name(path), split) for end, split in found.items()]
    return make_layout(tree, classes, [*around, *full]) if classes else None


def _tell_nested(tree: Tree, full: Sequence[str]) -> tuple[str, str] | None:
    """Returns what folders may be that hold folders of the same names, or of splits; `None`: they are classes."""
    ends = {path: _enter(tree, path)[-1] for path in full}
    within = {path: tree.list_folders(end, with_images=True) for path, end in ends.items() if not tree.peek(end).images}
    for path, inside in within.items():
        found = _name_splits(inside)
        if len(set(found.values())) > 1:
            told = f"{path} as a data set of its own, with {join_some(map(_name, found))}"
            return told, f'DATA="{tree.root / ends[path]}"'
        if len({_name(one) for one in inside} & {_name(one) for one in full}) > 1:
            return f"{path} as a copy of the folders beside it", f'DATA="{tree.root / ends[path]}", or take it away'
    for first, second in itertools.combinations(within, 2):
        shared = {_name(one) for one in within[first]} & {_name(one) for one in within[second]}
        shared = {name for name in shared if not is_neutral(name) and name.lower() not in _BESIDE_IMAGES}
        if len(shared) > 1:
            told = f"{first} and {second} as splits, or as data sets, with the classes {join_some(sorted(shared))}"
            return told, f'SET="splits=train:{ends[first]},test:{ends[second]}", or DATA="{tree.root / first}"'
    odd = [path for path in full if mentions_split(_name(path))]
    whole = [path for path, inside in within.items() if len(inside) > 1]
    if odd and whole:
        told = f"{whole[0]} as a data set of its own, and {odd[0]} as a part of it"
        return told, f'SET="splits=train:{ends[whole[0]]}", with test:FOLDER where that has class folders'
    beside = [path for path in full if _name(path).lower() in _BESIDE_IMAGES]
    plain = [path for path in full if path not in beside]
    if beside and plain and all(is_neutral(_name(path)) for path in plain):
        return (
            f"{join_some(plain)} as images without class folders, and {join_some(beside)} as made from them",
            _NO_FOLDERS,
        )
    return None


def _tell_splits(
    labelled: Mapping[str, str], ways: Mapping[str, Sequence[str]], loose: Sequence[str]
) -> tuple[str, str]:
    """Returns what folders are where those that are called as splits are splits, and how to say so."""
    if labelled:
        says = [f"{split}:{ways[path][-1]}" for path, split in labelled.items()]
        says = says if "train" in labelled.values() else ["train:FOLDER", *says]
        return (
            f"{join_some(labelled)} as splits, without a training folder",
            f'SET="splits={",".join(says)}", and so on for other folders',
        )
    told = f"{join_some(loose)} as {'splits' if len(loose) > 1 else 'a split'} without class folders"
    return told, _NO_FOLDERS


def _choose(
    tree: Tree, by_class: Layout, by_split: Layout | None, class_map: ClassMap | None, other: tuple[str, str]
) -> Layout:
    """Returns the reading that the class map fits alone.

    Raises:
        DatasetError: There is none; it names the readings, and how to say which of them is right.
    """
    named = set(class_map.rows if class_map else ()) - {THE_REST}
    readings = [one for one in (by_class, by_split) if one and named <= one.labels]
    if named and len(readings) == 1:
        return readings[0]
    second = by_split.describe() if by_split else other[0]
    raise DatasetError(
        "Expected folders that can be read in one way.",
        received={"dataset": str(tree.root), "first": by_class.describe(), "second": second},
        advice=f'For the first, SET="splits=none"; for the second, {other[1]}. A class map that fits one of them alone '
        "decides, too.",
    )


def _check_one_each(tree: Tree, found: Mapping[str, str]) -> None:
    for split in SPLIT_NAMES:
        paths = [path for path, one in found.items() if one == split]
        if len(paths) > 1:
            says = ",".join(f"{one}:{path}" for one in SPLIT_NAMES for path in found if found[path] == one)
            raise DatasetError(
                f"Expected one folder for {split}.",
                received={"dataset": str(tree.root), "found": paths},
                advice=f'Say which is used; where all of them are: SET="splits={says}".',
            )


def _enter(tree: Tree, folder: str) -> list[str]:
    """Returns a folder and those in it, as long as one alone holds images and that one holds folders of images only."""
    around = [folder]
    while not tree.peek(around[-1]).images or not folder:
        full = tree.list_folders(around[-1], with_images=True)
        if len(full) != 1 or _name_splits(full) or tree.peek(full[0]).images:
            break
        around.append(full[0])
    return around


def _descend(tree: Tree, path: str) -> list[str]:
    """Returns a folder that is called as a split and those within, down to the one that holds the class folders."""
    way = [path]
    while not tree.peek(way[-1]).images:
        full = tree.list_folders(way[-1], with_images=True)
        if len(full) != 1 or not (is_neutral(_name(full[0])) or _name(full[0]) == _name(way[-1]) or _name_splits(full)):
            break
        way.append(full[0])
    return way


def _name_splits(paths: Sequence[str], around: str = "") -> dict[str, str]:
    found = name_splits([_name(path) for path in paths], around)
    return {path: found[_name(path)] for path in paths if _name(path) in found}


def _name(path: str) -> str:
    return path.rpartition("/")[2]
