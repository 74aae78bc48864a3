"""The trainings of a study, and what is kept of each in `ablations/runs/`, so that none is done twice."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
import pandas as pd

from scenebook.core.errors import DivergedError
from scenebook.core.provenance import sha256_lines, training_versions
from scenebook.core.run_directory import RunDirectory
from scenebook.core.run_files import STUDY_RECORDS
from scenebook.core.settings import FLOAT32, TRAINING, Settings
from scenebook.data.folds import Fold
from scenebook.network.code_digests import digest_training_code
from scenebook.network.imagenet_weights import weights_digest
from scenebook.study.plan import LAYERS, Variant

DONE, FAILED = "done", "failed"
_NO_IMAGE = np.zeros(0, dtype=bool)
_FORMAT = 1


@dataclass(frozen=True)
class Trial:
    """One training of a study: a variant, with one seed, on one fold.

    Attributes:
        number: Which of the variant's seeds, from 0.
        settings: All settings of the training but its `layers`, `seed` among them.
        about: What the outcome depends on, but for weights of the variant's own.
        timed: Whether its network is asked how many images a second it classifies.
    """

    variant: Variant
    number: int
    settings: Settings
    fold: Fold
    about: Mapping[str, Any]
    timed: bool = False

    @property
    def key(self) -> str:
        """SHA-256 of what the outcome depends on, with weights as their file is now."""
        own = self.variant.has_own_weights
        return self.make_key(weights_digest(self.settings.weights, self.settings.backbone) if own else None)

    def make_key(self, weights_sha256: str | None) -> str:
        """Returns the key; weights of the variant's own are given by their digest."""
        about = {**self.about, "own_weights": weights_sha256} if self.variant.has_own_weights else self.about
        return hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()

    @property
    def name(self) -> str:
        """For people to read."""
        return f"{self.variant.title}, seed {self.settings.seed}" if self.variant.seeds > 1 else self.variant.title

    @property
    def layers(self) -> int | str:
        """How many of the backbone's last layers are trained, or one of `plan.LAST`."""
        return cast("int | str", self.variant.change.get(LAYERS, self.settings.trainable_base_layers))

    @property
    def file(self) -> str:
        """Where its record is kept in the run directory."""
        return f"{STUDY_RECORDS}/{self.variant.name}-{self.number}.json"


def list_trials(
    variants: Sequence[Variant], settings: Settings, folds: Sequence[Fold], summary: Mapping[str, Any]
) -> list[Trial]:
    """Returns every training that the variants ask for, those of one variant together, a fold a seed.

    Settings and summary, `training/summary.json`, are the run's.
    """
    # A recipe that cannot be compared is another one each time.
    recipe = summary["recipe_sha256"] or uuid.uuid4().hex
    timed = any(variant.has_own_weights for variant in variants)
    trials = []
    for variant in variants:
        changed = variant.apply_to(settings)
        code = sha256_lines(digest_training_code(changed.backbone).values())
        change = {name: value for name, value in variant.change.items() if name != "weights"}  # their digest counts
        for number in range(variant.seeds):
            fold = folds[number % len(folds)]
            seeded = changed.model_copy(update={"seed": settings.seed + number, "devices": 1})
            about = {
                "format": _FORMAT,
                "settings": {**seeded.model_dump(include=set(TRAINING)), **change},
                "weights": summary["weights_sha256"],
                "recipe": recipe,
                "images": fold.digest,
                "versions": training_versions(settings.frozen_layers_runtime),
                "code": code,
                **({"timed": True} if timed else {}),
                **({} if settings.precision == FLOAT32 else {"precision": settings.precision}),
            }
            trials.append(Trial(variant, number, seeded, fold, about, timed))
    return trials


@dataclass(frozen=True)
class Record:
    """What came out of a training; where it failed, the attributes after `settings` are empty.

    Attributes:
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
