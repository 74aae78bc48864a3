"""Backbones: the models of `keras.applications` and the embedded one, with their weights and their preprocessing."""

from __future__ import annotations

import difflib
import inspect
import random
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import applications
from keras.src.random import seed_generator

from scenebook.core.errors import InputError, SettingsError
from scenebook.core.provenance import sha256_file
from scenebook.core.settings import EMBEDDED, IMAGENET, RANDOM, check_weights_name
from scenebook.network.embedded import (
    EMBEDDED_FILE,
    MINIMUM_SIZE,
    build_embedded,
    load_embedded_weights,
    preprocess_input,
)
from scenebook.network.imagenet_weights import (
    application_builders,
    download_imagenet,
    find_download,
)
from scenebook.network.weight_files import load_weights_file

__all__ = [
    "Preprocessing",
    "build_backbone",
    "list_backbones",
    "load_preprocessing",
    "preprocess_input",
    "preprocessing",
    "seeded_weights",
    "weights_digest",
]


@dataclass(frozen=True)
class Preprocessing:
    """The input transformation that a backbone was trained with.

    Attributes:
        name: Its importable name, `keras.applications.resnet50.preprocess_input` for one.
        function: Takes float32 `(batch, height, width, 3)` in `[0, 255]`, a tensor or an array.
    """

    name: str
    function: Callable[[Any], Any]

    def __call__(self, images: Any) -> Any:
        """Returns the transformed images; never changes an array that it was given, as some of Keras' own do."""
        return self.function(np.array(images) if isinstance(images, np.ndarray) else images)


def list_backbones() -> list[str]:
    """Returns the names that `build_backbone` takes: `embedded`, then those of `keras.applications`, sorted."""
    return [EMBEDDED, *sorted(application_builders())]


def _find_builder(backbone: str) -> Callable[..., keras.Model]:
    builders = application_builders()
    if backbone not in builders:
        known = {name.lower(): name for name in list_backbones()}
        near = [known[name] for name in difflib.get_close_matches(backbone.lower(), known, n=3, cutoff=0.4)]
        raise SettingsError(
            "Expected backbone to be embedded or the name of a model in keras.applications.",
            received={"backbone": backbone},
            advice=f"Did you mean {' or '.join(near)}?" if near else "",
        )
    return builders[backbone]


def rescale(images: Any) -> Any:
    """Returns images in `[0, 1]`, from float32 in `[0, 255]`: the common trap, unless a backbone was made for it."""
    return images / 255.0


def preprocessing(backbone: str, how: str = "backbone") -> Preprocessing:
    """Returns the backbone's own input transformation. Feeding anything else is the commonest mistake with backbones.

    Args:
        backbone: As for `build_backbone`.
        how: The setting `preprocessing`: `backbone`, or `rescale` for values from 0 to 1 all the same.

    Raises:
        SettingsError: There is no such backbone.
    """
    if how == "rescale":
        return Preprocessing(f"{__name__}.rescale", rescale)
    if backbone == EMBEDDED:
        return Preprocessing(f"{__name__}.preprocess_input", preprocess_input)
    builder = _find_builder(backbone)
    modules = {
        name: module
        for name, module in inspect.getmembers(applications, inspect.ismodule)
        if getattr(module, backbone, None) is builder or builder.__module__.endswith(f".{name}")
    }
    # ResNet50 is in both resnet and resnet50; the functions are the same, the more particular name is nicer.
    name = backbone.lower() if backbone.lower() in modules else min(modules)
    return Preprocessing(f"keras.applications.{name}.preprocess_input", modules[name].preprocess_input)


def load_preprocessing(summary: Mapping[str, Any]) -> Preprocessing:
    """Returns the input transformation that a run was trained with.

    Args:
        summary: The run's `training/summary.json`.

    Raises:
        InputError: This version has another one.
    """
    choices = [preprocessing(summary["backbone"]), preprocessing(summary["backbone"], "rescale")]
    for choice in choices:
        if choice.name == summary["preprocessing"]:
            return choice
    raise InputError(
        "Expected a run that was trained with the preprocessing that this version uses.",
        received={"preprocessing": summary["preprocessing"]},
        advice=f"Here it is {choices[0].name}. Run `make report` again.",
    )


def build_backbone(backbone: str, *, image_size: int, weights: str, seed: int = 0) -> keras.Model:
    """Builds a backbone without its top and without pooling, and gives it its weights.

    Args:
        backbone: `embedded`, or the name of a model in `keras.applications`.
        image_size: Height and width of the images, in pixels.
        weights: `imagenet` (Keras downloads, checks and caches), `embedded` (for the embedded backbone), `random`, or
            the path of a `.weights.h5` or `.keras` file of this backbone. Layers that follow the backbone's own in a
            file are not looked at.
        seed: Seed of random weights.

    Returns:
        A model from preprocessed float32 `(batch, image_size, image_size, 3)` to features `(batch, h, w, channels)`.

    Raises:
        SettingsError: There is no such backbone, or it cannot take images so small.
        WeightsError: The weights do not exist, cannot be read, or do not fit.
    """
    if backbone != EMBEDDED:
        _find_builder(backbone)
    check_weights_name(backbone, weights)
    if weights == IMAGENET:
        return download_imagenet(backbone, lambda: _call_builder(backbone, image_size, weights=IMAGENET))
    with seeded_weights(seed):
        base_model = _build_untrained(backbone, image_size)
    if weights == EMBEDDED:
        load_embedded_weights(base_model)
    elif weights != RANDOM:
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


def _build_untrained(backbone: str, image_size: int) -> keras.Model:
    if backbone == EMBEDDED:
        _check_minimum(backbone, image_size, MINIMUM_SIZE)
        return build_embedded(image_size)
    return _call_builder(backbone, image_size, weights=None)


def _call_builder(backbone: str, image_size: int, weights: str | None) -> keras.Model:
    shape = (image_size, image_size, 3)
    try:
        return _find_builder(backbone)(weights=weights, include_top=False, input_shape=shape)
    except ValueError as error:
        if "corrupted file" in str(error):
            raise  # what was downloaded has another checksum than Keras knows
        minimum = re.search(r"at least (\d+)x", str(error))
        if minimum:
            _check_minimum(backbone, image_size, int(minimum[1]))
        raise SettingsError(
            f"Expected an image_size that {backbone} can be built for with these weights.",
            received={"image_size": image_size, "weights": weights or RANDOM},
            advice=" ".join(str(error).split()),
        ) from error


def _check_minimum(backbone: str, image_size: int, minimum: int) -> None:
    if image_size < minimum:
        raise SettingsError(
            f"Expected image_size to be at least {minimum} for the backbone {backbone}.",
            received={"image_size": image_size},
        )


def weights_digest(weights: str, backbone: str) -> str | None:
    """Returns the SHA-256 of the file that the weights came from.

    `None` for random weights, and for `imagenet` when Keras' download is not in its cache.
    """
    if weights == RANDOM:
        return None
    if weights == EMBEDDED:
        return sha256_file(EMBEDDED_FILE)
    file = find_download(backbone) if weights == IMAGENET else Path(weights)
    return sha256_file(file) if file else None
