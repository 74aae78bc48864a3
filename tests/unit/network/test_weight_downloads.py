"""Keras' own way of getting weights, through a server on this machine that cuts, stalls and lies."""

from __future__ import annotations

import hashlib
import random
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np
import pytest

from scenebook.core.errors import DownloadError, WeightsError
from scenebook.data.transfer import CHUNK_BYTES, Limits
from scenebook.network import backbones
from scenebook.network.backbones import build_backbone
from scenebook.network.weight_downloads import robust_downloads
from tests.loopback import Loopback, serve

CONTENT = random.Random(1).randbytes(100_000)
QUICK = Limits(connect=0.5, answer=5, silence=0.4, tries=2, pause=0.01)
# Keras asks for another file for each size that this network was trained with.
SIZE, FILE = 128, "mobilenet_1_0_128_tf_no_top.h5"


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Loopback]:
    monkeypatch.setenv("SCENEBOOK_CACHE", str(tmp_path / "cache"))
    with serve() as loopback:
        loopback.files["/file.h5"] = CONTENT
        yield loopback


def ask_keras(site: Loopback, tmp_path: Path) -> Path:
    (tmp_path / "keras").mkdir(exist_ok=True)
    path = keras.utils.get_file(
        "named.h5",
        site.url + "/file.h5",
        cache_subdir="models",
        cache_dir=str(tmp_path / "keras"),
        file_hash=hashlib.sha256(CONTENT).hexdigest(),
    )
    return Path(path)


def kept(tmp_path: Path) -> list[str]:
    return [path.name.partition("-")[2] for path in sorted((tmp_path / "cache" / "weights").iterdir())]


def test_keras_gets_its_file_in_spite_of_cuts_and_stalls(
    site: Loopback, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site.faults["/file.h5"] = [f"cut {CHUNK_BYTES}", f"stall {CHUNK_BYTES}", "503"]
    with robust_downloads("the weights", QUICK) as downloads:
        assert ask_keras(site, tmp_path) == tmp_path / "keras" / "models" / "named.h5"
    assert (tmp_path / "keras" / "models" / "named.h5").read_bytes() == CONTENT
    assert downloads.file_name == "file.h5"
    assert kept(tmp_path) == []
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "» the weights: 0.1 of 0.1 MB" in shown.err


def test_a_download_that_failed_is_gone_on_with(site: Loopback, tmp_path: Path) -> None:
    site.faults["/file.h5"] = [f"cut {CHUNK_BYTES}", "cut 0", "cut 0"]
    with pytest.raises(DownloadError, match="cut"), robust_downloads("the weights", QUICK):
        ask_keras(site, tmp_path)
    assert kept(tmp_path) == ["file.h5.part", "file.h5.part.json"]
    assert list((tmp_path / "keras" / "models").iterdir()) == []
    with robust_downloads("the weights", QUICK):
        ask_keras(site, tmp_path)
    assert site.starts("/file.h5")[-1] == f"bytes={CHUNK_BYTES}-"


def test_keras_still_checks_what_came(site: Loopback, tmp_path: Path) -> None:
    site.files["/file.h5"] = CONTENT[::-1]
    with pytest.raises(ValueError, match="corrupted"), robust_downloads("the weights", QUICK):
        ask_keras(site, tmp_path)
    assert kept(tmp_path) == []


def test_urllib_opens_as_before_afterwards() -> None:
    mine = urllib.request.build_opener()
    before = getattr(urllib.request, "_opener", None)
    try:
        urllib.request.install_opener(mine)
        with robust_downloads("the weights"):
            assert getattr(urllib.request, "_opener", None) is not mine
        assert getattr(urllib.request, "_opener", None) is mine
    finally:
        urllib.request.install_opener(before)


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


def test_imagenet_weights_are_downloaded_once(mobilenet: Loopback, tmp_path: Path) -> None:
    model = build_backbone("MobileNet", image_size=SIZE, weights="random", seed=5)
    model.save(tmp_path / FILE)
    mobilenet.files[f"/{FILE}"] = (tmp_path / FILE).read_bytes()
    for _ in range(2):
        loaded = build_backbone("MobileNet", image_size=SIZE, weights="imagenet")
    assert len(mobilenet.asked) == 1
    for mine, theirs in zip(loaded.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    assert backbones.weights_digest("imagenet", "MobileNet") is not None


def test_without_a_network_the_error_says_which_file_goes_where(
    mobilenet: Loopback, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from keras.src.applications import mobilenet as module

    monkeypatch.setattr(module, "BASE_WEIGHT_PATH", "http://127.0.0.1:1/")
    started = time.monotonic()
    with pytest.raises(WeightsError, match=r"^Expected to download the ImageNet weights of MobileNet\.") as caught:
        build_backbone("MobileNet", image_size=SIZE, weights="imagenet")
    assert time.monotonic() - started < 20
    expected = ("There is no connection.", FILE, "WEIGHTS=MobileNet.weights.h5", str(tmp_path / "keras" / "models"))
    for part in expected:
        assert part in str(caught.value)
    assert "127.0.0.1" not in str(caught.value)


def test_weights_that_keras_finds_wrong_are_no_wrong_image_size(
    mobilenet: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object, **options: object) -> None:
        raise ValueError("Incomplete or corrupted file detected. The auto file hash does not match.")

    monkeypatch.setattr(backbones, "_find_builder", lambda backbone: refuse)
    with pytest.raises(WeightsError, match="corrupted file"):
        build_backbone("MobileNet", image_size=SIZE, weights="imagenet")
