"""A shard: images that are classified together and kept as one Parquet file, whichever process does it."""

from __future__ import annotations

import json
import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from scenebook.core.errors import ScenebookError
from scenebook.core.run_directory import RunDirectory, replacing
from scenebook.core.run_files import CLASSES
from scenebook.data.decoding import Decoder
from scenebook.data.pools import count_cores
from scenebook.inference.loading import digest_network, load_network

if TYPE_CHECKING:
    from scenebook.inference.model import Network
    from scenebook.inference.ood import OodDetector

WAITING = 128
"""Images that are decoded ahead of the network."""

_RECORD = "scenebook"


@dataclass(frozen=True)
class ShardTask:
    """What a worker needs in order to make a shard.

    Attributes:
        run: The run's folder.
        network: From `digest_network`.
        trust: Whether code that comes with the run may be run.
        root: The folder that the paths start from.
        paths: The images, in their order.
        file: Where the shard is kept.
        key: What it depends on; a shard that has another one is made again.
    """

    run: Path
    network: str
    trust: bool
    root: Path
    paths: Sequence[str]
    file: Path
    key: str


@dataclass(frozen=True)
class ShardRecord:
    """What is kept with a shard's predictions.

    Attributes:
        key: That of its task; empty where an image may be readable the next time.
        set_aside: Places, among the shard's paths, of images that could not be read, each with the reason.
        threshold: The distance above which an image looks unlike the training images; `None`: the run has no features.
        validation: How many validation images the threshold was taken from.
    """

    key: str
    set_aside: list[tuple[int, str]]
    threshold: float | None
    validation: int


def make_shard(task: ShardTask) -> None:
    """Classifies the images of a shard and writes its file, as `make_by_batches` does."""
    for _ in make_by_batches(task):
        pass


def make_by_batches(task: ShardTask) -> Iterator[int]:
    """Classifies the images of a shard and writes its file; yields, after each batch, how many are done.

    The network stays loaded for the next shard of this process.

    Raises:
        ScenebookError: The run, or the code in this process, is not that of the process which made the task.
    """
    network, detector, class_names = load_for_shards(task.run, task.network, task.trust)
    # What a network needs in memory grows with the pixels of a batch.
    most = max(1, min(64, 64 * 224 * 224 // (network.size[0] * network.size[1])))
    aside: list[tuple[int, str]] = []
    places: list[int] = []
    probs: list[np.ndarray] = []
    distances: list[np.ndarray] = []
    key, done = task.key, 0

    def read() -> Iterator[np.ndarray]:
        nonlocal key
        for place, (_, content) in enumerate(read_images(task.root, task.paths, network.decoder)):
            if isinstance(content, np.ndarray):
                places.append(place)
                yield content
            else:
                aside.append((place, f"cannot be read: {' '.join(str(content).split())[:200]}"))
                # Unlike a damaged image, a disk or a network that fails may work the next time.
                key = "" if content.errno is not None else key

    images = read()
    batches = iter(lambda: list(islice(images, most)), [])
    for outputs, vectors in network(map(np.stack, batches)):
        probs.append(outputs)
        if detector is not None and vectors is not None:
            distances.append(detector.measure(vectors))
        done += len(outputs)
        yield done + len(aside)
    record = ShardRecord(key, aside, *((detector.threshold, detector.validation) if detector else (None, 0)))
    table = _make_table([task.paths[place] for place in places], class_names, probs, distances, record.threshold)
    with replacing(task.file) as temporary:
        table.write_parquet(temporary, metadata={_RECORD: json.dumps(vars(record))})


@lru_cache(maxsize=1)
def load_for_shards(run: Path, network: str, trust: bool) -> tuple[Network, OodDetector | None, list[str]]:
    """Returns a run's network, what new images are compared with, and the names of its classes; loaded once a process.

    Raises:
        ScenebookError: The network is not the one with this digest.
    """
    run_dir = RunDirectory(run)
    if digest_network(run_dir) != network:
        raise ScenebookError(
            f"Expected the run {run_dir.name}, the code and the libraries to be the same in all processes. They are "
            f"not, or have changed since `predict` began. Start workers anew, and then the command again."
        )
    class_names: list[str] = run_dir.read_json(CLASSES)["classes"]
    return *load_network(run_dir, class_names, trust), class_names


def read_images(root: Path, paths: Sequence[str], decoder: Decoder) -> Iterator[tuple[str, np.ndarray | OSError]]:
    """Yields each path with the image's pixels, uint8 `(height, width, 3)`, or with why it cannot be read, in order.

    Args:
        root: The folder that paths start from.
        paths: The images.
        decoder: That of the run.
    """

    def work(path: str) -> np.ndarray | OSError:
        try:
            return decoder.resize(decoder.decode(root / path))
        except OSError as error:
            return error

    with ThreadPoolExecutor(max_workers=count_cores()) as pool:
        ahead: deque[tuple[str, Future[np.ndarray | OSError]]] = deque()
        for path in paths:
            ahead.append((path, pool.submit(work, path)))
            if len(ahead) >= WAITING:
                first, content = ahead.popleft()
                yield first, content.result()
        while ahead:
            first, content = ahead.popleft()
            yield first, content.result()


def read_shard_record(file: Path) -> ShardRecord | None:
    """Returns what is kept with a shard's predictions; `None` where there is no such file, or it is damaged."""
    try:
        return ShardRecord(**json.loads(pl.read_parquet_metadata(file)[_RECORD]))
    except (OSError, KeyError, TypeError, ValueError, pl.exceptions.PolarsError):
        return None


def read_shard(file: Path) -> tuple[ShardRecord, dict[str, Any]]:
    """Returns what is kept with a shard's predictions, and these: the columns, from name to array `(n,)`.

    Raises:
        ScenebookError: The file has gone, or is damaged.
    """
    record = read_shard_record(file)
    if record is None:
        raise ScenebookError(f"Expected a file that `predict` has just written. Received: {file}. Start it again.")
    table = pl.read_parquet(file)
    return record, {name: table[name].to_numpy() for name in table.columns}


def _make_table(
    paths: Sequence[str],
    class_names: Sequence[str],
    probs: Sequence[np.ndarray],
    distances: Sequence[np.ndarray],
    threshold: float | None,
) -> pl.DataFrame:
    """Returns the predictions, with the same columns of the same types for every shard of a run."""
    matrix = np.concatenate([np.empty((0, len(class_names)), np.float32), *probs])
    chosen = matrix.argmax(axis=1)
    distance = np.concatenate([np.empty(0), *distances]) if threshold is not None else np.full(len(paths), np.nan)
    unlike = np.where(distance > threshold, "yes", "no") if threshold is not None else np.full(len(paths), "")
    columns: dict[str, tuple[Any, Any]] = {
        "path": ([_without_escapes(path) for path in paths], pl.String),
        "class": ([class_names[index] for index in chosen], pl.String),
        "confidence": (matrix[np.arange(len(matrix)), chosen], pl.Float32),
        **{f"p_{name}": (matrix[:, index], pl.Float32) for index, name in enumerate(class_names)},
        "unlike_training": (unlike.tolist(), pl.String),
        "distance": (distance, pl.Float64),
    }
    return pl.DataFrame(
        {name: values for name, (values, _) in columns.items()}, {name: kind for name, (_, kind) in columns.items()}
    )


def _without_escapes(path: str) -> str:
    r"""Returns a path as text, for Parquet has no other: a byte that is not UTF-8 is written as `\xff`."""
    return os.fsencode(path).decode(errors="backslashreplace")
