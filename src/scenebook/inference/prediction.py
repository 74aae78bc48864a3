"""From a folder or a list of images to a table of predictions and contact sheets: planned, shared out, put together."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from scenebook.core.errors import InputError, ScenebookError
from scenebook.core.provenance import sha256_bytes, sha256_lines
from scenebook.core.run_directory import RunDirectory, run_name_for, write_bytes
from scenebook.core.run_files import CLASSES
from scenebook.core.wording import count_noun, format_share
from scenebook.data.decoding import load_decoder
from scenebook.inference.contact_sheet import TILE_SIDE, Largest, Sample, draw_sheet
from scenebook.inference.listing import SHARD, ImageListing, list_images
from scenebook.inference.loading import digest_network
from scenebook.inference.shards import (
    ShardTask,
    load_for_shards,
    make_by_batches,
    make_shard,
    read_images,
    read_shard,
    read_shard_record,
)

if TYPE_CHECKING:
    from scenebook.study.cluster import Cluster

MOST_CSV_ROWS = 1_000_000
"""More predictions than that are only in Parquet, and not in `predictions.csv`, too."""

_RECORD = "predictions.json"
_TABLE = "predictions.csv"
_FAILURES = 3
"""So many shards that have failed, and none that has not: the others would fail, too."""


@dataclass(frozen=True)
class PredictionSummary:
    """What came of the images: the files that were written, how many were classified, and how many set aside.

    Attributes:
        images: How many images there are predictions of.
        made: How many images were classified now; of the others there were predictions.
        repeated: How many rows of a list repeat an earlier one.
        unlike: How many images look unlike the training images; `None` where the run keeps no features.
        threshold: The distance above which they do.
        validation: How many validation images the threshold was taken from.
        seconds: How long that took, without loading the network.
    """

    files: list[Path]
    images: int
    made: int
    set_aside: int
    repeated: int
    unlike: int | None
    threshold: float | None
    validation: int
    seconds: float


class _Plan(Sequence[ShardTask]):
    """The shards that are still to be made. Those that are there, and as they would come out, are kept."""

    def __init__(self, run_dir: RunDirectory, listing: ImageListing, folder: Path, trust: bool) -> None:
        self._listing, self._run, self._trust = listing, run_dir.root.resolve(), trust
        self.network = digest_network(run_dir)
        self._keys = [sha256_lines([self.network, digest]) for digest in listing.digests]
        self.files = [folder / f"{number:05d}.parquet" for number in range(len(self._keys))]
        self._missing = []
        for number, (file, key) in enumerate(zip(self.files, self._keys, strict=True)):
            record = read_shard_record(file)
            if record is None or record.key != key:
                self._missing.append(number)
                file.unlink(missing_ok=True)  # so that all in the folder are of these images and of this network
        for file in {*folder.glob("*.parquet")} - {*self.files}:
            file.unlink(missing_ok=True)

    def __len__(self) -> int:
        return len(self._missing)

    def __getitem__(self, index: int) -> ShardTask:  # type: ignore[override]
        number = self._missing[index]
        paths, root = self._listing.read_shard(number), self._listing.root
        return ShardTask(self._run, self.network, self._trust, root, paths, self.files[number], self._keys[number])

    def size(self, index: int) -> int:
        """Returns how many images a task has."""
        return min(SHARD, self._listing.images - self._missing[index] * SHARD)


def predict_images(
    run_dir: RunDirectory,
    images: Path,
    *,
    report: Callable[[int, int], None],
    trust: bool = False,
    scheduler: str | None = None,
) -> PredictionSummary:
    """Classifies all images of a folder or a list, shard by shard, and writes what `choose_target` names in the run.

    There are `shards/`, a Parquet file for 1,000 images each, which is kept while neither the run nor the images
    change; `predictions.csv`, a row an image in their order; `set-aside.csv`, a row a file that is no image or cannot
    be read; contact sheets; and `predictions.json`, the counts. Memory does not grow with the number of images.

    Args:
        run_dir: A run that `check_run` accepts.
        images: From `resolve_source`.
        report: Called with the number of images done and the number in all.
        trust: Whether code that comes with the run may be run.
        scheduler: The address of a dask scheduler whose workers make the shards; `None`: this process does.

    Raises:
        InputError: There is no image, none can be read, the run is not whole, or no scheduler answers.
        ScenebookError: A shard could not be made; the others are kept.
    """
    classes = run_dir.read_json(CLASSES)
    follow_links = bool(classes.get("settings", {}).get("follow_links"))
    with ExitStack() as stack:
        cluster = None
        if scheduler is not None:
            from scenebook.study.cluster import open_cluster

            seen = [run_dir.root.resolve(), images]
            cluster = stack.enter_context(open_cluster(scheduler, tasks=1, task_gb=1, must_see=seen))
        listing = stack.enter_context(closing(list_images(images, follow_links=follow_links)))
        target = choose_target(run_dir, images)
        if not run_dir.path(f"{target}/{_RECORD}").is_file():  # from now on it is the place of these images
            run_dir.write_json(f"{target}/{_RECORD}", {"folder": str(images)})
        plan = _Plan(run_dir, listing, run_dir.path(f"{target}/shards"), trust)
        made = sum(map(plan.size, range(len(plan))))
        if cluster is None and plan:
            load_for_shards(run_dir.root.resolve(), plan.network, trust)
        started = time.monotonic()
        report(listing.images - made, listing.images)
        for done in _make_here(plan) if cluster is None else _make_on(cluster, plan):
            report(listing.images - made + done, listing.images)
        return _put_together(run_dir, target, images, listing, plan.files, made, time.monotonic() - started)


def choose_target(run_dir: RunDirectory, images: Path) -> str:
    """Returns where the predictions of a folder or a list go in the run: `predictions/<name>`.

    Where other images of this name were classified before, a digest of the path is appended: their predictions stay.
    """
    target = f"predictions/{run_name_for(images.stem if images.is_file() else images.name)}"
    record = f"{target}/{_RECORD}"
    if run_dir.path(record).is_file() and run_dir.read_json(record).get("folder") != str(images):
        return f"{target}-{sha256_bytes(os.fsencode(images))[:8]}"
    return target


def _make_here(plan: _Plan) -> Iterator[int]:
    """Makes the shards one after the other; yields how many images are done."""
    done = 0
    for index, task in enumerate(plan):
        for count in make_by_batches(task):
            yield done + count
        done += plan.size(index)


def _make_on(cluster: Cluster, plan: _Plan) -> Iterator[int]:
    """Has the shards made by a cluster's workers; yields how many images are done."""
    from scenebook.study.fan_out import run_tasks

    done = 0
    errors: list[str] = []
    names = [plan.files[0].parent.parent.name] * len(plan)
    for outcome in run_tasks(cluster, make_shard, plan, names=names):
        if outcome.error:
            errors.append(outcome.error)
            if not done and len(errors) == _FAILURES:
                break
        else:
            done += plan.size(outcome.position)
            yield done
    if errors:
        raise ScenebookError(
            f"Expected all shards to be made. Received: failed={count_noun(len(errors), 'shard')}, "
            f"error={errors[0]!r}. What was made is kept: the same command goes on from there."
        )


