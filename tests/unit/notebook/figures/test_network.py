from __future__ import annotations

import itertools

import keras
import pytest
from matplotlib.colors import to_hex
from matplotlib.patches import FancyBboxPatch

from scenebook.network.architecture import describe_network
from scenebook.network.backbones import build_backbone
from scenebook.notebook.figures import style
from scenebook.notebook.figures.network import FROZEN, PARTLY, TRAINED, NetworkDisplay
from scenebook.notebook.figures.style import Display
from tests.models import build_classifier


def freeze(base_model: keras.Model, trainable_base_layers: int) -> keras.Model:
    for layer in base_model.layers[: len(base_model.layers) - trainable_base_layers]:
        layer.trainable = False
    return base_model


def draw(base_model: keras.Model, head_units: int = 16) -> NetworkDisplay:
    model = build_classifier(base_model, num_classes=6, head_units=head_units)
    return NetworkDisplay(describe_network(model)).plot()


def texts_of(display: Display) -> set[str]:
    return {text.get_text() for text in display.ax_.texts}


def shape_text(layer: keras.Layer) -> str:
    return " × ".join(str(size) for size in layer.output.shape[1:])


def box_colors(display: NetworkDisplay) -> set[str]:
    return {to_hex(patch.get_facecolor()) for patch in display.ax_.patches if isinstance(patch, FancyBboxPatch)}


def color_of(display: NetworkDisplay, name: str) -> str:
    """The colour of the box that a text stands in."""
    x, y = next(text.get_position() for text in display.ax_.texts if text.get_text() == name)
    boxes = [patch for patch in display.ax_.patches if isinstance(patch, FancyBboxPatch)]
    return next(
        to_hex(box.get_facecolor())
        for box in boxes
        if box.get_x() <= x <= box.get_x() + box.get_width() and box.get_y() <= y <= box.get_y() + box.get_height()
    )


def assert_block_is_drawn(display: NetworkDisplay, base_model: keras.Model, block: str) -> None:
    layers = [layer for layer in base_model.layers if layer.name.startswith(f"{block}_")]
    assert len(layers) == 10, (
        "three convolutions, each with its normalization, two activations inside, addition, output"
    )
    for layer in layers:
        assert layer.name in texts_of(display)
        assert shape_text(layer) in texts_of(display)
    assert f"residual block {block}" in texts_of(display)
    assert "identity" in texts_of(display)


def assert_texts_stay_apart(display: NetworkDisplay) -> None:
    display.figure_.canvas.draw()
    boxes = [text.get_window_extent() for text in display.ax_.texts if text.get_text()]
    assert not [
        (one, other)
        for one, other in itertools.combinations(boxes, 2)
        if min(one.x1, other.x1) - max(one.x0, other.x0) > 1 and min(one.y1, other.y1) - max(one.y0, other.y0) > 4
    ]


@pytest.mark.usefixtures("clean_keras")
def test_resnet50_is_drawn_with_its_own_layers_and_shapes() -> None:
    base_model = freeze(keras.applications.ResNet50(weights=None, include_top=False, input_shape=(150, 150, 3)), 3)
    display = draw(base_model, head_units=1024)
    assert_block_is_drawn(display, base_model, "conv5_block3")
    for text in ["resnet50", "input", "stem", "conv2_x", "conv3_x", "conv4_x", "conv5_x", "pooling", "hidden"]:
        assert text in texts_of(display)
    for text in ["150 × 150 × 3", "38 × 38 × 64", "38 × 38 × 256", "19 × 19 × 512", "10 × 10 × 1024", "5 × 5 × 2048"]:
        assert text in texts_of(display)
    assert {"51200", "1024", "6", "52,429,824 parameters"} <= texts_of(display)
    assert "6 blocks, 19 convolutions" in texts_of(display)
    assert "4,096 of 14,998,528 trained" in texts_of(display)
    assert {FROZEN, PARTLY, TRAINED} <= box_colors(display)
    assert color_of(display, "conv5_block3_3_bn") == PARTLY, "its stored mean and variance are not trained"
    assert color_of(display, "conv5_block3_3_conv") == FROZEN
    assert color_of(display, "hidden") == TRAINED
    assert_texts_stay_apart(display)


@pytest.mark.usefixtures("clean_keras")
def test_efficientnet_lite0_is_drawn_by_resolution_with_its_last_block_that_adds() -> None:
    base_model = freeze(build_backbone("efficientnet-lite0", image_size=96, weights="random"), 0)
    display = draw(base_model)
    assert {"efficientnet-lite0", *(f"stage {number}" for number in range(1, 6)), "96 × 96 × 3"} <= texts_of(display)
    # The one block of the stage after it changes the number of channels, and adds nothing.
    block = [layer for layer in base_model.layers if layer.name.startswith("block6d_")]
    assert {"residual block block6d", "identity", *(layer.name for layer in block)} <= texts_of(display)
    assert "depthwise convolution 5×5" in texts_of(display)
    assert "6 blocks, 18 convolutions" in texts_of(display)
    assert PARTLY not in box_colors(display)
    assert_texts_stay_apart(display)


def make_small() -> keras.Model:
    """A network of one residual block with a convolution on its shortcut."""
    inputs = keras.Input((8, 8, 4))
    shortcut = keras.layers.Conv2D(8, 1, strides=2, name="block1_0_conv")(inputs)
    x = keras.layers.Conv2D(8, 3, strides=2, padding="same", name="block1_1_conv")(inputs)
    x = keras.layers.BatchNormalization(name="block1_1_bn")(x)
    return keras.Model(inputs, keras.layers.Add(name="block1_add")([shortcut, x]), name="small")


@pytest.mark.usefixtures("clean_keras")
def test_block_with_a_convolution_on_its_shortcut_shows_it() -> None:
    display = draw(make_small())
    assert {"block1_0_conv", "block1_1_conv", "block1_1_bn", "block1_add"} <= texts_of(display)
    assert "identity" not in texts_of(display)
    assert "convolution 1×1, stride 2" in texts_of(display)


@pytest.mark.usefixtures("clean_keras")
def test_network_without_a_residual_block_is_a_chain_as_wide_as_a_column() -> None:
    inputs = keras.Input((16, 16, 3))
    x = keras.layers.Conv2D(4, 3, padding="same", name="first")(inputs)
    x = keras.layers.MaxPooling2D(name="half")(x)
    display = draw(keras.Model(inputs, keras.layers.Conv2D(4, 3, padding="same")(x), name="plain"))
    assert not display.wide
    assert display.figure_.get_figwidth() == pytest.approx(style.COLUMN_WIDTH)
    assert {"plain", "stage 1", "stage 2", "16 × 16 × 4", "8 × 8 × 4"} <= texts_of(display)


@pytest.mark.usefixtures("clean_keras")
def test_long_paths_and_names_are_shortened_to_fit() -> None:
    inputs = keras.Input((8, 8, 4))
    x = inputs
    for number in range(20):
        x = keras.layers.Conv2D(4, 1, name=f"a_convolution_with_a_name_that_never_seems_to_come_to_an_end_{number}")(x)
    display = draw(keras.Model(inputs, keras.layers.Add(name="sum")([inputs, x]), name="long"))
    assert "9 more layers" in texts_of(display)
    assert max(len(text) for text in texts_of(display)) < 50
    assert display.figure_.get_figheight() < 7
