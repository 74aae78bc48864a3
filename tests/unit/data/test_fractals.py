from __future__ import annotations

import numpy as np
import pytest

from scenebook.data import fractals


def test_the_same_seed_draws_the_same_images() -> None:
    first = fractals.make_fractals(2, 3, size=32, seed=5)
    second = fractals.make_fractals(2, 3, size=32, seed=5)
    np.testing.assert_array_equal(first[0], second[0])
    np.testing.assert_array_equal(first[1], second[1])


def test_another_seed_draws_other_images() -> None:
    first, _ = fractals.make_fractals(1, 2, size=32, seed=5)
    second, _ = fractals.make_fractals(1, 2, size=32, seed=6)
    assert (first != second).mean() > 0.9


def test_a_class_does_not_depend_on_how_many_others_there_are() -> None:
    few, _ = fractals.make_fractals(1, 2, size=32, seed=5)
    more, _ = fractals.make_fractals(3, 2, size=32, seed=5)
    np.testing.assert_array_equal(few, more[:2])


def test_images_come_class_by_class_as_uint8() -> None:
    images, labels = fractals.make_fractals(3, 4, size=40, seed=0)
    assert images.shape == (12, 40, 40, 3)
    assert images.dtype == np.uint8
    assert labels.tolist() == [0] * 4 + [1] * 4 + [2] * 4


def test_images_of_a_class_differ_and_use_most_of_the_range() -> None:
    images, _ = fractals.make_fractals(1, 6, size=32, seed=1)
    assert len({image.tobytes() for image in images}) == 6
    assert images.min() < 40
    assert images.max() > 215


def test_every_map_of_a_system_contracts() -> None:
    system = fractals.make_system(np.random.default_rng(3))
    assert np.linalg.norm(system.matrices, ord=2, axis=(1, 2)).max() < 1
    assert system.probabilities.sum() == pytest.approx(1)


@pytest.mark.parametrize("seed", range(5))
def test_a_class_fills_enough_of_its_frame(seed: int) -> None:
    rng = np.random.default_rng(seed)
    system = fractals.make_system(rng)
    points, colours = fractals.play(system, count=1, rng=rng)
    share = fractals.compute_fill(fractals.to_unit_square(points)[0])
    # Another game on the same system touches about as many cells as the one that it was chosen by.
    assert fractals.FILL_RANGE[0] - 0.03 < share < fractals.FILL_RANGE[1] + 0.03
    assert 0 <= colours.min() <= colours.max() <= 1


def test_classes_can_be_told_apart_by_thumbnails() -> None:
    classes, per_class = 5, 24
    images, labels = fractals.make_fractals(classes, per_class, size=32, seed=2)
    thumbnails = images.reshape(-1, 8, 4, 8, 4, 3).mean(axis=(2, 4)).reshape(len(images), -1)
    train = np.arange(len(images)) % 2 == 0
    centroids = np.stack([thumbnails[train & (labels == label)].mean(axis=0) for label in range(classes)])
    distances = np.linalg.norm(thumbnails[~train, None] - centroids, axis=2)
    accuracy = (distances.argmin(axis=1) == labels[~train]).mean()
    assert accuracy > 2 / classes


def test_backgrounds_are_soft_and_within_range() -> None:
    backgrounds = fractals.make_backgrounds(4, 64, np.random.default_rng(0))
    assert backgrounds.shape == (4, 64, 64, 3)
    assert 0 <= backgrounds.min() <= backgrounds.max() <= 1
    assert np.abs(np.diff(backgrounds, axis=1)).mean() < 0.05
