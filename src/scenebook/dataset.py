"""Labelled pictures in folders: find them, decode them, split them. No TensorFlow."""

from __future__ import annotations

import os
import shutil
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.lib.format import open_memmap
from PIL import Image, ImageOps

from scenebook import scenes
from scenebook.artifacts import RunDirectory, replacing
from scenebook.config import DRAWN_SCENES, INTEL
from scenebook.errors import DatasetError
from scenebook.provenance import sha256_file

PICTURE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif"})
SPLIT_FOLDERS = {
    "train": ("train", "training", "seg_train"),
    "validation": ("val", "valid", "validation"),
    "test": ("test", "testing", "seg_test"),
}
MAX_CLASSES = 1000
MAX_PIXELS = 100_000_000
INTEL_HANDLE = "puneet6060/intel-image-classification/versions/2"

SPLITS = "data/splits.csv"
CLASSES = "data/classes.json"
PICTURES = "data/pictures.npy"


@dataclass(frozen=True)
class Picture:
    """A picture file: its path below the root, its class, and its split where the folders say so."""

    path: str
    label: str
    split: str | None


@dataclass(frozen=True)
class FoundPictures:
    """What was found in a folder.

    Attributes:
        root: The folder.
        pictures: All pictures, sorted by path.
        set_aside: Files that are not used, each with the reason.
        ignored_folders: Folders beside train and test that hold no labelled pictures, `seg_pred` for one.
    """

    root: Path
    pictures: list[Picture]
    set_aside: list[tuple[str, str]] = field(default_factory=list)
    ignored_folders: list[str] = field(default_factory=list)

    @property
    def class_names(self) -> list[str]:
        """The class names, sorted: their order is the order of the network's outputs."""
        return sorted({picture.label for picture in self.pictures})


def prepare_dataset(
    dataset: str, run_dir: RunDirectory, *, train_per_class: int, test_per_class: int, seed: int, size: int
) -> Path:
    """Returns the folder of pictures that the setting `dataset` names; draws or downloads them where needed.

    Args:
        dataset: `scenes`, `intel`, or a folder.
        run_dir: Drawn scenes are written into this run.
        train_per_class: Drawn training pictures a class.
        test_per_class: Drawn test pictures a class.
        seed: Seed of the drawn scenes.
        size: Height and width of the drawn scenes, in pixels.

    Raises:
        DatasetError: There is no such folder, or the download failed.
    """
    if dataset == DRAWN_SCENES:
        folder = run_dir.path("data/scenes")
        shutil.rmtree(folder, ignore_errors=True)  # those of an earlier run, which may have had other settings
        scenes.write_scenes(
            folder, train_per_class=train_per_class, test_per_class=test_per_class, seed=seed, size=size
        )
        return folder
    if dataset == INTEL:
        return download_intel()
    return check_folder(Path(dataset))


def check_folder(folder: Path) -> Path:
    """Returns the absolute path of an existing folder.

    Raises:
        DatasetError: It does not exist or is no folder.
    """
    if not folder.is_dir():
        raise DatasetError(
            "Expected a folder of labelled pictures.",
            received={"dataset": str(folder)},
            advice="There is a file of this name, but no folder."
            if folder.exists()
            else "There is no such folder. Relative paths start where the command was typed.",
        )
    return folder.resolve()


def download_intel() -> Path:
    """Returns the folder of the Intel scene photographs; Kaggle's client downloads them on first use (about 350 MB).

    Raises:
        DatasetError: The download failed.
    """
    import kagglehub  # it reads credentials and the environment when imported

    try:
        return Path(kagglehub.dataset_download(INTEL_HANDLE))
    except Exception as error:  # the client lets many libraries' errors through
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DatasetError(
            "Expected to download the Intel scene photographs from Kaggle.",
            received={"dataset": INTEL},
            advice=f"{reason[:300]} Without internet, place the pictures yourself and name their folder: DATA=folder.",
        ) from error


