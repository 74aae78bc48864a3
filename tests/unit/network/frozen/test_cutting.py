from __future__ import annotations

import functools
import subprocess
import sys
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from scenebook.core.errors import InputError, SettingsError
from scenebook.core.provenance import training_versions
from scenebook.network.backbones import build_backbone
from scenebook.network.frozen.cutting import describe_frozen_layers, is_empty, list_stochastic, split_frozen
from scenebook.network.frozen.running import FrozenRuntime, compile_frozen_layers
from tests.models import build_classifier

pytestmark = pytest.mark.usefixtures("clean_keras")

RUNTIMES = pytest.mark.parametrize("runtime", ["tensorflow", "openvino"])


def build_frozen(backbone: str = "efficientnet-lite0", *, trained: int = 3, image_size: int = 32) -> keras.Sequential:
    """A classifier whose base model has lived: its batch normalisations have seen something."""
    base_model = build_backbone(backbone, image_size=image_size, weights="random")
    rng = np.random.default_rng(0)
    for layer in base_model.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.set_weights([rng.uniform(0.5, 2, array.shape) for array in layer.get_weights()])
    for layer in base_model.layers[: max(0, len(base_model.layers) - trained)]:
        layer.trainable = False
    return build_classifier(base_model, num_classes=3, head_units=16)


def make_images(count: int = 4, side: int = 32) -> np.ndarray:
    return np.random.default_rng(1).uniform(-1, 1, (count, side, side, 3)).astype(np.float32)


@functools.cache
def a_base() -> keras.Model:
    """The frozen layers of EfficientNet-Lite0, for tests that only compute with it."""
    return split_frozen(build_frozen()).base


@functools.cache
def compiled(runtime: str) -> FrozenRuntime:
    return compile_frozen_layers(a_base(), runtime)


def assert_same(run: FrozenRuntime, received: Any, expected: Any) -> None:
    """OpenVINO multiplies pieces of one size; TensorFlow adds up in an order that may depend on the batch's size."""
    slack = 0.0 if run.name.startswith("OpenVINO") else 1e-5 * float(np.abs(expected).max())
    np.testing.assert_allclose(received, expected, rtol=0, atol=slack)


def shapes(model: keras.Model) -> list[tuple[int, ...]]:
    return [tuple(tensor.shape[1:]) for tensor in model.outputs]


def test_the_papers_network_is_cut_in_front_of_the_last_normalisation_and_of_its_shortcut() -> None:
    base, tail = split_frozen(build_frozen("ResNet50"))
    names = [tensor._keras_history.operation.name for tensor in base.outputs]
    assert sorted(names) == ["conv5_block2_out", "conv5_block3_3_conv"]
    assert [layer.name for layer in tail.layers if layer.weights] == ["conv5_block3_3_bn", "hidden", "probabilities"]


@pytest.mark.parametrize(
    ("backbone", "trained"),
    [("efficientnet-lite0", 0), ("efficientnet-lite0", 3), ("efficientnet-lite0", 20), ("MobileNetV2", 20)],
)
@RUNTIMES
def test_frozen_layers_and_tail_compute_what_the_model_does(runtime: str, backbone: str, trained: int) -> None:
    model = build_frozen(backbone, trained=trained)
    base, tail = split_frozen(model)
    images = make_images()
    tensors = compile_frozen_layers(base, runtime)(images)
    np.testing.assert_allclose(
        tail(tuple(tensors), training=False), model(images, training=False), rtol=1e-4, atol=1e-6
    )
    assert not base.trainable_variables
    assert [id(one) for one in tail.trainable_variables] == [id(one) for one in model.trainable_variables]


@RUNTIMES
def test_the_compiled_frozen_layers_compute_as_the_model_does_in_inference_mode(runtime: str) -> None:
    base, _ = split_frozen(build_frozen(trained=20))
    compiled, plain = compile_frozen_layers(base, runtime)(make_images())[0], base(make_images(), training=False)
    plain = plain[0] if isinstance(plain, list) else plain
    assert np.abs(np.asarray(compiled) - np.asarray(plain)).max() < 1e-5 * np.abs(np.asarray(plain)).max()


