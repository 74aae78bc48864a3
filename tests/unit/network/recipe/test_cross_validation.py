"""Cross-validation: the run's own recipe, trained on folds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from scenebook.core.run_directory import RunDirectory
from scenebook.core.settings import Settings
from scenebook.data.folds import Fold, divide_into_folds
from scenebook.network.recipe.repeating import cross_validate
from scenebook.network.recipe.running import describe_training
from tests.recipes import load_recipe
from tests.unit.network.recipe.trainings import CLASSES, TRAIN, make_settings

pytestmark = pytest.mark.usefixtures("clean_keras")

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
