from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

from scenebook.core.backbones import BACKBONES, NAMED_WEIGHTS
from scenebook.core.errors import SettingsError, WeightsError
from scenebook.core.provenance import sha256_file
from scenebook.network import graph
from scenebook.network.backbones import (
    build_backbone,
    preprocessing,
)
from scenebook.network.efficientnet_lite import build_efficientnet_lite0
from scenebook.network.graph import count_layers, count_weight_layers
from scenebook.network.imagenet_weights import weights_digest
from tests.models import build_classifier

pytestmark = pytest.mark.usefixtures("clean_keras")


@pytest.fixture(scope="module")
def resnet50() -> Iterator[keras.Model]:
    """ResNet50 without its top, with random weights: it takes seconds to build."""
    yield build_backbone("ResNet50", image_size=150, weights="random")
    keras.backend.clear_session()


@pytest.mark.parametrize("backbone", ["efficientnet-lite0", "MobileNet"])
def test_random_weights_depend_on_the_seed_alone(backbone: str) -> None:
    first, again, other = (
        build_backbone(backbone, image_size=32, weights="random", seed=seed).get_weights()[0] for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_weights_file_of_the_backbone_loads(tmp_path: Path) -> None:
    saved = build_backbone("MobileNet", image_size=32, weights="random", seed=1)
    path = tmp_path / "mobile net's.weights.h5"
    saved.save_weights(path)
    loaded = build_backbone("MobileNet", image_size=64, weights=str(path), seed=2)
    for first, second in zip(saved.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(first, second)
    assert weights_digest(str(path), "MobileNet") == sha256_file(path)


def test_weights_of_another_backbone_are_refused_by_layer_and_shape(tmp_path: Path) -> None:
    build_efficientnet_lite0(32).save_weights(tmp_path / "other.weights.h5")
    expected = r"conv_pw_1.*\(1, 1, 32, 64\).*\(1, 1, 32, 16\)"
    with pytest.raises(WeightsError, match=expected):
        build_backbone("MobileNet", image_size=32, weights=str(tmp_path / "other.weights.h5"))


@pytest.mark.parametrize(
    "typed, meant",
    [
        ("resnet50", "ResNet50"),
        ("Resnet 50", "ResNet50"),
        ("mobilenetv2", "MobileNetV2"),
        ("EfficientNet Lite0", "efficientnet-lite0"),
    ],
)
def test_an_unknown_backbone_is_answered_with_near_names(typed: str, meant: str) -> None:
    with pytest.raises(SettingsError, match=f"Received: backbone='{typed}'. Did you mean .*{meant}"):
        build_backbone(typed, image_size=32, weights="random")


@pytest.mark.parametrize("backbone, minimum", [("efficientnet-lite0", 32), ("Xception", 71)])
def test_too_small_an_image_size_names_the_minimum(backbone: str, minimum: int) -> None:
    expected = f"at least {minimum} for the backbone {backbone}. Received: image_size={minimum - 1}"
    with pytest.raises(SettingsError, match=expected):
        build_backbone(backbone, image_size=minimum - 1, weights="random")


@pytest.mark.parametrize("backbone", [name for name, row in BACKBONES.items() if "keras" in row.builder])
def test_the_least_image_size_of_a_model_of_keras_is_the_one_that_keras_names(backbone: str) -> None:
    with pytest.raises(ValueError, match=f"at least {BACKBONES[backbone].least_size}x"):
        getattr(keras.applications, backbone)(weights=None, include_top=False, input_shape=(1, 1, 3))


@pytest.mark.parametrize("backbone", BACKBONES)
def test_every_backbone_has_an_importable_preprocessing(backbone: str) -> None:
    found = preprocessing(backbone)
    module, _, name = found.name.rpartition(".")
    assert getattr(importlib.import_module(module), name) is found.function
    result = found(np.full((1, 2, 2, 3), 255, np.float32))
    assert result.shape == (1, 2, 2, 3)


@pytest.mark.parametrize(
    "backbone, name",
    [
        ("ResNet50", "keras.applications.resnet50.preprocess_input"),
        ("ResNet50V2", "keras.applications.resnet_v2.preprocess_input"),
        ("MobileNetV3Small", "keras.applications.mobilenet_v3.preprocess_input"),
        ("EfficientNetV2B0", "keras.applications.efficientnet_v2.preprocess_input"),
        ("efficientnet-lite0", "scenebook.network.efficientnet_lite.preprocess_input"),
    ],
)
def test_preprocessing_is_the_backbones_own(backbone: str, name: str) -> None:
    assert preprocessing(backbone).name == name


def test_preprocessing_leaves_the_given_array_alone() -> None:
    images = np.full((1, 2, 2, 3), 100, np.float32)
    result = preprocessing("ResNet50")(images)
    np.testing.assert_array_equal(images, 100)
    # ResNet50 expects blue, green, red, each minus its mean over ImageNet.
    np.testing.assert_allclose(result[0, 0, 0], [100 - 103.939, 100 - 116.779, 100 - 123.68], rtol=1e-5)


def test_every_model_of_keras_has_a_row_with_the_preprocessing_of_its_own_module() -> None:
    models = {
        name: function
        for name, function in inspect.getmembers(keras.applications, inspect.isfunction)
        if "include_top" in inspect.signature(function).parameters
    }
    rows = {name: row for name, row in BACKBONES.items() if row.builder.endswith(".keras_models")}
    assert sorted(rows) == sorted(models)
    for name, row in rows.items():
        preprocess_input = importlib.import_module(row.preprocessing.rpartition(".")[0]).preprocess_input
        assert preprocess_input is importlib.import_module(models[name].__module__).preprocess_input


@pytest.mark.parametrize("backbone", BACKBONES)
def test_every_backbone_has_a_builder_and_weights_with_a_name(backbone: str) -> None:
    row = BACKBONES[backbone]
    assert callable(importlib.import_module(row.builder).build)
    assert row.weights
    assert row.least_size <= row.own_size
    for weights in row.weights:
        assert weights.name in NAMED_WEIGHTS
        file = weights.find_file()
        assert file.is_file() if file else not weights.package
        assert not file or weights_digest(weights.name, backbone) == weights.sha256


def test_resnet50_has_175_layers_and_178_with_the_papers_head(resnet50: keras.Model) -> None:
    assert count_layers(resnet50) == len(resnet50.layers) == BACKBONES["ResNet50"].layers == 175
    assert resnet50.output_shape == (None, 5, 5, 2048)
    head = [layers.Flatten(), layers.Dense(2, activation="relu"), layers.Dense(6, activation="softmax")]
    assert count_layers(keras.Sequential([keras.Input((150, 150, 3)), resnet50, *head])) == 178
    # An outer input layer stands beside the nested one; it is the same input.
    inputs = keras.Input((150, 150, 3))
    assert count_layers(keras.Model(inputs, layers.Flatten()(resnet50(inputs)))) == 176


def test_resnet50_with_its_own_top_has_50_weight_layers(resnet50: keras.Model) -> None:
    pooled = layers.GlobalAveragePooling2D()(resnet50.output)
    with_top = keras.Model(resnet50.inputs, layers.Dense(2)(pooled))
    assert count_weight_layers(with_top) == 50
    assert sum(isinstance(layer, layers.Conv2D) for layer in resnet50.layers) == 53


def test_vgg16_has_16_weight_layers() -> None:
    vgg16 = build_backbone("VGG16", image_size=32, weights="random")
    assert len(vgg16.layers) == BACKBONES["VGG16"].layers
    top = keras.Sequential([vgg16, layers.Flatten(), layers.Dense(2), layers.Dense(2), layers.Dense(2)])
    assert count_weight_layers(top) == 16


def test_weight_layers_of_a_nested_model_count() -> None:
    base_model = build_efficientnet_lite0(32)
    model = keras.Sequential([keras.Input((32, 32, 3)), base_model, layers.Flatten(), layers.Dense(2), layers.Dense(2)])
    assert count_weight_layers(model) == count_weight_layers(base_model) + 2
    assert len(base_model.layers) == BACKBONES["efficientnet-lite0"].layers


def test_random_weights_have_no_digest() -> None:
    assert weights_digest("random", "ResNet50") is None


def test_the_digest_of_imagenet_weights_is_that_of_the_file_keras_downloaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setenv("SCENEBOOK_KERAS_HOME", str(tmp_path / "users"))
    assert weights_digest("imagenet", "ResNet50") is None
    (tmp_path / "models").mkdir()
    files = {
        "ResNet50": "resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5",
        "ResNet50V2": "resnet50v2_weights_tf_dim_ordering_tf_kernels_notop.h5",
        "MobileNet": "mobilenet_1_0_224_tf_no_top.h5",
        "MobileNetV2": "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5",
        "EfficientNetV2B0": "efficientnetv2-b0_notop.h5",
        "ConvNeXtTiny": "convnext_tiny_notop.h5",
    }
    for name in (*files.values(), "resnet50_weights_tf_dim_ordering_tf_kernels.h5"):
        (tmp_path / "models" / name).write_text(name)
    for backbone, name in files.items():
        assert weights_digest("imagenet", backbone) == sha256_file(tmp_path / "models" / name)


def freeze_all_but_last(base_model: object, count: int) -> None:
    """What notebook 02 does on its page."""
    layers = base_model.layers  # type: ignore[attr-defined]
    for layer in layers[: len(layers) - count]:
        layer.trainable = False


def test_the_papers_model_has_exactly_the_papers_parameters() -> None:
    base_model = build_backbone("ResNet50", image_size=150, weights="random")
    freeze_all_but_last(base_model, 3)
    model = build_classifier(base_model, num_classes=6, head_units=1024)
    summary = graph.summarize(model)
    assert summary["total_params"] == 76_023_686
    assert summary["trainable_params"] == 52_440_070
    assert summary["non_trainable_params"] == 23_583_616
    assert (summary["layers"], summary["backbone_weight_layers"], summary["base_layers"]) == (178, 50, 175)
    assert summary["input_shape"] == [150, 150, 3]


@pytest.mark.parametrize("count", [0, 3, 141])
def test_any_number_of_base_layers_can_be_trained(count: int) -> None:
    base_model = build_backbone("efficientnet-lite0", image_size=32, weights="random")
    freeze_all_but_last(base_model, count)
    model = build_classifier(base_model, num_classes=2, head_units=4)
    head = 1280 * 4 + 4 + 4 * 2 + 2
    trained = {0: head, 3: head + 320 * 1280 + 2 * 1280}.get(count)
    counted = graph.count_parameters(model)
    assert trained is None or counted["trainable_params"] == trained
    assert (counted["trainable_params"] > counted["total_params"] * 0.9) == (count == 141)


def test_more_layers_than_there_are_is_an_error() -> None:
    base_model = build_backbone("efficientnet-lite0", image_size=32, weights="random")
    with pytest.raises(SettingsError, match=r"at most 141, .*Received: trainable_base_layers=500"):
        graph.check_trainable_base_layers(base_model, 500)
