from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

from scenebook.core.errors import WeightsError
from scenebook.network.imagenet_weights import keras_cache
from scenebook.network.weight_files import load_weights_file


def build_small(width: int = 4, *, name: str = "second") -> keras.Model:
    inputs = keras.Input((8, 8, 3))
    x = layers.Conv2D(4, 3, name="first")(inputs)
    x = layers.BatchNormalization(name="first_bn")(x)
    return keras.Model(inputs, layers.Conv2D(width, 1, name=name)(x), name="small")


def save_weights(model: keras.Model, folder: Path) -> Path:
    model.save_weights(folder / "small.weights.h5")
    return folder / "small.weights.h5"


def save_whole(model: keras.Model, folder: Path) -> Path:
    model.save(folder / "small.keras")
    return folder / "small.keras"


def assert_same_weights(one: keras.Model, other: keras.Model) -> None:
    for first, second in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("save", [save_weights, save_whole])
def test_a_file_of_the_same_model_loads(save: Callable[[keras.Model, Path], Path], tmp_path: Path) -> None:
    saved, loaded = build_small(), build_small()
    load_weights_file(loaded, save(saved, tmp_path))
    assert_same_weights(saved, loaded)


@pytest.mark.parametrize("save", [save_weights, save_whole])
def test_a_file_that_does_not_fit_or_ends_too_early_names_a_layer(
    save: Callable[[keras.Model, Path], Path], tmp_path: Path
) -> None:
    full = build_small()
    shorter = keras.Model(full.inputs, full.get_layer("first_bn").output)
    with pytest.raises(WeightsError, match=r"second.*\(1, 1, 4, 5\).*\(1, 1, 4, 4\)"):
        load_weights_file(build_small(width=5), save(full, tmp_path))
    with pytest.raises(WeightsError, match=r"second' .*expect.* 2 "):
        load_weights_file(build_small(), save(shorter, tmp_path))


def test_a_whole_classifier_gives_its_backbone(tmp_path: Path) -> None:
    saved, loaded = build_small(), build_small()
    classifier = keras.Sequential([keras.Input((8, 8, 3)), saved, layers.Flatten(), layers.Dense(2)])
    load_weights_file(loaded, save_whole(classifier, tmp_path))
    assert_same_weights(saved, loaded)


def test_layers_may_have_other_names_in_a_file(tmp_path: Path) -> None:
    saved, loaded = build_small(name="renamed"), build_small()
    load_weights_file(loaded, save_weights(saved, tmp_path))
    assert_same_weights(saved, loaded)


@pytest.mark.parametrize("name", ["resnet50_weights_notop.h5", "weights.npz", "weights", "weights.h5.zip"])
def test_another_ending_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(WeightsError, match=r"or a \.weights\.h5 or \.keras file"):
        load_weights_file(build_small(), tmp_path / name)


def test_a_missing_file_is_named() -> None:
    with pytest.raises(WeightsError, match=r"Expected the weights file to exist\. Received: weights='no\.weights\.h5'"):
        load_weights_file(build_small(), Path("no.weights.h5"))


@pytest.mark.parametrize("name", ["broken.weights.h5", "broken.keras"])
@pytest.mark.parametrize("content", [b"", b"not weights at all"])
def test_an_unreadable_file_is_refused(name: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(WeightsError, match="weights of this backbone that Keras can read"):
        load_weights_file(build_small(), tmp_path / name)


def test_a_file_cut_off_in_the_middle_is_refused(tmp_path: Path) -> None:
    for file in (save_weights(build_small(), tmp_path), save_whole(build_small(), tmp_path)):
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
        with pytest.raises(WeightsError, match="weights of this backbone that Keras can read"):
            load_weights_file(build_small(), file)


def test_a_file_with_a_lambda_layer_is_refused(tmp_path: Path) -> None:
    inputs = keras.Input((8, 8, 3))
    model = keras.Model(inputs, layers.Lambda(lambda x: x + 1)(inputs))
    with pytest.raises(WeightsError, match="`Lambda` layer"):
        load_weights_file(build_small(), save_whole(model, tmp_path))


def test_the_cache_of_keras_is_where_keras_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    assert keras_cache() == tmp_path / "models"
    monkeypatch.delenv("KERAS_HOME")
    assert keras_cache() == Path.home() / ".keras" / "models"
