"""One file of a feature cache: rows of numbers, found by the digest of the image that they were computed from.

A file is a list of records of one size: 32 bytes of digest, 4 bytes of CRC-32, 28 bytes of nothing, then the values.
Records are only ever appended, in whatever order training meets the images, so that a file may hold any part of a
data set. A record counts when its checksum is right; what was cut off in the middle is overwritten by the next one.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from scenebook.data.stored_pixels import release_pages, take_rows

_DIGEST = 32
_CHECKED = 36  # where the checksum ends
_HEADER = 64  # a multiple of the cache line, so that values are aligned


class Shard:
    """The float32 rows of one view. Whoever appends holds the lock of the feature cache's folder.

    Args:
        path: The file; it is made when something is first written.
        shapes: The shapes of the tensors, without the axis of the images.
        key: What the rows belong to. Records that were written under another key count as damaged.
    """

    def __init__(self, path: Path, shapes: Sequence[tuple[int, ...]], key: str) -> None:
        self.path = path
        self.shapes = [tuple(shape) for shape in shapes]
        ends = np.cumsum([math.prod(shape) for shape in self.shapes]).tolist()
        self._bounds = list(zip([0, *ends], ends, strict=False))
        self.record_bytes = _HEADER + 4 * ends[-1]
        self._start = zlib.crc32(f"{key} {self.shapes}".encode())
        self._places: dict[bytes, int] = {}
        self._rows = 0
        self._file_id: tuple[int, int] | None = None
        self._map: np.memmap | None = None

    def is_stale(self) -> bool:
        """Returns whether the file is longer, or another one, than when it was last looked at."""
        return self._status() != (self._file_id, self._rows)

    def refresh(self) -> None:
        """Learns which rows other processes have appended, or that the file was deleted. Needs the lock."""
        file_id, rows = self._status()
        if file_id != self._file_id or rows < self._rows:
            self._places, self._rows, self._map = {}, 0, None
        self._file_id = file_id
        if rows > self._rows:
            headers = take_rows(self._records(rows)[:, :_DIGEST], np.arange(self._rows, rows))
            # Of two records of one image the later one counts: the earlier one was found damaged.
            self._places |= {bytes(header): self._rows + place for place, header in enumerate(headers)}
            self._rows = rows

    def find(self, digests: Sequence[bytes]) -> np.ndarray:
        """Returns where the rows of these images are, int64 `(n,)`; -1 for an image that has none."""
        return np.array([self._places.get(digest, -1) for digest in digests], dtype=np.int64)

    def read(self, places: np.ndarray, arrays: Sequence[np.ndarray], rows: np.ndarray) -> np.ndarray:
        """Reads rows into arrays, and forgets those that turn out to be damaged; returns which are intact, bool `(m,)`.

        Args:
            places: int64 `(m,)`, from `find`, none of them -1.
            arrays: float32 `(n, ...)` a tensor, which are written to.
            rows: int64 `(m,)`: where in the arrays each goes.
        """
        records = self._records(self._rows)
        flat = [array.reshape(len(array), -1) for array in arrays]
        intact = np.zeros(len(places), dtype=bool)
        for position, (place, row) in enumerate(zip(places, rows, strict=True)):
            record = records[place]
            intact[position] = self._check(record) == int.from_bytes(record[_DIGEST:_CHECKED].tobytes(), "little")
            for array, (start, end) in zip(flat, self._bounds, strict=True):
                array[row] = record[_HEADER:].view(np.float32)[start:end]
            if not intact[position] and self._places.get(bytes(record[:_DIGEST])) == place:
                del self._places[bytes(record[:_DIGEST])]
        if self._map is not None:
            release_pages(self._map)
        return intact

    def append(self, digests: Sequence[bytes], arrays: Sequence[np.ndarray]) -> None:
        """Adds rows, float32 `(n, ...)` a tensor. Needs the lock, and a `refresh` under it.

        Raises:
            OSError: The disk is full, say. The rows that were there before still count.
        """
        records = np.empty((len(digests), self.record_bytes), dtype=np.uint8)
        records[:, :_DIGEST] = np.frombuffer(b"".join(digests), np.uint8).reshape(-1, _DIGEST)
        records[:, _CHECKED:_HEADER] = 0
        for array, (start, end) in zip(arrays, self._bounds, strict=True):
            records[:, _HEADER:].view(np.float32)[:, start:end] = array.reshape(len(digests), -1)
        for record in records:
            record[_DIGEST:_CHECKED] = np.frombuffer(self._check(record).to_bytes(4, "little"), np.uint8)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("r+b" if self.path.exists() else "x+b") as file:
            file.seek(self._rows * self.record_bytes)
            file.write(records.data)
        self._places |= {digest: self._rows + place for place, digest in enumerate(digests)}
        self._rows += len(digests)
        self._file_id, _ = self._status()

    def _status(self) -> tuple[tuple[int, int] | None, int]:
        try:
            status = self.path.stat()
        except OSError:
            return None, 0
        return (status.st_dev, status.st_ino), status.st_size // self.record_bytes

    def _records(self, rows: int) -> np.ndarray:
        """Maps the file; not more than is asked for, because a map must not reach beyond its file."""
        if self._map is None or len(self._map) < rows:
            self._map = np.memmap(self.path, np.uint8, mode="r", shape=(rows, self.record_bytes))
        return np.asarray(self._map)  # plain arrays: to index one takes a tenth of the time

    def _check(self, record: np.ndarray) -> int:
        return zlib.crc32(record[_HEADER:].data, zlib.crc32(record[:_DIGEST].data, self._start))
