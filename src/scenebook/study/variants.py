"""What a worker of a study does: train a variant, fill a part of a feature cache, or measure how fast both would be."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from scenebook.core.errors import InputError
from scenebook.core.run_directory import RunDirectory
from scenebook.core.run_files import CLASSES, SPLITS, SUMMARY
from scenebook.core.settings import TRAINING, Settings
from scenebook.data.splitting import SplitImages, open_images
from scenebook.network.architecture import describe_network
from scenebook.network.frozen.cutting import describe_frozen_layers
from scenebook.network.frozen.running import FrozenRuntime, compile_frozen_layers
from scenebook.network.graph import count_parameters, find_base_model
from scenebook.network.imagenet_weights import weights_digest
from scenebook.network.pretrained import build_extractor
from scenebook.network.recipe.describing import find_own_code
from scenebook.network.recipe.recipe import Recipe, read_recipe
from scenebook.network.recipe.running import open_first_phase, run_recipe
from scenebook.network.training import forgetting_gradients
from scenebook.study.plan import LAYERS
from scenebook.study.scheduling import Speed, Task
from scenebook.study.trials import Trial, pack

_KEPT = 2  # frozen layers; each set holds its weights once more
_compiled: dict[tuple[str, str], FrozenRuntime] = {}

_TIMED, _TIMES = 32, 3
_MEASURED = 16  # images through the frozen layers, after a first time that pays for what is built once


def train_variant(run_dir: Path, task: Task) -> dict[str, Any]:
    """Trains a variant and asks it about its images.

    Returns:
        What a record holds: `settings` (all of the training, as numbers), `history` (a list a column), `train_loss`,
        `train_accuracy`, `train_right`, the same as `val_*`, `total_params`, `trainable_params`, `seconds`,
        `frozen_layers_runtime`; of a variant with weights of its own `weights_sha256`; and where the trial is timed,
        `images_per_second`.

    Raises:
        DivergedError: The loss is no finite number.
        InputError: The network has no such block or stage.
    """
    started = time.perf_counter()
    recipe, settings, (train, validation), num_classes = _open(run_dir, task.trial, task.images)
    own = {}
    if task.trial.variant.has_own_weights:
        own["weights_sha256"] = weights_digest(settings.weights, settings.backbone)
    options: dict[str, Any] = {"keep_views": task.keep_views, "compile_layers": compile_once, "predict": True}
    fit = run_recipe(recipe, settings, train, validation, num_classes=num_classes, **options)
    assert fit.train_probs is not None
    assert fit.val_probs is not None
    seconds = round(time.perf_counter() - started, 3)
    timed = {"images_per_second": round(_measure_rate(fit.model, train, settings), 1)} if task.trial.timed else {}
    return {
        "settings": settings.model_dump(include={*TRAINING, "weights"}),
        "history": fit.history.to_dict("list"),
        **_score("train", fit.train_probs, train.labels),
        **_score("val", fit.val_probs, validation.labels),
        **{name: count for name, count in count_parameters(fit.model).items() if name != "non_trainable_params"},
        "seconds": seconds,
        "frozen_layers_runtime": fit.frozen_layers_runtime,
        **own,
        **timed,
    }


def fill_feature_cache(run_dir: Path, task: Task) -> None:
    """Computes what the frozen layers make of the views of the task's epochs, where the feature cache lacks it."""
    recipe, settings, (train, validation), num_classes = _open(run_dir, task.trial, task.images)
    with open_first_phase(
        recipe, settings, train, validation, num_classes=num_classes, compile_layers=compile_once
    ) as data:
        data.fill(task.epochs)


