"""The stream from a folder of images to a table of predictions and contact sheets."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from scenebook.core.errors import InputError
from scenebook.core.provenance import sha256_bytes
from scenebook.core.run_directory import RunDirectory, run_name_for, write_bytes
from scenebook.core.run_files import CLASSES, FEATURES, MODEL, PRETRAINED, SUMMARY
from scenebook.core.wording import format_share
from scenebook.inference.contact_sheet import Extremes, Sample, draw_sheet
from scenebook.inference.error_stream import hold_error_stream
from scenebook.inference.folder import Read, SetAside, count_images, read_images
from scenebook.network.features import load_features, load_weights

if TYPE_CHECKING:
    from scenebook.inference.model import Network
    from scenebook.inference.ood import OodDetector

NEEDED = (MODEL, SUMMARY, CLASSES)
SHEETS = ("contact-sheet.jpg", "contact-sheet-least-sure.jpg", "contact-sheet-unlike.jpg")
FACTS = "predictions.json"
BATCH_PIXELS = 64 * 224 * 224
"""So many pixels in a batch, at most 64 images: what a network needs in memory grows with them."""


@dataclass(frozen=True)
class PredictionSummary:
    """What came of a folder.

    Attributes:
        folder: Where the files are.
        files: Their names.
        images: How many images were classified.
        set_aside: How many files were not.
        unlike: How many images look unlike the training images; `None` where the run keeps no features.
        threshold: The distance above which they do.
        validation: How many validation images the threshold was taken from.
        seconds: How long it took, without loading the network.
    """

    folder: Path
    files: list[str]
    images: int
    set_aside: int
    unlike: int | None
    threshold: float | None
    validation: int
    seconds: float


def check_run(run_dir: RunDirectory) -> None:
    """Raises `InputError` unless the run is there and has a trained model."""
    if not run_dir.root.is_dir():
        known = sorted(path.parents[1].name for path in run_dir.root.parent.glob("*/training/model.keras"))
        raise InputError(
            "Expected the name of a finished run.",
            received={"run": run_dir.name},
            advice=f"Runs with a trained model: {', '.join(known)}." if known else "`make report` makes one.",
        )
    missing = [name for name in NEEDED if not run_dir.path(name).is_file()]
    if missing:
        raise InputError(
            "Expected a run with a trained model.",
            received={"run": run_dir.name, "missing": missing},
            advice="Run `make report` to its end first.",
        )


def predict_folder(
    run_dir: RunDirectory, images: Path, *, report: Callable[[int, int], None] = lambda done, total: None
) -> PredictionSummary:
    """Classifies all images of a folder, and writes `predictions/<folder>/` of the run (see `choose_target`).

    There are `predictions.csv`, a row an image in the order of their paths; `set-aside.csv`, a row a file that is no
    image or cannot be read; contact sheets; and `predictions.json`, the counts. Images pass through in batches.

    Args:
        run_dir: A run that `check_run` accepts.
        images: The folder.
        report: Called with the number of images done and the number in all.

    Raises:
        InputError: There is no image, none can be read, or the run is not whole.
    """
    total = count_images(images)
    class_names: list[str] = run_dir.read_json(CLASSES)["classes"]
    network, detector = _load(run_dir, class_names)
    target = choose_target(run_dir, images)
    sheets = _Sheets(class_names)
    count = unlike = set_aside = 0
    started = time.monotonic()
    with (
        run_dir.writing_csv(f"{target}/predictions.csv") as add,
        run_dir.writing_csv(f"{target}/set-aside.csv") as add_set_aside,
    ):
        add_set_aside(pd.DataFrame(columns=["path", "reason"]))
        for batch, aside in _make_batches(images, network.size):
            if aside:
                add_set_aside(pd.DataFrame([(item.path, item.reason) for item in aside], columns=["path", "reason"]))
            if batch:
                table = _predict(batch, network, detector, class_names)
                add(table)
                sheets.offer(batch, table)
                unlike += int((table["unlike_training"] == "yes").sum())
            count += len(batch)
            set_aside += len(aside)
            report(min(total, count + set_aside), total)
        if not count:
            raise InputError(
                "Expected images that can be read.", received={"images": str(images), "set aside": set_aside}
            )
    seconds = time.monotonic() - started
    files = ["predictions.csv", "set-aside.csv", *sheets.write(run_dir, target)]
    summary = PredictionSummary(
        run_dir.path(target),
        files,
        count,
        set_aside,
        unlike if detector else None,
        detector.threshold if detector else None,
        detector.validation if detector else 0,
        seconds,
    )
    facts = {"folder": str(images), "images": count, "set_aside": set_aside, "unlike_training": summary.unlike}
    run_dir.write_json(f"{target}/{FACTS}", {**facts, "threshold": summary.threshold, "classes": sheets.counts})
    return summary


def choose_target(run_dir: RunDirectory, images: Path) -> str:
    """Returns where the predictions of a folder go in the run: `predictions/<folder>`.

    Where another folder of this name was classified before, a digest of the path is appended: its predictions stay.
    """
    target = f"predictions/{run_name_for(images.name)}"
    facts = f"{target}/{FACTS}"
    if run_dir.path(facts).is_file() and run_dir.read_json(facts).get("images") != str(images):
        return f"{target}-{sha256_bytes(os.fsencode(images))[:8]}"
    return target


def _load(run_dir: RunDirectory, class_names: Sequence[str]) -> tuple[Network, OodDetector | None]:
    """Loads the network and, where the run kept features, what new images are compared with."""
    from scenebook.inference.ood import OodDetector

    with hold_error_stream():
        network = _load_network(run_dir, class_names)
        network(np.zeros((1, *network.size, 3), dtype=np.uint8))  # what TensorFlow says, it says at the first image
    return network, OodDetector(load_features(run_dir)) if _has_features(run_dir) else None


def _has_features(run_dir: RunDirectory) -> bool:
    return all(run_dir.path(name).is_file() for name in (FEATURES, PRETRAINED))


def _load_network(run_dir: RunDirectory, class_names: Sequence[str]) -> Network:
    from scenebook.inference.model import Network

    network = Network(run_dir, load_weights(run_dir) if _has_features(run_dir) else None)
    if network.num_classes != len(class_names):
        raise InputError(
            "Expected a model for the classes of the run's data.",
            received={"classes": len(class_names), "outputs of the model": network.num_classes},
            advice="Run `make report` to its end again.",
        )
    return network


def _make_batches(images: Path, size: tuple[int, int]) -> Iterator[tuple[list[Read], list[SetAside]]]:
    most = max(1, min(64, BATCH_PIXELS // (size[0] * size[1])))
    batch: list[Read] = []
    aside: list[SetAside] = []
    for item in read_images(images, size):
        if isinstance(item, Read):
            batch.append(item)
        else:
            aside.append(item)
        if len(batch) == most or len(aside) == most:
            yield batch, aside
            batch, aside = [], []
    if batch or aside:
        yield batch, aside


def _predict(
    batch: Sequence[Read], network: Network, detector: OodDetector | None, class_names: Sequence[str]
) -> pd.DataFrame:
    probs, vectors = network(np.stack([item.pixels for item in batch]))
    chosen = probs.argmax(axis=1)
    table = pd.DataFrame(
        {
            "path": [item.path for item in batch],
            "class": [class_names[index] for index in chosen],
            "confidence": probs[np.arange(len(probs)), chosen],
            **{f"p_{name}": probs[:, index] for index, name in enumerate(class_names)},
        }
    )
    if detector is None or vectors is None:
        return table.assign(unlike_training="", distance=np.nan)
    distances = detector.measure(vectors)
    return table.assign(unlike_training=np.where(distances > detector.threshold, "yes", "no"), distance=distances)


class _Sheets:
    """Chooses what the contact sheets show while the images pass by, and draws them."""

    def __init__(self, class_names: Sequence[str]) -> None:
        self._sample = Sample(class_names)
        self._least_sure = Extremes()
        self._unlike = Extremes()

    @property
    def counts(self) -> dict[str, int]:
        """How many images were given each class."""
        return self._sample.counts

    def offer(self, batch: Sequence[Read], table: pd.DataFrame) -> None:
        """Shows a batch and its predictions."""
        rows = zip(batch, table["class"], table["confidence"], table["unlike_training"], table["distance"], strict=True)
        for item, name, confidence, unlike, distance in rows:
            lines = (item.path.rsplit("/", 1)[-1], name, format_share(confidence))
            self._sample.offer(name, item.pixels, *lines)
            self._least_sure.offer(-float(confidence), item.pixels, *lines)
            if unlike == "yes":
                self._unlike.offer(float(distance), item.pixels, *lines, f"distance {distance:.3f}")

    def write(self, run_dir: RunDirectory, target: str) -> list[str]:
        """Writes the sheets, removes those of an earlier call that there is nothing for now, and returns the names."""
        titles = (
            "A sample of each class, drawn at random",
            "Those of which the network is least sure",
            "Those that look least like the training images",
        )
        written = []
        kept = (self._sample.tiles(), self._least_sure.tiles(), self._unlike.tiles())
        for file, title, tiles in zip(SHEETS, titles, kept, strict=True):
            path = run_dir.path(f"{target}/{file}")
            if tiles:
                write_bytes(path, draw_sheet(title, tiles))
                written.append(file)
            else:
                path.unlink(missing_ok=True)
        return written
