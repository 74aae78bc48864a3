"""Exported networks: one graph from pixels to probabilities, and a script that reads images as the package does."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from PIL import Image

from scenebook.core.errors import InputError
from scenebook.core.run_files import EXPORT_FORMATS
from scenebook.data.decoding import decode
from scenebook.data.formats import reads_heif
from scenebook.inference.export import formats
from scenebook.inference.export.conversion import build_servable, convert
from scenebook.inference.export.formats import EXPORTED_AS, check_installed, make_script
from scenebook.network.backbones import find_preprocessing

HEIC = [".heic"] if reads_heif() else []
FITS = ("squash", "crop", "pad")
CLASSES = ["a", "<b>$x$</b>", 'c"\n海']
SIZE = (24, 20)


@pytest.fixture
def classifier(clean_keras: None) -> keras.Model:
    layers = [keras.layers.Conv2D(4, 3, activation="relu"), keras.layers.Flatten(), keras.layers.Dense(3, "softmax")]
    return keras.Sequential([keras.Input((*SIZE, 3)), *layers])


@pytest.fixture
def odd_images(tmp_path: Path) -> list[Path]:
    """Images of all kinds that a decoder treats by itself: 16 bits, transparent, a palette, turned, grey."""
    rng = np.random.default_rng(0)
    rgb = Image.fromarray(rng.integers(0, 256, (50, 70, 3), dtype=np.uint8))
    turned = Image.Exif()
    turned[0x0112] = 6
    deep = Image.fromarray(rng.integers(0, 2**16, (31, 40), dtype=np.uint16))
    clear = Image.fromarray(rng.integers(0, 256, (40, 31, 4), dtype=np.uint8))
    kinds: dict[str, tuple[Image.Image, dict[str, Any]]] = {
        "deep.png": (deep, {}),
        "clear.png": (clear, {}),
        "palette.gif": (rgb.quantize(16), {"transparency": 3}),
        **{f"turned{suffix}": (rgb, {"exif": turned}) for suffix in (".jpg", ".avif", *HEIC)},
        "grey.png": (rgb.convert("L"), {}),
        "size.png": (rgb.resize(SIZE[::-1]), {}),
        "<wide> $(x).png": (rgb.resize((90, 8)), {}),
    }
    for name, (image, options) in kinds.items():
        image.save(tmp_path / name, **options)
    return [tmp_path / name for name in kinds]


def run_script(folder: Path, images: Sequence[Path]) -> list[dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, folder / "predict.py", *images], cwd="/", capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.skipif(importlib.util.find_spec("openvino") is None, reason="OpenVINO is not installed")
def test_the_script_of_a_folder_gives_what_the_network_gives_for_images_as_the_package_reads_them(
    classifier: keras.Model, odd_images: list[Path], tmp_path: Path
) -> None:
    preprocess = find_preprocessing("keras.applications.resnet50.preprocess_input")
    assert preprocess is not None
    convert("openvino", build_servable(classifier, preprocess, mirror=True), tmp_path, np.zeros((0, *SIZE, 3)))
    for fit in FITS:
        about = {"classes": CLASSES, "image_size": SIZE, "fit": fit}
        (tmp_path / "classes.json").write_text(json.dumps(about))
        (tmp_path / "predict.py").write_text(make_script("openvino", fit), encoding="utf-8")
        found = run_script(tmp_path, odd_images)
        prepared = preprocess(np.stack([decode(path, SIZE, fit) for path in odd_images]).astype(np.float32))
        expected = (classifier(prepared) + classifier(prepared[:, :, ::-1])).numpy() / 2
        assert [list(line["probabilities"]) for line in found] == [CLASSES] * len(odd_images)
        probs = [list(line["probabilities"].values()) for line in found]
        np.testing.assert_allclose(probs, expected, atol=1e-5)
        assert [line["class"] for line in found] == [CLASSES[place] for place in expected.argmax(axis=1)]


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("name", EXPORT_FORMATS)
def test_a_script_has_at_most_43_lines_and_imports_numpy_pillow_and_one_runtime(name: str, fit: str) -> None:
    script = make_script(name, fit)
    assert len(script.splitlines()) <= 43
    assert max(map(len, script.splitlines())) <= 120
    compile(script, "predict.py", "exec")
    assert "scenebook" not in script
    assert f"numpy, pillow, {EXPORTED_AS[name].runtime}" in script


def test_what_a_format_lacks_is_named_before_anything_is_converted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formats.importlib.util, "find_spec", lambda name: None)  # type: ignore[attr-defined]
    check_installed(["tflite", "savedmodel", "keras"])
    with pytest.raises(InputError, match=r"the format onnx needs.*missing='tf2onnx, onnxruntime'.*setup-onnx"):
        check_installed(["keras", "onnx"])
