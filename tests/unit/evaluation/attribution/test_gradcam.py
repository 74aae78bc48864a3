"""Where the network looks: planted evidence is found, whatever the backbone, and random weights give other maps."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np
import pytest
import tensorflow as tf

from scenebook.core.errors import ScenebookError
from scenebook.evaluation.attribution import gradcam
from scenebook.evaluation.attribution.checks import compute_rank_correlations
from scenebook.network.backbones import build_backbone, preprocessing
from tests.models import build_classifier

SIZE = 192
PATCH = 64


class Planted(NamedTuple):
    """A classifier of striped patches, one direction a class, and images with a patch in one quadrant."""

    model: keras.Model
    inputs: np.ndarray
    labels: np.ndarray
    quadrants: np.ndarray
    maps: np.ndarray
    plain: np.ndarray


def plant(count: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Images of soft noise with stripes in one quadrant: level ones, upright ones, or both."""
    rng = np.random.default_rng(seed)
    images = rng.normal(128, 12, (count, SIZE, SIZE, 3))
    labels, quadrants = np.arange(count) % 3, np.arange(count) // 3 % 4
    stripes = np.where(np.arange(PATCH) // 8 % 2, 112.0, -112.0)
    patches = [stripes[:, None] + 0 * stripes, stripes + 0 * stripes[:, None], np.outer(stripes, stripes) / 112]
    for image, label, quadrant in zip(images, labels, quadrants, strict=True):
        top, left = (int(8 + (SIZE - PATCH - 16) * half) for half in divmod(quadrant, 2))
        image[top : top + PATCH, left : left + PATCH] = 128 + patches[label][..., None]
    return images.clip(0, 255).astype("float32"), labels, quadrants


@pytest.fixture(scope="module")
def planted() -> Iterator[Planted]:
    keras.utils.set_random_seed(0)
    base_model = build_backbone("efficientnet-lite0", image_size=SIZE, weights="imagenet")
    base_model.trainable = False
    model = build_classifier(base_model, num_classes=3, head_units=32)
    preprocess_input = preprocessing("efficientnet-lite0")
    images, labels, _ = plant(72, seed=1)
    features = base_model.predict(preprocess_input(images), batch_size=24, verbose=0)
    # The layers of the head are the model's own: what they learn here, the model knows.
    head = keras.Sequential([keras.Input(features.shape[1:]), *model.layers[1:]])
    head.compile(keras.optimizers.Adam(3e-4), "sparse_categorical_crossentropy")
    head.fit(features, labels, epochs=30, batch_size=24, verbose=0)
    images, labels, quadrants = plant(12, seed=2)
    inputs = preprocess_input(images)
    yield Planted(model, inputs, labels, quadrants, *gradcam.compute_maps(model, inputs, labels))
    keras.backend.clear_session()


def mass_in_quadrant(maps: np.ndarray, quadrants: np.ndarray) -> np.ndarray:
    half = maps.shape[1] // 2
    sums = maps.reshape(len(maps), 2, half, 2, half).sum(axis=(2, 4)).reshape(len(maps), 4)
    return sums[np.arange(len(maps)), quadrants] / sums.sum(axis=1)


def test_most_of_the_map_lies_in_the_quadrant_in_which_the_evidence_was_planted(planted: Planted) -> None:
    probs = np.asarray(planted.model(planted.inputs, training=False))
    assert (probs.argmax(axis=1) == planted.labels).all()
    assert planted.maps.shape == (12, 6, 6)
    assert planted.maps.dtype == np.float32
    assert planted.maps.min() >= 0
    mass = mass_in_quadrant(planted.maps, planted.quadrants)
    for quadrant in range(4):
        assert mass[planted.quadrants == quadrant].mean() > 0.6


def test_plain_grad_cam_is_another_map(planted: Planted) -> None:
    assert planted.plain.shape == planted.maps.shape
    assert np.median(compute_rank_correlations(planted.maps, planted.plain)) < 0.99


def test_with_random_weights_the_map_changes(planted: Planted) -> None:
    before = [weight.copy() for weight in planted.model.get_weights()]
    one, same = (gradcam.randomize(planted.model, seed=3) for _ in range(2))
    assert all(np.array_equal(*pair) for pair in zip(one.get_weights(), same.get_weights(), strict=True))
    other, _ = gradcam.compute_maps(one, planted.inputs, planted.labels)
    assert np.median(compute_rank_correlations(planted.maps, other)) < 0.5
    assert mass_in_quadrant(other + 1e-9, planted.quadrants).mean() < 0.6
    assert all(np.array_equal(*pair) for pair in zip(before, planted.model.get_weights(), strict=True))


def test_which_layers_were_trained_and_whether_the_model_was_saved_changes_nothing(
    planted: Planted, tmp_path: Path
) -> None:
    planted.model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras", compile=False, safe_mode=True)
    loaded.trainable = True
    assert any(layer.trainable for layer in loaded.layers[0].layers)
    maps, _ = gradcam.compute_maps(loaded, planted.inputs, planted.labels)
    np.testing.assert_array_equal(maps, planted.maps)


def test_images_are_explained_in_batches_as_all_at_once(planted: Planted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gradcam, "BATCH", 4)
    monkeypatch.setattr(gradcam, "_LARGE", 1)
    maps, plain = gradcam.compute_maps(planted.model, planted.inputs[:6], planted.labels[:6])
    np.testing.assert_allclose(maps, planted.maps[:6], rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(plain, planted.plain[:6], rtol=1e-3, atol=1e-5)
    assert [len(kind) for kind in gradcam.compute_maps(planted.model, planted.inputs[:0], planted.labels[:0])] == [0, 0]


def linear_head(weights: np.ndarray) -> keras.Sequential:
    """From activations `(batch, 2, 2, channels)` to logits, with these weights and biases of 0.5."""
    dense = keras.layers.Dense(weights.shape[1])
    head = keras.Sequential([keras.Input((2, 2, weights.shape[0] // 4)), keras.layers.Flatten(), dense])
    dense.set_weights([weights, np.full(weights.shape[1], 0.5)])
    return head


@pytest.mark.usefixtures("clean_keras")
def test_behind_a_linear_head_the_map_is_what_each_place_adds_to_the_logit() -> None:
    # One channel: the weights of class 0 are 3, -1, 0 and 2, those of class 1 the opposite.
    weights = np.array([[3, -3], [-1, 1], [0, 0], [2, -2]], dtype="float32")
    activations = tf.constant([[[[1.0], [4.0]], [[5.0], [0.5]]]])
    head = linear_head(weights)
    for_first, plain = gradcam.weigh_activations(activations, head, tf.constant([0]))
    np.testing.assert_allclose(for_first, [[[3, 0], [0, 1]]])
    for_second, _ = gradcam.weigh_activations(activations, head, tf.constant([1]))
    np.testing.assert_allclose(for_second, [[[0, 4], [0, 0]]])
    logit = float(head(activations)[0, 0])
    assert logit - 0.5 == pytest.approx(float(tf.reduce_sum(for_first) - tf.reduce_sum(for_second)))
    # Averaged, every place has the weight 1, and the place that was used for nothing is the strongest.
    np.testing.assert_allclose(plain, np.array([[[1, 4], [5, 0.5]]]))


def assert_halves_make_the_whole(model: keras.Model, size: int, places: tuple[int, int]) -> None:
    images = np.random.default_rng(0).uniform(-1, 1, (2, size, size, 3)).astype("float32")
    body, head = gradcam.split_at_last_places(model)
    activations = body(tf.constant(images))
    assert tuple(activations.shape[1:3]) == places
    probs = keras.ops.softmax(head(activations))
    np.testing.assert_allclose(probs, model(images, training=False), atol=1e-6)


@pytest.mark.usefixtures("clean_keras")
@pytest.mark.parametrize(
    ("backbone", "size", "places"),
    [
        ("MobileNetV2", 32, 2),  # it ends in one place: the cut is inside, between a shortcut and a margin
        ("EfficientNetB0", 32, 2),  # tensors of one place weigh channels on the way
    ],
)
def test_the_cut_is_found_in_any_backbone(backbone: str, size: int, places: int) -> None:
    base_model = build_backbone(backbone, image_size=size, weights="random")
    model = build_classifier(base_model, num_classes=3, head_units=4)
    assert_halves_make_the_whole(model, size, (places, places))


@pytest.mark.usefixtures("clean_keras")
def test_grouped_convolutions_are_not_compiled_with_every_call(capfd: pytest.CaptureFixture[str]) -> None:
    convolutions = [keras.layers.Conv2D(8, 3, padding="same", groups=4) for _ in range(7)]
    layers = [keras.layers.Conv2D(8, 1), *convolutions, keras.layers.Flatten()]
    model = keras.Sequential([keras.Input((8, 8, 3)), *layers, keras.layers.Dense(2, activation="softmax")])
    body, _ = gradcam.split_at_last_places(model)
    for _ in range(2):
        assert tuple(body(tf.ones((1, 8, 8, 3))).shape) == (1, 8, 8, 8)
    assert "WARNING:tensorflow" not in capfd.readouterr().err


@pytest.mark.usefixtures("clean_keras")
def test_a_functional_model_with_a_base_inside_is_cut_in_the_base() -> None:
    base_model = build_backbone("efficientnet-lite0", image_size=48, weights="random")
    inputs = keras.Input((48, 48, 3))
    x = keras.layers.GlobalAveragePooling2D()(base_model(keras.layers.Rescaling(0.5)(inputs)))
    dense, layer = keras.layers.Dense(3, activation="softmax")(x), keras.layers.Softmax()(keras.layers.Dense(3)(x))
    assert_halves_make_the_whole(keras.Model(inputs, layer), 48, (2, 2))
    model = keras.Model(inputs, dense)
    assert_halves_make_the_whole(model, 48, (2, 2))
    # Behind an average over places, both kinds of maps are the same.
    images, classes = np.random.default_rng(0).uniform(-1, 1, (2, 48, 48, 3)).astype("float32"), np.array([0, 2])
    maps, plain = gradcam.compute_maps(model, images, classes)
    np.testing.assert_allclose(maps, plain, rtol=1e-4, atol=1e-7)


@pytest.mark.usefixtures("clean_keras")
def test_a_model_that_has_no_softmax_or_no_places_is_an_error() -> None:
    dense = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, name="scores")])
    with pytest.raises(ScenebookError, match=r"ends in a softmax\. Received: last layer='scores'"):
        gradcam.split_at_last_places(dense)
    flat = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, activation="softmax")], name="flat")
    with pytest.raises(ScenebookError, match=r"height, width, channels\)\. Received: model='flat'"):
        gradcam.split_at_last_places(flat)
