from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

from scenebook.core.errors import ScenebookError
from scenebook.network.architecture import LayerSummary, NetworkStage, NetworkSummary, describe_network
from scenebook.network.graph import count_parameters
from tests.models import build_classifier

pytestmark = pytest.mark.usefixtures("clean_keras")


def build_base(name: str, image_size: int = 96) -> keras.Model:
    build: Any = getattr(keras.applications, name)
    return build(weights=None, include_top=False, input_shape=(image_size, image_size, 3))


def describe(base_model: keras.Model) -> NetworkSummary:
    return describe_network(build_classifier(base_model, num_classes=4, head_units=8))


def find(network: NetworkSummary, title: str) -> NetworkStage:
    return next(stage for stage in network.stages if stage.title == title)


def layers_of(network: NetworkSummary) -> list[LayerSummary]:
    return [layer for stage in network.stages for layer in stage.layers]


def build_small() -> keras.Model:
    """A stem and two blocks, the second of them with a shortcut that is added as it is."""
    inputs = keras.Input((16, 16, 3))
    x = keras.layers.Conv2D(8, 3, strides=2, padding="same", name="conv1_conv")(inputs)
    for stage, strides in ((2, 1), (3, 2)):
        y = keras.layers.Conv2D(8, 3, strides=strides, padding="same", name=f"conv{stage}_block1_1_conv")(x)
        y = keras.layers.Activation("relu", name=f"conv{stage}_block1_1_relu")(y)
        skip = x if strides == 1 else keras.layers.Conv2D(8, 1, strides=2, name=f"conv{stage}_block1_0_conv")(x)
        y = keras.layers.Add(name=f"conv{stage}_block1_add")([skip, y])
        x = keras.layers.Activation("relu", name=f"conv{stage}_block1_out")(y)
    return keras.Model(inputs, x, name="small")


def test_resnet50_has_the_stages_of_its_paper() -> None:
    base_model = build_base("ResNet50", 150)
    network = describe(base_model)
    assert network.name == "resnet50"
    assert [stage.title for stage in network.stages] == [
        "input", "stem", "conv2_x", "conv3_x", "conv4_x", "conv5_x", "pooling", "hidden", "probabilities",
    ]  # fmt: skip
    assert [stage.blocks for stage in network.stages[2:6]] == [3, 4, 6, 3]
    assert [stage.output_shape for stage in network.stages[1:6]] == [
        (38, 38, 64), (38, 38, 256), (19, 19, 512), (10, 10, 1024), (5, 5, 2048),
    ]  # fmt: skip
    assert sum(stage.convolutions for stage in network.stages) == 53, "49 on the main path, 4 on shortcuts"
    block = network.block
    assert block is not None
    assert block.name == "conv5_block3"
    assert block.source.name == "conv5_block2_out"
    assert block.shortcut == ()
    assert [layer.name for layer in block.main][::3] == [f"conv5_block3_{number}_conv" for number in (1, 2, 3)]
    assert block.activation is not None
    assert block.activation.name == "conv5_block3_out"


@pytest.mark.parametrize("name", ["MobileNetV2", "EfficientNetB0"])
def test_other_backbones_are_divided_by_resolution(name: str) -> None:
    network = describe(build_base(name))
    sizes = [stage.output_shape[0] or 0 for stage in network.stages if stage.role == "base"]
    assert sizes == sorted(sizes, reverse=True)
    assert len(set(sizes)) == len(sizes)
    assert network.block is not None
    assert network.block.name.startswith("block")
    assert sum(stage.blocks for stage in network.stages) == 16


def test_network_without_additions_has_no_residual_block() -> None:
    network = describe(build_base("VGG16", 64))
    assert network.block is None
    assert [stage.convolutions for stage in network.stages if stage.role == "base"] == [2, 2, 3, 3, 3, 0]


@pytest.mark.parametrize("name", ["small", "MobileNetV2"])
def test_every_parameter_is_counted_once(name: str) -> None:
    base_model = build_small() if name == "small" else build_base(name)
    for layer in base_model.layers[:-3]:
        layer.trainable = False
    model = build_classifier(base_model, num_classes=4, head_units=8)
    network = describe_network(model)
    counts = count_parameters(model)
    assert sum(stage.parameters for stage in network.stages) == counts["total_params"]
    assert sum(stage.trainable_parameters for stage in network.stages) == counts["trainable_params"]
    names = {layer.name for layer in base_model.layers if not isinstance(layer, keras.layers.InputLayer)}
    assert names <= {layer.name for layer in layers_of(network)}


def test_nested_and_flat_models_are_read_alike() -> None:
    base_model = build_small()
    nested_input = keras.Input((16, 16, 3))
    flatten = keras.layers.Flatten(name="flatten")
    probs = keras.layers.Dense(4, activation="softmax", name="probs")
    nested = keras.Model(nested_input, probs(flatten(base_model(nested_input))))
    flat = keras.Model(base_model.input, probs(flatten(base_model.output)))
    sequential = keras.Sequential([keras.Input((16, 16, 3)), base_model, flatten, probs])
    first, *others = [describe_network(model) for model in (nested, flat, sequential)]
    for other in others:
        assert [(stage.title, stage.role) for stage in other.stages] == [(s.title, s.role) for s in first.stages]
        assert other.block == first.block
        assert layers_of(other)[1:] == layers_of(first)[1:]
    assert [stage.role for stage in first.stages] == ["input", "base", "base", "base", "head", "head"]


def test_shortcut_with_a_convolution_is_the_shorter_path() -> None:
    block = describe(build_small()).block
    assert block is not None
    assert [layer.name for layer in block.shortcut] == ["conv3_block1_0_conv"]
    assert [layer.name for layer in block.main] == ["conv3_block1_1_conv", "conv3_block1_1_relu"]
    assert block.source.name == "conv2_block1_out"
    assert [layer.detail for layer in block.layers] == [
        "convolution 1×1, stride 2", "convolution 3×3, stride 2", "ReLU", "addition", "ReLU",
    ]  # fmt: skip


def test_layers_that_another_model_shares_are_read_as_this_model_calls_them() -> None:
    base_model = build_small()
    before = describe(base_model)
    tail_input = keras.Input((32, 32, 8))
    tail_output = base_model.get_layer("conv3_block1_1_conv")(tail_input)
    tail = keras.Model(tail_input, tail_output)
    assert describe(base_model).block == before.block
    assert describe_network(tail).stages[-1].output_shape == (16, 16, 8)


def test_open_sizes_are_kept_open() -> None:
    inputs = keras.Input((None, None, 3))
    x = keras.layers.Conv2D(4, 3, name="only")(inputs)
    network = describe_network(keras.Model(inputs, keras.layers.GlobalAveragePooling2D(name="pool")(x)))
    assert [stage.output_shape for stage in network.stages] == [(None, None, 3), (None, None, 4), (4,)]


def test_model_that_was_not_built_is_an_error() -> None:
    with pytest.raises(
        ScenebookError, match=r"Expected a built Sequential or functional model. Received: model='bare'"
    ):
        describe_network(keras.Sequential([keras.layers.Dense(2)], name="bare"))


def test_reading_a_model_does_not_change_it() -> None:
    model = build_classifier(build_small(), num_classes=4, head_units=8)
    images = np.ones((1, 16, 16, 3), np.float32)
    before = model(images).numpy()
    describe_network(model)
    np.testing.assert_array_equal(model(images).numpy(), before)
