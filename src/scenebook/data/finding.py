"""Finds the labelled images of a folder or a list, and notices when they change."""

from __future__ import annotations

import dataclasses
import os
import re
from collections import Counter, defaultdict
from collections.abc import Collection
from pathlib import Path

from scenebook.core.errors import DatasetError
from scenebook.core.settings import AUTO
from scenebook.data.files import LINK_OUT, LINK_TO_NOTHING, Tree
from scenebook.data.formats import IMAGE_SUFFIXES
from scenebook.data.image_list import read_list
from scenebook.data.images import FoundImages, SourceImage, fold_name, raise_changed
from scenebook.data.layout import ClassFolder, Layout
from scenebook.data.layout_reading import read_layout
from scenebook.data.user_tables import ClassMap, read_rows

MAX_CLASSES = 1000


def find_images(
    source: Path,
    *,
    class_map: Path | str | None = None,
    groups: str | None = None,
    splits: str | None = AUTO,
    follow_links: bool = False,
) -> FoundImages:
    """Lists the images of a folder, as `read_layout` reads its folders, or of a CSV file.

    The file `class_map` says which class a folder's name, or a label, stands for; `groups` is the name of a list's
    column, or a pattern of paths; `splits` is as for `read_layout`, and in a CSV file a column says it.

    Raises:
        DatasetError: There are no class folders, only one class, too many, a class without an image, or a class that
            occurs in test but not in train; or the list, the class map or the groups are wrong.
    """
    mapping = ClassMap.load(class_map)
    found, layout, empty = _list_all(source, mapping, groups, splits, follow_links)
    names = {folder.path: folder.label for folder in empty}
    mapping.check({image.label for image in found.images} | set(names.values()))
    for folder, name in names.items():
        if mapping.class_of(name) is not None:
            reasons = sorted({reason for path, reason in found.set_aside if path.startswith(f"{folder}/")})
            raise DatasetError(
                "Expected at least one image in every class folder.",
                received={"folder": str(found.root / folder), **({"files are": "; ".join(reasons)} if reasons else {})},
                advice=_advise_empty(reasons),
            )
    found = _map_classes(found, mapping)
    _check_classes(found)
    return dataclasses.replace(found, layout=layout.describe(found.images))


def _advise_empty(reasons: Collection[str]) -> str:
    if LINK_OUT in reasons:
        return 'SET="follow_links=true" lets links leave the folder.'
    if LINK_TO_NOTHING in reasons:
        return "Fetch the files that the links name, with `dvc pull` or `git annex get` say."
    return f"Add images ({', '.join(sorted(IMAGE_SUFFIXES))}) or remove the folder."


def check_sizes(found: FoundImages) -> None:
    """Makes sure, before anything is decoded, that every class can have an image in each split.

    Raises:
        DatasetError: A class has too few images.
    """
    given = {image.split for image in found.images}
    needed = 3 - len(given & {"test", "validation"})
    counts = Counter(image.label for image in found.images if image.split in (None, "train"))
    label, count = min(counts.items(), key=lambda item: (item[1], item[0]))
    if count < needed:
        raise DatasetError(
            f"Expected at least {needed} images in every class, to split it.",
            received={"class": label, "images": count},
            advice="Add images of this class, or remove its folder.",
        )


def check_unchanged(found: FoundImages) -> None:
    """Looks once more at the folder for what `find_images` found, before a subset was drawn.

    Raises:
        DatasetError: Images, or the labels that a list gives them, were changed, added or removed since; the error
            names them.
    """
    again, *_ = _list_all(found.source, found.class_map, found.groups, found.splits, found.follow_links)
    listed = _map_classes(again, found.class_map).images
    now, before = ({image.path: image for image in images} for images in (listed, found.images))
    raise_changed(
        changed=[path for path, image in before.items() if path in now and now[path] != image],
        removed=[path for path in before if path not in now],
        added=[path for path in now if path not in before],
    )


def _list_all(
    source: Path, mapping: ClassMap, groups: str | None, splits: str | None, follow_links: bool
) -> tuple[FoundImages, Layout, list[ClassFolder]]:
    empty: list[ClassFolder] = []
    column = find_column(source, groups)
    if source.is_file():
        found, layout = read_list(source, groups=column, follow_links=follow_links), Layout([])
    else:
        tree = Tree(source, follow_links=follow_links)
        layout = read_layout(tree, splits, mapping)
        found, empty = _list_folder(tree, layout)
    if groups is not None:
        found = name_groups(found, groups, by_column=bool(column))
    found.images.sort(key=lambda image: os.fsencode(image.path))
    return dataclasses.replace(found, splits=splits, follow_links=follow_links), layout, empty


