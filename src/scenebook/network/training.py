"""What happens around `fit`: the history on disk, progress, and the check that the loss is a number."""

from __future__ import annotations

import json
import math
import re
import shutil
import time
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import keras
import numpy as np
import pandas as pd

from scenebook.core.errors import DivergedError
from scenebook.core.progress import CountProgress, print_progress
from scenebook.core.run_directory import RunDirectory, replacing
from scenebook.core.wording import count_noun

HISTORY_COLUMNS = ["epoch", "loss", "accuracy", "val_loss", "val_accuracy", "learning_rate", "seconds"]


def initialize_determinism(seed: int) -> None:
    """Seeds Python, NumPy and TensorFlow, and asks TensorFlow for the same result twice on the same machine type."""
    import tensorflow as tf

    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()


class HistoryWriter(keras.callbacks.Callback):
    """Writes `training/history.csv` after every epoch, so that an interrupted training leaves what it had.

    Args:
        run_dir: The run; `None`: nothing is written.
        file: The table's path in the run.
    """

    def __init__(self, run_dir: RunDirectory | None, file: str = "training/history.csv") -> None:
        super().__init__()
        self.run_dir = run_dir
        self.file = file
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
        """Writes the history so far."""
        if self.run_dir is not None:
            self.run_dir.write_csv(self.file, self.history)

    @property
    def history(self) -> pd.DataFrame:
        """The history so far, a row an epoch."""
        return pd.DataFrame(self.rows, columns=HISTORY_COLUMNS)


class StopOnNonFiniteLoss(keras.callbacks.Callback):
    """Raises `DivergedError` as soon as the training loss is not a finite number."""

    def __init__(self) -> None:
        super().__init__()
        self._epoch = 0

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        loss = float((logs or {}).get("loss", 0.0))
        if not math.isfinite(loss):
            raise DivergedError(loss, self._epoch + 1, batch + 1, float(self.model.optimizer.learning_rate))


class ProgressLines(keras.callbacks.Callback):
    """Prints a line an epoch, and one every few seconds in between, to the error stream.

    The error stream is the log: a report never shows it, so that times do not change the report.

    Args:
        seconds: The longest silence.
    """

    def __init__(self, seconds: float = 5.0) -> None:
        super().__init__()
        self._seconds = seconds
        self._epoch = 0
        self._started = self._last = 0.0

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._epoch = epoch
        self._started = self._last = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        now = time.perf_counter()
        if now - self._last >= self._seconds:
            self._last = now
            self._print(f"step {batch + 1}/{self.params.get('steps')}", logs)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._print(f"{time.perf_counter() - self._started:.1f} s", logs)

    def _print(self, what: str, logs: dict[str, Any] | None) -> None:
        scores = ", ".join(f"{name} {float(value):.4f}" for name, value in (logs or {}).items())
        print_progress(f"epoch {self._epoch + 1}/{self.params.get('epochs')}: {scores} ({what})")


class PredictionProgress(keras.callbacks.Callback):
    """Prints now and then, to the error stream, how many images `predict` has done.

    Args:
        what: What is predicted.
        total: How many images there are.
    """

    def __init__(self, what: str, total: int) -> None:
        super().__init__()
        self._report = CountProgress(what)
        self._total = total
        self._done = 0

    def on_predict_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self._done += len((logs or {})["outputs"])
        self._report(self._done, self._total)


def save_model(run_dir: RunDirectory, model: keras.Sequential, file: str = "training/model.keras") -> None:
    """Saves a model without its optimizer, in a form that loads in safe mode; equal models give equal bytes.

    A fresh model around the same layers has no optimizer to save; the momentum would double the file.
    """
    bare = keras.Sequential([keras.Input(model.input_shape[1:], name="images"), *model.layers], name=model.name)
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
    """Returns the table of predictions that evaluation reads.

    Args:
        paths: Paths below the data folder.
        labels: int `(n,)`, indices into `class_names`.
        probs: float `(n, num_classes)`, rows that sum to 1.
        class_names: The classes.

    Returns:
        Columns path, label, predicted, confidence, and `p_<class>` for each class, to 9 significant digits.
    """
    chosen = probs.argmax(axis=1)
    table = {
        "path": paths,
        "label": [class_names[label] for label in labels],
        "predicted": [class_names[label] for label in chosen],
        "confidence": probs[np.arange(len(probs)), chosen],
    }
    return pd.DataFrame({**table, **{f"p_{name}": probs[:, index] for index, name in enumerate(class_names)}})


