"""Notebook 02's training once more, as a function: for other seeds, and for variants of the recipe."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import keras
import numpy as np
import pandas as pd
import scipy.stats
import tensorflow as tf

from scenebook.core.progress import print_progress
from scenebook.core.run_directory import RunDirectory
from scenebook.core.run_files import CHECKPOINT, OTHER_SEEDS
from scenebook.core.settings import Settings
from scenebook.data.splitting import SplitImages
from scenebook.network import inputs, training
from scenebook.network.augmentation import build_augmentation, make_view_seed
from scenebook.network.backbones import Preprocessing, build_backbone, preprocessing, seeded_weights
from scenebook.network.checkpoints import Checkpoint, make_fit_key, make_seeds_key, read_kept
from scenebook.network.classifier import build_classifier, check_trainable_base_layers
from scenebook.network.feature_stream import (
    FeatureStream,
    make_feature_ds,
    make_keys,
    open_base_cache,
    run_through,
    stream_through,
)
from scenebook.network.frozen.cutting import split_frozen
from scenebook.network.frozen.running import FrozenRuntime, compile_frozen_layers

CompileFrozenLayers = Callable[[keras.Model, str], FrozenRuntime]

SEED_COLUMNS = ["seed", "loss", "accuracy", "val_loss", "val_accuracy", "test_accuracy"]
"""Of each seed: the last epoch's row of its history, and the accuracy on the test images."""


@dataclass(frozen=True)
class Fit:
    """A trained classifier.

    Attributes:
        model: The whole model, trained.
        history: A row an epoch, the columns of `training.HISTORY_COLUMNS`.
        frozen_layers_runtime: What the frozen layers ran in.
        train_probs: What it says to the training images without augmentation, float32 `(n, num_classes)`; `None`
            unless it was asked.
        val_probs: The same of the validation images.
    """

    model: keras.Sequential
    history: pd.DataFrame
    frozen_layers_runtime: str
    train_probs: np.ndarray | None = None
    val_probs: np.ndarray | None = None


def fit_variant(
    settings: Settings, train: SplitImages, validation: SplitImages, *, num_classes: int,
    callbacks: Sequence[keras.callbacks.Callback] = (), keep_views: bool = True, predict: bool = False,
    compile_frozen_layers: CompileFrozenLayers = compile_frozen_layers, run_dir: RunDirectory | None = None,
    checkpoint: str = CHECKPOINT,
) -> Fit:  # fmt: skip
    """Trains a classifier as notebook 02 does; with its settings the history is the same.

    Args:
        settings: The settings of the run, or of a variant.
        train: The training images.
        validation: The validation images.
        num_classes: The number of classes.
        callbacks: Further callbacks of `fit`.
        keep_views: Whether a feature cache keeps the augmented views too, for others that train on the same; the images
            as they are it keeps in any case.
        predict: Whether the trained network is asked about the images as they are.
        compile_frozen_layers: Makes the frozen layers ready to run.
        run_dir: The run in which the training's state is kept after each epoch, and looked for before the first;
            `None`: it is not.
        checkpoint: The state's path in the run.

    Raises:
        DivergedError: The loss is no finite number.
    """
    training.initialize_determinism(settings.seed)
    model = build_frozen_classifier(settings, num_classes)
    base, tail = split_frozen(model)
    schedule = keras.optimizers.schedules.InverseTimeDecay(
        settings.learning_rate, decay_steps=1, decay_rate=settings.decay
    )
    optimizer = keras.optimizers.SGD(schedule, momentum=settings.momentum)
    tail.compile(optimizer=optimizer, loss="categorical_crossentropy", metrics=["accuracy"])
    batch_size, preprocess_input = settings.batch_size, _find_preprocessing(settings)
    make_ds = partial(inputs.make_ds, num_classes=num_classes, batch_size=batch_size, preprocess_input=preprocess_input)
    writer = training.HistoryWriter(None)
    run_base = compile_frozen_layers(base, settings.frozen_layers_runtime)
    first_epoch, keeping = 0, list(callbacks)
    if run_dir is not None:
        key = make_fit_key(settings, train, validation, base=base, tail=tail, runtime=run_base.name)
        keeping.append(Checkpoint(run_dir, model, tail, writer, key, checkpoint))
        first_epoch = keeping[-1].restore()
    with (
        open_base_cache(base, settings, preprocessing=preprocess_input.name, runtime=run_base.name) as cache,
        open_stream(base, run_base, settings, train, keep_views=keep_views) as stream,
    ):
        val_images = (images for images, _ in make_ds(validation))
        val_rows = run_through(run_base, val_images, validation.digests, cache)
        val_ds = make_feature_ds(val_rows, tf.one_hot(validation.labels, num_classes), batch_size)
        if first_epoch < settings.epochs:
            tail.fit(
                _make_batches(settings, train, stream, num_classes, first_epoch),
                validation_data=val_ds,
                initial_epoch=first_epoch,
                epochs=settings.epochs,
                steps_per_epoch=math.ceil(len(train) / batch_size),
                callbacks=[writer, training.StopOnNonFiniteLoss(), training.ProgressLines(), *keeping],
                shuffle=False,
                verbose=0,
            )
        if not predict:
            return Fit(model, writer.history, run_base.name)
        images = (images for images, _ in make_ds(train))
        rows = stream_through(run_base, images, train.digests, cache)
        train_probs = np.concatenate([np.asarray(tail(tensors, training=False)) for tensors in rows])
        return Fit(model, writer.history, run_base.name, train_probs, tail.predict(val_ds, verbose=0))


