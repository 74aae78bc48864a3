"""Training by a recipe: in the notebook, from further seeds, and as a variant of a study."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import pandas as pd

from scenebook.core.backbones import RANDOM
from scenebook.core.run_directory import RunDirectory
from scenebook.core.run_files import CHECKPOINT
from scenebook.core.settings import Settings
from scenebook.data.splitting import SplitImages
from scenebook.network import training
from scenebook.network.backbones import seeded_weights
from scenebook.network.devices import sharing
from scenebook.network.recipe.data import TrainingData
from scenebook.network.recipe.describing import describe_training
from scenebook.network.recipe.keeping import Keeper
from scenebook.network.recipe.phases import Phase
from scenebook.network.recipe.recipe import OF_THE_NOTEBOOK, Recipe


@dataclass(frozen=True)
class Fit:
    """A trained classifier.

    Attributes:
        model: The whole model.
        history: A row an epoch, the columns of `training.HISTORY_COLUMNS`.
        phases: What was fit, one after the other.
        frozen_layers_runtime: What the frozen layers of the last phase ran in.
        train_probs: What it says to the training images as they are, float32 `(n, num_classes)`; `None` unless asked.
        val_probs: The same of the validation images.
    """

    model: keras.Model
    history: pd.DataFrame
    phases: Sequence[Phase]
    frozen_layers_runtime: str
    train_probs: np.ndarray | None = None
    val_probs: np.ndarray | None = None


def build_seeded(build_model: Callable[..., keras.Model], settings: Settings, num_classes: int) -> keras.Model:
    """Returns what a recipe's `build_model` does; the first weights are drawn from the setting `seed`."""
    with seeded_weights(settings.seed), sharing(settings.devices):
        return build_model(settings, num_classes)


def build_random(
    build_model: Callable[..., keras.Model], settings: Settings, num_classes: int, model: keras.Model, weights: str
) -> keras.Model:
    """Returns a recipe's network with random weights, drawn from the setting `seed`.

    Args:
        build_model: Of the recipe.
        settings: What it is given.
        num_classes: The number of classes.
        model: What it has built.
        weights: From `finishing.describe_model`: where `build_model` does not follow the settings, the model is copied.
    """
    if weights != OF_THE_NOTEBOOK:
        return build_seeded(build_model, settings.updated({"weights": RANDOM}), num_classes)
    with seeded_weights(settings.seed):
        return keras.models.clone_model(model)


def open_training(
    recipe: Recipe,
    settings: Settings,
    train: SplitImages,
    validation: SplitImages,
    *,
    num_classes: int,
    run_dir: RunDirectory | None = None,
    file: str = CHECKPOINT,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    **options: Any,
) -> TrainingData:
    """Makes images ready for `train_model`.

    Args:
        recipe: The recipe.
        settings: All settings that it is given.
        train: The training images.
        validation: The validation images.
        num_classes: The number of classes.
        run_dir: The run in which the training's state is kept after each epoch, and looked for before the first;
            `None`: it is not.
        file: The state's path in the run.
        callbacks: Further callbacks of `fit`.
        options: `keep_views` and `compile_layers` of `TrainingData`.
    """
    keeper = Keeper(
        run_dir, describe_training(settings, [train, validation]), recipe.digest, file=file, callbacks=callbacks
    )
    return TrainingData(recipe, settings, train, validation, num_classes=num_classes, keeper=keeper, **options)


def run_recipe(
    recipe: Recipe, settings: Settings, train: SplitImages, validation: SplitImages, *, num_classes: int,
    predict: bool = False, **options: Any,
) -> Fit:  # fmt: skip
    """Trains by a recipe, as the notebook does.

    The arguments are those of `open_training`, and `predict`: whether the trained network is asked about the images as
    they are.

    Raises:
        DivergedError: The loss is no finite number.
    """
    training.initialize_determinism(settings.seed, settings.precision)
    model = build_seeded(recipe.build_model, settings, num_classes)
    with open_training(recipe, settings, train, validation, num_classes=num_classes, **options) as data:
        recipe.train_model(model, data, settings)
        probs = (data.predict(train), data.predict(validation)) if predict else (None, None)
        return Fit(model, data.keeper.history.history, data.keeper.phases, data.runtime, *probs)


class _PhaseReachedError(Exception):
    """The first phase is about to be fit."""


class _FirstPhase(TrainingData):
    def start_head(self, model: keras.Model, linear: Any) -> None:
        """Starts no head: what a phase fits, and how fast, does not depend on its weights."""
        self.cut_at_head(model)

    def resume(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        raise _PhaseReachedError


def open_first_phase(
    recipe: Recipe, settings: Settings, train: SplitImages, validation: SplitImages, *, num_classes: int, **options: Any
) -> TrainingData:
    """Goes through a recipe until its first phase is about to be fit: what is fit is compiled, and nothing is trained.

    The arguments are those of `open_training` that are not about the state of a training.
    """
    training.initialize_determinism(settings.seed, settings.precision)
    model = build_seeded(recipe.build_model, settings, num_classes)
    data = _FirstPhase(recipe, settings, train, validation, num_classes=num_classes, keeper=Keeper(), **options)
    with suppress(_PhaseReachedError):
        recipe.train_model(model, data, settings)
    return data