def _put_together(
    run_dir: RunDirectory,
    target: str,
    images: Path,
    listing: ImageListing,
    files: Sequence[Path],
    made: int,
    seconds: float,
) -> PredictionSummary:
    """Writes what is made of all shards, one of them in memory at a time."""
    sheets = _Sheets(run_dir.read_json(CLASSES)["classes"])
    count = unlike = 0
    aside, found = listing.set_aside, listing.list_set_aside()
    in_csv = listing.images <= MOST_CSV_ROWS
    with ExitStack() as stack:
        add_aside = stack.enter_context(run_dir.writing_csv(f"{target}/set-aside.csv"))
        add = stack.enter_context(run_dir.writing_csv(f"{target}/{_TABLE}")) if in_csv else pd.DataFrame
        add_aside(pd.DataFrame(columns=["path", "reason"]))
        while part := list(islice(found, SHARD)):
            add_aside(pd.DataFrame(part))
        for number, file in enumerate(files):
            record, columns = read_shard(file)
            unread, paths = dict(record.set_aside), listing.read_shard(number)
            # In Parquet, names that are not UTF-8 are not what they are.
            columns["path"] = [path for place, path in enumerate(paths) if place not in unread]
            table = pd.DataFrame(columns)
            add(table)
            if unread:
                add_aside(pd.DataFrame([(paths[place], reason) for place, reason in unread.items()]))
            sheets.offer(table)
            count, aside = count + len(table), aside + len(unread)
            unlike += int((table["unlike_training"] == "yes").sum())
        if not count:
            received = {"images": str(images), "set aside": aside}
            raise InputError("Expected images that can be read.", received=received)
    if not in_csv:
        run_dir.path(f"{target}/{_TABLE}").unlink(missing_ok=True)
    counts = {"images": count, "set_aside": aside, "repeated": listing.repeated}
    known = unlike if record.threshold is not None else None
    facts = {"folder": str(images), **counts, "unlike_training": known, "threshold": record.threshold}
    names = [*([_TABLE] if in_csv else []), "set-aside.csv", *sheets.write(run_dir, target, listing.root), "shards"]
    run_dir.write_json(f"{target}/{_RECORD}", facts | {"classes": sheets.sample.counts})
    written = [run_dir.path(f"{target}/{name}") for name in names]
    distances = (known, record.threshold, record.validation)
    return PredictionSummary(written, count, made, aside, listing.repeated, *distances, seconds)