@contextmanager
def open_stream(
    base: keras.Model,
    run_base: FrozenRuntime,
    settings: Settings,
    images: SplitImages,
    *,
    keep_views: bool = True,
) -> Iterator[FeatureStream]:
    """Opens the stream of what the frozen layers make of the images' views, with the feature cache behind it."""
    preprocess_input = _find_preprocessing(settings)
    with open_base_cache(
        base, settings, preprocessing=preprocess_input.name, runtime=run_base.name, keep=keep_views
    ) as cache:
        yield FeatureStream(run_base, _make_chain(settings, images), images.digests, cache)


def build_frozen_classifier(settings: Settings, num_classes: int) -> keras.Sequential:
    """Builds the classifier of these settings, all but the last `trainable_base_layers` of its base model frozen.

    Raises:
        SettingsError: The base model has fewer layers.
    """
    base_model = build_backbone(
        settings.backbone, image_size=settings.image_size, weights=settings.weights, seed=settings.seed
    )
    check_trainable_base_layers(base_model, settings.trainable_base_layers)
    for layer in base_model.layers[: len(base_model.layers) - settings.trainable_base_layers]:
        layer.trainable = False
    with seeded_weights(settings.seed):
        return build_classifier(
            base_model, num_classes=num_classes, head_units=settings.head_units, pooling=settings.head_pooling
        )


def _find_preprocessing(settings: Settings) -> Preprocessing:
    return preprocessing(settings.backbone, settings.preprocessing)


def _make_chain(settings: Settings, train: SplitImages) -> Any:
    augment = build_augmentation(**settings.augmentation)
    read, preprocess_input = inputs.make_reader(train), _find_preprocessing(settings)
    keys = tf.constant(make_keys(train.digests))

    def make_batch(positions: tf.Tensor, epoch: tf.Tensor) -> tf.Tensor:
        seeds = make_view_seed(settings.augmentation_seed, tf.gather(keys, positions), epoch)
        return preprocess_input(augment(read(positions), seeds))

    return lambda asked: asked.map(make_batch, num_parallel_calls=tf.data.AUTOTUNE).prefetch(2)


def _make_batches(
    settings: Settings, train: SplitImages, stream: FeatureStream, num_classes: int, first_epoch: int
) -> Iterator[tuple[tuple[Any, ...], tf.Tensor]]:
    labels = tf.one_hot(train.labels, num_classes)
    for epoch in range(first_epoch, settings.epochs):
        order = tf.random.experimental.stateless_shuffle(tf.range(len(train)), seed=[settings.seed, epoch])
        for positions, rows in stream.batches(order, epoch, settings.batch_size):
            yield tuple(rows), tf.gather(labels, positions)