def find_pictures(root: Path) -> FoundPictures:
    """Lists the pictures of a folder of class folders, or of train and test folders of class folders.

    Kaggle's doubled `seg_train/seg_train` is understood. Hidden files are passed over; every other file that is not a
    picture by its ending is listed in `set_aside`.

    Raises:
        DatasetError: There are no class folders, only one class, too many, a class without a picture, or a class that
            occurs in test but not in train.
    """
    by_split = _split_folders(root)
    if by_split and "train" not in by_split:
        raise DatasetError(
            "Expected a training folder beside the test folder.",
            received={"dataset": str(root), "found": sorted(path.name for path in by_split.values())},
            advice=f"Name it one of: {', '.join(SPLIT_FOLDERS['train'])}.",
        )
    found = FoundPictures(root, [])
    for split, folder in by_split.items() or [(None, root)]:
        _list_classes(root, folder, split, found)
    if by_split:
        used = set(by_split.values())
        found.ignored_folders.extend(
            path.name for path in _visible_folders(root) if path not in used and not _holds(path, used)
        )
    found.pictures.sort(key=lambda picture: os.fsencode(picture.path))
    _check_classes(found)
    return found


def _visible_folders(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith((".", "__MACOSX")))


def _holds(folder: Path, others: set[Path]) -> bool:
    return any(other.is_relative_to(folder) for other in others)


def _split_folders(root: Path) -> dict[str, Path]:
    """Returns the train, validation and test folders of `root` that exist; a doubled one counts once."""
    folders = {}
    for split, names in SPLIT_FOLDERS.items():
        for path in _visible_folders(root):
            if path.name.lower() in names:
                inner = _visible_folders(path)
                folders[split] = inner[0] if [p.name for p in inner] == [path.name] else path
    # A class may well be called `test`; only a training or a test folder with class folders in it is a split.
    return folders if all(_visible_folders(path) for path in folders.values()) else {}


def _list_classes(root: Path, folder: Path, split: str | None, found: FoundPictures) -> None:
    classes = _visible_folders(folder)
    if not classes:
        raise DatasetError(
            "Expected class folders, one folder of pictures a class.",
            received={"folder": str(folder)},
            advice="Put the pictures of each class into a folder with the class's name.",
        )
    for class_folder in classes:
        count = len(found.pictures)
        for path in sorted(class_folder.rglob("*")):
            _list_file(root, path, class_folder.name, split, found)
        if len(found.pictures) == count:
            raise DatasetError(
                "Expected at least one picture in every class folder.",
                received={"folder": str(class_folder)},
                advice=f"Add pictures ({', '.join(sorted(PICTURE_SUFFIXES))}) or remove the folder.",
            )


def _list_file(root: Path, path: Path, label: str, split: str | None, found: FoundPictures) -> None:
    relative = path.relative_to(root).as_posix()
    if path.is_dir() or any(part.startswith(".") for part in path.relative_to(root).parts):
        return
    if path.suffix.lower() not in PICTURE_SUFFIXES:
        found.set_aside.append((relative, "not a picture by its ending"))
    elif not path.resolve().is_relative_to(root.resolve()):
        found.set_aside.append((relative, "a link that leaves the folder"))
    else:
        found.pictures.append(Picture(relative, label, split))


def _check_classes(found: FoundPictures) -> None:
    names = found.class_names
    if not 2 <= len(names) <= MAX_CLASSES:
        raise DatasetError(
            f"Expected 2 to {MAX_CLASSES} classes.",
            received={"classes": len(names), "dataset": str(found.root)},
            advice=f"The only class is {names[0]!r}: a classifier needs another." if len(names) == 1 else "",
        )
    trained = {picture.label for picture in found.pictures if picture.split in (None, "train")}
    unknown = sorted(set(names) - trained)
    if unknown:
        raise DatasetError(
            "Expected every class to have training pictures.",
            received={"classes without": unknown[:10]},
            advice="Add pictures of them to the training folder, or remove them from the others.",
        )