class _Sheets:
    """Chooses what the contact sheets show while the predictions pass by, and draws them."""

    def __init__(self, class_names: Sequence[str]) -> None:
        self.sample = Sample(class_names)
        self._least_sure = Largest()
        self._unlike = Largest()

    def offer(self, table: pd.DataFrame) -> None:
        """Shows the predictions of a shard."""
        columns = (table[name].tolist() for name in ("path", "class", "confidence", "unlike_training", "distance"))
        for path, name, confidence, unlike, distance in zip(*columns, strict=True):
            lines = (path.rsplit("/", 1)[-1], name, format_share(confidence))
            self.sample.offer(name, path, *lines)
            self._least_sure.offer(-confidence, path, *lines)
            if unlike == "yes":
                self._unlike.offer(distance, path, *lines, f"distance {distance:.3f}")

    def write(self, run_dir: RunDirectory, target: str, root: Path) -> list[str]:
        """Writes the sheets, removes those of an earlier call that there is nothing for now, and returns the names."""
        sheets = {
            "contact-sheet.jpg": ("A sample of each class, drawn at random", self.sample.list_chosen()),
            "contact-sheet-least-sure.jpg": (
                "Those of which the network is least sure",
                self._least_sure.list_chosen(),
            ),
            "contact-sheet-unlike.jpg": ("Those that look least like the training images", self._unlike.list_chosen()),
        }
        paths = sorted({image.path for _, chosen in sheets.values() for image in chosen})
        decoder = replace(load_decoder(run_dir), size=(TILE_SIDE, TILE_SIDE))
        found = read_images(root, paths, decoder)
        pixels = {path: content for path, content in found if isinstance(content, np.ndarray)}
        written = []
        for file, (title, chosen) in sheets.items():
            path = run_dir.path(f"{target}/{file}")
            if tiles := [(pixels[image.path], image.lines) for image in chosen if image.path in pixels]:
                write_bytes(path, draw_sheet(title, tiles))
                written.append(file)
            else:
                path.unlink(missing_ok=True)
        return written