def repeat_training(
    settings: Settings, train: SplitImages, validation: SplitImages, test: SplitImages, *,
    num_classes: int, run_dir: RunDirectory,
) -> pd.DataFrame:  # fmt: skip
    """Trains with the seeds that follow on the run's own, and then looks at the test images.

    The images, their split and their views stay as they are: what differs are the head's first weights and the order
    of the images; and the backbone, where its weights are random.

    Args:
        settings: The settings of the run; `seeds` says how many seeds there are.
        train: The training images.
        validation: The validation images.
        test: The test images; nothing of them is used before the last training is over.
        num_classes: The number of classes.
        run_dir: The run. Until the last training is over it keeps the state of each, so that none is done again after
            an interruption.

    Returns:
        A row a further seed, the columns of `SEED_COLUMNS`; no row for `seeds` of 1.
    """
    if settings.seeds == 1:
        return pd.DataFrame(columns=SEED_COLUMNS)
    key = make_seeds_key(settings, [train, validation, test])
    if (kept := read_kept(run_dir, OTHER_SEEDS, key)) is not None:
        return pd.DataFrame(kept, columns=SEED_COLUMNS)
    test_ds = inputs.make_ds(
        test,
        num_classes=num_classes,
        batch_size=settings.batch_size,
        preprocess_input=_find_preprocessing(settings),
    )
    rows: list[dict[str, Any]] = []
    with TemporaryDirectory(prefix="scenebook-") as folder:
        for number in range(1, settings.seeds):
            changed = settings.model_copy(update={"seed": settings.seed + number})
            print_progress(f"training with seed {changed.seed}, {number + 1} of {settings.seeds}")
            fit = fit_variant(
                changed,
                train,
                validation,
                num_classes=num_classes,
                run_dir=run_dir,
                checkpoint=f"training/checkpoint-{number}.npz",
            )
            # On disk: many models of many million weights do not fit into memory together.
            fit.model.save_weights(Path(folder) / f"{number}.weights.h5")
            rows.append({"seed": changed.seed, **_read_last(fit.history)})
        for number, row in enumerate(rows, start=1):
            training.initialize_determinism(row["seed"])
            model = build_frozen_classifier(settings.model_copy(update={"seed": row["seed"]}), num_classes)
            model.load_weights(Path(folder) / f"{number}.weights.h5")
            row["test_accuracy"] = float((model.predict(test_ds, verbose=0).argmax(axis=1) == test.labels).mean())
    run_dir.write_json(OTHER_SEEDS, {"key": key, "rows": rows})
    for path in run_dir.path("training").glob("checkpoint-*.npz"):
        path.unlink(missing_ok=True)
    return pd.DataFrame(rows, columns=SEED_COLUMNS)


def add_first_seed(others: pd.DataFrame, *, seed: int, history: pd.DataFrame, test_accuracy: float) -> pd.DataFrame:
    """Returns the table of all seeds: the run's own in front of those of `repeat_training`."""
    own = pd.DataFrame([{"seed": seed, **_read_last(history), "test_accuracy": test_accuracy}], columns=SEED_COLUMNS)
    return own if others.empty else pd.concat([own, others], ignore_index=True)


def summarize_seeds(table: pd.DataFrame) -> dict[str, Any]:
    """Returns how far seeds lie apart.

    Args:
        table: From `add_first_seed`, two rows or more.

    Returns:
        `seeds`, and for `val_accuracy` and `test_accuracy` the mean with the 95 % interval of Student's t distribution,
        `{"value", "low", "high"}` within `[0, 1]`, and under `<name>_sd`, `<name>_min` and `<name>_max` the standard
        deviation (of n - 1), the lowest and the highest value.
    """
    found: dict[str, Any] = {"seeds": len(table)}
    for name in ("val_accuracy", "test_accuracy"):
        values = table[name].to_numpy(dtype=float)
        mean, spread = float(values.mean()), float(values.std(ddof=1))
        margin = float(scipy.stats.t.ppf(0.975, len(values) - 1)) * spread / math.sqrt(len(values))
        found[name] = {"value": mean, "low": max(0.0, mean - margin), "high": min(1.0, mean + margin)}
        found |= {f"{name}_sd": spread, f"{name}_min": float(values.min()), f"{name}_max": float(values.max())}
    return found


def _read_last(history: pd.DataFrame) -> dict[str, float]:
    return {name: float(history[name].iloc[-1]) for name in SEED_COLUMNS if name in history.columns}
