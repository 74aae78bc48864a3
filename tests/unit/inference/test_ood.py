"""What looks unlike the training images."""

from __future__ import annotations

import numpy as np

from scenebook.inference.ood import OodDetector
from scenebook.network.features import Features


def make_features(train: int = 300, validation: int = 200) -> Features:
    rng = np.random.default_rng(0)
    vectors = np.abs(rng.normal(size=(train + validation, 8))) + np.array([8, 8, 8, 8, 0, 0, 0, 0])
    splits = np.array(["train"] * train + ["validation"] * validation)
    return Features(vectors.astype(np.float32), np.arange(train + validation), splits)


def test_one_validation_image_in_a_hundred_is_above_the_threshold() -> None:
    features = make_features()
    detector = OodDetector(features)
    assert (detector.measure(features.of("validation")) > detector.threshold).mean() == 0.01


def test_features_in_another_direction_are_unlike_and_longer_ones_are_not() -> None:
    features = make_features()
    detector = OodDetector(features)
    assert (detector.measure(np.roll(features.of("validation"), 4, axis=1)) > detector.threshold).all()
    np.testing.assert_allclose(
        detector.measure(3 * features.of("validation")), detector.measure(features.of("validation")), rtol=1e-4
    )


def test_the_distance_is_the_mean_over_the_ten_nearest_training_images() -> None:
    features = make_features()
    known = features.of("train").astype(float)
    known /= np.linalg.norm(known, axis=1, keepdims=True)
    asked = features.of("validation")[:1].astype(float)
    expected = np.sort(np.linalg.norm(known - asked / np.linalg.norm(asked), axis=1))[:10].mean()
    np.testing.assert_allclose(OodDetector(features).measure(asked), [expected], rtol=1e-4)


def test_fewer_than_ten_training_images_and_features_of_zero_are_no_error() -> None:
    features = make_features(train=3, validation=1)
    assert np.isfinite(OodDetector(features).measure(np.zeros((2, 8), dtype=np.float32))).all()
