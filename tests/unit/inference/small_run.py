"""A run that only has what predictions need: a tiny network of random weights, and no features."""

from __future__ import annotations

import os
from pathlib import Path

import keras

from scenebook.core.run_directory import RunDirectory
from scenebook.core.run_files import CLASSES, MODEL, SUMMARY
from tests.conftest import write_image

NAMES = ["a", "<b>$x$</b>", "海"]
SIDE = 12


def make_run(root: Path, seed: int = 0) -> RunDirectory:
    run_dir = RunDirectory(root)
    kernel = keras.initializers.GlorotUniform(seed)
    layers = [keras.layers.Flatten(), keras.layers.Dense(len(NAMES), "softmax", kernel_initializer=kernel)]
    run_dir.path(MODEL).parent.mkdir(parents=True, exist_ok=True)
    keras.Sequential([keras.Input((SIDE, SIDE, 3)), *layers]).save(run_dir.path(MODEL))
    run_dir.write_json(SUMMARY, {"preprocessing": "keras.applications.mobilenet_v2.preprocess_input"})
    run_dir.write_json(CLASSES, {"classes": NAMES, "settings": {"image_size": SIDE}})
    return run_dir


def write_many(folder: Path, count: int, different: int = 20) -> Path:
    """Writes some images, and links them again and again under other names."""
    for number in range(min(count, different)):
        write_image(folder / f"{number:07d}.png", seed=number)
    for number in range(different, count):
        os.link(folder / f"{number % different:07d}.png", folder / f"{number:07d}.png")
    return folder
