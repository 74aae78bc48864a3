"""Further seeds: trained by the run's own recipe, tested afterwards, and summarised."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from scenebook.core.run_directory import RunDirectory
from scenebook.core.settings import Settings
from scenebook.data.folds import Fold, divide_into_folds
from scenebook.network.efficientnet_lite import preprocess_input
from scenebook.network.recipe.recipe import Recipe
from scenebook.network.recipe.repeating import (
    SEED_COLUMNS,
    add_first_seed,
    cross_validate,
    repeat_training,
    summarize_seeds,
)
from scenebook.network.recipe.running import describe_training
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


TINY = """def build_model(settings, num_classes):
    images = keras.Input((settings.image_size, settings.image_size, 3))
    base = layers.Conv2D(8, 3, strides=4)
    head = layers.Dense(num_classes, activation="softmax")
    return keras.Sequential([images, base, layers.GlobalAveragePooling2D(), head])


def unused("""
LINEAR = {"head_start": "linear", "head_pooling": "average", "head_units": 0, "epochs": 0}


def divide(count: int, seed: int = 0) -> list[Fold]:
    table = pd.DataFrame({"label": TRAIN.labels.astype(str), "sha256": list(TRAIN.digests), "split": "train"})
    return divide_into_folds(table, count, seed=seed)


def run(settings: Settings, folds: list[Fold], run_dir: RunDirectory, opened: list[int]) -> list[dict[str, Any]]:
    def open_rows(rows: np.ndarray) -> Any:
        opened.append(len(rows))
        return TRAIN.take(rows)

    given: dict[str, Any] = {"num_classes": CLASSES, "run_dir": run_dir, "weights_sha256": None}
    return cross_validate(load_recipe(("def build_model(", TINY)), settings, folds, open_rows, **given)


def test_each_fold_is_trained_on_the_others_and_what_is_done_is_not_done_again(run_dir: RunDirectory) -> None:
    settings, folds = make_settings(**LINEAR), divide(2)
    opened: list[int] = []
    rows = run(settings, folds, run_dir, opened)
    assert [(row["train"], row["held_out"]) for row in rows] == [
        (len(fold.train), len(fold.validation)) for fold in folds
    ]
    assert len(opened) == 4
    assert run(settings, folds, run_dir, opened) == rows
    assert len(opened) == 4
    file = "training/cross_validation.json"
    kept = run_dir.read_json(file)
    run_dir.write_json(file, {**kept, "rows": kept["rows"][:1]})  # interrupted: the second is trained
    assert [row["right"] for row in run(settings, folds, run_dir, opened)] == [row["right"] for row in rows]
    assert len(opened) == 6
    other = divide(2, seed=1)[:1]  # of other folds nothing is taken
    assert len(run(settings, other, run_dir, opened)) == 1
    assert len(opened) == 8


def test_without_folds_the_file_has_no_rows(run_dir: RunDirectory) -> None:
    assert run(make_settings(), [], run_dir, []) == []
    assert run_dir.read_json("training/cross_validation.json")["rows"] == []


def test_a_finished_training_is_not_done_again_for_a_cross_validation() -> None:
    one, other = (describe_training(make_settings(cross_validation=count), [TRAIN]) for count in (0, 5))
    assert one == other
