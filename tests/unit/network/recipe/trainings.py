"""Small trainings by a recipe: a network of a few layers on a few images."""

from __future__ import annotations

import functools
import hashlib
import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from scenebook.core.run_directory import RunDirectory
from scenebook.core.settings import Settings
from scenebook.data.splitting import SplitImages
from scenebook.network import inputs, training
from scenebook.network.augmentation import build_augmentation, make_view_seed
from scenebook.network.backbones import preprocessing, seeded_weights
from scenebook.network.recipe.finishing import finish_training
from scenebook.network.recipe.recipe import Recipe
from scenebook.network.recipe.running import Fit, build_seeded, open_training, run_recipe
from tests.recipes import load_recipe

SIDE, CLASSES = 32, 3
NUMBERS = [name for name in training.HISTORY_COLUMNS if name != "seconds"]


def make_split(count: int, seed: int) -> SplitImages:
    """Random images, brighter for a higher class."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % CLASSES
    stored = (rng.integers(0, 120, (count, SIDE, SIDE, 3)) + 60 * labels[:, None, None, None]).astype(np.uint8)
    digests = [hashlib.sha256(image.tobytes()).hexdigest() for image in stored]
    return SplitImages(stored, np.arange(count), labels, [f"{n}.png" for n in range(count)], digests)


TRAIN, VALIDATION, TEST = make_split(22, 0), make_split(6, 1), make_split(6, 2)


def make_settings(**changes: Any) -> Settings:
    given: dict[str, Any] = {"image_size": SIDE, "epochs": 2, "batch_size": 8, "head_units": 8}
    return Settings(**{**given, "frozen_layers_runtime": "tensorflow", "feature_cache_gb": 1, **changes})


def fit(recipe: Recipe | None = None, /, **changes: Any) -> Fit:
    return run_recipe(recipe or load_recipe(), make_settings(**changes), TRAIN, VALIDATION, num_classes=CLASSES)


@functools.cache
def fit_plainly(*changes: tuple[str, Any]) -> Fit:
    return fit(accelerate=False, feature_cache_gb=0, **dict(changes))


class NotedEpochs(keras.callbacks.Callback):
    """Notes the epochs that are begun, counted from 0 over all phases."""

    def __init__(self) -> None:
        super().__init__()
        self.started: list[int] = []

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self.started.append(epoch)


def fit_in(
    run_dir: RunDirectory,
    recipe: Recipe | None = None,
    /,
    *,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    **changes: Any,
) -> tuple[Fit, list[int]]:
    """Trains as notebook 02 does; returns the epochs that were begun, too."""
    recipe, settings, noted = recipe or load_recipe(), make_settings(**changes), NotedEpochs()
    training.initialize_determinism(settings.seed, settings.precision)
    model = build_seeded(recipe.build_model, settings, CLASSES)
    with open_training(
        recipe, settings, TRAIN, VALIDATION, num_classes=CLASSES, run_dir=run_dir, callbacks=[noted, *callbacks]
    ) as data:
        recipe.train_model(model, data, settings)
    finish_training(run_dir, recipe, model, data)
    return Fit(model, data.keeper.history.history, data.keeper.phases, data.runtime), noted.started


@functools.cache
def fit_as_keras_has_it(trained: int) -> tuple[list[np.ndarray], pd.DataFrame]:
    """Weights and history of the same training as plain Keras writes it: one model, `fit` on augmented images."""
    settings = make_settings(trainable_base_layers=trained)
    training.initialize_determinism(settings.seed)
    with seeded_weights(settings.seed):
        model = load_recipe().build_model(settings, CLASSES)
    augment, preprocess_input = build_augmentation(**settings.augmentation), preprocessing(settings.backbone)
    read, keys = inputs.make_reader(TRAIN), inputs.make_keys(TRAIN.digests)
    size, labels = settings.batch_size, tf.eye(CLASSES)

    def make_batches() -> Any:
        for epoch in range(settings.epochs):
            order = tf.random.experimental.stateless_shuffle(tf.range(len(TRAIN)), seed=[settings.seed, epoch])
            for start in range(0, len(TRAIN), size):
                batch = order[start : start + size]
                seeds = make_view_seed(settings.augmentation_seed, tf.gather(keys, batch), epoch)
                yield preprocess_input(augment(read(batch), seeds)), tf.gather(labels, TRAIN.labels[batch])

    schedule = keras.optimizers.schedules.InverseTimeDecay(
        settings.learning_rate, decay_steps=1, decay_rate=settings.decay
    )
    model.compile(
        keras.optimizers.SGD(schedule, momentum=settings.momentum), "categorical_crossentropy", metrics=["accuracy"]
    )
    history = model.fit(
        make_batches(),
        validation_data=(preprocess_input(VALIDATION.stored.astype(np.float32)), tf.gather(labels, VALIDATION.labels)),
        epochs=settings.epochs,
        steps_per_epoch=math.ceil(len(TRAIN) / size),
        shuffle=False,
        verbose=0,
    )
    return model.get_weights(), pd.DataFrame(history.history)


def check_against_keras(trained: int, **changes: Any) -> None:
    """Trains by the recipe, with the results of plain Keras."""
    weights, expected = fit_as_keras_has_it(trained)
    found = fit(trainable_base_layers=trained, **changes)
    pd.testing.assert_frame_equal(found.history[list(expected)], expected, rtol=1e-4, check_dtype=False)
    # Moving averages of the batch normalisation among them.
    for mine, theirs in zip(found.model.get_weights(), weights, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-3, atol=1e-4)
