"""What is told of a network that a recipe has built, and what is left of its training."""

from __future__ import annotations

import inspect
import linecache
from collections.abc import Callable
from contextlib import suppress
from types import FunctionType
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from scenebook.core.backbones import NAMED_WEIGHTS
from scenebook.core.errors import InputError, WeightsError
from scenebook.core.published_cells import read_published
from scenebook.core.run_directory import RunDirectory
from scenebook.core.settings import Settings
from scenebook.core.source_code import digest_cell
from scenebook.data.splitting import SplitImages
from scenebook.network.backbones import build_backbone, preprocessing
from scenebook.network.devices import describe_computing, describe_device, leave_devices
from scenebook.network.frozen.cutting import list_stochastic
from scenebook.network.graph import find_base_model, summarize
from scenebook.network.imagenet_weights import weights_digest
from scenebook.network.recipe.data import TrainingData
from scenebook.network.recipe.describing import digest_arrays, digest_config, is_library, untrained
from scenebook.network.recipe.recipe import OF_THE_NOTEBOOK, Recipe
from scenebook.network.recipe.tracing import trace_preparation
from scenebook.network.training import save_model


class Cut(NamedTuple):
    """Where a network was cut for its last phase: the layers and weights on both sides, and the tensors' shapes.

    So many of the frozen layers are `stochastic`: they would drop at random in Keras' own `fit`.
    """

    frozen: tuple[int, int]
    trained: tuple[int, int]
    shapes: list[tuple[int, ...]]
    stochastic: int
    runtime: str


def describe_cut(data: TrainingData) -> Cut:
    assert data.part is not None
    if data.base is None:
        return Cut((0, 0), _count(data.part), [], 0, data.runtime)
    shapes = [tuple(tensor.shape[1:]) for tensor in data.base.outputs]
    return Cut(_count(data.base), _count(data.part), shapes, len(list_stochastic(data.base)), data.runtime)


def _count(model: keras.Model) -> tuple[int, int]:
    return sum(not isinstance(layer, keras.layers.InputLayer) for layer in model.layers), model.count_params()


def describe_model(
    prepare: Callable[..., Any], settings: Settings, model: keras.Model, images: SplitImages
) -> dict[str, Any]:
    """Returns the facts of a network before its training, for `training/summary.json`.

    Args:
        images: Images of the size that it is given.

    Returns:
        What `classifier.summarize` does; `backbone`, `weights` and `weights_sha256`, which are of the settings where
        these were followed, and else of the base model; `preprocessing`, the name of what `prepare` does to images as
        they are, or `notebook` where it is nothing that has a name.
    """
    base_model = find_base_model(model)
    if base_model is not None and _is_backbone(base_model, settings, images.stored.shape[1]):
        named = settings.weights if settings.weights in NAMED_WEIGHTS else "file"
        about: dict[str, Any] = {"backbone": settings.backbone, "weights": named}
        about["weights_sha256"] = weights_digest(settings.weights, settings.backbone)
    else:
        base_model = base_model or model
        about = {"backbone": base_model.name, "weights": OF_THE_NOTEBOOK}
        about["weights_sha256"] = digest_arrays(base_model.get_weights())
    return {**about, "preprocessing": name_preprocessing(prepare, settings, images), **summarize(model)}


def _is_backbone(base_model: keras.Model, settings: Settings, size: int) -> bool:
    with suppress(WeightsError):
        expected = build_backbone(settings.backbone, image_size=size, weights=settings.weights, seed=settings.seed)
        asked, found = (
            (digest_config(untrained(one.get_config())), digest_arrays(one.get_weights()))
            for one in (expected, base_model)
        )
        return asked == found
    return False


def name_preprocessing(prepare: Callable[..., Any], settings: Settings, images: SplitImages) -> str:
    """Returns the importable name of what a recipe does to images as they are, or `notebook`.

    It has the name whose graph of TensorFlow's is the same.
    """
    shape = images.stored.shape[1:]
    traced = trace_preparation(prepare, settings, shape, training=False)
    for how in ("backbone", "rescale"):
        known = preprocessing(settings.backbone, how)
        if trace_preparation(_wrap(known), settings, shape, training=False).is_same(traced):
            return known.name
    return OF_THE_NOTEBOOK


def _wrap(preprocess_input: Any) -> Any:
    return lambda images, seeds, settings, training: preprocess_input(tf.cast(images, tf.float32))


def finish_training(run_dir: RunDirectory, recipe: Recipe, model: keras.Model, data: TrainingData) -> dict[str, Any]:
    """Saves a trained network, and notes that its training is over.

    Returns:
        For `training/summary.json`: `phases`, a mapping a phase; `kept_epoch` of `Keeper`; `test_time_flip`;
        `frozen_layers_runtime`, `device`, what else `describe_computing` returns, and `images_per_second`, `None` where
        there was no phase; of the recipe
        `recipe_sha256`, `None` where it cannot be compared, `recipe`, name to digest, and `edited`, the names of its
        functions that differ from those of the published notebook.

    Raises:
        InputError: `train_model` has trained nothing, or not with the arguments of `data.resume`.
    """
    keeper = data.keeper
    if not keeper.history.rows and not data.is_linear:
        raise InputError(
            "Expected `train_model` to train the model.",
            received={"epochs": 0},
            advice="Give `fit` the arguments of `data.resume(part, epochs)`.",
        )
    if keeper.network is not model:
        raise InputError(
            "Expected `train_model` to train the model that it is given.",
            received={"trained": keeper.network.name if keeper.network is not None else "nothing"},
            advice="Give that model to `data.accelerate`.",
        )
    keeper.restore()
    computing = describe_computing(data.settings)
    leave_devices(model)
    keeper.history.write()
    save_model(run_dir, model)
    code = recipe.digest()
    keeper.finish(code)
    seconds = sum(row["seconds"] for row in keeper.history.rows)
    return {
        "phases": [phase._asdict() for phase in keeper.phases],
        "kept_epoch": keeper.kept_epoch,
        "test_time_flip": data.settings.test_time_flip,
        "frozen_layers_runtime": data.runtime,
        "device": describe_device(),
        **computing,
        "images_per_second": round(data.count * len(keeper.history.rows) / seconds, 2) if seconds else None,
        "recipe_sha256": code.sha256 if code.is_known else None,
        "recipe": recipe.digest(states=False).parts,
        "edited": [name for name, value in code.used.items() if inspect.isfunction(value) and not is_published(value)],
    }


def is_published(function: FunctionType) -> bool:
    """Returns whether a function is a library's, or stands in a cell that says what the published notebook's does."""
    cell = "".join(linecache.getlines(function.__code__.co_filename))
    return is_library(function.__module__) or digest_cell(cell) in read_published("02-training").values()
