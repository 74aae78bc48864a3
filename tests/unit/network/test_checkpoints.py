"""Trainings that are interrupted and go on: real ones, of a small network on a few images."""

from __future__ import annotations

import functools
import hashlib
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from scenebook.core.keys import list_changes
from scenebook.core.run_directory import RunDirectory
from scenebook.core.run_files import CHECKPOINT
from scenebook.core.settings import Settings
from scenebook.data.splitting import SplitImages
from scenebook.network import fitting, training
from scenebook.network.checkpoints import Checkpoint, _digest_function, make_fit_key
from scenebook.network.frozen.cutting import split_frozen

pytestmark = pytest.mark.usefixtures("clean_keras")

SIDE, CLASSES = 32, 3


def make_split(count: int, seed: int) -> SplitImages:
    rng = np.random.default_rng(seed)
    stored = rng.integers(0, 255, (count, SIDE, SIDE, 3)).astype(np.uint8)
    digests = [hashlib.sha256(image.tobytes()).hexdigest() for image in stored]
    return SplitImages(
        stored, np.arange(count), np.arange(count) % CLASSES, [f"{n}.png" for n in range(count)], digests
    )


TRAIN, VALIDATION = make_split(22, 0), make_split(6, 1)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCENEBOOK_CACHE", str(tmp_path / "cache"))


def make_settings(**changes: Any) -> Settings:
    given = {
        "image_size": SIDE,
        "epochs": 4,
        "batch_size": 8,
        "head_units": 8,
        "feature_cache_gb": 0,
        "frozen_layers_runtime": "tensorflow",
    }
    return Settings(**{**given, **changes})


class Killed(Exception):
    pass


class KilledInEpoch(keras.callbacks.Callback):
    """Ends the training in the middle of an epoch, counted from 0."""

    def __init__(self, epoch: int) -> None:
        super().__init__()
        self._epoch = epoch
        self._now = 0
        self.started: list[int] = []

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._now = epoch
        self.started.append(epoch)

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        if self._now == self._epoch and batch == 1:
            raise Killed


def fit(settings: Settings, run_dir: RunDirectory | None, callback: KilledInEpoch) -> fitting.Fit:
    return fitting.fit_variant(settings, TRAIN, VALIDATION, num_classes=CLASSES, callbacks=[callback], run_dir=run_dir)


@functools.cache
def fit_without_a_break() -> fitting.Fit:
    return fit(make_settings(), None, KilledInEpoch(99))


@pytest.mark.parametrize(("feature_cache_gb", "kills"), [(0, [0, 1, 3]), (1, [2])])
def test_an_interrupted_training_goes_on_to_the_same_network(
    run_dir: RunDirectory, feature_cache_gb: int, kills: list[int]
) -> None:
    settings = make_settings(feature_cache_gb=feature_cache_gb)
    whole = fit_without_a_break()
    for killed in kills:
        with pytest.raises(Killed):
            fit(settings, run_dir, KilledInEpoch(killed))
    last = KilledInEpoch(99)
    resumed = fit(settings, run_dir, last)
    assert last.started == list(range(kills[-1], 4))
    columns = [name for name in training.HISTORY_COLUMNS if name != "seconds"]
    np.testing.assert_array_equal(resumed.history[columns], whole.history[columns])
    for mine, expected in zip(resumed.model.get_weights(), whole.model.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, expected)


def make_batches() -> Iterator[Any]:
    yield None


def keep(run_dir: RunDirectory, **changes: Any) -> tuple[keras.Sequential, Checkpoint, training.HistoryWriter]:
    """What notebook 02 has before it calls `fit`."""
    settings = make_settings(**changes)
    training.initialize_determinism(0)
    model = fitting.build_frozen_classifier(settings, CLASSES)
    base, tail = split_frozen(model)
    tail.compile(keras.optimizers.SGD(settings.learning_rate, momentum=0.9), loss="categorical_crossentropy")
    history = training.HistoryWriter(run_dir)
    key = make_fit_key(settings, TRAIN, VALIDATION, base=base, tail=tail, runtime="TensorFlow", feeds=[make_batches])
    return model, Checkpoint(run_dir, model, tail, history, key), history


