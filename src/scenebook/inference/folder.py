"""Reads a folder of unlabelled images as a stream: no more than a few batches, or one folder's names, in memory."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np

from scenebook.core.errors import InputError
from scenebook.core.project import expand_home
from scenebook.data.decoding import Decoder
from scenebook.data.files import Tree
from scenebook.data.images import advise_archive

WAITING = 128
"""Images that are decoded ahead of the network."""


def resolve_folder(images: str | None) -> Path:
    """Returns the absolute path of the folder.

    Raises:
        InputError: None was named, or it is no folder.
    """
    expected = "Expected a folder of images to classify."
    if not images:
        raise InputError(expected, advice="Name it: IMAGES=folder or --images FOLDER.")
    folder = expand_home(images)
    if not folder.is_dir():
        there = advise_archive(folder, "images") or "There is a file of this name: put it into a folder."
        advice = there if folder.exists() else "There is no such folder."
        raise InputError(expected, received={"images": images}, advice=advice)
    return folder.resolve()


def list_unlabelled(folder: Path, *, follow_links: bool = False) -> Iterator[tuple[str, str]]:
    """Yields the path of each image in a folder and its folders, with "", and what is set aside, with the reason."""
    tree = Tree(folder, follow_links=follow_links)
    waiting = [""]
    while waiting:
        here = waiting.pop()
        folders, images = tree.scan(here)
        prefix = f"{here}/" if here else ""
        waiting += [f"{prefix}{name}" for name in reversed(folders)]
        yield from tree.set_aside
        tree.set_aside.clear()
        yield from ((f"{prefix}{name}", "") for name, _ in images)


def count_unlabelled(folder: Path, *, follow_links: bool = False) -> int:
    """Returns how many images `list_unlabelled` finds.

    Raises:
        InputError: There is none, or the folder cannot be read.
    """
    try:
        count = sum(not reason for _, reason in list_unlabelled(folder, follow_links=follow_links))
    except OSError as error:
        received = {"images": str(folder)}
        raise InputError("Expected a folder that can be read.", received=received, advice=str(error.strerror)) from None
    if not count:
        raise InputError("Expected images in the folder.", received={"images": str(folder), "count": 0})
    return count


def read_images(
    folder: Path, decoder: Decoder, *, follow_links: bool = False
) -> Iterator[tuple[str, np.ndarray | str]]:
    """Yields the path of every image with its pixels, uint8 `(height, width, 3)`, in the order of `list_unlabelled`.

    What is set aside comes with the reason instead.

    Args:
        folder: The folder.
        decoder: That of the run.
        follow_links: Whether links may leave the folder.
    """

    def work(path: str) -> tuple[str, np.ndarray | str]:
        try:
            return path, decoder.resize(decoder.decode(folder / path))
        except OSError as error:
            return path, f"cannot be read: {' '.join(str(error).split())[:200]}"

    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        ahead: deque[Future[tuple[str, np.ndarray | str]]] = deque()
        for path, reason in list_unlabelled(folder, follow_links=follow_links):
            if reason:
                yield path, reason
                continue
            ahead.append(pool.submit(work, path))
            if len(ahead) >= WAITING:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()
