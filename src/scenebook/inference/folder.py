"""Reads a folder of unlabelled images as a stream: no more than a few batches, or one folder's names, in memory."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from scenebook.core.errors import InputError
from scenebook.data.decoding import decode
from scenebook.data.files import Tree

WAITING = 128
"""Images that are decoded ahead of the network."""


@dataclass(frozen=True)
class Read:
    """An image that was read: its path below the folder, and uint8 `(height, width, 3)`."""

    path: str
    pixels: np.ndarray


@dataclass(frozen=True)
class SetAside:
    """A file that is not classified, and why."""

    path: str
    reason: str


def open_images(images: str | None) -> Path:
    """Returns the absolute path of the folder.

    Raises:
        InputError: None was named, or it is no folder.
    """
    if not images:
        raise InputError(
            "Expected a folder of images to classify.", advice="Name it: IMAGES=folder or --images FOLDER."
        )
    folder = Path(images).expanduser()
    if not folder.is_dir():
        raise InputError(
            "Expected a folder of images to classify.",
            received={"images": images},
            advice="There is a file of this name: put it into a folder."
            if folder.exists()
            else "There is no such folder.",
        )
    return folder.resolve()


def list_images(folder: Path) -> Iterator[str | SetAside]:
    """Yields the paths of the images of a folder and of all folders in it, and what is set aside on the way."""
    tree = Tree(folder)
    waiting = [""]
    while waiting:
        here = waiting.pop()
        folders, images = tree.scan(here)
        prefix = f"{here}/" if here else ""
        waiting += [f"{prefix}{name}" for name in reversed(folders)]
        yield from (SetAside(*found) for found in tree.set_aside)
        tree.set_aside.clear()
        yield from (f"{prefix}{name}" for name, _ in images)


def count_images(folder: Path) -> int:
    """Returns how many images `list_images` finds.

    Raises:
        InputError: There is none, or the folder cannot be read.
    """
    try:
        count = sum(isinstance(found, str) for found in list_images(folder))
    except OSError as error:
        raise InputError(
            "Expected a folder that can be read.", received={"images": str(folder)}, advice=str(error.strerror)
        ) from None
    if not count:
        raise InputError("Expected images in the folder.", received={"images": str(folder), "count": 0})
    return count


def read_images(folder: Path, size: tuple[int, int]) -> Iterator[Read | SetAside]:
    """Yields every image decoded, in the order of `list_images`, and what is set aside.

    Args:
        folder: The folder.
        size: `(height, width)` that the images are resized to.
    """

    def work(path: str) -> Read | SetAside:
        try:
            return Read(path, decode(folder / path, size))
        except OSError as error:
            return SetAside(path, f"cannot be read: {' '.join(str(error).split())[:200]}")

    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        ahead: deque[Future[Read | SetAside]] = deque()
        for found in list_images(folder):
            if isinstance(found, SetAside):
                yield found
                continue
            ahead.append(pool.submit(work, found))
            if len(ahead) >= WAITING:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()
