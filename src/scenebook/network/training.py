"""What happens around `fit`: the history on disk, progress, and the check that the loss is a number."""

from __future__ import annotations

import json
import math
import re
import shutil
import sys
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import keras
import numpy as np
import pandas as pd

from scenebook.core.errors import DivergedError, InputError
from scenebook.core.progress import update_progress
from scenebook.core.run_directory import RunDirectory, replacing
from scenebook.core.run_files import HISTORY, MODEL
from scenebook.core.settings import FLOAT32
from scenebook.network.devices import set_precision
from scenebook.network.graph import open_layers

HISTORY_COLUMNS = ["epoch", "loss", "accuracy", "val_loss", "val_accuracy", "learning_rate", "seconds"]


def initialize_determinism(seed: int, precision: str = FLOAT32) -> None:
    """Seeds Python, NumPy and TensorFlow, and asks TensorFlow for the same result twice on the same machine type.

    The precision is what the layers that are built next compute in.
    """
    import tensorflow as tf

    # That several small networks are traced one after the other is no news for a report.
    tf.get_logger().setLevel("ERROR")
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()
    set_precision(precision)


@contextmanager
def forgetting_gradients() -> Iterator[None]:
    """Lets TensorFlow forget, at the end, the gradients that were defined meanwhile: nothing is trained afterwards.

    Keras sums up gradients with a function that has a gradient of its own. TensorFlow keeps such functions for as long
    as the program runs, and with each the weights and the optimizer of the training.
    """
    from tensorflow.python.framework import ops

    # It has no public name: with a TensorFlow that calls it otherwise, a study takes more memory, and no more.
    registered = getattr(getattr(ops, "gradient_registry", None), "_registry", {})
    known = {*registered}
    try:
        yield
    finally:
        for name in {*registered} - known:
            if name.startswith("CustomGradient-"):
                del registered[name]


class HistoryWriter(keras.callbacks.Callback):
    """Writes `training/history.csv` after every epoch, so that an interrupted training leaves what it had.

    Without a run, `None`, nothing is written.
    """

    def __init__(self, run_dir: RunDirectory | None) -> None:
        super().__init__()
        self.run_dir = run_dir
        self.rows: list[dict[str, float]] = []
        self._started = 0.0

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._started = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        row = {
            "epoch": epoch + 1,
            **{name: float(value) for name, value in (logs or {}).items()},
            "learning_rate": float(self.model.optimizer.learning_rate),
            "seconds": round(time.perf_counter() - self._started, 3),
        }
        self.rows.append(row)
        self.write()

    def write(self) -> None:
        if self.run_dir is not None:
            self.run_dir.write_csv(HISTORY, self.history)

    @property
    def history(self) -> pd.DataFrame:
        return pd.DataFrame(self.rows, columns=HISTORY_COLUMNS)


class StopOnNonFiniteLoss(keras.callbacks.Callback):
    """Raises `DivergedError` as soon as the training loss is not a finite number."""

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        loss = float((logs or {}).get("loss", 0.0))
        if not math.isfinite(loss):
            raise DivergedError(loss, self._epoch + 1, batch + 1, float(self.model.optimizer.learning_rate))


class ProgressLines(keras.callbacks.Callback):
    """Prints a line an epoch, and one every few seconds in between, to the error stream, each in the place of the last.

    The error stream is the log: a report never shows it, so that times do not change the report.
    """

    seconds = 5.0  # the longest silence

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._epoch = epoch
        self._started = self._last = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        now = time.perf_counter()
        if now - self._last >= self.seconds:
            self._last = now
            self._print(f"step {batch + 1}/{self.params.get('steps')}", logs)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._print(f"{time.perf_counter() - self._started:.1f} s", logs)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        print(file=sys.stderr, flush=True)  # the last epoch stays

    def _print(self, what: str, logs: dict[str, Any] | None) -> None:
        scores = ", ".join(f"{name} {float(value):.4f}" for name, value in (logs or {}).items())
        update_progress(f"epoch {self._epoch + 1}/{self.params.get('epochs')}: {scores} ({what})")


def save_model(run_dir: RunDirectory, model: keras.Model, file: str = MODEL) -> None:
    """Saves a model without its optimizer, in a form that loads in safe mode; equal models give equal bytes.

    It is Sequential or functional, with one input and one output. A fresh model around the same layers has no optimizer
    to save; the momentum would double the file.

    Raises:
        InputError: A layer of the model is none of Keras' own: nobody could load it without running its code.
    """
    own = [layer for layer in open_layers(model) if not type(layer).__module__.startswith("keras.")]
    if own:
        raise InputError(
            "Expected a network of Keras' own layers: a file with others cannot be loaded in safe mode.",
            received={"layer": f"{own[0].name}, a {type(own[0]).__name__}"},
            advice="Use a layer of keras.layers, or do it to the images in `prepare`.",
        )
    if isinstance(model, keras.Sequential):
        bare = keras.Sequential([keras.Input(model.input_shape[1:], name="images"), *model.layers], name=model.name)
    else:
        bare = keras.Model(model.inputs, model.outputs, name=model.name)
    with replacing(run_dir.path(file)) as temporary:
        bare.save(temporary)
        remove_traces(temporary)


def remove_traces(archive: Path) -> None:
    """Rewrites a `.keras` file without what differs from process to process.

    That are the times that Keras notes, when it was saved and a date a member, and the addresses in memory by which it
    numbers objects that several layers share.
    """
    with TemporaryDirectory(dir=archive.parent) as folder:
        rewritten = Path(folder) / archive.name
        with zipfile.ZipFile(archive) as source, zipfile.ZipFile(rewritten, "w") as target:
            for name in sorted(source.namelist()):
                member = zipfile.ZipInfo(name)
                if name == "metadata.json":
                    metadata = json.loads(source.read(name))
                    metadata.pop("date_saved", None)
                    target.writestr(member, json.dumps(metadata))
                elif name == "config.json":
                    target.writestr(member, _renumber_shared_objects(source.read(name).decode()))
                else:
                    member.file_size = source.getinfo(name).file_size
                    with source.open(name) as old, target.open(member, "w") as new:
                        shutil.copyfileobj(old, new)
        rewritten.replace(archive)


def _renumber_shared_objects(config: str) -> str:
    numbers: dict[str, int] = {}
    return re.sub(
        r'("shared_object_id": )(\d+)', lambda found: found[1] + str(numbers.setdefault(found[2], len(numbers))), config
    )


def make_predictions(paths: list[str], labels: np.ndarray, probs: np.ndarray, class_names: list[str]) -> pd.DataFrame:
    """Returns the table of predictions that evaluation reads: path, label, predicted, confidence, and `p_<class>` each.

    Labels are int `(n,)`, indices into `class_names`; `probs` are float `(n, num_classes)`, rows that sum to 1.
    """
    chosen = probs.argmax(axis=1)
    table = {
        "path": paths,
        "label": [class_names[label] for label in labels],
        "predicted": [class_names[label] for label in chosen],
        "confidence": probs[np.arange(len(probs)), chosen],
    }
    return pd.DataFrame({**table, **{f"p_{name}": probs[:, index] for index, name in enumerate(class_names)}})