def measure_speed(run_dir: Path, task: Task) -> Speed:
    """Measures, on a batch of images, how fast the frozen layers and a step of training are."""
    started = time.perf_counter()
    recipe, settings, (train, validation), num_classes = _open(run_dir, task.trial, task.images)
    options: dict[str, Any] = {"num_classes": num_classes, "keep_views": False, "compile_layers": compile_once}
    with open_first_phase(recipe, settings, train, validation, **options) as data:
        tensors = data.compute_views(_MEASURED)
        start = time.perf_counter() - started
        base_seconds = _time(lambda: data.compute_views(_MEASURED))
    part, count = data.part, settings.batch_size
    assert part is not None
    row_bytes = 4 * sum(math.prod(tensor.shape[1:]) for tensor in tensors)
    if not part.compiled:  # a linear classifier, which is not trained in steps
        return Speed(start=start, base=_MEASURED / base_seconds, tail=math.inf, row_bytes=row_bytes)
    rows = tuple(tf.constant(np.resize(tensor, (count, *tensor.shape[1:]))) for tensor in tensors)
    labels = tf.one_hot(np.resize(train.labels, count), num_classes)
    with forgetting_gradients():
        part.train_on_batch(rows, labels)
        tail = count / _time(lambda: part.train_on_batch(rows, labels))
    return Speed(start=start, base=_MEASURED / base_seconds, tail=tail, row_bytes=row_bytes)


def compile_once(base: keras.Model, runtime: str) -> FrozenRuntime:
    """Returns the frozen layers ready to run; the last ones are kept: the next task often has the same."""
    if find_own_code(base):
        return compile_frozen_layers(base, runtime)
    key = (describe_frozen_layers(base)["digest"], runtime)
    if key not in _compiled:
        while len(_compiled) >= _KEPT:
            del _compiled[next(iter(_compiled))]
        _compiled[key] = compile_frozen_layers(base, runtime)
    return _compiled[key]


def _measure_rate(model: keras.Model, images: SplitImages, settings: Settings) -> float:
    """Returns how many images a second a network's features are computed of, the best of a few batches.

    All its layers run as frozen layers do. The images are pixels as they are, not prepared for the backbone: one number
    takes as long as another.
    """
    run = compile_frozen_layers(build_extractor(model), settings.frozen_layers_runtime)
    batch = np.resize(images.stored[images.rows[:_TIMED]], (_TIMED, *images.stored.shape[1:])).astype(np.float32)
    run(batch)
    return _TIMED / min(_time(lambda: run(batch)) for _ in range(_TIMES))


def _time(do: Any) -> float:
    started = time.perf_counter()
    do()
    return time.perf_counter() - started


def _open(root: Path, trial: Trial, images: np.ndarray) -> tuple[Recipe, Settings, list[SplitImages], int]:
    """Returns recipe and settings, these images and those that are evaluated on, and the number of classes."""
    # What the worker's last task has left behind.
    keras.backend.clear_session()
    run_dir = RunDirectory(root)
    class_names = run_dir.read_json(CLASSES)["classes"]
    splits = run_dir.read_csv(SPLITS)
    parts = [open_images(run_dir, splits.iloc[rows], class_names) for rows in (images, trial.fold.validation)]
    recipe = read_recipe(run_dir, run_dir.read_json(SUMMARY)["recipe"])
    layers = trial.layers
    if not isinstance(layers, int):
        layers = count_last_layers(recipe.build_model(trial.settings, len(class_names)), layers)
    return recipe, trial.settings.model_copy(update={LAYERS: layers}), parts, len(class_names)


def count_last_layers(model: keras.Model, what: str) -> int:
    """Returns how many of the last layers the `last block` (a residual one, or `InputError`) or `last stage` are."""
    base_model = find_base_model(model) or model
    network = describe_network(base_model)
    if what == "last block":
        if network.block is None:
            raise InputError(
                "Expected a base model with residual blocks.",
                received={"base model": base_model.name, LAYERS: what},
                advice="Name a number of layers in a plan of your own.",
            )
        layers = network.block.layers
    else:
        layers = [stage for stage in network.stages if stage.role == "base"][-1].layers
    names = [layer.name for layer in base_model.layers]
    return len(names) - min(names.index(layer.name) for layer in layers)


def _score(part: str, probs: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
    right = probs.argmax(axis=1) == labels
    # As Keras' categorical cross-entropy does, so that a probability of 0 is no infinite loss.
    given = np.clip(probs[np.arange(len(labels)), labels].astype(np.float64), keras.config.epsilon(), 1.0)
    return {
        f"{part}_loss": float(-np.log(given).mean()),
        f"{part}_accuracy": float(right.mean()),
        f"{part}_right": pack(right),
    }
