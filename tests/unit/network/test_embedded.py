from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from scenebook.core.errors import WeightsError
from scenebook.network import embedded


def test_the_weights_file_is_small_and_holds_float16_arrays_only() -> None:
    assert embedded.EMBEDDED_FILE.stat().st_size <= 2_000_000
    with np.load(embedded.EMBEDDED_FILE, allow_pickle=False) as stored:
        assert {stored[name].dtype for name in stored.files} == {np.dtype(np.float16)}
        assert all(np.isfinite(stored[name]).all() for name in stored.files)


def test_the_record_says_how_the_weights_were_made_and_what_they_reach() -> None:
    record = embedded.read_embedded_record()
    assert record["bytes"] == embedded.EMBEDDED_FILE.stat().st_size
    assert record["recipe"]["fractal_classes"] >= 10
    assert record["scenes"]["seeds"] == 5
    assert record["scenes"]["low"] > 0
    assert record["photographs"]["pretrained"] > record["photographs"]["random"]


def test_the_network_has_about_half_a_million_parameters() -> None:
    base_model = embedded.build_embedded(96)
    assert 400_000 < base_model.count_params() < 500_000
    assert base_model.count_params() == embedded.read_embedded_record()["parameters"]


@pytest.mark.parametrize("image_size, side", [(32, 2), (150, 10), (512, 32)])
def test_the_network_takes_images_of_many_sizes(image_size: int, side: int) -> None:
    assert embedded.build_embedded(image_size).output_shape == (None, side, side, 256)


def test_its_last_three_layers_are_named_like_those_of_resnet50() -> None:
    names = [layer.name for layer in embedded.build_embedded(32).layers[-3:]]
    assert names == ["conv4_block5_3_bn", "conv4_block5_add", "conv4_block5_out"]


def test_embedded_weights_are_loaded_as_float32() -> None:
    base_model = embedded.build_embedded(32)
    embedded.load_embedded_weights(base_model)
    with np.load(embedded.EMBEDDED_FILE, allow_pickle=False) as stored:
        for variable in base_model.variables:
            np.testing.assert_array_equal(np.asarray(variable), stored[variable.path].astype(np.float32))
            assert variable.dtype == "float32"


def test_saved_weights_come_back_rounded_to_float16(tmp_path: Path) -> None:
    saved, loaded = embedded.build_embedded(32), embedded.build_embedded(32)
    embedded.save_embedded_weights(saved, tmp_path / "weights.npz")
    embedded.load_embedded_weights(loaded, tmp_path / "weights.npz")
    for before, after in zip(saved.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(before.astype(np.float16).astype(np.float32), after)


def test_a_damaged_weights_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    damaged = tmp_path / "embedded.npz"
    content = bytearray(embedded.EMBEDDED_FILE.read_bytes())
    content[len(content) // 2] ^= 1
    damaged.write_bytes(content)
    monkeypatch.setattr(embedded, "EMBEDDED_FILE", damaged)
    with pytest.raises(WeightsError, match="SHA-256 is not the recorded one"):
        embedded.load_embedded_weights(embedded.build_embedded(32))


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "other.npz"
    np.savez(file, allow_pickle=False, **{"conv1_conv/kernel": np.zeros((7, 7, 3, 64), np.float16)})
    expected = "conv1_conv/kernel: the model's shapes are 3x3x3x32, the file's are 7x7x3x64"
    with pytest.raises(WeightsError, match=expected):
        embedded.load_embedded_weights(embedded.build_embedded(32), file)


def test_its_preprocessing_scales_to_plus_and_minus_one() -> None:
    images = np.array([0.0, 127.5, 255.0], np.float32)
    np.testing.assert_allclose(embedded.preprocess_input(images), [-1, 0, 1])
