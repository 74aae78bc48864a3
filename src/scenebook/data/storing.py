"""Decodes every image of a data set once, and keeps pixels and facts; what an earlier run found out is used again."""

from __future__ import annotations

import os
import shutil
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pandas as pd
from numpy.lib import format as npy

from scenebook.core.errors import DatasetError, MissingArtifactError
from scenebook.core.provenance import list_stamp, sha256_bytes, sha256_lines
from scenebook.core.run_directory import RunDirectory, replacing
from scenebook.core.run_files import IMAGES, IMAGES_RECORD, MEASURES
from scenebook.data.decoding import MAX_MEGAPIXELS, SQUASH, Decoder
from scenebook.data.file_facts import FactsCache, FileFacts, facts_version
from scenebook.data.files import MAX_IMAGE_BYTES, read_regular
from scenebook.data.images import FoundImages, SourceImage
from scenebook.data.measuring import measure
from scenebook.data.pools import open_pool

_CHUNK = 64
_WORTH_PROCESSES = 3000  # so many images take longer to decode than processes take to start

Decoded = tuple[bytes, FileFacts] | str  # pixels and facts of an image, or why it cannot be read


@dataclass(frozen=True)
class DecodedImages:
    """The readable images of a data set, and those set aside with the reason; the facts of so many were `known` before.

    Attributes:
        table: A row an image: path, label, split (may be missing), sha256, width, height (of the file, upright), and
            what `measuring.measure` returns.
        file: `data/images.npy`: uint8 `(images, height, width, 3)`, rows in the table's order.
    """

    table: pd.DataFrame
    file: Path
    set_aside: list[tuple[str, str]]
    known: int = 0

    @property
    def pixels(self) -> np.ndarray:
        return np.asarray(np.load(self.file, mmap_mode="r", allow_pickle=False))


