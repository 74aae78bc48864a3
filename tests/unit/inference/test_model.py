"""The classifier and the pretrained features in one pass."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from scenebook.inference.model import add_features
from scenebook.network.backbones import build_backbone
from scenebook.network.classifier import build_classifier

SIZE = 32

pytestmark = pytest.mark.usefixtures("clean_keras")


def pooled(base_model: keras.Model, images: np.ndarray) -> np.ndarray:
    return np.asarray(base_model(images)).mean(axis=(1, 2))


@pytest.mark.parametrize("trained", [0, 3, 10**6], ids=lambda count: f"{count} layers")
def test_predictions_are_the_trained_models_and_features_the_pretrained_ones(trained: int) -> None:
    images = np.random.default_rng(0).uniform(-1, 1, (3, SIZE, SIZE, 3)).astype(np.float32)
    base_model = build_backbone("embedded", image_size=SIZE, weights="embedded")
    layers = base_model.layers[max(0, len(base_model.layers) - trained) :] if trained else []
    pretrained = {layer.name: layer.get_weights() for layer in layers if layer.weights}
    before = pooled(base_model, images)
    for layer in layers:
        layer.set_weights([array * 1.5 for array in layer.get_weights()])
    model = build_classifier(base_model, num_classes=3, head_units=4)
    probs, features = add_features(model, pretrained)(images)
    np.testing.assert_allclose(probs, np.asarray(model(images)), atol=1e-6)
    np.testing.assert_allclose(features, before, rtol=1e-4, atol=1e-5)
    if pretrained:
        assert not np.allclose(pooled(base_model, images), before, rtol=1e-2)


def test_what_was_not_trained_is_computed_once() -> None:
    base_model = build_backbone("embedded", image_size=SIZE, weights="embedded")
    pretrained = {layer.name: layer.get_weights() for layer in base_model.layers[-3:] if layer.weights}
    model = build_classifier(base_model, num_classes=3, head_units=4)
    joint = add_features(model, pretrained)
    own = sum(int(np.prod(weight.shape)) for weight in model.weights)
    twice = sum(int(np.prod(weight.shape)) for weight in joint.weights) - own
    assert 0 < twice < 0.2 * own