@pytest.mark.parametrize("count", [1, 2])
@RUNTIMES
def test_a_images_numbers_do_not_depend_on_its_batch(runtime: str, count: int) -> None:
    run = compiled(runtime)
    images = make_images(9)
    assert_same(run, run(images[5 : 5 + count])[0], np.asarray(run(images)[0])[5 : 5 + count])


@RUNTIMES
def test_batches_come_out_in_their_order(runtime: str) -> None:
    run = compiled(runtime)
    images = make_images(23)
    batches = [images[:9], images[9:9], images[9:18], images[18:]]
    received = list(run.run_batches(iter(batches)))
    assert [rows[0].shape for rows in received] == [(count, *shapes(a_base())[0]) for count in (9, 0, 9, 5)]
    assert_same(run, np.concatenate([rows[0] for rows in received]), run(images)[0])


@RUNTIMES
def test_who_stops_in_the_middle_can_start_again(runtime: str) -> None:
    run = compiled(runtime)
    images = make_images(8)
    first = next(iter(run.run_batches([images[:4], images[4:]])))
    assert_same(run, first[0], np.asarray(run(images)[0])[:4])


def test_what_is_installed_beside_it_does_not_decide_what_the_layers_run_in() -> None:
    base = a_base()
    assert compile_frozen_layers(base, "openvino").name.startswith("OpenVINO 20")
    for runtime in ("auto", "tensorflow"):
        assert compile_frozen_layers(base, runtime).name == f"TensorFlow {tf.__version__}"
    assert "openvino" in training_versions("openvino")
    assert training_versions("auto") == training_versions("tensorflow")
    assert "openvino" not in training_versions("auto")


def test_openvino_that_is_not_installed_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    base = a_base()
    with pytest.raises(SettingsError, match=r"package openvino.*frozen_layers_runtime='openvino'.*make setup-openvino"):
        compile_frozen_layers(base, "openvino")


def build_with_python_inside() -> keras.Model:
    """A network with an operation that only TensorFlow can run, in this very process."""

    class Doubled(layers.Layer):
        def call(self, x: Any) -> Any:
            return tf.ensure_shape(tf.numpy_function(lambda array: 2 * array, [x], tf.float32), x.shape)

    inputs = keras.Input((8, 8, 3))
    x = Doubled(trainable=False)(layers.Conv2D(4, 3, trainable=False)(inputs))
    return keras.Model(inputs, layers.Dense(2)(layers.Flatten()(x)))


def test_what_openvino_cannot_run_is_an_error_with_its_reason() -> None:
    base = split_frozen(build_with_python_inside()).base
    with pytest.raises(SettingsError, match="Expected a backbone that OpenVINO can run"):
        compile_frozen_layers(base, "openvino")


def test_openvino_comes_without_what_reports_to_its_makers() -> None:
    where = "from scenebook.network.frozen import openvino_runtime"
    code = f"import sys; {where}; openvino_runtime.import_openvino(); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    modules = done.stdout.split()
    assert "openvino" in modules
    assert [name for name in modules if name.startswith("openvino_telemetry")] == []


def test_layers_are_shared_so_that_training_the_tail_trains_the_model() -> None:
    model = build_frozen()
    base, tail = split_frozen(model)
    before = model.get_layer("hidden").kernel.numpy().copy()
    tail.compile("sgd", "categorical_crossentropy")
    tensors = tuple(np.asarray(tensor) for tensor in compile_frozen_layers(base, "tensorflow")(make_images(8)))
    tail.fit(tensors, np.eye(3)[np.arange(8) % 3], verbose=0)
    assert not np.array_equal(model.get_layer("hidden").kernel.numpy(), before)


def test_a_network_that_is_trained_as_a_whole_has_no_frozen_layers() -> None:
    base, tail = split_frozen(build_frozen(trained=1000))
    assert is_empty(base)
    assert shapes(base) == [(32, 32, 3)]
    assert len(tail.trainable_variables) > 100


