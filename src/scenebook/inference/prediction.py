"""The stream from a folder of images to a table of predictions and contact sheets."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from scenebook.core.errors import InputError, ScenebookError
from scenebook.core.provenance import sha256_bytes
from scenebook.core.run_directory import RunDirectory, run_name_for, write_bytes
from scenebook.core.run_files import CLASSES, FEATURES, MODEL, PRETRAINED, SUMMARY
from scenebook.core.wording import format_share
from scenebook.inference.contact_sheet import Extremes, Sample, draw_sheet
from scenebook.inference.folder import count_unlabelled, read_images
from scenebook.network.features import load_features, load_weights

if TYPE_CHECKING:
    from scenebook.inference.model import Network
    from scenebook.inference.ood import OodDetector

_RECORD = "predictions.json"


@dataclass(frozen=True)
class PredictionSummary:
    """What came of a folder: the files that were written, how many images were classified, and how many set aside.

    Attributes:
        unlike: How many images look unlike the training images; `None` where the run keeps no features.
        threshold: The distance above which they do.
        validation: How many validation images the threshold was taken from.
        seconds: How long it took, without loading the network.
    """

    files: list[Path]
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
    missing = [name for name in (MODEL, SUMMARY, CLASSES) if not run_dir.path(name).is_file()]
    if missing:
        raise InputError(
            "Expected a run with a trained model.",
            received={"run": run_dir.name, "missing": missing},
            advice="Run `make report` to its end first.",
        )


def predict_folder(
    run_dir: RunDirectory, images: Path, *, report: Callable[[int, int], None], trust: bool = False
) -> PredictionSummary:
    """Classifies all images of a folder, batch by batch, and writes what `choose_target` names in the run.

    There are `predictions.csv`, a row an image in the order of their paths; `set-aside.csv`, a row a file that is no
    image or cannot be read; contact sheets; and `predictions.json`, the counts.

    Args:
        run_dir: A run that `check_run` accepts.
        images: The folder.
        report: Called with the number of images done and the number in all.
        trust: Whether code that comes with the run may be run.

    Raises:
        InputError: There is no image, none can be read, or the run is not whole.
    """
    classes = run_dir.read_json(CLASSES)
    class_names: list[str] = classes["classes"]
    follow_links = bool(classes.get("settings", {}).get("follow_links"))
    total = count_unlabelled(images, follow_links=follow_links)
    network, detector = load_network(run_dir, class_names, trust)
    target = choose_target(run_dir, images)
    sheets = _Sheets(class_names)
    count = unlike = 0
    aside: list[tuple[str, str]] = []

    def read() -> Iterator[tuple[str, np.ndarray]]:
        for path, content in read_images(images, network.decoder, follow_links=follow_links):
            if isinstance(content, str):
                aside.append((path, content))
            else:
                yield path, content

    # What a network needs in memory grows with the pixels of a batch.
    most = max(1, min(64, 64 * 224 * 224 // (network.size[0] * network.size[1])))
    stream, started = read(), time.monotonic()
    with run_dir.writing_csv(f"{target}/predictions.csv") as add:
        while batch := list(islice(stream, most)):
            table = _predict(batch, network, detector, class_names)
            add(table)
            sheets.offer(batch, table)
            unlike += int((table["unlike_training"] == "yes").sum())
            count += len(batch)
            report(min(total, count + len(aside)), total)
        if not count:
            received = {"images": str(images), "set aside": len(aside)}
            raise InputError("Expected images that can be read.", received=received)
    report(total, total)
    run_dir.write_csv(f"{target}/set-aside.csv", pd.DataFrame(aside, columns=["path", "reason"]))
    seconds = time.monotonic() - started
    names = ["predictions.csv", "set-aside.csv", *sheets.write(run_dir, target)]
    counts = {"images": count, "set_aside": len(aside)}
    found, threshold, validation = (unlike, detector.threshold, detector.validation) if detector else (None, None, 0)
    record = {"folder": str(images), **counts, "unlike_training": found, "threshold": threshold}
    run_dir.write_json(f"{target}/{_RECORD}", record | {"classes": sheets.sample.counts})
    files = [run_dir.path(f"{target}/{name}") for name in names]
    return PredictionSummary(files, **counts, unlike=found, threshold=threshold, validation=validation, seconds=seconds)


def choose_target(run_dir: RunDirectory, images: Path) -> str:
    """Returns where the predictions of a folder go in the run: `predictions/<folder>`.

    Where another folder of this name was classified before, a digest of the path is appended: its predictions stay.
    """
    target = f"predictions/{run_name_for(images.name)}"
    record = f"{target}/{_RECORD}"
    if run_dir.path(record).is_file() and run_dir.read_json(record).get("folder") != str(images):
        return f"{target}-{sha256_bytes(os.fsencode(images))[:8]}"
    return target


def load_network(run_dir: RunDirectory, class_names: Sequence[str], trust: bool) -> tuple[Network, OodDetector | None]:
    """Loads the network and, where the run kept features, what new images are compared with.

    Raises:
        InputError: The model does not fit the classes, or cannot be loaded.
    """
    has_features = all(run_dir.path(name).is_file() for name in (FEATURES, PRETRAINED))
    with hold_error_stream():
        from scenebook.inference.model import Network
        from scenebook.inference.ood import OodDetector

        network = Network(run_dir, load_weights(run_dir) if has_features else None, trust=trust)
        if network.num_classes != len(class_names):
            raise InputError(
                "Expected a model for the classes of the run's data.",
                received={"classes": len(class_names), "outputs of the model": network.num_classes},
                advice="Run `make report` to its end again.",
            )
        network(np.zeros((1, *network.size, 3), dtype=np.uint8))  # what TensorFlow says, it says at the first image
    return network, OodDetector(load_features(run_dir)) if has_features else None


@contextmanager
def hold_error_stream() -> Iterator[None]:
    """Holds back what is written to the process's error stream, by C++ libraries too, and shows it if they fail.

    TensorFlow writes notes on processors and missing GPUs there before its log level counts.
    """
    sys.stderr.flush()
    shown = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        failed = False
        try:
            yield
        except Exception as error:
            failed = not isinstance(error, ScenebookError)
            raise
        finally:
            sys.stderr.flush()
            os.dup2(shown, 2)
            os.close(shown)
            if failed:
                held.seek(0)
                os.write(2, held.read())


def _predict(
    batch: Sequence[tuple[str, np.ndarray]], network: Network, detector: OodDetector | None, class_names: Sequence[str]
) -> pd.DataFrame:
    paths, pixels = zip(*batch, strict=True)
    probs, vectors = network(np.stack(pixels))
    chosen = probs.argmax(axis=1)
    table = pd.DataFrame(
        {
            "path": paths,
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
        self.sample = Sample(class_names)
        self._least_sure = Extremes()
        self._unlike = Extremes()

    def offer(self, batch: Sequence[tuple[str, np.ndarray]], table: pd.DataFrame) -> None:
        """Shows a batch and its predictions."""
        columns = (table[name] for name in ("class", "confidence", "unlike_training", "distance"))
        for (path, pixels), name, confidence, unlike, distance in zip(batch, *columns, strict=True):
            lines = (path.rsplit("/", 1)[-1], name, format_share(confidence))
            self.sample.offer(name, pixels, *lines)
            self._least_sure.offer(-float(confidence), pixels, *lines)
            if unlike == "yes":
                self._unlike.offer(float(distance), pixels, *lines, f"distance {distance:.3f}")

    def write(self, run_dir: RunDirectory, target: str) -> list[str]:
        """Writes the sheets, removes those of an earlier call that there is nothing for now, and returns the names."""
        sheets = (
            ("contact-sheet.jpg", "A sample of each class, drawn at random", self.sample.tiles()),
            ("contact-sheet-least-sure.jpg", "Those of which the network is least sure", self._least_sure.tiles()),
            ("contact-sheet-unlike.jpg", "Those that look least like the training images", self._unlike.tiles()),
        )
        for file, title, tiles in sheets:
            path = run_dir.path(f"{target}/{file}")
            if tiles:
                write_bytes(path, draw_sheet(title, tiles))
            else:
                path.unlink(missing_ok=True)
        return [file for file, _, tiles in sheets if tiles]
