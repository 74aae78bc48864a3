"""The one decoder of pictures, for training, audit and figures alike."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.lib.format import open_memmap
from PIL import Image, ImageOps

from scenebook.artifacts import RunDirectory, replacing
from scenebook.dataset.finding import FoundPictures, Picture
from scenebook.errors import DatasetError
from scenebook.provenance import sha256_file

MAX_PIXELS = 100_000_000
PICTURES = "data/pictures.npy"


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
    except (OSError, MemoryError):
        raise
    except Exception as error:  # a damaged file can raise nearly anything in a decoder, struct.error for one
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