def tabulate_recipe(summary: dict[str, Any], settings: dict[str, Any]) -> pd.DataFrame:
    """Returns the table of the model and its training, an item and its value a row, as in the paper's Table 1 and more.

    Args:
        summary: From `classifier.summarize`, with backbone.
        settings: The settings of augmentation and training, by their names.
    """
    zoom = settings["zoom_range"]
    height, width, _ = summary["input_shape"]
    rows = [
        ("backbone", summary["backbone"]),
        ("its weights", summary["weights"]),
        ("input", f"{height} × {width} pixels"),
        ("preprocessing", {"backbone": "the backbone's own", "rescale": "0 to 1"}[settings["preprocessing"]]),
        ("head", {"flatten": "flattened", "average": "global average pooling"}[settings["head_pooling"]]),
        ("units of the head", f"{settings['head_units']:,}"),
        ("trained layers of the backbone", f"{settings['trainable_base_layers']:,} of {summary['base_layers']:,}"),
        ("Keras layers", f"{summary['layers']:,}"),
        ("layers with weights, on the main path", f"{summary['weight_layers']:,}"),
        ("total parameters", f"{summary['total_params']:,}"),
        ("trainable parameters", f"{summary['trainable_params']:,}"),
        ("non-trainable parameters", f"{summary['non_trainable_params']:,}"),
        ("rotation", f"±{settings['rotation_range']:g} degrees"),
        ("width shift", f"±{settings['width_shift_range']:g} of the width"),
        ("height shift", f"±{settings['height_shift_range']:g} of the height"),
        ("shear", f"±{settings['shear_range']:g} degrees"),
        ("zoom factor", f"{1 - zoom:g} to {1 + zoom:g}"),
        ("horizontal flip", str(settings["horizontal_flip"])),
        ("optimizer", "SGD"),
        ("loss", "categorical cross-entropy"),
        ("learning rate", f"{settings['learning_rate']:g}"),
        ("decay", f"{settings['decay']:g} per step"),
        ("momentum", f"{settings['momentum']:g}"),
        ("epochs", f"{settings['epochs']:,}"),
        ("batch size", f"{settings['batch_size']:,}"),
        ("seed", f"{settings['seed']}"),
    ]
    return pd.DataFrame(rows, columns=["item", "value"])


def describe_device() -> str:
    """Returns what TensorFlow computes on: `CPU`, or the name of the first GPU."""
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    return str(tf.config.experimental.get_device_details(gpus[0]).get("device_name", "GPU")) if gpus else "CPU"


def describe_history(history: pd.DataFrame, metric: str) -> str:
    """Returns the alternative text of a history figure: both curves' ends, best epochs, and how often they turn back.

    Args:
        history: The columns of `HISTORY_COLUMNS`.
        metric: `loss` or `accuracy`.
    """
    epochs = history["epoch"].to_numpy()
    told = [f"{count_noun(len(history), 'epoch')}."]
    for name, column in (("Training", metric), ("Validation", f"val_{metric}")):
        values = history[column].to_numpy(dtype=float)
        known = np.isfinite(values)
        told.append(f"{name} {metric} " + _describe_curve(epochs[known], values[known], rises=metric == "accuracy"))
    return " ".join(told)


def _describe_curve(epochs: np.ndarray, values: np.ndarray, *, rises: bool) -> str:
    if not len(values):
        return "has no values."
    if len(values) == 1:
        return f"is {values[0]:.3f}."
    best = int(values.argmax() if rises else values.argmin())
    steps = np.diff(values) * (1 if rises else -1)
    back = int((steps < 0).sum())
    better, worse, most = ("rises", "falls", "highest") if rises else ("falls", "rises", "lowest")
    trend = f"{worse} again in {back} of {count_noun(len(steps), 'step')}" if back else f"never {worse}"
    return (
        f"{better if steps.sum() >= 0 else worse} from {values[0]:.3f} to {values[-1]:.3f}, is {most} in epoch "
        f"{int(epochs[best])} ({values[best]:.3f}) and {trend}."
    )


def read_history(*, best_epoch: int, epochs: int) -> str:
    """Returns the sentence on the validation loss, for `say`: whether it was still falling at the end."""
    if best_epoch == epochs:
        return "The validation loss was lowest in the last epoch: more epochs might lower it further."
    return (
        "The validation loss was lowest in epoch {best_epoch}, {best_loss:.3f}. Whether what came after is "
        "over-fitting or chance, one run cannot tell."
    )