ROW = {"epoch": 1, "loss": 0.1 + 0.2, "accuracy": 0.5, "val_loss": float("inf"), "val_accuracy": 0.5}
ROW |= {"learning_rate": 0.1, "seconds": 1.5}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"learning_rate": 0.5}, "the checkpoint is not used: learning_rate: 0.001 -> 0.5"),
        ({"epochs": 3}, "the checkpoint is not used: epochs: 4 -> 3"),
        ({"head_units": 4}, "the checkpoint is not used: head_units: 8 -> 4"),
        ({"feature_cache_gb": 1}, "training goes on after epoch 1"),
    ],
)
def test_a_checkpoint_of_another_training_is_never_used(
    run_dir: RunDirectory, change: dict[str, Any], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    _, checkpoint, history = keep(run_dir)
    history.rows = [dict(ROW)]
    checkpoint.on_epoch_end(0)
    assert keep(run_dir, **change)[1].restore() == ("feature_cache_gb" in change)
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty"])
def test_a_damaged_checkpoint_is_told_of_and_not_used(
    run_dir: RunDirectory, damage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    _, checkpoint, history = keep(run_dir)
    history.rows = [dict(ROW)]
    checkpoint.on_epoch_end(0)
    file = run_dir.path(CHECKPOINT)
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes({"cut": bytes(content[:-2000]), "flipped": bytes(content), "empty": b""}[damage])
    assert keep(run_dir)[1].restore() == 0
    assert "the checkpoint is damaged and is not used" in capsys.readouterr().err


def test_a_finished_training_is_loaded_with_its_history_unless_anything_changed(run_dir: RunDirectory) -> None:
    model, checkpoint, history = keep(run_dir)
    model.layers[-1].kernel.assign_add(np.full(model.layers[-1].kernel.shape, 0.25, np.float32))
    history.rows = [dict(ROW)]
    expected, rows = model.get_weights(), list(history.rows)
    training.save_model(run_dir, model)
    saved = run_dir.path("training/model.keras").read_bytes()
    checkpoint.finish()
    again, restored, history = keep(run_dir)
    assert restored.restore() == 1
    assert history.rows == rows
    assert run_dir.read_csv("training/history.csv")["epoch"].tolist() == [1]
    for mine, theirs in zip(again.get_weights(), expected, strict=True):
        np.testing.assert_array_equal(mine, theirs)
    training.save_model(run_dir, again)
    assert run_dir.path("training/model.keras").read_bytes() == saved
    assert keep(run_dir, learning_rate=0.2)[1].restore() == 0
    run_dir.path("training/model.keras").write_bytes(saved[:-1])
    assert keep(run_dir)[1].restore() == 0


FACTOR = 2
LABELS = np.eye(3, dtype=np.float32)


def scale(value: float) -> float:
    # A comment.
    return value * FACTOR


def feed() -> float:
    def inner() -> float:
        return scale(1.0) + LABELS.sum()

    return inner()


def test_what_a_feed_uses_counts_and_its_comments_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    first = _digest_function(feed)
    assert set(first) == {"feed", "scale", "FACTOR", "LABELS"}
    source = inspect.getsource(scale)
    real = inspect.getsource

    def read_other(one: Any) -> str:
        return source.replace("A comment", "Another") if one is scale else real(one)

    monkeypatch.setattr(inspect, "getsource", read_other)
    assert _digest_function(feed) == first
    monkeypatch.setitem(globals(), "LABELS", LABELS * 0.9)
    monkeypatch.setitem(globals(), "FACTOR", 3)
    again = _digest_function(feed)
    assert {name for name in first if first[name] != again[name]} == {"LABELS", "FACTOR"}


def test_other_first_weights_are_another_training(run_dir: RunDirectory) -> None:
    def make_key(change: float) -> Any:
        settings = make_settings()
        training.initialize_determinism(0)
        model = fitting.build_frozen_classifier(settings, CLASSES)
        base, tail = split_frozen(model)
        tail.compile(keras.optimizers.SGD(0.1), loss="categorical_crossentropy")
        model.layers[-1].kernel.assign_add(np.full(model.layers[-1].kernel.shape, change, np.float32))
        return make_fit_key(settings, TRAIN, VALIDATION, base=base, tail=tail, runtime="TensorFlow")

    assert list_changes(make_key(0.0), make_key(0.0)) == []
    assert list_changes(make_key(0.0), make_key(0.1))[0].startswith("first weights: ")
