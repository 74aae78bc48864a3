"""What is kept of each training of a study, a file each in `ablations/runs/`, so that none is done twice."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from scenebook.core.errors import DivergedError
from scenebook.core.run_directory import RunDirectory
from scenebook.core.run_files import STUDY_RECORDS
from scenebook.study.trials import Trial

DONE, FAILED = "done", "failed"

_NO_IMAGE = np.zeros(0, dtype=bool)


@dataclass(frozen=True)
class Record:
    """What came out of a training; where it failed, the attributes after `settings` are empty.

    Attributes:
        variant: The variant's name.
        seed: Which of the variant's seeds, from 0.
        error: Why it failed, in one line; empty where it did not.
        settings: The settings that differ from the run's, as numbers.
        history: A row an epoch, the columns of `training.HISTORY_COLUMNS`.
        train_right: Which training images the final network is right on, without augmentation, bool `(n,)`.
        val_right: Which validation images it is right on, bool `(m,)`.
        images_per_second: How many images a second the network classifies in one worker; NaN where nobody asked.
    """

    variant: str
    seed: int
    key: str
    error: str
    train_paths: list[str]
    val_paths: list[str]
    settings: Mapping[str, Any]
    history: pd.DataFrame = field(default_factory=pd.DataFrame)
    train_right: np.ndarray = field(default_factory=_NO_IMAGE.copy)
    val_right: np.ndarray = field(default_factory=_NO_IMAGE.copy)
    total_params: int = 0
    trainable_params: int = 0
    seconds: float = float("nan")
    images_per_second: float = float("nan")

    @property
    def diverged(self) -> bool:
        """Whether it failed because the loss was no finite number: it would again."""
        return self.error.startswith(DivergedError.__name__)

    @property
    def gap(self) -> float:
        """The over-fitting gap: accuracy on its training images less that on validation."""
        return float(self.train_right.mean() - self.val_right.mean())


def write_record(run_dir: RunDirectory, trial: Trial, outcome: Mapping[str, Any]) -> None:
    """Keeps what came out of a trial: what `variants.train_variant` returns, or `{"error": text}` where it failed."""
    status = FAILED if "error" in outcome else DONE
    # The weights that were trained from: their file may be another one by now.
    key = trial.make_key(outcome["weights_sha256"]) if "weights_sha256" in outcome else trial.key
    run_dir.write_json(trial.file, {"key": key, "status": status, **outcome})


def read_records(run_dir: RunDirectory, trials: Iterable[Trial], splits: pd.DataFrame) -> list[Record]:
    """Returns what is kept of these trials; a record of other settings, images or versions does not count.

    A file that cannot be read counts as missing: it is then made again.
    """
    records = []
    for trial in trials:
        # The whole of it: a file in which something is missing is as good as none.
        with suppress(OSError, ValueError, KeyError, TypeError):
            content = json.loads(run_dir.path(trial.file).read_text(encoding="utf-8"))
            if content["key"] == trial.key:
                records.append(_make_record(trial, content, splits))
    return records


def remove_others(run_dir: RunDirectory, trials: Iterable[Trial]) -> int:
    """Removes the records that belong to none of these trials, and returns how many they were."""
    keys = {run_dir.path(trial.file): trial.key for trial in trials}
    removed = 0
    for path in sorted(run_dir.path(STUDY_RECORDS).glob("*.json")):
        with suppress(OSError, ValueError, KeyError, TypeError):
            if json.loads(path.read_text(encoding="utf-8"))["key"] == keys.get(path):
                continue
        path.unlink(missing_ok=True)
        removed += 1
    return removed


def count_others(run_dir: RunDirectory, records: Sequence[Record]) -> int:
    """Returns how many kept records belong to other settings, images or versions than the run's."""
    return len(list(run_dir.path(STUDY_RECORDS).glob("*.json"))) - len(records)


def _make_record(trial: Trial, content: Mapping[str, Any], splits: pd.DataFrame) -> Record:
    paths = splits["path"]
    train, validation = (list(paths.iloc[rows]) for rows in (trial.fold.train, trial.fold.validation))
    identity = (trial.variant.name, trial.number, trial.key)
    if content["status"] != DONE:
        return Record(*identity, str(content["error"]), train, validation, trial.variant.change)
    return Record(
        *(*identity, "", train, validation),
        settings={name: content["settings"][name] for name in trial.variant.change},
        history=pd.DataFrame(content["history"]),
        train_right=_unpack(content["train_right"], len(train)),
        val_right=_unpack(content["val_right"], len(validation)),
        total_params=int(content["total_params"]),
        trainable_params=int(content["trainable_params"]),
        seconds=float(content["seconds"]),
        images_per_second=float(content.get("images_per_second", "nan")),
    )


def pack(right: np.ndarray) -> str:
    """Returns which images a network is right on, bool `(n,)`, as a text of ones and zeros."""
    return "".join(map(str, right.astype(int)))


def _unpack(text: str, count: int) -> np.ndarray:
    if len(text) != count or set(text) - {"0", "1"}:
        raise ValueError("not one sign an image")
    return np.array([sign == "1" for sign in text], dtype=bool)
