"""The Intel scene photographs: downloaded once, checked against what is known of them, and kept in the cache."""

from __future__ import annotations

import shutil
import sys
from contextlib import redirect_stdout
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

import yaml

from scenebook.core.cache import cache_dir
from scenebook.core.errors import DatasetError, DownloadError
from scenebook.core.progress import CountProgress, print_progress
from scenebook.core.settings import INTEL
from scenebook.data.kaggle import find_unpacked, request_archive
from scenebook.data.listings import Listing, check_counts, check_record, list_images
from scenebook.data.transfer import Limits, fetch, locked
from scenebook.data.unpacking import unpack

FACTS = Path(__file__).with_name("intel.yaml")


@dataclass(frozen=True)
class Facts:
    """What a data set of Kaggle must look like.

    Attributes:
        name: What it is called in a sentence, in the plural.
        handle: `owner/name/versions/number`.
        images: How many images are in each folder.
        max_archive_bytes: The largest archive.
        max_bytes: The most bytes when unpacked.
        max_files: The most files.
    """

    name: str
    handle: str
    images: dict[str, int]
    max_archive_bytes: int
    max_bytes: int
    max_files: int

    @property
    def folder_name(self) -> str:
        """`name-number`: another version is another folder."""
        _, name, _, number = self.handle.split("/")
        return f"{name}-{number}"


def load_facts(path: Path | None = None) -> Facts:
    """Returns the facts that a YAML file states; without one, those of the Intel photographs."""
    return Facts(**yaml.safe_load((path or FACTS).read_text(encoding="utf-8")))


def download_intel(facts: Facts | None = None, limits: Limits | None = None) -> Path:
    """Returns the folder of the photographs, in the cache; downloads them on first use (about 350 MB).

    The folder appears when it is whole: the archive is downloaded beside it, unpacked under another name, counted,
    and renamed. After an interruption the next call goes on. A copy that Kaggle's client has unpacked before is used
    where it lies, if it passes the same checks.

    Args:
        facts: What is downloaded; the Intel photographs.
        limits: When to give up; the size is the facts'.

    Raises:
        DatasetError: The download failed, or what is there is not what it should be.
    """
    facts = facts or load_facts()
    place = _Place(cache_dir() / "datasets", facts)
    if place.folder.is_dir():
        return place.check()
    try:
        with locked(place.root / f"{facts.folder_name}.lock", facts.name):
            if place.folder.is_dir():  # another process has made it meanwhile
                return place.check()
            return place.find_elsewhere() or place.make(limits or Limits())
    except DownloadError as error:
        raise _explain(error, facts) from error
    except OSError as error:
        raise _explain(DownloadError(facts.name, f"writing failed: {error.strerror or error}"), facts) from error


class _Place:
    """Where a data set is kept: its folder, and beside it the record of its listing and, on the way, its archive."""

    def __init__(self, root: Path, facts: Facts) -> None:
        self.root = root
        self.folder = root / facts.folder_name
        self._facts = facts
        self._archive = root / f"{facts.folder_name}.zip"
        self._record = root / f"{facts.folder_name}.listing.json"

    def check(self) -> Path:
        """Returns the folder, if it is what it was."""
        self._check_listing(list_images(self.folder), f"Delete {self.folder} to download them again.")
        return self.folder

    def find_elsewhere(self) -> Path | None:
        """Returns the folder of Kaggle's client, if it is there and right."""
        folder = find_unpacked(self._facts.handle)
        if folder is None:
            return None
        try:
            self._check_listing(list_images(folder), "")
        except (DatasetError, OSError) as error:
            print_progress(f"{self._facts.name}: the copy of Kaggle's client is not used. {error}")
            return None
        return folder

    def make(self, limits: Limits) -> Path:
        """Downloads, unpacks, checks, and only then gives the folder its name."""
        facts = self._facts
        unpacked = self.root / f".{facts.folder_name}-unpacking"
        shutil.rmtree(unpacked, ignore_errors=True)  # of a process that was killed: the lock is ours
        if not self._archive.is_file():
            limits = replace(limits, size=facts.max_archive_bytes)
            print_progress(f"{facts.name}: asking Kaggle")
            request = request_archive(facts.handle, facts.name, limits)
            with redirect_stdout(sys.stderr):  # the client's notes are no part of a report
                fetch(request, self._archive, what=facts.name, limits=limits)
        report = CountProgress(f"{facts.name}: unpacked", seconds=2.0)
        try:
            unpack(self._archive, unpacked, max_bytes=facts.max_bytes, max_files=facts.max_files, report=report)
            advice = f"To accept what Kaggle sends now delete {self._record}."
            self._check_listing(list_images(unpacked), advice)
        except DatasetError:
            shutil.rmtree(unpacked, ignore_errors=True)
            self._archive.unlink()  # it would be as wrong the next time
            raise
        unpacked.rename(self.folder)
        self._archive.unlink()
        return self.folder

    def _check_listing(self, listing: Listing, advice: str) -> None:
        """Compares with the record of the first complete download; only what is complete is put on record."""
        if not self._record.is_file():
            check_counts(listing, self._facts.images, self._facts.name)
        check_record(listing, self._record, self._facts.name, advice)


def _explain(error: DownloadError, facts: Facts) -> DatasetError:
    """Adds how to get along without the download."""
    refused = "The data set is public: renew the stored credentials of Kaggle, or remove them. "
    return DatasetError(
        f"Expected to download {facts.name} from Kaggle.",
        received={"dataset": INTEL},
        advice=f"{error.explanation} {refused if error.status in (401, 403) else ''}{describe_by_hand(facts)}",
    )


def describe_by_hand(facts: Facts) -> str:
    """Returns how to place the images by hand, on a machine without internet."""
    labelled = [PurePosixPath(folder) for folder in facts.images if folder.count("/") > 1]
    splits = " and ".join(dict.fromkeys(str(folder.parent) for folder in labelled))
    classes = ", ".join(dict.fromkeys(folder.name for folder in labelled))
    return (
        f"Without internet, download {facts.handle} from Kaggle on another machine, unpack it, copy the folder here, "
        f"and name it: DATA=folder. It holds {splits}, each with a folder of images a class ({classes})."
    )
