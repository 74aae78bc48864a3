"""What is kept of a training, and when it counts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import special

from scenebook.core.run_directory import RunDirectory
from scenebook.core.settings import Settings
from scenebook.data.folds import make_folds
from scenebook.evaluation.metrics.intervals import Score, compare_paired
from scenebook.study.plan import Variant
from scenebook.study.running import list_pending
from scenebook.study.summaries import compare_gaps
from scenebook.study.trials import (
    Record,
    Trial,
    count_others,
    list_trials,
    pack,
    read_records,
    remove_others,
    write_record,
)
from tests.unit.study.study import make_base, make_record, make_records
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


def compare(variant: list[Record], base: list[Record], resamples: int = 2000) -> Score:
    right, base_right = (np.concatenate([one.val_right for one in records]) for records in (variant, base))
    return compare_gaps(variant, base, compare_paired(right, base_right)["difference"], resamples=resamples)


def test_the_gap_is_the_accuracy_on_training_images_less_that_on_validation_images() -> None:
    assert make_record("base", train=0.98, validation=0.8).gap == pytest.approx(0.18, abs=1e-3)


def test_the_difference_is_the_mean_over_the_seeds_of_the_gaps_differences() -> None:
    variant = [make_record("v", seed, train=0.99, validation=0.8 - 0.02 * seed) for seed in range(3)]
    base = make_records("base", train=0.95, validation=0.85)
    expected = np.mean([one.gap - other.gap for one, other in zip(variant, base, strict=True)])
    found = compare(variant, base)
    assert found["value"] == pytest.approx(expected, abs=1e-12)
    assert 0 < found["low"] < found["value"] < found["high"]


def test_the_same_records_give_the_same_interval_in_whatever_order_their_images_come() -> None:
    variant, base = make_records("v", validation=0.8, draw=1), make_records("base")
    order = np.random.default_rng(0).permutation(len(base[0].train_paths))

    def shuffle(record: Record) -> Record:
        paths = [record.train_paths[position] for position in order]
        return replace(record, train_paths=paths, train_right=record.train_right[order])

    again = compare([shuffle(one) for one in variant], [shuffle(one) for one in base])
    assert again == compare(variant, base)


def test_trainings_that_never_differ_have_no_interval_of_a_point() -> None:
    found = compare(make_records("v"), make_records("base"))
    assert found["value"] == 0
    assert found["low"] < -0.005
    assert found["high"] > 0.005


def test_more_seeds_make_the_interval_shorter() -> None:
    one, three = (
        compare(make_records("v", seeds=seeds, draw=1), make_records("base", seeds=seeds)) for seeds in (1, 3)
    )
    assert three["high"] - three["low"] < 0.7 * (one["high"] - one["low"])


def test_a_fold_of_a_single_image_is_no_trouble() -> None:
    changes = {"images": 8, "held_out": 1}
    found = compare([make_record("v", validation=1, **changes)], [make_record("base", validation=0, **changes)])
    assert found["low"] <= found["value"] <= found["high"]


def draw_pair(rng: np.random.Generator, *, held_out: int, seeds: int) -> tuple[list[Record], list[Record]]:
    """Trainings with gaps of 0.10 and 0.15 on images of which some are hard for all."""
    images = 8 * held_out
    difficulty = 0.75**0.5 * rng.normal(size=images)
    pairs: tuple[list[Record], list[Record]] = ([], [])
    for seed in range(seeds):
        record = make_record("v", seed, images=images, held_out=held_out)
        is_held_out = np.isin(np.arange(images), np.arange(seed * held_out, (seed + 1) * held_out))
        for records, train, validation in ((pairs[0], 0.97, 0.82), (pairs[1], 0.95, 0.85)):
            share = special.ndtri(np.where(is_held_out, validation, train))
            right = difficulty + 0.5 * rng.normal(size=images) < share
            records.append(replace(record, train_right=right[~is_held_out], val_right=right[is_held_out]))
    return pairs


@pytest.mark.parametrize(("held_out", "seeds"), [(40, 1), (40, 3), (120, 3)])
def test_the_interval_holds_the_true_difference_about_as_often_as_it_says(held_out: int, seeds: int) -> None:
    rng = np.random.default_rng(0)
    pairs = [draw_pair(rng, held_out=held_out, seeds=seeds) for _ in range(150)]
    scores = [compare(*pair, resamples=400) for pair in pairs]
    assert 0.91 < np.mean([score["low"] <= 0.05 <= score["high"] for score in scores]) <= 1