def decode_images(
    found: FoundImages,
    run_dir: RunDirectory,
    *,
    image_size: int,
    fit: str = SQUASH,
    max_megapixels: int = MAX_MEGAPIXELS,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> DecodedImages:
    """Decodes every image once and keeps them, `image_size` pixels high and wide, in the run as one array on disk.

    Those of another shape are made to fit as `decoding.resize` does it.

    A file that cannot be decoded is set aside with the reason; it never stops the rest. Digest, size and measures of a
    file that has not changed come from the cache, and its pixels from the run's own array where that is of this size.
    What each file was measured as is kept in `data/measures.csv`. An image of more than `max_megapixels` is set aside
    by its header, without decoding it.

    Raises:
        DatasetError: No image could be read, a class has none left, or there is no room for the pixels.
    """
    columns: dict[str, list[Any]] = {name: [] for name in ("path", "label", "split", "sha256", "width", "height")}
    set_aside: list[tuple[str, str]] = []
    total = len(found.images)
    file = run_dir.path(IMAGES)
    with FactsCache() as cache:
        facts = cache.find(found)
        for position, known in enumerate(facts):
            if known is not None and known["width"] * known["height"] > max_megapixels * 1_000_000:
                facts[position] = None
        earlier = StoredPixels(run_dir, image_size, fit)
        if earlier.holds_exactly(facts):
            for image, known in zip(found.images, facts, strict=True):
                _add_row(columns, image, known or {})
            # The run's list of files tells by the time of a file whether this run has made it.
            os.utime(file)
            report(total, total)
        else:
            file.parent.mkdir(parents=True, exist_ok=True)
            needed, free = total * image_size * image_size * 3, shutil.disk_usage(file.parent).free
            if needed > free:
                raise DatasetError(
                    f"Expected disk space for the pixels of {total:,} images: {needed / 1e9:.1f} GB.",
                    received={"free GB": round(free / 1e9, 1), "image_size": image_size},
                    advice="Free some space, lower image_size, or draw a subset with max_per_class.",
                )
            with replacing(file) as temporary, temporary.open("wb") as output:
                header = write_header(output, 0, image_size)
                work = partial(_decode_chunk, found.root, Decoder((image_size, image_size), fit, max_megapixels))
                results = _decode_all(found, facts, work, earlier, cache)
                for done, (image, result) in enumerate(results, start=1):
                    if isinstance(result, str):
                        set_aside.append((image.path, f"cannot be read: {result}"))
                    else:
                        output.write(result[0])
                        _add_row(columns, image, result[1])
                    report(done, total)
                output.seek(0)
                length = write_header(output, len(columns["path"]), image_size)
                assert length == header, "the header of the array has grown over the first row"
    table = pd.DataFrame(columns)
    if table.empty:
        raise DatasetError("Expected readable images.", received={"dataset": str(found.source), "readable": 0})
    lost = sorted(set(found.class_names) - set(table["label"]))
    if lost:
        raise DatasetError(
            "Expected at least one readable image in every class.", received={"classes without": lost[:10]}
        )
    run_dir.write_csv(MEASURES, table.drop(columns=["label", "split"]))
    StoredPixels.record(run_dir, image_size, fit, columns["sha256"])
    return DecodedImages(table, file, set_aside, known=sum(known is not None for known in facts))


def _decode_chunk(root: Path, decoder: Decoder, images: Sequence[tuple[str, FileFacts | None]]) -> list[Decoded]:
    def decode_one(path: str, known: FileFacts | None) -> Decoded:
        try:
            content = read_regular(root / path, MAX_IMAGE_BYTES)
            full = decoder.decode(content)
            pixels, digest = decoder.resize(full).tobytes(), sha256_bytes(content)
            if known is not None and known["sha256"] == digest:
                return pixels, known
            size = {"width": full.shape[1], "height": full.shape[0]}
            return pixels, {"sha256": digest, **size, **measure(full)}
        except MemoryError:
            return "too large for the memory"
        except OSError as error:
            # The text of a system's error holds the whole path; of a file's name, the report shows the part below.
            return " ".join((error.strerror or str(error)).split())[:200]

    return [decode_one(path, known) for path, known in images]


def _decode_all(
    found: FoundImages,
    facts: Sequence[FileFacts | None],
    work: Callable[[Sequence[tuple[str, FileFacts | None]]], list[Decoded]],
    earlier: StoredPixels,
    cache: FactsCache,
) -> Iterator[tuple[SourceImage, Decoded]]:
    """Yields images in order with what was decoded or stored earlier; a bounded number of them in memory."""
    images = found.images
    rows = [None if known is None else earlier.rows.get(known["sha256"]) for known in facts]
    waiting: deque[tuple[range, Future[list[Decoded]]]] = deque()
    starts = iter(range(0, len(images), _CHUNK))
    with open_pool(sum(row is None for row in rows), worth_processes=_WORTH_PROCESSES) as (pool, workers), earlier:
        while True:
            for start in starts:
                chunk = range(start, min(start + _CHUNK, len(images)))
                files = [(images[i].path, facts[i]) for i in chunk if rows[i] is None]
                waiting.append((chunk, pool.submit(work, files)))
                if len(waiting) > 2 * workers:
                    break
            if not waiting:
                return
            chunk, future = waiting.popleft()
            try:
                decoded = iter(future.result())
            except BrokenProcessPool:
                raise DatasetError(
                    "Expected the processes that decode images to keep running.",
                    advice="One was ended from outside, probably because the machine ran out of memory. "
                    "Lower max_megapixels, or close other programs.",
                ) from None
            new: list[tuple[SourceImage, FileFacts]] = []
            for i in chunk:
                image, known, row = images[i], facts[i], rows[i]
                result = next(decoded) if known is None or row is None else (earlier.read(row), known)
                if not isinstance(result, str) and result[1] != known:
                    new.append((image, result[1]))
                yield image, result
            cache.keep(found.root, new)


def _add_row(columns: dict[str, list[Any]], image: SourceImage, facts: FileFacts) -> None:
    for name, value in {"path": image.path, "label": image.label, "split": image.split, **facts}.items():
        columns.setdefault(name, []).append(value)


class StoredPixels:
    """The pixels that an earlier execution of this run has left: the `rows` by the digests of their files."""

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
        assert self._file is not None
        self._file.seek(row * self._row_bytes - len(self._digests) * self._row_bytes, os.SEEK_END)
        return self._file.read(self._row_bytes)


def _describe(file: Path, image_size: int, fit: str, digests: Sequence[str]) -> dict[str, Any]:
    size, modified, changed = list_stamp(file)
    return {
        "version": facts_version(),
        "image_size": image_size,
        "fit": fit,
        "bytes": size,
        "modified": modified,
        "changed": changed,
        "images": sha256_lines(digests),
    }


def write_header(output: BinaryIO, count: int, image_size: int) -> int:
    """Writes the header of an array of so many images, and returns its length; numpy leaves room in it for growth."""
    shape = (count, image_size, image_size, 3)
    npy.write_array_header_1_0(
        output, {"descr": npy.dtype_to_descr(np.dtype(np.uint8)), "fortran_order": False, "shape": shape}
    )
    return output.tell()
