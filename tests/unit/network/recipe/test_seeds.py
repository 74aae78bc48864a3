"""Further seeds: trained by the run's own recipe, tested afterwards, and summarised."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from scenebook.core.run_directory import RunDirectory
from scenebook.core.settings import Settings
from scenebook.network.efficientnet_lite import preprocess_input
from scenebook.network.recipe.recipe import Recipe
from scenebook.network.recipe.repeating import SEED_COLUMNS, add_first_seed, repeat_training, summarize_seeds
from tests.recipes import load_recipe
from tests.unit.network.recipe.trainings import CLASSES, TEST, TRAIN, VALIDATION, fit, make_settings

pytestmark = pytest.mark.usefixtures("clean_keras")


def repeat(recipe: Recipe, settings: Settings, run_dir: RunDirectory) -> pd.DataFrame:
    given: dict[str, Any] = {"num_classes": CLASSES, "run_dir": run_dir, "weights_sha256": None}
    return repeat_training(recipe, settings, TRAIN, VALIDATION, TEST, **given)


def test_further_seeds_are_trained_by_the_same_recipe_and_tested_afterwards(run_dir: RunDirectory) -> None:
    recipe, settings = load_recipe(('activation="relu"', 'activation="tanh"')), make_settings(seeds=3)
    table = repeat(recipe, settings, run_dir)
    expected = fit(recipe, seed=1)
    assert table["seed"].tolist() == [1, 2]
    assert table["val_loss"][0] == expected.history["val_loss"].iloc[-1]
    probs = expected.model.predict(preprocess_input(TEST.stored.astype(np.float32)), verbose=0)
    assert table["test_accuracy"][0] == (probs.argmax(axis=1) == TEST.labels).mean()
    pd.testing.assert_frame_equal(repeat(recipe, settings, run_dir), table)
    whole = add_first_seed(table, seed=0, history=fit(recipe).history, kept_epoch=2, test_accuracy=0.5)
    assert whole["seed"].tolist() == [0, 1, 2]
    assert summarize_seeds(whole)["seeds"] == 3


def test_an_edited_recipe_trains_further_seeds_anew(run_dir: RunDirectory) -> None:
    settings = make_settings(seeds=2, epochs=1)
    tables = [repeat(load_recipe(*edits), settings, run_dir) for edits in ([], [('"relu"', '"tanh"')])]
    assert tables[0]["loss"][0] != tables[1]["loss"][0]


def test_one_seed_needs_no_further_training(run_dir: RunDirectory) -> None:
    others = repeat(load_recipe(), make_settings(), run_dir)
    assert others.empty
    assert list(others.columns) == SEED_COLUMNS


def test_the_interval_over_seeds_is_students() -> None:
    table = pd.DataFrame({"val_accuracy": [1.0, 1.0, 1.0], "test_accuracy": [0.80, 0.82, 0.84]})
    found = summarize_seeds(table)
    assert found["test_accuracy_sd"] == pytest.approx(0.02)
    # t of 2 degrees of freedom is 4.303: 0.82 -+ 4.303 * 0.02 / sqrt(3)
    assert found["test_accuracy"] == pytest.approx({"value": 0.82, "low": 0.7703, "high": 0.8697}, abs=1e-4)
    assert found["val_accuracy"] == {"value": 1.0, "low": 1.0, "high": 1.0}
