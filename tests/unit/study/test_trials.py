"""What is kept of a training, and when it counts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scenebook.core.run_directory import RunDirectory
from scenebook.core.settings import Settings
from scenebook.data.folds import make_folds
from scenebook.study.plan import Variant
from scenebook.study.running import list_pending
from scenebook.study.trials import (
    Trial,
    count_others,
    list_trials,
    pack,
    read_records,
    remove_others,
    write_record,
)
from tests.unit.study.study import make_base
from tests.unit.study.test_folds import make_splits

SPLITS = make_splits()
VARIANT = Variant("hot", "hot *and* {wild}", {"learning_rate": 0.01}, "learning-rate", "forward", 2)


def make_trials(weights: str | None = "a" * 64, recipe: str | None = "c" * 64, **changes: Any) -> list[Trial]:
    settings = Settings(**changes)
    folds = make_folds(SPLITS, 2, seed=0)
    summary = {"recipe_sha256": recipe, "weights_sha256": weights}
    return list_trials([make_base(2), VARIANT], settings, folds, summary)


def make_outcome(trial: Trial) -> dict[str, Any]:
    return {
        "settings": trial.settings.model_dump(),
        "history": {"epoch": [1], "loss": [0.5], "accuracy": [0.8], "val_loss": [0.6], "val_accuracy": [0.7],
                    "learning_rate": [0.01], "seconds": [1.0]},
        "train_loss": 0.4, "train_accuracy": 0.9, "val_loss": 0.6, "val_accuracy": 0.5,
        "train_right": pack(np.arange(len(trial.fold.train)) % 2 == 0),
        "val_right": pack(np.arange(len(trial.fold.validation)) % 3 == 0),
        "total_params": 10, "trainable_params": 5, "seconds": 2.0, "frozen_layers_runtime": "TensorFlow 2",
    }  # fmt: skip


def test_a_record_comes_back_as_it_was(run_dir: RunDirectory) -> None:
    trials = make_trials()
    write_record(run_dir, trials[3], make_outcome(trials[3]))
    (record,) = read_records(run_dir, trials, SPLITS)
    assert (record.variant, record.seed, record.error) == ("hot", 1, "")
    assert record.settings == {"learning_rate": 0.01}
    assert record.val_paths == SPLITS["path"].iloc[trials[3].fold.validation].tolist()
    assert record.val_right[:4].tolist() == [True, False, False, True]
    assert len(record.train_right) == len(record.train_paths)
    assert record.history["val_accuracy"].tolist() == [0.7]


def test_each_seed_has_its_own_seed_and_fold() -> None:
    trials = make_trials()
    assert [trial.settings.seed for trial in trials] == [0, 1, 0, 1]
    assert trials[0].fold is trials[2].fold
    assert trials[0].fold is not trials[1].fold
    assert len({trial.key for trial in trials}) == 4


@pytest.mark.parametrize(
    "change",
    [
        {"epochs": 3},
        {"augmentation_seed": 1},
        {"seed": 5},
        {"weights": "b" * 64},
        {"recipe": "d" * 64},
        {"recipe": None},
    ],
)
def test_a_record_of_other_settings_does_not_count(run_dir: RunDirectory, change: dict[str, Any]) -> None:
    trials = make_trials()
    for trial in trials:
        write_record(run_dir, trial, make_outcome(trial))
    others = make_trials(**change)
    assert read_records(run_dir, others, SPLITS) == []
    assert count_others(run_dir, []) == 4
    assert remove_others(run_dir, others) == 4
    assert count_others(run_dir, []) == 0


@pytest.mark.parametrize(
    "change", [{"feature_cache_gb": 0}, {"frozen_layers_runtime": "tensorflow"}, {"ablations": "full"}]
)
def test_what_does_not_change_the_outcome_does_not_change_the_key(change: dict[str, Any]) -> None:
    assert [trial.key for trial in make_trials(**change)] == [trial.key for trial in make_trials()]


def test_a_damaged_record_counts_as_missing(run_dir: RunDirectory) -> None:
    trials = make_trials()
    for trial in trials:
        write_record(run_dir, trial, make_outcome(trial))
    paths: list[Path] = [run_dir.path(trial.file) for trial in trials]
    paths[0].write_text("{", encoding="utf-8")
    paths[1].write_bytes(b"\xff\xfe")
    shorter = {**make_outcome(trials[2]), "val_right": "1"}
    write_record(run_dir, trials[2], shorter)
    records = read_records(run_dir, trials, SPLITS)
    assert [record.key for record in records] == [trials[3].key]
    assert list_pending(trials, records) == trials[:3]


def test_a_failure_is_tried_again_unless_the_loss_diverged(run_dir: RunDirectory) -> None:
    trials = make_trials()
    write_record(run_dir, trials[0], {"error": "DivergedError: Expected a finite training loss."})
    write_record(run_dir, trials[1], {"error": "KilledWorker: its worker process ended without a word"})
    records = read_records(run_dir, trials, SPLITS)
    assert [record.error.partition(":")[0] for record in records] == ["DivergedError", "KilledWorker"]
    assert np.isnan(records[0].seconds)
    assert list_pending(trials, records) == trials[1:]
    assert list_pending(trials, [replace(records[1], error="")]) == [trials[0], *trials[2:]]
