"""The formats that a network can be exported to, a row each, and the script that goes with it."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass

from scenebook.core.errors import InputError


@dataclass(frozen=True)
class ExportFormat:
    """All that is particular to a format.

    Attributes:
        runtime: What runs it, as pip calls it.
        code: Lines of `predict.py`: they import the runtime, load the network from the folder `HERE`, and define `run`,
            from uint8 `(1, height, width, 3)` to float32 `(1, num_classes)`.
        extra: The extra of this package that brings what it is converted and checked with; none: nothing is needed.
        needs: The modules that the extra brings.
    """

    runtime: str
    code: str
    extra: str = ""
    needs: tuple[str, ...] = ()


_ONNX = """
import onnxruntime

SESSION = onnxruntime.InferenceSession(str(HERE / "model.onnx"))


def run(images):
    return SESSION.run(None, {SESSION.get_inputs()[0].name: images})[0]
"""

_TFLITE = """
try:
    from ai_edge_litert.interpreter import Interpreter
except ImportError:  # TensorFlow has the same one
    from tensorflow.lite.python.interpreter import Interpreter
RUNNER = Interpreter(str(HERE / "model.tflite")).get_signature_runner()  # or model-float16, model-int8


def run(images):
    return next(iter(RUNNER(images=images).values()))
"""

_OPENVINO = """
sys.modules["openvino_telemetry"] = None  # it would report this import over the network
import openvino

MODEL = openvino.compile_model(HERE / "model.xml", "CPU", {"INFERENCE_PRECISION_HINT": "f32"})


def run(images):
    return MODEL(images)[0]
"""

_SAVED_MODEL = """
import tensorflow as tf

MODEL = tf.saved_model.load(str(HERE / "model"))


def run(images):
    return MODEL.serve(images).numpy()
"""

_KERAS = """
import keras

MODEL = keras.saving.load_model(HERE / "model.keras", compile=False)


def run(images):
    return MODEL.predict_on_batch(images)
"""

EXPORTED_AS = {
    "onnx": ExportFormat("onnxruntime", _ONNX, "onnx", ("tf2onnx", "onnxruntime")),
    "tflite": ExportFormat("ai-edge-litert", _TFLITE),
    "openvino": ExportFormat("openvino", _OPENVINO, "openvino", ("openvino",)),
    "savedmodel": ExportFormat("tensorflow", _SAVED_MODEL),
    "keras": ExportFormat("tensorflow", _KERAS),
}
"""The rows of `run_files.EXPORT_FORMATS`."""


def check_installed(names: Sequence[str]) -> None:
    """Raises `InputError` where a format needs what is not installed, with the command that installs it."""
    for name in names:
        row = EXPORTED_AS[name]
        missing = [module for module in row.needs if importlib.util.find_spec(module) is None]
        if missing:
            raise InputError(
                f"Expected the extra {row.extra} to be installed, which brings what the format {name} needs.",
                received={"missing": ", ".join(missing)},
                advice=f"`make setup-{row.extra}` adds it, or `.venv/bin/pip install -e '.[{row.extra}]'`.",
            )


_SCRIPT = '''\
"""Classifies images: `python predict.py IMAGE ...` prints a line of JSON each. Needs numpy, pillow, {runtime}."""

import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

if importlib.util.find_spec("pillow_heif"):  # Pillow's reader of HEIC
    importlib.import_module("pillow_heif").register_heif_opener()
HERE = Path(__file__).resolve().parent
ABOUT = json.loads((HERE / "classes.json").read_text(encoding="utf-8"))
HEIGHT, WIDTH = ABOUT["image_size"]
{code}


def read(path):  # upright, 8-bit RGB, on white where it is transparent, and resized as the training images were
    image = ImageOps.exif_transpose(Image.open(path))
    if image.mode.startswith("I"):
        image = Image.fromarray((np.asarray(image).clip(0) >> 8).astype(np.uint8))
    if image.has_transparency_data:
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image.convert("RGBA"))
    image = image.convert("RGB")
{resize}


for path in sys.argv[1:]:
    probs = dict(zip(ABOUT["classes"], run(read(path)[None])[0].tolist()))
    print(json.dumps({{"image": path, "class": max(probs, key=probs.get), "probabilities": probs}}))
'''

_RESIZE = {
    "squash": "    return np.asarray(image.resize((WIDTH, HEIGHT), Image.Resampling.BILINEAR))",
    "crop": """\
    scale = max(HEIGHT / image.height, WIDTH / image.width)
    left, top = (image.width - WIDTH / scale) / 2, (image.height - HEIGHT / scale) / 2
    box = (left, top, image.width - left, image.height - top)
    return np.asarray(image.resize((WIDTH, HEIGHT), Image.Resampling.BILINEAR, box))""",
    "pad": """\
    scale = min(HEIGHT / image.height, WIDTH / image.width)
    inner = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    padded = Image.new("RGB", (WIDTH, HEIGHT))
    padded.paste(image.resize(inner, Image.Resampling.BILINEAR), ((WIDTH - inner[0]) // 2, (HEIGHT - inner[1]) // 2))
    return np.asarray(padded)""",
}
"""How an image gets the network's size: `decoding.resize`, in a few lines. A test compares them."""


def make_script(name: str, fit: str) -> str:
    """Returns the `predict.py` of a format, at most 43 lines, for images that are resized as `decoding.resize` does."""
    row = EXPORTED_AS[name]
    return _SCRIPT.format(runtime=row.runtime, code=row.code.strip(), resize=_RESIZE[fit])