def _list_folder(tree: Tree, layout: Layout) -> tuple[FoundImages, list[ClassFolder]]:
    images: list[SourceImage] = []
    empty: list[ClassFolder] = []
    for folder in layout.around:
        _, loose = tree.scan(folder)
        prefix = f"{folder}/" if folder else ""
        tree.set_aside += [(prefix + name, "an image outside the class folders") for name, _ in loose]
    for one in layout.classes:
        inside = [SourceImage(file, one.label, one.split, stamp) for file, stamp in tree.walk(one.path)]
        images += inside
        if not inside:
            empty.append(one)
    passed_over = dict(sorted(tree.passed_over.items()))
    found = FoundImages(tree.root, tree.root, images, tree.set_aside, sorted(layout.ignored), passed_over)
    return found, empty


def _map_classes(found: FoundImages, mapping: ClassMap) -> FoundImages:
    """Returns what was found with the classes that the map gives; what it leaves out is counted."""
    if not mapping.classes:
        return found
    images: list[SourceImage] = []
    left_out: Counter[str] = Counter()
    sources: defaultdict[str, set[str]] = defaultdict(set)
    for image in found.images:
        label = mapping.class_of(image.label)
        if label is None:
            left_out[image.label] += 1
        else:
            sources[label].add(image.label)
            images.append(dataclasses.replace(image, label=label))
    merged = {label: sorted(names) for label, names in sorted(sources.items()) if len(names) > 1}
    counts = dict(sorted(left_out.items()))
    return dataclasses.replace(found, images=images, left_out=counts, merged=merged, class_map=mapping)


def _check_classes(found: FoundImages) -> None:
    names = found.class_names
    if not 2 <= len(names) <= MAX_CLASSES:
        raise DatasetError(
            f"Expected 2 to {MAX_CLASSES} classes.",
            received={"classes": len(names), "dataset": str(found.source)},
            advice=f"The only class is {names[0]!r}: a classifier needs another." if len(names) == 1 else "",
        )
    trained = {image.label for image in found.images if image.split in (None, "train")}
    unknown = sorted(set(names) - trained)
    if unknown:
        alike = [(name, other) for name in unknown for other in trained if fold_name(name) == fold_name(other)]
        raise DatasetError(
            "Expected every class to have training images.",
            received={"classes without": unknown[:10]},
            advice=f"The name {alike[0][0]!a} only looks like {alike[0][1]!a}: give both folders one name."
            if alike
            else "Add images of them to the training folder, or remove them from the others.",
        )


_RESERVED = ("path", "label", "split")


def find_column(source: Path, groups: str | None) -> str:
    """Returns the column of a list that the setting `groups` names, in lower case; empty where it names none."""
    if groups is None or not source.is_file():
        return ""
    name = groups.strip().lower()
    row = next(read_rows(source, required=()), None)
    return name if row is not None and name in row.cells and name not in _RESERVED else ""


def name_groups(found: FoundImages, groups: str, *, by_column: bool = False) -> FoundImages:
    """Returns the images with their groups, which a random split would put on both sides: images of one patient, say.

    `groups` is a pattern that is looked for in each path below the data folder: what its parentheses hold names the
    group, without parentheses all that it matches. An image whose path it does not match stands alone. Where the images
    have their groups from a list already (`by_column`), it is the column's name.

    Raises:
        DatasetError: The pattern cannot be read or matches no path, or all images are of one group.
    """
    if not by_column:
        try:
            pattern = re.compile(groups)
        except (re.error, OverflowError, RecursionError) as error:
            what = "a column of the list, or a pattern of paths" if found.source.is_file() else "a pattern of paths"
            advice = f"As a regular expression: {error}."
            raise DatasetError(f"Expected groups to be {what}.", received={"groups": groups}, advice=advice) from None
        named = [dataclasses.replace(image, group=_match(pattern, image.path)) for image in found.images]
        found = dataclasses.replace(found, images=named)
    found = dataclasses.replace(found, groups=groups)
    names = {image.group for image in found.images}
    if len(names) == 1:
        row = next(read_rows(found.source, required=()), None) if found.source.is_file() else None
        columns = f"The list's columns are {', '.join(row.cells)}. " if row else ""
        raise DatasetError(
            "Expected images of several groups, to put them into different splits.",
            received={"groups": groups, "images": len(found.images), "group": names.pop() or "none for any image"},
            advice=f"{columns}The first path is {found.images[0].path!r}. A pattern such as patient-(\\d+) names the "
            "group by what its parentheses match.",
        )
    return found


def _match(pattern: re.Pattern[str], path: str) -> str:
    match = pattern.search(path)
    if match is None:
        return ""
    return "/".join(filter(None, match.groups())) if pattern.groups else match[0]
