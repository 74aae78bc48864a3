"""The statistics of batch normalisation, estimated on images."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from scenebook.core.settings import Settings, make_settings
from scenebook.data.splitting import SplitImages
from scenebook.network.backbones import build_backbone
from scenebook.network.batch_statistics import estimate_batch_statistics
from scenebook.network.efficientnet_lite import preprocess_input


def make_images(n: int = 96, size: int = 32) -> SplitImages:
    coarse = np.random.default_rng(0).integers(0, 256, (n, 4, 4, 3), dtype=np.uint8)
    stored = coarse.repeat(size // 4, axis=1).repeat(size // 4, axis=2)
    rows = np.random.default_rng(1).permutation(n)
    return SplitImages(stored, rows, np.zeros(n, dtype=np.int64), [f"{row}.png" for row in rows])


def prepare(images: tf.Tensor, seeds: tf.Tensor, settings: Settings, training: bool) -> Any:
    assert not training
    return preprocess_input(tf.cast(images, tf.float32))


def estimate(model: keras.Model, images: SplitImages, *, seed: int = 0) -> int:
    return estimate_batch_statistics(model, images, prepare, make_settings({"seed": seed}))


def images_of(images: SplitImages) -> np.ndarray:
    return preprocess_input(images.stored[images.rows].astype(np.float32))


def test_one_layer_gets_the_mean_and_variance_of_what_it_is_given() -> None:
    model = keras.Sequential([keras.Input((32, 32, 3)), layers.BatchNormalization()])
    split = make_images()
    assert estimate(model, split) == 96
    images = images_of(split)
    np.testing.assert_allclose(model.layers[0].moving_mean, images.mean(axis=(0, 1, 2)), atol=1e-3)
    # The mean of the variances within batches lacks a little of the variance of all.
    np.testing.assert_allclose(model.layers[0].moving_variance, images.var(axis=(0, 1, 2)), rtol=0.05)


@pytest.mark.usefixtures("clean_keras")
def test_throughout_a_random_backbone_what_is_normalised_is_normal_on_other_calls_too() -> None:
    model = build_backbone("efficientnet-lite0", image_size=64, weights="random", seed=0)
    before = [np.array(variable) for variable in model.trainable_variables]
    images = make_images(size=64)
    estimate(model, images, seed=0)
    normalised = [layer for layer in model.layers if isinstance(layer, layers.BatchNormalization)]
    pairs = [(layer.input, layer.output) for layer in normalised]
    for layer, (given, output) in zip(normalised, keras.Model(model.input, pairs)(images_of(images)), strict=True):
        variance = np.asarray(given).var(axis=(0, 1, 2))
        spread = np.sqrt(variance / (variance + layer.epsilon))
        assert np.abs(np.asarray(output).mean(axis=(0, 1, 2))).mean() < 0.1
        assert np.abs(np.asarray(output).std(axis=(0, 1, 2)) - spread).mean() < 0.1
    for old, variable in zip(before, model.trainable_variables, strict=True):
        np.testing.assert_array_equal(old, variable)


def test_chance_and_frozen_layers_have_no_part_in_it_and_come_back_as_they_were() -> None:
    inner = keras.Sequential([keras.Input((32, 32, 3)), layers.BatchNormalization(momentum=0.7)])
    model = keras.Sequential([keras.Input((32, 32, 3)), layers.Dropout(0.9), inner])
    inner.trainable = False
    estimate(model, make_images())
    np.testing.assert_allclose(inner.layers[0].moving_mean, images_of(make_images()).mean(axis=(0, 1, 2)), atol=1e-3)
    assert model.layers[0].rate == 0.9
    assert inner.layers[0].momentum == 0.7
    assert not inner.layers[0].trainable


def test_the_same_seed_gives_the_same_statistics_whatever_was_stored() -> None:
    found: list[np.ndarray] = []
    for seed in (3, 3, 4):
        model = keras.Sequential([keras.Input((32, 32, 3)), layers.BatchNormalization()])
        model.layers[0].moving_mean.assign(np.full(3, 9.0 * len(found)))
        estimate(model, make_images(n=300), seed=seed)
        found.append(np.array(model.layers[0].moving_mean))
    np.testing.assert_array_equal(found[0], found[1])
    assert not np.array_equal(found[0], found[2])


def test_a_model_without_batch_normalisation_is_left_alone() -> None:
    model = keras.Sequential([keras.Input((32, 32, 3)), layers.Flatten()])
    assert estimate(model, make_images(), seed=0) == 0


@pytest.mark.parametrize(("n", "used"), [(1, 1), (2, 2), (33, 32), (300, 256)])
def test_few_and_many_images_work(n: int, used: int) -> None:
    model = keras.Sequential([keras.Input((32, 32, 3)), layers.BatchNormalization()])
    assert estimate(model, make_images(n), seed=0) == used
    assert np.isfinite(model.layers[0].moving_variance).all()