def test_a_network_that_is_frozen_as_a_whole_is_an_error() -> None:
    model = build_frozen()
    model.trainable = False
    with pytest.raises(InputError, match=r"a trainable layer. Received: model='?classifier"):
        split_frozen(model)


def build_head_with_dropout(*, frozen_dropout: bool) -> keras.Model:
    inputs = keras.Input((8, 8, 3))
    x = layers.Conv2D(4, 3, trainable=False)(inputs)
    x = layers.Dropout(0.5, trainable=not frozen_dropout)(x)
    return keras.Model(inputs, layers.Dense(2)(layers.Flatten()(x)))


def test_dropout_that_is_not_frozen_stays_in_the_tail() -> None:
    base, tail = split_frozen(build_head_with_dropout(frozen_dropout=False))
    assert not list_stochastic(base)
    assert any(isinstance(layer, layers.Dropout) for layer in tail.layers)


def test_frozen_dropout_is_in_the_frozen_layers_and_does_not_drop_there() -> None:
    base, _ = split_frozen(build_head_with_dropout(frozen_dropout=True))
    assert len(list_stochastic(base)) == 1
    run, images = compile_frozen_layers(base, "tensorflow"), make_images(side=8)
    np.testing.assert_array_equal(run(images)[0], run(images)[0])


def test_a_frozen_layer_behind_a_trained_one_is_in_the_tail() -> None:
    inputs = keras.Input((4,))
    x = layers.Dense(3, trainable=False, name="first")(inputs)
    x = layers.Dense(3, name="learns")(x)
    model = keras.Model(inputs, layers.Dense(2, trainable=False, name="last")(x))
    base, tail = split_frozen(model)
    assert [layer.name for layer in base.layers[1:]] == ["first"]
    assert [layer.name for layer in tail.layers[1:]] == ["learns", "last"]


def build_convolution(*, depthwise: bool, use_bias: bool, scale: bool, branch: bool = False) -> keras.Model:
    inputs = keras.Input((9, 9, 3))
    make: Any = layers.DepthwiseConv2D if depthwise else layers.Conv2D
    sizes = {"depth_multiplier": 2} if depthwise else {"filters": 6}
    x = make(kernel_size=3, strides=2, padding="same", use_bias=use_bias, trainable=False, **sizes)(inputs)
    y = layers.BatchNormalization(scale=scale, center=scale, trainable=False)(x)
    y = layers.Add()([x, y]) if branch else y
    model = keras.Model(inputs, layers.Dense(2)(layers.Flatten()(y)))
    rng = np.random.default_rng(0)
    for layer in model.layers[1:3]:
        layer.set_weights([rng.uniform(0.5, 2, array.shape) for array in layer.get_weights()])
    return model


@pytest.mark.parametrize("depthwise", [False, True])
@pytest.mark.parametrize(
    ("use_bias", "scale", "branch"), [(True, True, False), (False, False, False), (True, True, True)]
)
def test_normalisations_are_folded_exactly(depthwise: bool, use_bias: bool, scale: bool, branch: bool) -> None:
    base, _ = split_frozen(build_convolution(depthwise=depthwise, use_bias=use_bias, scale=scale, branch=branch))
    images = make_images(side=9)
    expected = np.asarray(keras.tree.flatten(base(images, training=False))[0])
    np.testing.assert_allclose(compile_frozen_layers(base, "tensorflow")(images)[0], expected, rtol=1e-5, atol=1e-5)


def test_the_digest_is_that_of_structure_and_weights_not_of_names() -> None:
    model = build_frozen()
    first = describe_frozen_layers(split_frozen(model).base)
    assert describe_frozen_layers(split_frozen(model).base) == first  # its new tensors have other names
    layer = model.layers[0].get_layer("stem_conv")
    layer.set_weights([array + 1e-3 for array in layer.get_weights()])
    assert describe_frozen_layers(split_frozen(model).base)["digest"] != first["digest"]
    assert describe_frozen_layers(split_frozen(build_frozen(trained=20)).base)["digest"] != first["digest"]
