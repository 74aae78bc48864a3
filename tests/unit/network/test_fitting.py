"""Training of the trainable layers alone, held against Keras' `fit` of the whole model."""

from __future__ import annotations

import functools
import hashlib
import math
import random
import threading
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from scenebook.core.run_directory import RunDirectory
from scenebook.core.settings import Settings
from scenebook.data.splitting import SplitImages
from scenebook.network import fitting, inputs, training
from scenebook.network.augmentation import build_augmentation, make_view_seed
from scenebook.network.backbones import preprocessing
from scenebook.network.feature_stream import FeatureStream, make_keys, open_base_cache, regroup
from scenebook.network.frozen.cutting import split_frozen
from scenebook.network.frozen.running import TensorFlowRuntime

pytestmark = pytest.mark.usefixtures("clean_keras")

SIDE, CLASSES = 32, 3


def make_split(count: int, seed: int) -> SplitImages:
    """Random images, brighter for a higher class."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % CLASSES
    stored = (rng.integers(0, 120, (count, SIDE, SIDE, 3)) + 60 * labels[:, None, None, None]).astype(np.uint8)
    digests = [hashlib.sha256(image.tobytes()).hexdigest() for image in stored]
    return SplitImages(stored, np.arange(count), labels, [f"{n}.png" for n in range(count)], digests)


TRAIN, VALIDATION, TEST = make_split(22, 0), make_split(6, 1), make_split(6, 2)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of its own for each test."""
    monkeypatch.setenv("SCENEBOOK_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def make_settings(**changes: Any) -> Settings:
    given = {"image_size": SIDE, "epochs": 2, "batch_size": 8, "head_units": 8}
    return Settings(**{**given, **changes})


@functools.cache
def fit_whole_model(trained: int) -> tuple[list[np.ndarray], dict[str, list[float]]]:
    """Weights and history of the same training as plain Keras writes it: one model, `fit` on augmented images."""
    settings = make_settings(trainable_base_layers=trained)
    training.initialize_determinism(settings.seed)
    model = fitting.build_frozen_classifier(settings, CLASSES)
    preprocess_input = preprocessing(settings.backbone)
    augment = build_augmentation(**settings.augmentation)
    read, keys, labels = inputs.make_reader(TRAIN), make_keys(TRAIN.digests), tf.one_hot(TRAIN.labels, CLASSES)
    size = settings.batch_size

    def make_batches() -> Any:
        for epoch in range(settings.epochs):
            order = tf.random.experimental.stateless_shuffle(tf.range(len(TRAIN)), seed=[settings.seed, epoch])
            for start in range(0, len(TRAIN), size):
                batch = order[start : start + size]
                seeds = make_view_seed(settings.augmentation_seed, tf.gather(keys, batch), epoch)
                yield preprocess_input(augment(read(batch), seeds)), tf.gather(labels, batch)

    schedule = keras.optimizers.schedules.InverseTimeDecay(
        settings.learning_rate, decay_steps=1, decay_rate=settings.decay
    )
    optimizer = keras.optimizers.SGD(schedule, momentum=settings.momentum)
    model.compile(optimizer, loss="categorical_crossentropy", metrics=["accuracy"])
    history = model.fit(
        make_batches(),
        validation_data=inputs.make_ds(
            VALIDATION, num_classes=CLASSES, batch_size=size, preprocess_input=preprocess_input
        ),
        epochs=settings.epochs,
        steps_per_epoch=math.ceil(len(TRAIN) / size),
        shuffle=False,
        verbose=0,
    )
    return model.get_weights(), history.history


def fit_tail(settings: Settings) -> fitting.Fit:
    return fitting.fit_variant(settings, TRAIN, VALIDATION, num_classes=CLASSES)


def check_the_tail(trained: int, sizes: list[int], runtime: str) -> None:
    """Trains the trainable layers alone, once with each size of the cache, with the results of the whole model."""
    settings = make_settings(trainable_base_layers=trained, frozen_layers_runtime=runtime)
    weights, expected = fit_whole_model(trained)
    for feature_cache_gb in sizes:
        fit = fit_tail(settings.updated({"feature_cache_gb": feature_cache_gb}))
        for name, values in expected.items():
            np.testing.assert_allclose(fit.history[name], values, rtol=1e-4)
        # Moving averages of the batch normalisation among them.
        for mine, theirs in zip(fit.model.get_weights(), weights, strict=True):
            np.testing.assert_allclose(mine, theirs, rtol=1e-3, atol=1e-4)


# tests/whole/test_equality.py has the other cuts, the other runtime, and the feature cache filled and read.
def test_training_the_tail_is_training_the_model() -> None:
    check_the_tail(3, [1], "tensorflow")


def test_what_other_threads_draw_does_not_change_the_first_weights() -> None:
    """In a worker of dask, others draw from Python's generator while a network is built."""
    settings = make_settings(epochs=1)
    expected = fit_tail(settings).history["loss"]
    ended = threading.Event()

    def draw() -> None:
        # Often within each step of building a network, and without keeping the interpreter for itself.
        while not ended.wait(0.0005):
            random.random()

    thread = threading.Thread(target=draw)
    thread.start()
    try:
        assert fit_tail(settings).history["loss"].equals(expected)
    finally:
        ended.set()
        thread.join()


def make_stream(settings: Settings, train: SplitImages) -> tuple[FeatureStream, Any, list[int]]:
    training.initialize_determinism(0)
    base, _ = split_frozen(fitting.build_frozen_classifier(settings, CLASSES))
    run = Counted(base)
    feature_cache = open_base_cache(base, settings, preprocessing="its own", runtime=run.name)
    return (
        FeatureStream(run, fitting._make_chain(settings, train), train.digests, feature_cache),
        feature_cache,
        run.sizes,
    )


class Counted(TensorFlowRuntime):
    """Notes how many images come at a time."""

    def __init__(self, base: keras.Model) -> None:
        super().__init__(base)
        self.sizes: list[int] = []

    def __call__(self, images: Any) -> list[tf.Tensor]:
        self.sizes.append(len(images))
        return super().__call__(images)


def read_epoch(stream: FeatureStream, order: np.ndarray, epoch: int = 0) -> dict[int, np.ndarray]:
    batches = list(stream.batches(order, epoch, 4))
    assert [len(positions) for positions, _ in batches] == [min(4, len(order) - n) for n in range(0, len(order), 4)]
    return {int(p): row for positions, rows in batches for p, row in zip(positions, rows[0], strict=True)}


def test_only_what_the_feature_cache_lacks_goes_through_the_frozen_layers() -> None:
    stream, feature_cache, sizes = make_stream(make_settings(), TRAIN)
    some = read_epoch(stream, np.array([3, 1, 8, 5, 2]))
    assert sizes == [4, 1]
    everything = read_epoch(stream, np.arange(12))
    assert sum(sizes[2:]) == 12 - 5
    for position, row in some.items():
        np.testing.assert_array_equal(everything[position], row)
    assert (feature_cache.found, feature_cache.written) == (5, 12)


def test_a_row_that_is_gone_after_all_is_computed_again(cache: Path) -> None:
    stream, _, sizes = make_stream(make_settings(), TRAIN)
    before = read_epoch(stream, np.arange(12))
    for file in (cache / "feature_cache").rglob("*.rows"):
        content = bytearray(file.read_bytes())
        content[100] ^= 0xFF  # within the values of the first record
        file.write_bytes(content)
    sizes.clear()
    after = read_epoch(stream, np.arange(12))
    assert sizes == [1]
    for position, row in before.items():
        np.testing.assert_array_equal(after[position], row)


def test_copies_of_a_image_have_the_same_views() -> None:
    twins = SplitImages(TRAIN.stored, np.array([0, 4, 0]), np.array([0, 1, 0]), ["a", "b", "c"],
                          [TRAIN.digests[0], TRAIN.digests[4], TRAIN.digests[0]])  # fmt: skip
    stream, _, _ = make_stream(make_settings(), twins)
    rows = read_epoch(stream, np.array([0, 1, 2]))
    np.testing.assert_array_equal(rows[0], rows[2])
    assert not np.array_equal(rows[0], rows[1])


def test_chunks_are_grouped_anew() -> None:
    chunks = iter([[np.arange(3)], [np.arange(3, 7)]])
    groups = [group[0].tolist() if group else [] for group in regroup(chunks, [2, 0, 4, 1])]
    assert groups == [[0, 1], [], [2, 3, 4, 5], [6]]


def test_keys_are_the_first_31_bits_of_the_digest() -> None:
    assert make_keys(["ffffffff" + "0" * 56, "00000002" + "f" * 56]).tolist() == [2**31 - 1, 1]


def test_other_seeds_are_trained_first_and_tested_afterwards(run_dir: RunDirectory) -> None:
    settings = make_settings(seeds=2, epochs=1)
    others = fitting.repeat_training(settings, TRAIN, VALIDATION, TEST, num_classes=CLASSES, run_dir=run_dir)
    assert others["seed"].tolist() == [1]
    fit = fit_tail(settings.updated({"seed": 1}))
    assert others["val_loss"][0] == fit.history["val_loss"].iloc[-1]
    images = preprocessing("embedded")(TEST.stored.astype(np.float32))
    right = fit.model.predict(images, verbose=0).argmax(axis=1) == TEST.labels
    assert others["test_accuracy"][0] == right.mean()
    table = fitting.add_first_seed(others, seed=0, history=fit.history, test_accuracy=0.5)
    assert table["seed"].tolist() == [0, 1]


def test_one_seed_needs_no_further_training(run_dir: RunDirectory) -> None:
    others = fitting.repeat_training(make_settings(), TRAIN, VALIDATION, TEST, num_classes=CLASSES, run_dir=run_dir)
    assert others.empty
    assert list(others.columns) == fitting.SEED_COLUMNS


def test_the_interval_over_seeds_is_students() -> None:
    table = pd.DataFrame({"val_accuracy": [1.0, 1.0, 1.0], "test_accuracy": [0.80, 0.82, 0.84]})
    found = fitting.summarize_seeds(table)
    assert found["test_accuracy_sd"] == pytest.approx(0.02)
    # t of 2 degrees of freedom is 4.303: 0.82 -+ 4.303 * 0.02 / sqrt(3)
    assert found["test_accuracy"] == pytest.approx({"value": 0.82, "low": 0.7703, "high": 0.8697}, abs=1e-4)
    assert found["val_accuracy"] == {"value": 1.0, "low": 1.0, "high": 1.0}
