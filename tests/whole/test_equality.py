"""The trainable layers alone, held against Keras' `fit` of the whole model: each cut, runtime and state of the
cache."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil
import pytest

from scenebook.core.run_directory import RunDirectory
from scenebook.network.recipe.running import run_recipe
from tests.recipes import load_recipe
from tests.unit.network.recipe.test_options import LINEAR
from tests.unit.network.recipe.test_running import Killed, KilledInEpoch
from tests.unit.network.recipe.trainings import (
    CLASSES,
    NUMBERS,
    TRAIN,
    VALIDATION,
    check_against_keras,
    fit,
    fit_in,
    make_settings,
)

pytestmark = pytest.mark.usefixtures("clean_keras")

STOPPED: dict[str, Any] = {
    **LINEAR, "dropout": 0.2, "epochs": 6, "trainable_base_layers": 0, "learning_rate": 0.3, "optimizer": "adamw",
    "early_stopping": 1, "fine_tune_epochs": 3, "fine_tune_layers": 3, "fine_tune_learning_rate": 0.003,
}  # fmt: skip


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache of its own for each test."""
    monkeypatch.setenv("SCENEBOOK_CACHE", str(tmp_path / "cache"))


@pytest.mark.parametrize(
    ("trained", "sizes", "runtime"),
    # Streaming, filling the feature cache, reading it.
    [(0, [0], "tensorflow"), (3, [0, 1, 1], "tensorflow"), (3, [0, 1, 1], "openvino"), (20, [0], "openvino")],
)
def test_training_the_tail_is_training_the_model(trained: int, sizes: list[int], runtime: str) -> None:
    for feature_cache_gb in sizes:
        check_against_keras(trained, feature_cache_gb=feature_cache_gb, frozen_layers_runtime=runtime)


def test_numbers_do_not_depend_on_what_the_feature_cache_holds() -> None:
    first, *others = [fit(feature_cache_gb=size, frozen_layers_runtime="auto") for size in (0, 1, 1)]
    for other in others:
        pd.testing.assert_frame_equal(other.history[NUMBERS], first.history[NUMBERS])


def test_early_stopping_keeps_the_best_epoch_and_goes_on_after_any_interruption(run_dir: RunDirectory) -> None:
    whole = run_recipe(load_recipe(), make_settings(**STOPPED), TRAIN, VALIDATION, num_classes=CLASSES, predict=True)
    first, second = whole.phases
    assert first.epochs < 6
    assert second.first_epoch == first.epochs
    losses = whole.history["val_loss"]
    assert second.kept_epoch == first.epochs + int(losses[first.epochs :].to_numpy().argmin()) + 1
    assert whole.val_probs is not None
    of_label = whole.val_probs[np.arange(len(VALIDATION)), VALIDATION.labels]
    assert -np.log(of_label).mean() == pytest.approx(losses[second.kept_epoch - 1], rel=1e-3)
    for killed in (1, first.epochs, len(losses) - 1):  # within a phase, after one that was stopped, in the last epoch
        with pytest.raises(Killed):
            fit_in(run_dir, callbacks=[KilledInEpoch(killed)], **STOPPED)
    for expected in ([len(losses) - 1], []):  # the second time all of it is loaded
        resumed, started = fit_in(run_dir, **STOPPED)
        assert started == expected
        assert resumed.phases == whole.phases
        np.testing.assert_array_equal(resumed.history[NUMBERS], whole.history[NUMBERS])
        for mine, theirs in zip(resumed.model.get_weights(), whole.model.get_weights(), strict=True):
            np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize("accelerate", [True, False])
def test_a_training_leaves_nothing_in_memory(accelerate: bool) -> None:
    resident = []
    for _ in range(3):
        # 16 million weights: with their momentum 128 MB.
        assert fit(epochs=1, head_units=12_500, accelerate=accelerate).model.count_params() > 16e6
        gc.collect()
        resident.append(psutil.Process().memory_info().rss / 1e6)
    assert resident[2] - resident[1] < 64, resident
