"""Training by a recipe: in the notebook, from further seeds, and as a variant of a study."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from scenebook.core.backbones import RANDOM
from scenebook.core.keys import Key
from scenebook.core.provenance import sha256_lines, training_versions
from scenebook.core.run_directory import RunDirectory
from scenebook.core.run_files import CHECKPOINT
from scenebook.core.settings import Settings
from scenebook.data.splitting import SplitImages
from scenebook.network import training
from scenebook.network.backbones import seeded_weights
from scenebook.network.code_digests import digest_training_code
from scenebook.network.devices import describe_computing, sharing
from scenebook.network.recipe.data import Accelerated, TrainingData
from scenebook.network.recipe.keeping import Keeper
from scenebook.network.recipe.phases import Phase
from scenebook.network.recipe.recipe import OF_THE_NOTEBOOK, Recipe

_WITHOUT_EFFECT = frozenset(
    {
        *("accelerate", "feature_cache_gb", "frozen_layers_runtime", "weights"),
        *("seeds", "cross_validation", "test_time_flip", "precision", "devices"),
    }
)
"""Settings that change how long a training takes, or what follows it; or that count by what they led to: the runtime by
its name, weights by their values, precision and devices by what `describe_computing` returns."""


@dataclass(frozen=True)
class Fit:
    """A trained classifier: the whole model, and what was fit, phase by phase.

    The history has the columns of `training.HISTORY_COLUMNS`. What it says to the images as they are, float32
    `(n, num_classes)`, is `None` unless asked.
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

    `weights` are those of `finishing.describe_model`: where `build_model` does not follow the settings, `model`, which
    it has built, is copied.
    """
    if weights != OF_THE_NOTEBOOK:
        return build_seeded(build_model, settings.updated({"weights": RANDOM}), num_classes)
    with seeded_weights(settings.seed):
        return keras.models.clone_model(model)


def describe_training(settings: Settings, parts: Sequence[SplitImages]) -> Key:
    """Returns what a training depends on besides its recipe and its network; `parts` are all images it looks at."""
    # What Keras is set to, by any cell.
    told = {"epsilon": keras.config.epsilon(), "floatx": keras.config.floatx(), "jit": tf.config.optimizer.get_jit()}
    return {
        "settings": {name: value for name, value in settings.model_dump().items() if name not in _WITHOUT_EFFECT},
        "images": {
            str(number): sha256_lines(map("{} {}".format, part.digests, part.labels))
            for number, part in enumerate(parts)
        },
        "modules": digest_training_code(settings.backbone),
        "versions": {
            **training_versions(settings.frozen_layers_runtime),
            **{name: str(value) for name, value in told.items()},
            **describe_computing(settings),
        },
    }


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
    """Makes images ready for `train_model`; the arguments that are not named here are those of `TrainingData`.

    Args:
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
    opened = open_training(recipe, settings, train, validation, num_classes=num_classes, **options)
    with training.forgetting_gradients(), opened as data:
        recipe.train_model(model, data, settings)
        probs = (data.predict(train), data.predict(validation)) if predict else (None, None)
        return Fit(model, data.keeper.history.history, data.keeper.phases, data.runtime, *probs)


class _PhaseReachedError(Exception):
    """The first phase is about to be fit."""


class FirstPhase(TrainingData):
    """What `open_first_phase` returns: it stops where `fit` would begin.

    Attributes:
        accelerated: What would be fit, compiled, and its training and validation batches.
    """

    accelerated: Accelerated

    def accelerate(self, model: keras.Model) -> Accelerated:
        """Keeps what it returns."""
        self.accelerated = super().accelerate(model)
        return self.accelerated

    def start_head(self, model: keras.Model, linear: Any) -> None:
        """Starts no head: what a phase fits, and how fast, does not depend on its weights."""
        self.cut_at_head(model)

    def resume(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        raise _PhaseReachedError


def open_first_phase(
    recipe: Recipe, settings: Settings, train: SplitImages, validation: SplitImages, *, num_classes: int, **options: Any
) -> FirstPhase:
    """Goes through a recipe until its first phase is about to be fit: what is fit is compiled, and nothing is trained.

    The arguments are those of `open_training` that are not about the state of a training.
    """
    training.initialize_determinism(settings.seed, settings.precision)
    model = build_seeded(recipe.build_model, settings, num_classes)
    data = FirstPhase(recipe, settings, train, validation, num_classes=num_classes, keeper=Keeper(), **options)
    with suppress(_PhaseReachedError):
        recipe.train_model(model, data, settings)
    return data