def decode(path: Path, size: tuple[int, int] | None = None) -> np.ndarray:
    """Decodes a picture: upright as its EXIF says, 8-bit RGB, resized with antialiasing.

    Args:
        path: A file in any format that Pillow reads; of an animation, the first frame.
        size: `(height, width)`, or `None` for the picture's own size.

    Returns:
        uint8 `(height, width, 3)` in `[0, 255]`.

    Raises:
        OSError: The file is no picture, is truncated, or has too many pixels.
    """
    try:
        with Image.open(path) as image:
            if image.width * image.height > MAX_PIXELS:
                raise OSError(f"{image.width}x{image.height} pixels are more than {MAX_PIXELS:,}")
            upright = ImageOps.exif_transpose(image)
            rgb = _to_rgb(upright)
    except (ValueError, SyntaxError, EOFError, zlib.error, Image.DecompressionBombError) as error:
        raise OSError(str(error) or type(error).__name__) from error
    if size is not None and (rgb.height, rgb.width) != size:
        rgb = rgb.resize((size[1], size[0]), Image.Resampling.BILINEAR)
    return np.asarray(rgb)


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16") or image.mode == "I":
        # Pillow clips 16-bit grey to white; the upper byte is what an 8-bit picture would hold.
        grey = (np.asarray(image).astype(np.int64) >> 8).clip(0, 255).astype(np.uint8)
        return Image.fromarray(grey).convert("RGB")
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        flat = Image.new("RGBA", image.size, "white")
        flat.alpha_composite(image.convert("RGBA"))
        return flat.convert("RGB")
    return image.convert("RGB")


@dataclass(frozen=True)
class _Decoded:
    pixels: np.ndarray
    facts: dict[str, str | int]


@dataclass(frozen=True)
class DecodedPictures:
    """The readable pictures of a data set.

    Attributes:
        table: A row a picture: path, label, split (may be missing), sha256, width, height (of the file, upright).
        file: `data/pictures.npy`: uint8 `(pictures, height, width, 3)`, rows in the table's order.
        set_aside: Files that could not be decoded, with the reason.
    """

    table: pd.DataFrame
    file: Path
    set_aside: list[tuple[str, str]]


