"""Keras' own way of getting weights, through a server on this machine that cuts and stalls."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np
import pytest

from scenebook.core.errors import WeightsError
from scenebook.network import imagenet_weights
from scenebook.network.backbones import build_backbone
from scenebook.network.imagenet_weights import weights_digest
from tests.loopback import Loopback, serve

# Keras leaves the socket of an answer that it refuses, or that ends early, to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

# Keras asks for another file for each size that this network was trained with.
SIZE, FILE = 128, "mobilenet_1_0_128_tf_no_top.h5"


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Loopback]:
    monkeypatch.setenv("SCENEBOOK_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(imagenet_weights, "SILENCE_SECONDS", 1.0)
    with serve() as loopback:
        yield loopback


@pytest.fixture
def mobilenet(site: Loopback, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clean_keras: None) -> Loopback:
    """Keras' MobileNet, with its address and its cache on this machine."""
    from keras.src import backend
    from keras.src.applications import mobilenet as module

    monkeypatch.setattr(module, "BASE_WEIGHT_PATH", site.url + "/")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    (tmp_path / "keras").mkdir()
    home = backend.config.keras_home()
    monkeypatch.setattr(backend.config, "_KERAS_DIR", str(tmp_path / "keras"))
    assert backend.config.keras_home() != home
    return site


@pytest.fixture
def model(mobilenet: Loopback, tmp_path: Path) -> keras.Model:
    """A MobileNet whose weights the server has."""
    made = build_backbone("MobileNet", image_size=SIZE, weights="random", seed=5)
    made.save(tmp_path / FILE)
    mobilenet.files[f"/{FILE}"] = (tmp_path / FILE).read_bytes()
    return made


def list_downloads(site: Loopback) -> list[str]:
    return [path for _, path, _ in site.asked if path != "/"]


def assert_loaded(model: keras.Model) -> None:
    loaded = build_backbone("MobileNet", image_size=SIZE, weights="imagenet")
    for mine, theirs in zip(loaded.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_imagenet_weights_are_downloaded_once(
    mobilenet: Loopback,
    model: keras.Model,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for _ in range(2):
        assert_loaded(model)
    # What the user's own Keras has downloaded counts, too.
    users = tmp_path / "users" / "models"
    users.parent.mkdir()
    (tmp_path / "keras" / "models").rename(users)
    monkeypatch.setenv("SCENEBOOK_KERAS_HOME", str(users.parent))
    assert_loaded(model)
    assert list_downloads(mobilenet) == [f"/{FILE}"]
    assert capsys.readouterr().out == ""
    assert weights_digest("imagenet", "MobileNet") is not None


def test_weights_come_in_spite_of_a_cut_and_a_silence(mobilenet: Loopback, model: keras.Model) -> None:
    mobilenet.faults[f"/{FILE}"] = ["cut 100000", "stall 100000"]
    assert_loaded(model)
    assert list_downloads(mobilenet) == [f"/{FILE}"] * 3


def test_what_a_killed_process_left_is_not_used(mobilenet: Loopback, model: keras.Model, tmp_path: Path) -> None:
    (tmp_path / "keras" / "models").mkdir()
    (tmp_path / "keras" / "models" / FILE).write_bytes(mobilenet.files[f"/{FILE}"][:100_000])
    assert_loaded(model)


def test_a_server_that_refuses_is_named_without_its_address(mobilenet: Loopback, model: keras.Model) -> None:
    del mobilenet.files[f"/{FILE}"]
    with pytest.raises(WeightsError, match="Not Found") as caught:
        build_backbone("MobileNet", image_size=SIZE, weights="imagenet")
    assert FILE in str(caught.value)
    assert "127.0.0.1" not in str(caught.value)


def test_without_a_network_the_error_says_what_to_copy(
    mobilenet: Loopback, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("keras.src.applications.mobilenet.BASE_WEIGHT_PATH", "http://127.0.0.1:1/")
    started = time.monotonic()
    with pytest.raises(WeightsError, match=r"^Expected to download the ImageNet weights of MobileNet\.") as caught:
        build_backbone("MobileNet", image_size=SIZE, weights="imagenet")
    assert time.monotonic() - started < 20
    for part in ("Connection refused.", "WEIGHTS=MobileNet.weights.h5", str(tmp_path / "keras" / "models")):
        assert part in str(caught.value)
    assert "127.0.0.1" not in str(caught.value)


def test_a_server_that_hangs_is_given_up(mobilenet: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imagenet_weights, "DOWNLOAD_TRIES", 1)
    mobilenet.faults[f"/{FILE}"] = ["hang"]
    with pytest.raises(WeightsError, match="timed out"):
        build_backbone("MobileNet", image_size=SIZE, weights="imagenet")


def test_weights_that_keras_finds_wrong_are_no_wrong_image_size(
    mobilenet: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object, **options: object) -> None:
        raise ValueError("Incomplete or corrupted file detected. The auto file hash does not match.")

    monkeypatch.setattr(keras.applications, "MobileNet", refuse)
    with pytest.raises(WeightsError, match="corrupted file"):
        build_backbone("MobileNet", image_size=SIZE, weights="imagenet")
