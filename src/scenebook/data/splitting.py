"""Train, validation and test: drawn class by class from the seed, and read back by later stages."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from scenebook.core.errors import DatasetError
from scenebook.core.provenance import sha256_lines
from scenebook.core.run_directory import RunDirectory
from scenebook.core.run_files import CLASSES, IMAGES, SPLITS
from scenebook.data.finding import check_sizes
from scenebook.data.folds import deal_groups
from scenebook.data.images import FoundImages, SourceImage

if TYPE_CHECKING:
    from scenebook.data.decoding import Decoder

_COLUMNS = ("path", "label", "split", "sha256", "width", "height", "row", "group")


def draw_images(found: FoundImages, *, max_per_class: int | None, test_fraction: float, seed: int) -> FoundImages:
    """Returns a subset, drawn class by class from the seed, so that what is not used need not be decoded.

    At most `max_per_class` images a class of the training folder, of the validation folder and of the test folder are
    drawn; where test is cut later, as many more as it will have, at most again so many.
    """
    check_sizes(found)
    if max_per_class is None:
        return found
    has_test = any(image.split == "test" for image in found.images)
    by_part: dict[tuple[str, str], list[SourceImage]] = {}
    for image in found.images:
        by_part.setdefault((image.label, image.split or "train"), []).append(image)
    drawn: list[SourceImage] = []
    for position, ((_, part), images) in enumerate(sorted(by_part.items())):
        limit = max_per_class
        if part == "train" and not has_test:
            test = _share(len(images), test_fraction)
            limit = min(max_per_class, test) + min(max_per_class, len(images) - test)
        rng = np.random.default_rng([seed, 1, position])
        drawn += [images[i] for i in rng.permutation(len(images))[:limit]]
    if len(drawn) == len(found.images):
        return found
    drawn.sort(key=lambda image: os.fsencode(image.path))
    return dataclasses.replace(found, images=drawn, drawn_from=len(found.images))


def split_images(
    table: pd.DataFrame,
    *,
    validation_fraction: float,
    test_fraction: float,
    seed: int,
    max_per_class: int | None = None,
    groups: Sequence[int] | np.ndarray | None = None,
    by_group: bool = False,
) -> pd.DataFrame:
    """Assigns each image to train, validation or test, class by class, at random from the seed.

    Where the folders name a test set, it stays as it is; otherwise test is cut first. Validation is cut from train
    unless the folders hold one. Every class has an image in each split that is cut here.

    Args:
        table: From `DecodedImages`; split may be missing.
        validation_fraction: Share of train that becomes validation.
        max_per_class: Keeps at most so many images a class in train and validation together, and as many in test;
            a ready-made validation folder is capped likewise.
        groups: A number a row of `table`: images with the same number, copies of one another say, stay together in
            whatever is cut here. A negative number: the image stands alone. What the folders call test or validation
            is not moved.
        by_group: Whether groups are more than copies, so that many images of several classes belong together. Then
            groups are divided first, as is best for all classes together.

    Returns:
        The rows that are used, in their order, with split set for each, and `row`: their row in `images.npy`; with
        `groups` also `group`.

    Raises:
        DatasetError: A class is too small to be split.
    """
    given = table["split"].fillna("train").to_numpy(dtype=object)
    has_test, has_validation = (bool((given == name).any()) for name in ("test", "validation"))
    split = given.copy()
    alone = -1 - np.arange(len(table))
    # A number a row, the same for the images of one group; an image that stands alone has its own.
    units = alone if groups is None else np.where(np.asarray(groups) < 0, alone, groups)
    by_class = {str(label): np.asarray(rows) for label, rows in table.groupby("label", sort=False).indices.items()}
    decided: dict[int, str] = {}
    order = list(enumerate(sorted(by_class.items())))
    if by_group:
        rows = np.flatnonzero(given == "train")
        sizes = [int((given[members] == "train").sum()) for members in by_class.values()]
        cut = sum(_count_test(size, test_fraction, max_per_class) for size in sizes)
        shares = {} if has_test else {"test": cut / len(rows)}
        shares |= {} if has_validation else {"validation": validation_fraction}
        decided = _divide_groups(table["label"].to_numpy()[rows], units[rows], shares, seed=seed)
        # Where that leaves a class out: the classes of the fewest groups come first, others have more to choose from.
        order.sort(key=lambda one: len(set(units[one[1][1]].tolist())))
    for position, (label, members) in order:
        rng = np.random.default_rng([seed, position])
        rows = rng.permutation(members[given[members] == "train"])
        test = members[given[members] == "test"]
        if not has_test:
            count = _count_test(len(rows), test_fraction, max_per_class)
            test, rows = _cut(rows, count, units, decided, "test")
            split[test] = "test"
        if max_per_class is not None:
            split[rows[max_per_class:]] = None
            split[rng.permutation(test)[max_per_class:]] = None
            split[rng.permutation(members[given[members] == "validation"])[max_per_class:]] = None
            rows = rows[:max_per_class]
        validation = rows[:0]
        if not has_validation:
            count = _share(len(rows), validation_fraction)
            validation, rows = _cut(rows, count, units, decided, "validation")
            split[validation] = "validation"
        decided.update(dict.fromkeys(units[rows].tolist(), "train"))
        if not len(rows) or not (has_validation or len(validation)) or not (has_test or len(test)):
            needed = 1 + (not has_test) + (not has_validation)
            _raise_too_small(label, members, units, needed=needed, by_group=by_group)
    columns = {"split": split, "row": np.arange(len(table))}
    if groups is not None:
        columns["group"] = np.asarray(groups)
    used = np.array([name is not None for name in split], dtype=bool)
    return table.assign(**columns)[used].reset_index(drop=True)


def _divide_groups(labels: np.ndarray, units: np.ndarray, shares: Mapping[str, float], *, seed: int) -> dict[int, str]:
    """Returns the part of each group, so that each class has about its share in each part; nothing where one has none.

    Class by class, groups that hold several classes would be decided by the first of them.
    """
    decided: dict[int, str] = {}
    for number, (part, share) in enumerate(shares.items()):
        left = np.flatnonzero([unit not in decided for unit in units.tolist()])
        wanted = Fraction(share).limit_denominator(20)
        dealt = deal_groups(labels[left], units[left], max(2, wanted.denominator), seed=seed + number)
        counts = pd.DataFrame({one: pd.Series(labels[left][chosen]).value_counts() for one, chosen in enumerate(dealt)})
        if counts.empty:
            return {}
        # Those parts that are most like all of it.
        off = counts.fillna(0).div(counts.sum(axis=1), axis=0).sub(1 / len(dealt)).abs().max()
        chosen = off.sort_values(kind="stable").index[: max(1, round(share * len(dealt)))]
        decided |= {int(unit): part for one in chosen for unit in units[left][dealt[one]]}
    parts = pd.crosstab(labels, [decided.get(unit, "train") for unit in units.tolist()])
    if set(parts.columns) != {"train", *shares} or parts.to_numpy().min() == 0:
        return {}
    return {unit: decided.get(unit, "train") for unit in units.tolist()}


def _cut(
    rows: np.ndarray, count: int, units: np.ndarray, decided: dict[int, str], part: str
) -> tuple[np.ndarray, np.ndarray]:
    """Cuts about `count` rows off, whole units only, in the order of `rows`; returns them and the rest.

    A unit that holds images of a class that was divided before goes where it went then. A unit that is larger than
    what is still needed is passed over, unless nothing else could be cut.
    """
    members: dict[int, list[int]] = {}
    for row, unit in zip(rows.tolist(), units[rows].tolist(), strict=True):
        members.setdefault(unit, []).append(row)
    cut = [row for unit, group in members.items() if decided.get(unit) == part for row in group]
    free = [unit for unit in members if unit not in decided]
    for unit in free:
        if len(members[unit]) <= count - len(cut):
            decided[unit] = part
            cut += members[unit]
    if count and not cut and free and len(members) > 1:
        smallest = min(free, key=lambda unit: len(members[unit]))
        decided[smallest] = part
        cut = members[smallest]
    return np.array(cut, dtype=np.int64), rows[~np.isin(rows, cut)]


def _count_test(size: int, test_fraction: float, max_per_class: int | None) -> int:
    count = _share(size, test_fraction)
    if max_per_class is None:
        return count
    # `draw_images` has drawn as many for test: what train may not have is test.
    return min(max_per_class, max(count, size - max_per_class))


def _share(count: int, fraction: float) -> int:
    """Returns how many of `count` are cut: the rounded share, at least one, but never the last one."""
    return min(max(1, round(count * fraction)), max(0, count - 1))


def _raise_too_small(label: str, members: np.ndarray, units: np.ndarray, *, needed: int, by_group: bool) -> None:
    different = len(set(units[members].tolist()))
    has_copies = different < len(members)
    copies = {"groups" if by_group else "different from each other": different} if has_copies else {}
    if by_group and has_copies:
        expected = f"every class to have images of enough groups: at least {needed}, one for each split that is cut"
        advice = (
            "Images of one group, and copies, stay in one split. Name smaller groups, add images of other groups, or "
            "leave the class out."
        )
    elif different >= needed:
        expected = "every class to have an image in each split"
        advice = (
            "Some of them are copies of images of other classes, and copies stay in one split. Remove those whose "
            "label is wrong, or add images of this class."
        )
    else:
        expected = f"at least {needed} {'different ' if copies else ''}images in every class, to split it"
        advice = "Add images of this class, or remove its folder."
        advice += " Copies of an image stay in one split." if copies else ""
    received = {"class": label, "images": len(members), **copies}
    raise DatasetError(f"Expected {expected}.", received=received, advice=advice)


def write_splits(run_dir: RunDirectory, splits: pd.DataFrame) -> None:
    """Writes `data/splits.csv`: of the table of `split_images`, the columns that later stages start from."""
    run_dir.write_csv(SPLITS, splits[[name for name in _COLUMNS if name in splits.columns]])


def write_classes(
    run_dir: RunDirectory,
    found: FoundImages,
    splits: pd.DataFrame,
    *,
    name: str,
    kind: str,
    decoder: Decoder,
) -> None:
    """Writes `data/classes.json`: the name and kind of the data set, its classes, and a digest of the splits.

    Under `settings` stand those that decide which images are used and what they look like to a network, as every later
    stage and `predict` use them.
    """
    content = {
        "name": name,
        "kind": kind,
        "root": run_dir.shorten(found.root),
        "classes": found.class_names,
        "found": found.summary,
        "settings": {
            "image_size": decoder.size[0],
            "fit": decoder.fit,
            "max_megapixels": decoder.max_megapixels,
            "follow_links": found.follow_links,
        },
        "digest": sha256_lines(f"{row.sha256} {row.split} {row.path}" for row in splits.itertuples()),
    }
    run_dir.write_json(CLASSES, content)


@dataclass(frozen=True)
class SplitImages:
    """The decoded images of one split. The image `i` is `stored[rows[i]]`, its label an index into the class names.

    All images of the data set are `stored`: uint8 `(images, height, width, 3)` in `[0, 255]`, memory-mapped. Paths are
    below the data folder; digests are the SHA-256 of files, none where images come from no files.
    """

    stored: np.ndarray
    rows: np.ndarray
    labels: np.ndarray
    paths: list[str]
    digests: Sequence[str] = ()

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, places: np.ndarray) -> SplitImages:
        """Returns those of the images that stand at these places, int `(m,)`, in their order."""
        digests = [self.digests[place] for place in places] if self.digests else ()
        paths = [self.paths[place] for place in places]
        return SplitImages(self.stored, self.rows[places], self.labels[places], paths, digests)


def load_split(run_dir: RunDirectory, split: str, class_names: Sequence[str]) -> SplitImages:
    """Returns the images of `train`, `validation` or `test`, as notebook 01 left them."""
    table = run_dir.read_csv(SPLITS)
    return open_images(run_dir, table[table["split"] == split], class_names)


def open_images(run_dir: RunDirectory, table: pd.DataFrame, class_names: Sequence[str]) -> SplitImages:
    """Returns the decoded images of some rows of `data/splits.csv`, in their order."""
    stored = np.load(run_dir.require(IMAGES), mmap_mode="r", allow_pickle=False)
    positions = {name: index for index, name in enumerate(class_names)}
    labels = table["label"].map(positions).to_numpy(dtype=np.int64)
    rows = table["row"].to_numpy(dtype=np.int64)
    return SplitImages(stored, rows, labels, list(table["path"]), list(table["sha256"]))
