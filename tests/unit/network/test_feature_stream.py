"""What the frozen layers put out on its way to `fit`: each view computed once, and given to whom it belongs."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from scenebook.data.splitting import SplitImages
from scenebook.network.feature_stream import regroup
from scenebook.network.frozen.running import TensorFlowRuntime
from scenebook.network.pretrained import build_extractor
from scenebook.network.recipe.data import TrainingData
from scenebook.network.recipe.extracting import FeatureExtraction
from scenebook.network.recipe.predicting import prepare_plain
from scenebook.network.recipe.recipe import Recipe
from scenebook.network.recipe.running import build_seeded, open_first_phase, open_training
from tests.recipes import load_recipe
from tests.unit.network.recipe.trainings import CLASSES, TRAIN, VALIDATION, make_settings

pytestmark = pytest.mark.usefixtures("clean_keras")

LINEAR = make_settings(epochs=0, head_start="linear", head_pooling="average", head_units=0)


class Counted(TensorFlowRuntime):
    """Notes how many images come at a time."""

    def __init__(self, base: keras.Model, sizes: list[int]) -> None:
        super().__init__(base)
        self.sizes = sizes

    def __call__(self, images: Any) -> list[tf.Tensor]:
        self.sizes.append(len(images))
        return super().__call__(images)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of its own for each test."""
    monkeypatch.setenv("SCENEBOOK_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def open_data(train: SplitImages = TRAIN) -> tuple[TrainingData, list[int]]:
    """Training data whose feature cache is empty, and the sizes of what goes through its frozen layers from now on."""
    sizes: list[int] = []

    def compile_layers(base: keras.Model, runtime: str) -> Counted:
        return Counted(base, sizes)

    data = open_first_phase(
        load_recipe(), make_settings(), train, VALIDATION, num_classes=CLASSES, compile_layers=compile_layers
    )
    sizes.clear()
    return data, sizes


def read_epoch(data: TrainingData, order: np.ndarray, epoch: int = 0) -> dict[int, np.ndarray]:
    assert data.stream is not None
    batches = list(data.stream.batches(order, epoch, 4))
    assert [len(positions) for positions, _ in batches] == [min(4, len(order) - n) for n in range(0, len(order), 4)]
    return {int(p): row for positions, rows in batches for p, row in zip(positions, rows[0], strict=True)}


def test_only_what_the_feature_cache_lacks_goes_through_the_frozen_layers() -> None:
    data, sizes = open_data()
    with data:
        some = read_epoch(data, np.array([3, 1, 8, 5, 2]))
        assert sizes == [4, 1]
        everything = read_epoch(data, np.arange(12))
        assert sum(sizes[2:]) == 12 - 5
        for position, row in some.items():
            np.testing.assert_array_equal(everything[position], row)
        assert not np.array_equal(read_epoch(data, np.arange(12), epoch=1)[0], everything[0])


def test_a_row_that_is_gone_after_all_is_computed_again(cache: Path) -> None:
    data, sizes = open_data()
    with data:
        before = read_epoch(data, np.arange(12))
        for file in (cache / "feature_cache").rglob("*.rows"):
            content = bytearray(file.read_bytes())
            content[100] ^= 0xFF  # within the values of the first record
            file.write_bytes(content)
        sizes.clear()
        after = read_epoch(data, np.arange(12))
    assert sizes == [1]
    for position, row in before.items():
        np.testing.assert_array_equal(after[position], row)


def test_copies_of_an_image_have_the_same_views() -> None:
    twins = SplitImages(TRAIN.stored, np.array([0, 4, 0]), np.array([0, 1, 0]), ["a", "b", "c"],
                          [TRAIN.digests[0], TRAIN.digests[4], TRAIN.digests[0]])  # fmt: skip
    data, _ = open_data(twins)
    with data:
        rows = read_epoch(data, np.array([0, 1, 2]))
    np.testing.assert_array_equal(rows[0], rows[2])
    assert not np.array_equal(rows[0], rows[1])


def test_filling_computes_each_missing_view_once() -> None:
    data, sizes = open_data()
    with data:
        read_epoch(data, np.arange(5), epoch=1)
        sizes.clear()
        data.fill([0, 1])
        assert sum(sizes) == len(TRAIN) + len(TRAIN) - 5
        sizes.clear()
        data.fill([0, 1])
        assert sizes == []


def test_chunks_are_grouped_anew() -> None:
    chunks = iter([[np.arange(3)], [np.arange(3, 7)]])
    groups = [group[0].tolist() if group else [] for group in regroup(chunks, [2, 0, 4, 1])]
    assert groups == [[0, 1], [], [2, 3, 4, 5], [6]]


def test_what_an_epoch_is_read_from_is_not_tuned() -> None:
    """At the end of an epoch, TensorFlow may wait ten seconds for the thread that tunes."""
    data, _ = open_data()
    with data:
        assert data.prepared(VALIDATION).options().autotune.enabled is False
        _, train_ds, val_ds = data.accelerate(data.keeper.network)
        assert train_ds.options().autotune.enabled is False
        assert val_ds.options().autotune.enabled is False


def keep_features(recipe: Recipe) -> np.ndarray:
    model = build_seeded(recipe.build_model, LINEAR, CLASSES)
    with FeatureExtraction(recipe.prepare, LINEAR, model, TRAIN) as extraction:
        return extraction.compute(TRAIN, partial(prepare_plain, recipe, LINEAR))


def start_linear(recipe: Recipe) -> tuple[keras.Model, TrainingData, list[int]]:
    sizes: list[int] = []
    model = build_seeded(recipe.build_model, LINEAR, CLASSES)

    def compile_layers(base: keras.Model, runtime: str) -> Counted:
        return Counted(base, sizes)

    with open_training(recipe, LINEAR, TRAIN, VALIDATION, num_classes=CLASSES, compile_layers=compile_layers) as data:
        recipe.train_model(model, data, LINEAR)
    return model, data, sizes


def test_a_linear_head_starts_from_features_that_are_there() -> None:
    features = keep_features(load_recipe())
    model, data, sizes = start_linear(load_recipe())
    assert sizes == []
    images = prepare_plain(load_recipe(), LINEAR, TRAIN)
    np.testing.assert_allclose(features, build_extractor(model).predict(images, verbose=0), atol=1e-4)
    np.testing.assert_allclose(data.predict(TRAIN), model.predict(images, verbose=0), atol=1e-5)


def test_features_of_images_that_were_prepared_otherwise_are_not_taken() -> None:
    keep_features(load_recipe(("preprocess_input(tf.cast(", "preprocess_input(0.9 * tf.cast(")))
    assert sum(start_linear(load_recipe())[2]) == len(TRAIN)
