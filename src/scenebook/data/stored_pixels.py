"""The decoded images of a run as one array on disk: written row by row, and trusted again by a later execution."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.lib import format as npy

from scenebook.core.errors import MissingArtifactError
from scenebook.core.provenance import sha256_lines
from scenebook.core.run_directory import RunDirectory
from scenebook.core.run_files import IMAGES, IMAGES_RECORD, MEASURES
from scenebook.data.file_facts import FileFacts, facts_version


class StoredPixels:
    """The pixels that an earlier execution of this run has left, by the digests of their files.

    Attributes:
        rows: The row of each digest.
    """

    def __init__(self, run_dir: RunDirectory, image_size: int, fit: str) -> None:
        """Takes what is stored; nothing where it is of another size, shape or version, or was changed since."""
        self._path, self._row_bytes = run_dir.path(IMAGES), image_size * image_size * 3
        self._file: BinaryIO | None = None
        self._digests: list[str] = []
        with suppress(OSError, ValueError, KeyError, MissingArtifactError):
            record = run_dir.read_json(IMAGES_RECORD)
            digests = list(run_dir.read_csv(MEASURES)["sha256"])
            if record == _describe(self._path, image_size, fit, digests):
                self._digests = digests
        self.rows = {digest: row for row, digest in enumerate(self._digests)}

    @staticmethod
    def record(run_dir: RunDirectory, image_size: int, fit: str, digests: Sequence[str]) -> None:
        """Writes down what the stored pixels are, so that a later execution can trust them."""
        run_dir.write_json(IMAGES_RECORD, _describe(run_dir.path(IMAGES), image_size, fit, digests))

    def holds_exactly(self, facts: Sequence[FileFacts | None]) -> bool:
        """Tells whether the stored pixels are those of these images, in this order."""
        return bool(self._digests) and [known and known["sha256"] for known in facts] == self._digests

    def __enter__(self) -> StoredPixels:
        # Opened before it is replaced; read, not mapped: mapped pages would count as this process's memory.
        self._file = self._path.open("rb") if self._digests else None
        return self

    def __exit__(self, *error: object) -> None:
        if self._file is not None:
            self._file.close()

    def read(self, row: int) -> bytes:
        """Returns the pixels of a row."""
        assert self._file is not None
        self._file.seek(row * self._row_bytes - len(self._digests) * self._row_bytes, os.SEEK_END)
        return self._file.read(self._row_bytes)


def _describe(file: Path, image_size: int, fit: str, digests: Sequence[str]) -> dict[str, Any]:
    facts = file.stat()
    return {
        "version": facts_version(),
        "image_size": image_size,
        "fit": fit,
        "bytes": facts.st_size,
        "modified": facts.st_mtime_ns,
        "images": sha256_lines(digests),
    }


def write_header(output: BinaryIO, count: int, image_size: int) -> int:
    """Writes the header of an array of so many images, and returns its length; numpy leaves room in it for growth."""
    shape = (count, image_size, image_size, 3)
    npy.write_array_header_1_0(
        output, {"descr": npy.dtype_to_descr(np.dtype(np.uint8)), "fortran_order": False, "shape": shape}
    )
    return output.tell()
