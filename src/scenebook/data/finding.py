"""Finds the labelled images of a folder or a list, and notices when they change."""

from __future__ import annotations

import dataclasses
import os
from collections import Counter, defaultdict
from pathlib import Path

from scenebook.core.errors import DatasetError
from scenebook.data.files import IMAGE_SUFFIXES, Tree, name_hidden
from scenebook.data.group_names import find_column, name_groups
from scenebook.data.image_list import read_list
from scenebook.data.images import SPLIT_FOLDERS, FoundImages, SourceImage, raise_changed
from scenebook.data.user_tables import ClassMap

MAX_CLASSES = 1000


def find_images(source: Path, *, class_map: Path | str | None = None, groups: str | None = None) -> FoundImages:
    """Lists the images of a folder of class folders, of train and test folders of class folders, or of a CSV file.

    Kaggle's doubled `seg_train/seg_train` is understood. What `Tree` passes over is counted, and what it sets aside is
    listed.

    A class map is a file that says which class a folder's name, or a label, stands for. Groups are told by the name of
    a list's column, or by a pattern of paths, as `grouping.name_groups` reads them.

    Raises:
        DatasetError: There are no class folders, only one class, too many, a class without an image, or a class that
            occurs in test but not in train; or the list, the class map or the groups are wrong.
    """
    mapping = ClassMap.load(class_map)
    found, empty = _list_all(source, groups)
    names = {folder: folder.rsplit("/", 1)[-1] for folder in empty}
    mapping.check({image.label for image in found.images} | set(names.values()))
    for folder, name in names.items():
        if mapping.class_of(name) is not None:
            reasons = sorted({reason for path, reason in found.set_aside if path.startswith(f"{folder}/")})
            raise DatasetError(
                "Expected at least one image in every class folder.",
                received={"folder": str(found.root / folder), **({"files are": "; ".join(reasons)} if reasons else {})},
                advice=f"Add images ({', '.join(sorted(IMAGE_SUFFIXES))}) or remove the folder.",
            )
    found = _map_classes(found, mapping)
    _check_classes(found)
    return found


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
    listed = _map_classes(_list_all(found.source, found.groups)[0], found.class_map).images
    now, before = ({image.path: image for image in images} for images in (listed, found.images))
    raise_changed(
        changed=[path for path, image in before.items() if path in now and now[path] != image],
        removed=[path for path in before if path not in now],
        added=[path for path in now if path not in before],
    )


def _list_all(source: Path, groups: str | None) -> tuple[FoundImages, list[str]]:
    """Returns all images before the class map, and the class folders without any."""
    empty: list[str] = []
    column = find_column(source, groups)
    if source.is_file():
        found = read_list(source, groups=column)
    else:
        found, empty = _list_folder(source)
    if groups is not None:
        found = name_groups(found, groups, by_column=bool(column))
    found.images.sort(key=lambda image: os.fsencode(image.path))
    return found, empty


def _list_folder(root: Path) -> tuple[FoundImages, list[str]]:
    by_split = _split_folders(root)
    if by_split and "train" not in by_split:
        raise DatasetError(
            "Expected a training folder beside the test folder.",
            received={"dataset": str(root), "found": sorted(path.split("/")[-1] for path in by_split.values())},
            advice=f"Name it one of: {', '.join(SPLIT_FOLDERS['train'])}.",
        )
    tree = Tree(root)
    images: list[SourceImage] = []
    empty: list[str] = []
    ignored: list[str] = []
    used = set(by_split.values())
    if by_split:
        on_the_way = {"", *(path.partition("/")[0] for path in used if "/" in path)}
        for above in sorted(on_the_way, key=len):
            ignored += [path for path in _list_loose(tree, above) if path not in used | on_the_way]
    for split, folder in by_split.items() or [(None, "")]:
        classes = _list_loose(tree, folder)
        if not classes:
            links = [path for path, reason in tree.set_aside if reason.startswith("a link")]
            raise DatasetError(
                "Expected class folders, one folder of images a class.",
                received={"folder": str(root / folder), **({"links, not followed": links[:5]} if links else {})},
                advice="Put the images of each class into a folder with the class's name.",
            )
        for path in classes:
            inside = [SourceImage(file, path.rsplit("/", 1)[-1], split, stamp) for file, stamp in tree.walk(path)]
            images += inside
            if not inside:
                empty.append(path)
    passed_over = dict(sorted(tree.passed_over.items()))
    found = FoundImages(root, root, images, tree.set_aside, sorted(ignored), passed_over)
    return found, empty


def _list_loose(tree: Tree, folder: str) -> list[str]:
    """Returns the paths of the folders in a folder that should hold class folders only; its images have no class."""
    folders, images = tree.scan(folder)
    inside = f"{folder}/" if folder else ""
    tree.set_aside += [(inside + name, "an image outside the class folders") for name, _ in images]
    return [inside + name for name in folders]


def _visible_folders(folder: Path) -> list[str]:
    try:
        inside = sorted(folder.iterdir())
    except PermissionError:
        return []
    return [path.name for path in inside if name_hidden(path.name) is None and path.is_dir() and not path.is_symlink()]


def _split_folders(root: Path) -> dict[str, str]:
    """Returns the train, validation and test folders below `root` that hold class folders; a doubled one counts once.

    A test folder of loose images, without labels, is no split. Where the training folder has no class folders,
    nothing is: `train` may well be the name of a class.
    """
    folders = {}
    for split, names in SPLIT_FOLDERS.items():
        named = [name for name in _visible_folders(root) if name.lower() in names]
        named = [f"{name}/{name}" if _visible_folders(root / name) == [name] else name for name in named]
        with_classes = [path for path in named if _visible_folders(root / path)]
        if split == "train" and named and not with_classes:
            return {}
        if len(with_classes) > 1:
            raise DatasetError(
                f"Expected one folder for {split}.",
                received={"dataset": str(root), "found": with_classes},
                advice="Merge the folders, or rename one of them.",
            )
        if with_classes:
            folders[split] = with_classes[0]
    return folders


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
            advice=_advise_one_class(found, names[0]) if len(names) == 1 else "",
        )
    trained = {image.label for image in found.images if image.split in (None, "train")}
    unknown = sorted(set(names) - trained)
    if unknown:
        raise DatasetError(
            "Expected every class to have training images.",
            received={"classes without": unknown[:10]},
            advice="Add images of them to the training folder, or remove them from the others.",
        )


def _advise_one_class(found: FoundImages, name: str) -> str:
    """A folder of class folders is often packed into one more folder."""
    inside = found.root / name
    if all(image.path.count("/") > 1 for image in found.images) and inside.is_dir():
        return f"The only folder is {name!r}, and it holds folders itself: name it instead, DATA={inside}."
    return f"The only class is {name!r}: a classifier needs another."