def decode_pictures(
    found: FoundPictures,
    run_dir: RunDirectory,
    *,
    image_size: int,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> DecodedPictures:
    """Decodes every picture once and keeps them, resized, in the run as one memory-mapped array.

    A file that cannot be decoded is set aside with the reason; it never stops the rest.

    Args:
        found: What `find_pictures` returned.
        run_dir: The run.
        image_size: Height and width, in pixels.
        report: Called with the number of pictures done and the number in all.

    Raises:
        DatasetError: No picture could be read, or a class has none left.
    """
    rows: list[dict[str, object]] = []
    set_aside: list[tuple[str, str]] = []
    total = len(found.pictures)
    shape = (total, image_size, image_size, 3)
    file = run_dir.path(PICTURES)
    with replacing(file) as temporary:
        array = open_memmap(temporary, mode="w+", dtype=np.uint8, shape=shape)
        for done, (picture, result) in enumerate(_decode_all(found, image_size), start=1):
            if isinstance(result, OSError):
                set_aside.append((picture.path, f"cannot be read: {' '.join(str(result).split())[:200]}"))
            else:
                array[len(rows)] = result.pixels
                rows.append({"path": picture.path, "label": picture.label, "split": picture.split, **result.facts})
            report(done, total)
        array.flush()
        del array
    table = pd.DataFrame(rows, columns=["path", "label", "split", "sha256", "width", "height"])
    _check_readable(found, table)
    return DecodedPictures(table, file, set_aside)


def _decode_all(found: FoundPictures, image_size: int) -> Iterator[tuple[Picture, _Decoded | OSError]]:
    """Yields pictures in order with their pixels and facts, or with the error; a bounded number at a time in memory."""

    def work(picture: Picture) -> _Decoded | OSError:
        path = found.root / picture.path
        try:
            full = decode(path)
            pixels = np.asarray(Image.fromarray(full).resize((image_size, image_size), Image.Resampling.BILINEAR))
            facts = {"sha256": sha256_file(path), "width": full.shape[1], "height": full.shape[0]}
            return _Decoded(pixels, facts)
        except OSError as error:
            return error

    pictures = iter(found.pictures)
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        while chunk := list(islice(pictures, 256)):
            yield from zip(chunk, pool.map(work, chunk), strict=True)


def _check_readable(found: FoundPictures, table: pd.DataFrame) -> None:
    if table.empty:
        raise DatasetError("Expected readable pictures.", received={"dataset": str(found.root), "readable": 0})
    lost = sorted(set(found.class_names) - set(table["label"]))
    if lost:
        raise DatasetError(
            "Expected at least one readable picture in every class.", received={"classes without": lost[:10]}
        )


def split_pictures(
    table: pd.DataFrame,
    *,
    validation_fraction: float,
    test_fraction: float,
    seed: int,
    max_per_class: int | None = None,
) -> pd.DataFrame:
    """Assigns each picture to train, validation or test, class by class, at random from the seed.

    Where the folders name a test set, it stays as it is; otherwise test is cut first. Validation is cut from train
    unless the folders hold one. Every class has a picture in each split that is cut here.

    Args:
        table: From `DecodedPictures`; split may be missing.
        validation_fraction: Share of train that becomes validation.
        test_fraction: Share that becomes test when there is no test folder.
        seed: The seed.
        max_per_class: Keeps at most so many pictures a class in train and validation together, and as many in test.

    Returns:
        The rows that are used, in their order, with split set for each, and `row`: their row in `pictures.npy`.

    Raises:
        DatasetError: A class is too small to be split.
    """
    has_test = bool((table["split"] == "test").any())
    has_validation = bool((table["split"] == "validation").any())
    split = table["split"].fillna("train").astype(object)
    for position, label in enumerate(sorted(table["label"].unique())):
        rng = np.random.default_rng([seed, position])
        rows = rng.permutation(table.index[(table["label"] == label) & (split == "train")].to_numpy())
        test = table.index[(table["label"] == label) & (split == "test")].to_numpy()
        if not has_test:
            count = _share(len(rows), test_fraction)
            test, rows = rows[:count], rows[count:]
            split[test] = "test"
        if max_per_class is not None:
            split[rows[max_per_class:]] = None
            split[rng.permutation(test)[max_per_class:]] = None
            rows = rows[:max_per_class]
        validation = rows[:0] if has_validation else rows[: _share(len(rows), validation_fraction)]
        split[validation] = "validation"
        if (
            len(rows) - len(validation) < 1
            or (not has_validation and len(validation) < 1)
            or (not has_test and len(test) < 1)
        ):
            needed = 1 + (not has_test) + (not has_validation)
            raise DatasetError(
                f"Expected at least {needed} pictures in every class, to split it.",
                received={"class": label, "pictures": int((table["label"] == label).sum())},
                advice="Add pictures of this class, or remove its folder.",
            )
    return table.assign(split=split, row=np.arange(len(table)))[split.notna()].reset_index(drop=True)


def _share(count: int, fraction: float) -> int:
    """Returns how many of `count` are cut: the rounded share, at least one, but never the last one."""
    return min(max(1, round(count * fraction)), max(0, count - 1))


@dataclass(frozen=True)
class SplitPictures:
    """The decoded pictures of one split. The picture `i` is `stored[rows[i]]`.

    Attributes:
        stored: uint8 `(pictures, height, width, 3)` in `[0, 255]`, memory-mapped: all pictures of the data set.
        rows: int64 `(n,)`, the split's rows of `stored`.
        labels: int64 `(n,)`, indices into the class names.
        paths: The pictures' paths below the data folder.
    """

    stored: np.ndarray
    rows: np.ndarray
    labels: np.ndarray
    paths: list[str]

    def __len__(self) -> int:
        return len(self.rows)


def load_split(run_dir: RunDirectory, split: str, class_names: Sequence[str]) -> SplitPictures:
    """Returns the pictures of `train`, `validation` or `test`, as notebook 01 left them."""
    table = run_dir.read_csv(SPLITS)
    table = table[table["split"] == split]
    stored = np.load(run_dir.require(PICTURES), mmap_mode="r", allow_pickle=False)
    positions = {name: index for index, name in enumerate(class_names)}
    labels = table["label"].map(positions).to_numpy(dtype=np.int64)
    return SplitPictures(stored, table["row"].to_numpy(dtype=np.int64), labels, list(table["path"]))
