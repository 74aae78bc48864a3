"""Looks at the files of a folder without trusting them: links, pipes, hidden files, images with a wrong ending."""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from scenebook.core.errors import DatasetError
from scenebook.data.formats import IMAGE_SUFFIXES, is_image, name_other_format, name_raw
from scenebook.data.images import Stamp

MAX_IMAGE_BYTES = 600_000_000
"""No image of a few dozen megapixels is larger, whatever its format; a file is read as a whole."""
FOLDER = "folder"
HIDDEN = "hidden files"

_HOUSEKEEPING = {
    ".ds_store": ".DS_Store files",
    "thumbs.db": "Thumbs.db files",
    "ehthumbs.db": "Thumbs.db files",
    "desktop.ini": "desktop.ini files",
    "picasa.ini": "Picasa.ini files",
    "zone.identifier": "marks of downloaded files",  # `x.jpg:Zone.Identifier`
    "icon\r": "folder icons",
    "__macosx": "__MACOSX folders",
    "@eadir": "@eaDir folders, with thumbnails",
    **dict.fromkeys(("$recycle.bin", "#recycle", "@recycle", "lost+found"), "folders of deleted files"),
    "system volume information": "folders of Windows",
}
"""What systems leave behind, in lower case, and how it is counted."""

_SPECIAL = {stat.S_IFIFO: "a named pipe", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device"}

LINK_OUT = "a link that leaves the folder"
LINK_TO_NOTHING = "a link that leads nowhere"


class Listing(NamedTuple):
    """What a folder holds: the names of its folders, its images with their stamps, both sorted; and what is no image.

    What is set aside comes as a path below the root, with the reason; what is hidden is counted.
    """

    folders: list[str]
    images: list[tuple[str, Stamp]]
    set_aside: list[tuple[str, str]]
    passed_over: Counter[str]


class Tree:
    """A folder whose files are looked at one by one; `set_aside` is what is not used, with the reason.

    Where links may leave it (`follow_links`), one to a folder is entered, unless its images are used where they lie, or
    were entered through another link. `passed_over` counts the hidden files of each kind.
    """

    def __init__(self, root: Path, *, follow_links: bool = False) -> None:
        self.root = root
        self.follow_links = follow_links
        self.set_aside: list[tuple[str, str]] = []
        self.passed_over: Counter[str] = Counter()
        self._real_root = os.path.realpath(root)
        self._resolved: dict[str, str] = {}
        self._entered: dict[str, str] = {}
        self._peeked: dict[str, Listing] = {}

    def scan(self, folder: str) -> tuple[list[str], list[tuple[str, Stamp]]]:
        """Returns what a folder below the root holds: the names of its folders, its images with their stamps, sorted.

        Hidden files, and files that systems leave behind, are passed over and counted. Every other file that is no
        image is set aside; so is a link that leaves the root, a link to a folder, and what is no regular file. Nothing
        is opened but regular files without an image's ending.
        """
        listing = self._peeked.pop(folder, None) or self._list(folder)
        self.set_aside += listing.set_aside
        self.passed_over += listing.passed_over
        return listing.folders, listing.images

    def peek(self, folder: str) -> Listing:
        """Returns what a folder holds without counting what is not used: that is up to `scan`, which is then quick."""
        if folder not in self._peeked:
            self._peeked[folder] = self._list(folder)
        return self._peeked[folder]

    def holds_images(self, folder: str) -> bool:
        """Tells whether there is an image in a folder or in one of its folders."""
        listing = self.peek(folder)
        return bool(listing.images) or any(self.holds_images(f"{folder}/{name}") for name in listing.folders)

    def list_folders(self, folder: str, *, with_images: bool = False) -> list[str]:
        """Returns the paths of the folders in a folder; of those that hold images only, at whatever depth."""
        paths = [f"{folder}/{name}" if folder else name for name in self.peek(folder).folders]
        return [path for path in paths if self.holds_images(path)] if with_images else paths

    def _list(self, folder: str) -> Listing:
        listing = Listing([], [], [], Counter())
        for relative, seen in self._look_into(folder, listing):
            name = os.path.basename(relative)
            if seen == FOLDER:
                listing.folders.append(name)
            elif isinstance(seen, Stamp):
                listing.images.append((name, seen))
            else:
                listing.set_aside.append((relative, seen))
        return listing

    def stream(self) -> Iterator[tuple[str, Stamp | str]]:
        """Yields all images below the root with their stamps, and what is set aside with the reason.

        Of all of them, only one folder's names are in memory at a time.
        """
        waiting = [""]
        while waiting:
            listing, folders = Listing([], [], [], Counter()), []
            for relative, seen in self._look_into(waiting.pop(), listing):
                if seen == FOLDER:
                    folders.append(relative)
                else:
                    yield relative, seen
            yield from listing.set_aside
            waiting += reversed(folders)

    def _look_into(self, folder: str, listing: Listing) -> Iterator[tuple[str, Stamp | str]]:
        """Yields the path of each file and folder in a folder, with what `look` says; what is hidden is counted."""
        for name in self._list_names(folder, listing):
            hidden = name_hidden(name)
            relative = f"{folder}/{name}" if folder else name
            if hidden is None:
                yield relative, self.look(relative)
            else:
                path = os.path.join(self.root, relative)
                folder_like = hidden == HIDDEN and os.path.isdir(path) and not os.path.islink(path)
                listing.passed_over["hidden folders" if folder_like else hidden] += 1

    def walk(self, folder: str) -> Iterator[tuple[str, Stamp]]:
        """Yields the images of a folder and of all folders in it, as paths below the root."""
        waiting = [folder]
        while waiting:
            here = waiting.pop()
            folders, images = self.scan(here)
            waiting += [f"{here}/{name}" for name in reversed(folders)]
            for name, stamp in images:
                yield f"{here}/{name}", stamp

    def look(self, relative: str) -> Stamp | str:
        """Returns the stamp of an image, `FOLDER` for a folder, or the reason why it is not used."""
        path = os.path.join(self.root, relative)
        try:
            facts = os.lstat(path)
            if stat.S_ISLNK(facts.st_mode):
                real = os.path.realpath(path)
                if not (self.follow_links or self.holds(real)):
                    return LINK_OUT
                try:
                    facts = os.stat(path)
                except OSError:
                    return LINK_TO_NOTHING
                if stat.S_ISDIR(facts.st_mode) and not self._may_enter(relative, real):
                    return "a link to a folder: its images are used where they lie"
            if stat.S_ISDIR(facts.st_mode):
                return FOLDER
            if not stat.S_ISREG(facts.st_mode):
                return f"{_SPECIAL.get(stat.S_IFMT(facts.st_mode), 'no regular file')}, not opened"
            if facts.st_size == 0:
                return "an empty file"
            if raw := name_raw(relative):
                return raw
            if os.path.splitext(relative)[1].lower() not in IMAGE_SUFFIXES:
                with open_regular(path) as file:
                    start = file.read(64)
                if not is_image(start):
                    return name_other_format(start, relative) or "not an image, by its ending and its first bytes"
        except OSError as error:
            return f"cannot be read: {error.strerror or error}"
        return Stamp(facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns, facts.st_ino)

    def _may_enter(self, relative: str, real: str) -> bool:
        """Tells whether the folder behind a link is one that is entered here and nowhere else."""
        here = os.path.realpath(os.path.join(self.root, os.path.dirname(relative)))
        around = here == real or here.startswith(os.path.join(real, ""))
        return not (around or self.holds(real)) and self._entered.setdefault(real, relative) == relative

    def holds(self, real: str) -> bool:
        """Tells whether a path without links lies in the folder."""
        return real == self._real_root or real.startswith(os.path.join(self._real_root, ""))

    def holds_folder_of(self, relative: str) -> bool:
        """Tells whether the folder of a path, links followed, lies in the folder."""
        return self.holds(self._resolve(os.path.dirname(relative)))

    def find_below(self, path: str) -> str | None:
        """Returns an absolute path as one below the root; `None` where it lies elsewhere, with links followed, too."""
        folder, name = os.path.split(path)
        if path.startswith(os.path.join(self.root, "")):
            return os.path.relpath(path, self.root)
        real = self._resolve(folder)
        return os.path.relpath(os.path.join(real, name), self._real_root) if self.holds(real) else None

    def _resolve(self, folder: str) -> str:
        if folder not in self._resolved:
            self._resolved[folder] = os.path.realpath(os.path.join(self.root, folder))
        return self._resolved[folder]

    def _list_names(self, folder: str, listing: Listing) -> list[str]:
        try:
            return sorted(os.listdir(os.path.join(self.root, folder)), key=os.fsencode)
        except OSError as error:
            if not folder:
                raise DatasetError(
                    "Expected a folder that can be read.",
                    received={"folder": str(self.root)},
                    advice=f"{error.strerror}.",
                ) from None
            listing.set_aside.append((f"{folder}/", f"a folder that cannot be read: {error.strerror}"))
            return []


def name_hidden(name: str) -> str | None:
    """Returns under which heading a hidden file, or one that a system left behind, is counted; `None` for others."""
    known = _HOUSEKEEPING.get(name.lower().rpartition(":")[2])
    return known if known is not None else HIDDEN if name.startswith(".") else None


def read_regular(path: Path, most: int) -> bytes:
    """Returns the bytes of a regular file.

    Raises:
        OSError: It cannot be read, is no regular file, or holds more than `most` bytes.
    """
    with open_regular(path) as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise OSError(f"more than {most // 1_000_000} MB")
    return content


def open_regular(path: Path | str) -> BinaryIO:
    """Opens a regular file to read its bytes.

    Raises:
        OSError: It cannot be read, or is no regular file.
    """
    # Should the file have become a pipe since it was looked at, opening it must not wait for a writer.
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError("no regular file")
    return os.fdopen(handle, "rb")
