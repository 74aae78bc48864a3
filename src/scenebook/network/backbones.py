"""Backbones with their weights and their preprocessing, built as their row of the registry says."""

from __future__ import annotations

import importlib
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras.src.random import seed_generator

from scenebook.core.backbones import BACKBONES, RANDOM, find_backbone
from scenebook.core.errors import SettingsError
from scenebook.network.weight_files import load_weights_file


@dataclass(frozen=True)
class Preprocessing:
    """The input transformation that a backbone was trained with, by its importable name.

    It takes float32 `(batch, height, width, 3)` in `[0, 255]`, a tensor or an array.
    """

    name: str
    function: Callable[[Any], Any]

    def __call__(self, images: Any) -> Any:
        """Returns the transformed images; never changes an array that it was given, as some of Keras' own do."""
        return self.function(np.array(images) if isinstance(images, np.ndarray) else images)


def rescale(images: Any) -> Any:
    """Returns images in `[0, 1]`, from float32 in `[0, 255]`: the common trap, unless a backbone was made for it."""
    return images / 255.0


@tf.autograph.experimental.do_not_convert  # a recipe calls it within `Dataset.map`
def preprocessing(backbone: str, how: str = "backbone") -> Preprocessing:
    """Returns the backbone's own input transformation. Feeding anything else is the commonest mistake with backbones.

    `how` is the setting `preprocessing`: `backbone`, or `rescale` for values from 0 to 1 all the same.

    Raises:
        SettingsError: There is no such backbone.
    """
    if how == "rescale":
        return Preprocessing(f"{__name__}.rescale", rescale)
    name = find_backbone(backbone).preprocessing
    module, _, function = name.rpartition(".")
    return Preprocessing(name, getattr(importlib.import_module(module), function))


def find_preprocessing(name: str) -> Preprocessing | None:
    """Returns the input transformation of this importable name, where a backbone has it; else `None`."""
    for backbone in BACKBONES.values():
        for how in ("backbone", "rescale"):
            if name in (backbone.preprocessing, f"{__name__}.rescale"):
                found = preprocessing(backbone.name, how)
                if found.name == name:
                    return found
    return None


def build_backbone(backbone: str, *, image_size: int, weights: str, seed: int = 0) -> keras.Model:
    """Builds a backbone without its top and without pooling, and gives it its weights.

    Args:
        weights: A name of weights that the backbone has, `random`, or the path of a `.weights.h5` or `.keras` file of
            this backbone. Layers that follow the backbone's own in a file are not looked at.

    Returns:
        A model from preprocessed float32 `(batch, image_size, image_size, 3)` to features `(batch, h, w, channels)`.

    Raises:
        SettingsError: There is no such backbone, or it cannot take images so small.
        WeightsError: The weights do not exist, cannot be read, or do not fit.
    """
    row = find_backbone(backbone)
    named = row.find_weights(weights)
    if image_size < row.least_size:
        raise SettingsError(
            f"Expected image_size to be at least {row.least_size} for the backbone {backbone}.",
            received={"image_size": image_size},
        )
    with seeded_weights(seed):
        base_model: keras.Model = importlib.import_module(row.builder).build(backbone, image_size, named)
    if named is None and weights != RANDOM:
        load_weights_file(base_model, Path(weights))
    return base_model


@contextmanager
def seeded_weights(seed: int) -> Iterator[None]:
    """Makes Keras draw the seeds of initial weights as it does after `random.seed(seed)`, from a generator of its own.

    Python's own generator belongs to all threads of a process: in a worker of dask others draw from it as well, and the
    weights would be other ones each time.
    """
    before = seed_generator.python_random
    seed_generator.python_random = random.Random(seed)
    try:
        yield
    finally:
        seed_generator.python_random = before
