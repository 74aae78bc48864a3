"""Features from before the training: kept with a run, and computed together with the classifier's probabilities."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

from scenebook.core.errors import InputError
from scenebook.core.run_directory import RunDirectory
from scenebook.network.backbones import build_backbone
from scenebook.network.features import load_weights
from scenebook.network.frozen.running import compile_frozen_layers
from scenebook.network.pretrained import PretrainedWeights, add_features, build_extractor
from tests.models import build_classifier

SIZE = 32

pytestmark = pytest.mark.usefixtures("clean_keras")

IMAGES = np.random.default_rng(0).uniform(-1, 1, (3, SIZE, SIZE, 3)).astype(np.float32)


def build_sequential() -> keras.Model:
    return build_classifier(
        build_backbone("efficientnet-lite0", image_size=SIZE, weights="imagenet"), num_classes=3, head_units=4
    )


def build_functional() -> keras.Model:
    """As Keras' guide on transfer learning has it."""
    base_model = build_backbone("efficientnet-lite0", image_size=SIZE, weights="imagenet")
    images = keras.Input((SIZE, SIZE, 3))
    x = layers.Dropout(0.2)(layers.GlobalAveragePooling2D()(base_model(images, training=False)))
    return keras.Model(images, layers.Dense(3, activation="softmax")(x))


def build_without_a_base_model() -> keras.Model:
    places = [layers.Conv2D(8, 3, name=f"conv{number}") for number in range(3)]
    return keras.Sequential([keras.Input((SIZE, SIZE, 3)), *places, layers.Flatten(), layers.Dense(3, "softmax")])


BUILDERS = pytest.mark.parametrize("build", [build_sequential, build_functional, build_without_a_base_model])


def list_last(model: keras.Model, count: int) -> list[layers.Layer]:
    """The last layers of a model's feature extractor that have weights, as far as `count` layers go back."""
    extractor = build_extractor(model)
    return [layer for layer in extractor.layers[max(0, len(extractor.layers) - count) :] if layer.weights]


def change(changed: list[layers.Layer]) -> None:
    for layer in changed:
        layer.set_weights([array * 1.05 for array in layer.get_weights()])


@BUILDERS
@pytest.mark.parametrize("trained", [0, 4, 10**6], ids=lambda count: f"{count} layers")
def test_predictions_are_the_trained_models_and_features_the_pretrained_ones(
    run_dir: RunDirectory, build: object, trained: int
) -> None:
    model = build()  # type: ignore[operator]
    kept = PretrainedWeights(model)
    before = np.asarray(build_extractor(model)(IMAGES))
    changed = list_last(model, trained)
    change(changed)
    kept.save(run_dir)
    pretrained = load_weights(run_dir)
    assert len(pretrained) == len(changed)
    probs, features = compile_frozen_layers(add_features(model, pretrained))(IMAGES)  # as `predict` runs it
    np.testing.assert_allclose(probs, np.asarray(model(IMAGES)), atol=1e-5)
    np.testing.assert_allclose(features, before, rtol=1e-4, atol=1e-5)
    if trained:
        assert not np.allclose(build_extractor(model)(IMAGES), before, rtol=1e-2)


def test_features_are_what_the_base_model_puts_out_averaged_over_all_places() -> None:
    model = build_sequential()
    expected = np.asarray(model.layers[0](IMAGES)).mean(axis=(1, 2))
    np.testing.assert_allclose(build_extractor(model)(IMAGES), expected, rtol=1e-4, atol=1e-5)


def test_what_was_not_trained_is_computed_once(run_dir: RunDirectory) -> None:
    model = build_sequential()
    kept = PretrainedWeights(model)
    change(list_last(model, 4))
    kept.save(run_dir)
    joint = add_features(model, load_weights(run_dir))
    own = sum(int(np.prod(weight.shape)) for weight in model.weights)
    twice = sum(int(np.prod(weight.shape)) for weight in joint.weights) - own
    assert 0 < twice < 0.2 * own


def test_weights_come_back_in_their_order(run_dir: RunDirectory) -> None:
    model = build_sequential()
    kept = PretrainedWeights(model)
    (last,) = list_last(model, 4)[-1:]
    assert isinstance(last, layers.BatchNormalization)
    expected = last.get_weights()
    change([last])
    kept.save(run_dir)
    (found,) = load_weights(run_dir).values()
    for mine, array in zip(found, expected, strict=True):
        np.testing.assert_array_equal(mine, array)


def test_a_network_without_places_has_no_features() -> None:
    model = keras.Sequential([keras.Input((SIZE, SIZE, 3)), layers.Flatten(), layers.Dense(2)])
    with pytest.raises(InputError, match="height, width"):
        build_extractor(model)
