"""What else the settings ask of a training: the start of the head, optimizers, early stopping, mirrored images."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from scenebook.core.errors import InputError
from scenebook.core.run_directory import RunDirectory
from scenebook.core.run_files import HISTORY
from scenebook.network.linear_head import set_linear_weights
from scenebook.network.recipe.running import run_recipe
from tests.recipes import load_recipe
from tests.unit.network.recipe.trainings import (
    CLASSES,
    NUMBERS,
    TRAIN,
    VALIDATION,
    fit,
    fit_in,
    fit_plainly,
    make_settings,
)

pytestmark = pytest.mark.usefixtures("clean_keras")

LINEAR: dict[str, Any] = {"head_start": "linear", "head_pooling": "average", "head_units": 0}
ALONE: dict[str, Any] = {**LINEAR, "epochs": 0}
FINE_TUNED: dict[str, Any] = {
    **ALONE, "fine_tune_epochs": 2, "fine_tune_layers": 3, "fine_tune_learning_rate": 1e-4, "optimizer": "adamw",
    "weight_decay": 0.05, "schedule": "cosine", "warmup_epochs": 0.5, "label_smoothing": 0.1,
}  # fmt: skip


@pytest.mark.parametrize(
    "labels", [[0, 1, 2, 0, 1, 2, 0, 2], [0, 1, 0, 1, 1, 0, 0, 1], [2, 1, 2, 1, 1, 2, 2, 1], [1] * 8]
)
def test_a_dense_layer_says_what_the_linear_classifier_does(labels: list[int]) -> None:
    """With all classes, with two, without the first one, and with a single one."""
    features = np.random.default_rng(0).normal(3, 5, (8, 4)).astype(np.float32) * [1, 10, 0.1, 1]
    layer = keras.layers.Dense(max(2, len(set(labels)), max(labels) + 1), activation="softmax")
    layer.build((None, 4))
    linear = make_pipeline(StandardScaler(), LogisticRegression(C=0.1))
    set_linear_weights(layer, linear, features.astype(np.float32), np.array(labels))
    probs = np.asarray(layer(features.astype(np.float32)))
    seen = sorted(set(labels))
    expected = linear.predict_proba(features) if len(seen) > 1 else np.ones((8, 1))
    np.testing.assert_allclose(probs[:, seen], expected, atol=1e-3)
    assert probs.argmax(axis=1).tolist() == [seen[place] for place in expected.argmax(axis=1)]


@pytest.mark.parametrize("accelerate", [True, False])
def test_without_epochs_the_network_is_the_linear_classifier(run_dir: RunDirectory, accelerate: bool) -> None:
    alone, started = fit_in(run_dir, **ALONE, accelerate=accelerate, dropout=0.5)
    assert (started, alone.phases, len(run_dir.read_csv(HISTORY))) == ([], [], 0)
    images = load_recipe().prepare(TRAIN.stored, np.zeros((len(TRAIN), 2), np.int64), make_settings(**ALONE), False)
    extractor = keras.Model(
        alone.model.layers[0].inputs, keras.layers.GlobalAveragePooling2D()(alone.model.layers[0].output)
    )
    features = extractor.predict(images, verbose=0)
    linear = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=1000)).fit(features, TRAIN.labels)
    np.testing.assert_allclose(alone.model.predict(images, verbose=0), linear.predict_proba(features), atol=1e-3)


def test_the_head_starts_from_the_training_images_that_it_is_given() -> None:
    """Folds of a study have their own: none of a fold's validation images may be learned from."""
    recipe, settings = load_recipe(), make_settings(**ALONE)
    fits = [run_recipe(recipe, settings, images, VALIDATION, num_classes=CLASSES) for images in (TRAIN, VALIDATION)]
    assert not np.allclose(*(one.model.layers[-1].get_weights()[0] for one in fits))


def test_a_head_that_cannot_be_a_linear_classifier_is_refused() -> None:
    edit = ('    if settings.head_start == "linear":\n', "    if True:\n")
    with pytest.raises(InputError, match="one dense layer"):
        fit(load_recipe(edit))


def test_fine_tuning_from_the_linear_classifier_is_the_same_with_and_without_acceleration() -> None:
    fast, whole = fit(**FINE_TUNED), fit_plainly(*FINE_TUNED.items())
    pd.testing.assert_frame_equal(fast.history[NUMBERS], whole.history[NUMBERS], rtol=0, atol=1e-4)
    (phase,) = fast.phases
    assert (phase.optimizer, phase.schedule, phase.label_smoothing) == ("AdamW", "CosineDecay", 0.1)
    # Three batches an epoch: 2 steps of warm-up (1.5, rounded to even), then down to 0.
    assert phase.rates == pytest.approx({"learning_rate": 1e-4, "weight_decay": 0.05, "warmup_steps": 2})
    assert fast.history["learning_rate"].tolist() == pytest.approx([1e-4 * (1 + np.cos(np.pi / 4)) / 2, 0], abs=1e-8)


def test_balanced_class_weights_change_the_loss_of_unequal_classes_alone() -> None:
    """There are 8, 7 and 7 training images."""
    plain, balanced = (fit(epochs=1, class_weights=how).history["loss"][0] for how in ("none", "balanced"))
    assert plain != balanced
    assert plain == pytest.approx(balanced, rel=0.2)


@pytest.mark.parametrize("accelerate", [True, False])
def test_with_a_flip_the_probabilities_are_those_of_both_sides(accelerate: bool) -> None:
    settings = make_settings(epochs=1, accelerate=accelerate, test_time_flip=True)
    found = run_recipe(load_recipe(), settings, TRAIN, VALIDATION, num_classes=CLASSES, predict=True)
    prepare, model = load_recipe().prepare, found.model
    sides = [
        model.predict(prepare(images, np.zeros((len(images), 2), np.int64), settings, False), verbose=0)
        for images in (VALIDATION.stored, VALIDATION.stored[:, :, ::-1])
    ]
    assert not np.allclose(sides[0], sides[1], atol=1e-4)
    assert found.val_probs is not None
    np.testing.assert_allclose(found.val_probs, np.mean(sides, axis=0), atol=1e-5)
