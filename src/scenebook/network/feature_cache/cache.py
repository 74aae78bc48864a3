"""A feature cache for one set of frozen layers and one kind of augmentation: reading and writing rows of any view."""

from __future__ import annotations

import contextlib
import hashlib
import json
import platform
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock

from scenebook.core.cache import cache_dir
from scenebook.core.progress import print_progress
from scenebook.core.provenance import training_versions
from scenebook.core.settings import AUTO
from scenebook.network.feature_cache.shard import Shard
from scenebook.network.feature_cache.space import SUFFIX, make_room, mark_used

Compute = Callable[[np.ndarray], Sequence[np.ndarray]]

_FORMAT = 1
_OPEN_SHARDS = 8


def _digest(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


class FeatureCache(contextlib.AbstractContextManager["FeatureCache"]):
    """What the frozen layers put out for views of images, kept on disk; its name covers all that its rows depend on.

    A *view* is the index of an epoch, or `None` for the image as it is. Images are told by the SHA-256 of their files,
    64 hexadecimal digits. Several processes may have it open, and many threads use it.

    Args:
        base: What the frozen layers' output depends on besides the image: digest of its weights and structure, image
            size, code, what it runs on. Anything that JSON can hold.
        views: What views depend on besides; nothing where every view is the image as it is.
        shapes: The shapes of the tensors that the frozen layers put out, without the axis of the images.
        gigabytes: The most that all feature caches in the folder may take, in 10^9 bytes; 0: nothing is read or
            written. What is too much, since that was lowered or the disk has become full, is deleted.
        folder: Where feature caches lie; in the cache when it is not given.

    Attributes:
        found: How many rows were read from disk so far.
        written: How many rows were written.
        damaged: How many rows had a wrong checksum.
        stopped: Why nothing more is written, as a clause; empty while rows are written.
    """

    def __init__(
        self,
        *,
        base: Mapping[str, Any],
        views: Mapping[str, Any],
        shapes: Sequence[tuple[int, ...]],
        gigabytes: float = 4.0,
        folder: Path | None = None,
    ) -> None:
        about = {"format": _FORMAT, "base": dict(base), "shapes": [list(shape) for shape in shapes]}
        # Another version of a library, or another processor, may compute other last digits. `base` names the runtime's.
        about |= {"versions": training_versions(AUTO), "machine": f"{platform.system()} {platform.machine()}"}
        self.found = self.written = self.damaged = 0
        self.stopped = "" if gigabytes > 0 else "feature_cache_gb is 0"
        self._shapes, self._key, self._views = list(shapes), _digest(about)[:20], _digest(views)[:12] if views else ""
        self._reads = gigabytes > 0
        self._all, self._limit = folder or cache_dir() / "feature_cache", int(gigabytes * 1e9)
        self._folder = self._all / self._key
        self._shards: dict[str, Shard] = {}
        self._mutex = threading.RLock()
        if self._reads and self._all.is_dir():
            with contextlib.suppress(OSError), self._locked():
                make_room(self._all, self._limit, 0)

    def known(self, view: int | None, digests: Sequence[str]) -> np.ndarray:
        """Returns for which images a row is on disk, bool `(n,)`. It may still turn out to be damaged."""
        with self._mutex:
            return self._find(view, _to_bytes(digests)) >= 0

    def write(self, view: int | None, digests: Sequence[str], arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Keeps rows, as long as there is room, and returns them as they are read: float32 `(n, ...)` a tensor."""
        rows = [np.asarray(array, np.float32) for array in arrays]
        with self._mutex:
            if not self.stopped:
                try:
                    with self._locked():
                        self._append(self._shard(view), _to_bytes(digests), rows)
                except OSError as error:
                    self.stop(f"writing failed: {error.strerror or error}")
        return rows

    def fetch(
        self, view: int | None, digests: Sequence[str], compute: Compute, *, keep: bool = True
    ) -> list[np.ndarray]:
        """Returns the rows of these images; those that are not on disk are computed, and kept.

        Args:
            view: Index of the epoch, or `None`.
            digests: Those of `n` images.
            compute: Gets the positions of the missing images in `digests`, int64 `(m,)` with m > 0, and returns
                float32 `(m, ...)` a tensor.
            keep: Whether what is computed is kept.

        Returns:
            float32 `(n, ...)` a tensor.
        """
        arrays, there = self._gather(view, _to_bytes(digests))
        missing = np.flatnonzero(~there)
        if not len(missing):
            return arrays
        computed = list(compute(missing))
        if keep:
            computed = self.write(view, [digests[int(place)] for place in missing], computed)
        if len(missing) == len(digests):
            return computed
        for array, rows in zip(arrays, computed, strict=True):
            array[missing] = rows
        return arrays

    def close(self) -> None:
        """Lets go of the files, and tells the log what the feature cache was good for."""
        with self._mutex:
            if self._shards and (self.found or self.written):
                print_progress(f"feature cache: {self.found:,} rows read, {self.written:,} written")
            self._shards.clear()

    def __exit__(self, *error: object) -> None:
        self.close()

    def _gather(self, view: int | None, digests: list[bytes]) -> tuple[list[np.ndarray], np.ndarray]:
        """Returns the rows, with zeros where there are none, and which are there."""
        arrays = [np.zeros((len(digests), *shape), np.float32) for shape in self._shapes]
        with self._mutex:
            places = self._find(view, digests)
            there = places >= 0
            chosen = np.flatnonzero(there)
            if len(chosen):
                there[chosen] = self._shard(view).read(places[chosen], arrays, chosen)
                damaged = int((~there[chosen]).sum())
                if damaged and not self.damaged:
                    print_progress("feature cache: damaged rows are computed again")
                self.damaged += damaged
            self.found += int(there.sum())
        return arrays, there

    def _find(self, view: int | None, digests: list[bytes]) -> np.ndarray:
        """Returns where rows are, int64 `(n,)`, -1 for nowhere."""
        if not self._reads:
            return np.full(len(digests), -1, np.int64)
        shard = self._shard(view)
        found = shard.find(digests)
        if (found < 0).any() and shard.is_stale():
            self._refresh(shard)
            found = shard.find(digests)
        return found

    def _refresh(self, shard: Shard) -> None:
        try:
            with self._locked():
                shard.refresh()
        except OSError:
            # A cache that may only be read: a row that is just being written has a wrong checksum.
            shard.refresh()

    def _append(self, shard: Shard, digests: list[bytes], arrays: Sequence[np.ndarray]) -> None:
        shard.refresh()
        # Another process may have written some of them meanwhile.
        new = np.flatnonzero(shard.find(digests) < 0)
        reason = make_room(self._all, self._limit, len(new) * shard.record_bytes, self._list_own_files())
        if reason:
            self.stop(reason)
        elif len(new):
            shard.append([digests[place] for place in new], [array[new] for array in arrays])
            self.written += len(new)

    def _shard(self, view: int | None) -> Shard:
        name = f"{'plain' if view is None or not self._views else f'{view}-{self._views}'}{SUFFIX}"
        if name not in self._shards:
            while len(self._shards) >= _OPEN_SHARDS:
                self._shards.pop(next(iter(self._shards)))
            self._shards[name] = Shard(self._folder / name, self._shapes, f"{self._key} {name}")
            mark_used(self._folder / name)
        return self._shards[name]

    def _list_own_files(self) -> set[Path]:
        """What this feature cache may need again: its own rows are never deleted for more of its own rows."""
        names = [f"plain{SUFFIX}"] + ([f"*-{self._views}{SUFFIX}"] if self._views else [])
        return {path for name in names for path in self._folder.glob(name)}

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self._all.mkdir(parents=True, exist_ok=True)
        with FileLock(self._all / "lock", thread_local=False):
            yield

    def abandon(self, reason: str) -> None:
        """Deletes all that it holds, and reads nothing more, for a reason that is a clause."""
        with self._mutex:
            if self._reads:
                self._reads = False
                self.stop(reason)
                with contextlib.suppress(OSError), self._locked():
                    for file in self._list_own_files():
                        file.unlink(missing_ok=True)

    def stop(self, reason: str) -> None:
        """Keeps nothing more, for a reason that is a clause."""
        self.stopped = reason
        print_progress(f"feature cache: {reason}; what is not in it is computed each time")


def _to_bytes(digests: Sequence[str]) -> list[bytes]:
    return [bytes.fromhex(digest) for digest in digests]
