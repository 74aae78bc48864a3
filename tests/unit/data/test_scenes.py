"""Drawn scenes: the same from the same seed, written whole, and hard in the right way."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import confusion_matrix
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from scenebook.core.errors import InputError
from scenebook.data.scenes.drawing import CLASS_NAMES, FIRST_INDEX, RANGES, draw_scene, write_scenes

# Mean colours of the four quarters of image 0 of seed 0.
QUARTERS = {
    "buildings": [143, 142, 150, 152, 151, 160, 122, 126, 129, 124, 120, 122],
    "forest": [91, 113, 85, 85, 105, 73, 54, 70, 47, 64, 81, 50],
    "glacier": [137, 157, 173, 147, 166, 179, 107, 130, 140, 118, 141, 149],
    "mountain": [171, 181, 182, 159, 166, 175, 117, 131, 119, 119, 134, 122],
    "sea": [176, 130, 147, 175, 131, 149, 135, 123, 116, 142, 127, 120],
    "street": [168, 163, 161, 138, 131, 127, 124, 121, 111, 125, 117, 106],
}
LOOKALIKES = ({"glacier", "mountain"}, {"buildings", "street"})


@pytest.mark.parametrize("class_name", CLASS_NAMES)
def test_an_image_is_the_same_each_time_and_another_with_another_seed_or_index(class_name: str) -> None:
    places = ((3, 5), (3, 5), (4, 5), (3, 6))
    first, again, *others = (draw_scene(class_name, seed=a, index=b, size=48).tobytes() for a, b in places)
    assert first == again
    assert len({first, *others}) == 3


@pytest.mark.parametrize("size", [16, 33, 96, 150])
def test_a_image_has_the_size_that_was_asked_for_and_three_channels(size: int) -> None:
    for class_name in CLASS_NAMES:
        image = draw_scene(class_name, seed=0, index=0, size=size)
        assert image.shape == (size, size, 3)
        assert image.dtype == np.uint8


def test_images_are_in_colour_and_never_flat() -> None:
    for class_name in CLASS_NAMES:
        for index in range(10):
            image = draw_scene(class_name, seed=1, index=index, size=48).astype(float)
            assert image.std() > 12, (class_name, index)
            assert np.ptp(image, axis=2).mean() > 4, (class_name, index)


@pytest.mark.parametrize("class_name", CLASS_NAMES)
def test_a_image_is_the_one_that_was_drawn_when_this_test_was_written(class_name: str) -> None:
    """To within one grey level, on any platform and with any version of NumPy and Pillow that the package allows."""
    image = Image.fromarray(draw_scene(class_name, seed=0, index=0))
    quarters = np.asarray(image.resize((2, 2), Image.Resampling.BOX)).astype(int)
    np.testing.assert_allclose(quarters.ravel(), QUARTERS[class_name], atol=1)


def test_only_the_lookalike_classes_share_a_painter_and_their_ranges_overlap() -> None:
    for first, (painter, low, high) in RANGES.items():
        for second, (other_painter, other_low, other_high) in RANGES.items():
            if first < second:
                assert (painter is other_painter) == ({first, second} in LOOKALIKES)
                if painter is other_painter:
                    assert 0.04 < min(high, other_high) - max(low, other_low) < 0.2


def test_written_images_are_those_of_draw_scene(tmp_path: Path) -> None:
    write_scenes(tmp_path / "scenes", train_per_class=2, test_per_class=1, seed=7, size=32)
    files = sorted(path.relative_to(tmp_path / "scenes").as_posix() for path in tmp_path.rglob("*.png"))
    expected = [
        f"{split}/{class_name}/{number:04d}.png"
        for split, count in (("train", 2), ("test", 1))
        for class_name in CLASS_NAMES
        for number in range(1, count + 1)
    ]
    assert files == sorted(expected)
    with Image.open(tmp_path / "scenes/train/sea/0002.png") as image:
        np.testing.assert_array_equal(np.asarray(image), draw_scene("sea", seed=7, index=1, size=32))
    with Image.open(tmp_path / "scenes/test/sea/0001.png") as image:
        drawn = draw_scene("sea", seed=7, index=FIRST_INDEX["test"], size=32)
        np.testing.assert_array_equal(np.asarray(image), drawn)


def test_a_image_does_not_depend_on_how_many_are_written(tmp_path: Path) -> None:
    few, many = tmp_path / "few", tmp_path / "many"
    write_scenes(few, train_per_class=1, test_per_class=1, seed=0, size=32)
    write_scenes(many, train_per_class=3, test_per_class=2, seed=0, size=32)
    for file in few.rglob("*.png"):
        assert file.read_bytes() == (many / file.relative_to(few)).read_bytes()


def test_no_test_image_is_a_training_image(tmp_path: Path) -> None:
    write_scenes(tmp_path / "scenes", train_per_class=4, test_per_class=4, seed=0, size=32)
    contents = [file.read_bytes() for file in tmp_path.rglob("*.png")]
    assert len(set(contents)) == len(contents) == 8 * len(CLASS_NAMES)


def test_writing_leaves_nothing_beside_the_folder_and_replaces_older_scenes(tmp_path: Path) -> None:
    folder = tmp_path / "scenes"
    write_scenes(folder, train_per_class=2, test_per_class=1, seed=0, size=32)
    before = (folder / "train/sea/0001.png").read_bytes()
    write_scenes(folder, train_per_class=1, test_per_class=1, seed=1, size=32)
    assert [path.name for path in tmp_path.iterdir()] == ["scenes"]
    assert [path.name for path in (folder / "train/sea").iterdir()] == ["0001.png"]
    assert (folder / "train/sea/0001.png").read_bytes() != before


def test_a_failure_leaves_no_folder_at_all(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="negative"):
        write_scenes(tmp_path / "scenes", train_per_class=1, test_per_class=1, seed=-1, size=32)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_with_anything_else_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(InputError, match=r"nothing but train and test. Received: folder="):
        write_scenes(tmp_path, train_per_class=1, test_per_class=1, seed=0, size=32)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def features(pixels: np.ndarray) -> np.ndarray:
    """A coarse colour thumbnail, and how strong edges of six directions are in each part of the image."""
    image = Image.fromarray(pixels)
    colours = np.asarray(image.resize((12, 12), Image.Resampling.BOX)) / 255
    grey = np.asarray(image.convert("L")) / 255
    down, across = np.gradient(grey)
    strength, direction = np.hypot(down, across), (np.arctan2(down, across) % np.pi * 6 / np.pi).astype(int) % 6
    edges = [(strength * (direction == k)).reshape(6, 8, 6, 8).sum(axis=(1, 3)) for k in range(6)]
    return np.concatenate([colours.ravel(), np.sqrt(np.stack(edges)).ravel()])


@pytest.mark.parametrize("seed", range(2))
def test_a_simple_classifier_confuses_the_lookalikes_most(seed: int) -> None:
    """Stands in for the product's own training, which a test of the sample report holds to the same band."""

    def draw(split: str, count: int) -> np.ndarray:
        start = FIRST_INDEX[split]
        indices = range(start, start + count)
        return np.stack(
            [features(draw_scene(name, seed=seed, index=i, size=48)) for name in CLASS_NAMES for i in indices]
        )

    train_count, test_count = 30, 24
    classifier = make_pipeline(StandardScaler(), LogisticRegression(C=0.003, max_iter=500))
    classifier.fit(draw("train", train_count), np.repeat(CLASS_NAMES, train_count))
    labels = np.repeat(CLASS_NAMES, test_count)
    counts = confusion_matrix(labels, classifier.predict(draw("test", test_count)), labels=CLASS_NAMES)
    assert 0.75 <= np.trace(counts) / counts.sum() <= 0.97
    mistakes = np.triu(counts + counts.T, k=1)
    first, second = np.unravel_index(mistakes.argmax(), mistakes.shape)
    assert {CLASS_NAMES[first], CLASS_NAMES[second]} in LOOKALIKES
