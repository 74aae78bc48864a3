"""What a downloaded data set must look like, and what it looked like when it was first complete."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from scenebook.core.errors import DatasetError
from scenebook.core.provenance import sha256_lines
from scenebook.core.run_directory import write_json
from scenebook.data.files import IMAGE_SUFFIXES

SHOWN = 5

Listing = dict[str, int]
"""The path of each image below a folder, with forward slashes, to its size in bytes."""


def list_images(folder: Path) -> Listing:
    """Lists a folder's images. Hidden files and lists of thumbnails, which systems leave in folders, are none."""
    listing: Listing = {}
    pending = [folder]
    while pending:
        with os.scandir(pending.pop()) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    pending.append(Path(entry.path))
                elif PurePosixPath(entry.name).suffix.lower() in IMAGE_SUFFIXES:
                    listing[Path(entry.path).relative_to(folder).as_posix()] = entry.stat().st_size
    return dict(sorted(listing.items()))


def check_counts(listing: Listing, expected: Mapping[str, int], name: str) -> None:
    """Compares the number of images in each folder.

    Args:
        listing: What is there.
        expected: Images by folder.
        name: What the data set is called.

    Raises:
        DatasetError: A folder has more or fewer; each is named with both numbers.
    """
    found = Counter(str(PurePosixPath(path).parent) for path in listing)
    wrong = [
        f"{folder}: {found[folder]:,} instead of {expected.get(folder, 0):,}"
        for folder in sorted({*found, *expected})
        if found[folder] != expected.get(folder, 0)
    ]
    if wrong:
        raise DatasetError(
            f"Expected as many images in each folder as {name} have.",
            received={"images": _shorten(wrong)},
        )


def check_record(listing: Listing, record: Path, name: str, advice: str) -> None:
    """Compares a listing with the record of the first complete download; without a record, makes it.

    Args:
        listing: What is there now.
        record: A JSON file with the listing and its digest.
        name: What the data set is called.
        advice: What to do when they differ.

    Raises:
        DatasetError: They differ; what is missing, new or of another size is named. Or the record is damaged.
    """
    if not record.is_file():
        write_json(record, {"sha256": digest_listing(listing), "images": len(listing), "listing": listing})
        return
    recorded = _read_record(record)
    if listing == recorded:
        return
    differences = {
        "missing": sorted(recorded.keys() - listing.keys()),
        "new": sorted(listing.keys() - recorded.keys()),
        "changed": sorted(path for path in listing.keys() & recorded.keys() if listing[path] != recorded[path]),
    }
    raise DatasetError(
        f"Expected {name} to be what they were when they were first downloaded.",
        received={kind: _shorten(paths) for kind, paths in differences.items() if paths},
        advice=advice,
    )


def digest_listing(listing: Listing) -> str:
    """Returns the SHA-256 of a listing; equal on every machine."""
    return sha256_lines(f"{size} {path}" for path, size in sorted(listing.items()))


def _read_record(record: Path) -> Listing:
    try:
        content = json.loads(record.read_text(encoding="utf-8"))
        listing = {str(path): int(size) for path, size in content["listing"].items()}
        intact = content["sha256"] == digest_listing(listing)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        intact = False
    if not intact:
        raise DatasetError(
            "Expected an undamaged record of the first download.",
            received={"record": str(record)},
            advice="Delete this file; the next run makes it anew from the images that are there.",
        )
    return listing


def _shorten(texts: list[str]) -> list[str]:
    return texts if len(texts) <= SHOWN else [*texts[:SHOWN], f"and {len(texts) - SHOWN:,} more"]
