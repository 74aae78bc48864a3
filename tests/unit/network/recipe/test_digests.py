"""What a notebook's functions do, as a digest: every edit that matters is seen, and no other."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

import keras
import pytest

from scenebook.network.recipe.digests import digest_code
from scenebook.network.recipe.source import collect_source, load_source

CELLS = [
    """
import functools
import keras
import numpy as np
import tensorflow as tf
from keras import layers
from scenebook.network.augmentation import build_augmentation
""",
    """
FACTOR = 0.5
WEIGHTS = np.arange(3.0)
bright = layers.RandomBrightness(0.1)
RANGES = {"rotation_range": 10}
darker = functools.partial(tf.multiply, y=0.9)


def shift(by=3):
    def move(images):
        return images + by

    return move


lighter = shift()


class Scale:
    factor = 2

    def __call__(self, images):
        return images * self.factor


scale = Scale()


def tint(images, strength=0.25):
    "Makes images redder."
    return images * (1 + strength * tf.constant(WEIGHTS, tf.float32))
""",
    """
def augment(images, seeds):
    # Turned, and brighter.
    images = build_augmentation(**RANGES)(images, seeds)
    for step in range(2):
        try:
            images = lighter(scale(darker(bright(tint(images) * FACTOR))))
        except ValueError:
            images = tf.zeros_like(images)
    return tf.clip_by_value(images, 0, 255)
""",
]


def run_cells(cells: list[str]) -> dict[str, Any]:
    keras.utils.set_random_seed(0)
    names: dict[str, Any] = {"__name__": "__main__", "In": cells}
    for cell in cells:
        exec(compile(cell, "<cell>", "exec", dont_inherit=True), names)
    return names


def digest(cells: list[str]) -> str:
    found = digest_code({"augment": run_cells(cells)["augment"]})
    assert not found.unknown
    return found.parts["augment"]


@pytest.fixture(scope="module")
def unedited() -> str:
    return digest(CELLS)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("FACTOR = 0.5", "FACTOR = 0.25"),
        ("np.arange(3.0)", "np.arange(3.0) + 1"),
        ("RandomBrightness(0.1)", "RandomBrightness(0.9)"),
        ("layers.RandomBrightness", "layers.RandomContrast"),
        ('{"rotation_range": 10}', '{"rotation_range": 20}'),
        ("y=0.9", "y=0.8"),
        ("tf.multiply, y", "tf.add, y"),
        ("def shift(by=3)", "def shift(by=4)"),
        ("lighter = shift()", "lighter = shift(5)"),
        ("images + by", "images - by"),
        ("factor = 2", "factor = 3"),
        ("scale = Scale()", "scale = Scale()\nscale.factor = 4"),
        ("images * self.factor", "images / self.factor"),
        ("strength=0.25", "strength=0.5"),
        ("1 + strength", "1 - strength"),
        ("range(2)", "range(3)"),
        ("except ValueError", "except TypeError"),
        ("tf.zeros_like", "tf.ones_like"),
        ("lighter(scale(", "scale(lighter("),
        ("0, 255)", "0, 254)"),
        ("tint(images) * FACTOR", "tint(images)"),
        ("seeds):\n    # Turned", "seeds, more=1):\n    # Turned"),
    ],
)
def test_an_edit_of_what_a_function_does_is_seen(old: str, new: str, unedited: str) -> None:
    edited = [cell.replace(old, new) for cell in CELLS]
    assert edited != CELLS
    assert digest(edited) != unedited


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("# Turned, and brighter.", "# Something else."),
        ('"Makes images redder."', '"Makes them red."'),
        ("images * self.factor", "(images *\n            self.factor)"),
        ("def augment", "unused = 3\n\n\ndef augment"),
        ("def augment", "import tensorflow as tf\nimport functools\n\n\ndef augment"),
    ],
)
def test_words_and_layout_are_not(old: str, new: str, unedited: str) -> None:
    edited = [cell.replace(old, new) for cell in CELLS]
    assert edited != CELLS
    assert digest(edited) == unedited


LAYER = "class Own(layers.Layer):\n    def call(self, images):\n        return images * self.by\n\n\nown = Own()\n"
HIDDEN = {
    "a function in a layer": "def shade(images):\n    return images * {v}\nown = layers.Lambda(shade)",
    "what that function uses": "own = layers.Lambda(lambda images: images * FACTOR)\nFACTOR = {v}",
    "an activation": "def shade(images):\n    return images * {v}\nown = layers.Activation(shade)",
    "within a model": "def shade(images):\n    return images * {v}\nown = keras.Sequential([layers.Lambda(shade)])",
    "within a wrapper": "own = layers.TimeDistributed(layers.Lambda(lambda images: images * FACTOR))\nFACTOR = {v}",
    "an own layer's code": LAYER.replace("self.by", "{v}"),
    "an own layer's number": LAYER + "own.by = {v}",
    "an own layer's array": LAYER + "own.by = np.array([{v}])",
    "an own layer's list": LAYER.replace("self.by", "self._by[0]") + "own._by = [{v}]",
    "an own kind of dict": "class Own(dict):\n    def __call__(self, images):\n        return images * {v}\n"
    "own = Own()",
    "an own kind of number": "class Own(float):\n    def __call__(self, images):\n        return images * self\n"
    "own = Own({v})",
    "an own kind of class": (
        "class Kind(type):\n    def __call__(self, images):\n        return images * {v}\n"
        "class own(metaclass=Kind):\n    pass"
    ),
    "another's name": (
        "class Own:\n    def __call__(self, images):\n        return images * {v}\n"
        "own = functools.update_wrapper(Own(), np.multiply)"
    ),
}


@pytest.mark.parametrize("name", HIDDEN)
def test_what_lies_within_an_object_is_seen_or_said_to_be_unknown(name: str) -> None:
    found = []
    for number in (0.5, 0.25):
        cell = HIDDEN[name].format(v=number) + "\n\n\ndef augment(images, seeds):\n    return own(images)"
        found.append(digest_code({"augment": run_cells([CELLS[0], cell])["augment"]}))
    assert found[0].parts["augment"] != found[1].parts["augment"] or all(one.unknown for one in found)


@pytest.mark.parametrize(
    "cell",
    [
        "def augment(images, seeds):\n    return images * len(open('factor.txt').read())",
        "stream = iter(range(10))\ndef augment(images, seeds):\n    return images * next(stream)",
        "import time\ndef augment(images, seeds):\n    return images * time.time()",
        "rng = np.random.default_rng()\ndef augment(images, seeds):\n    return images * rng.random()",
        "calls = 0\ndef augment(images, seeds):\n    global calls\n    calls += 1\n    return images * calls",
        "seen = []\ndef augment(images, seeds):\n    seen.append(1)\n    return images * len(seen)",
        "seen = {}\ndef augment(images, seeds):\n    seen[0] = 1\n    return images * len(seen)",
        "def augment(images, seeds):\n    return images * not_there",
        "def augment(images, seeds):\n    return images * np.load('factor.npy')",
        "def augment(images, seeds):\n    return images + tf.io.decode_png(tf.io.read_file('image.png'))",
        "import importlib\ndef augment(images, seeds):\n    return importlib.import_module('beside').shade(images)",
        "@functools.cache\ndef find():\n    return 2\ndef augment(images, seeds):\n    return images * find()",
        "shade = np.frompyfunc(lambda x: x / 2, 1, 1)\ndef augment(images, seeds):\n    return shade(images)",
    ],
)
def test_what_cannot_be_known_is_said(cell: str) -> None:
    assert digest_code({"augment": run_cells([*CELLS, cell])["augment"]}).unknown


def test_a_module_beside_the_notebook_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    cell = "import beside_the_notebook\ndef augment(images, seeds):\n    return beside_the_notebook.darken(images)"
    found = []
    for factor in (2, 3):
        (tmp_path / "beside_the_notebook.py").write_text(
            f"FACTOR = {factor}.5\ndef darken(images):\n    return images / FACTOR\n", encoding="utf-8"
        )
        sys.modules.pop("beside_the_notebook", None)
        shutil.rmtree(tmp_path / "__pycache__", ignore_errors=True)
        found.append(digest([cell]))
    sys.modules.pop("beside_the_notebook", None)
    assert found[0] != found[1]


def test_the_code_of_this_package_behind_it_counts_by_module() -> None:
    found = digest_code({"augment": run_cells(CELLS)["augment"]})
    assert "scenebook.network.augmentation" in found.parts
    assert "scenebook.network.recipe.digests" not in found.parts


def collect(names: dict[str, Any]) -> tuple[str, str, Any]:
    """Returns the digests of a notebook's function and of what is collected of it, and the collected module."""
    original = digest_code({"augment": names["augment"]}, states=False)
    loaded = load_source(collect_source(names, original))
    collected = digest_code({"augment": loaded.augment}, states=False)
    return original.parts["augment"], collected.parts["augment"], loaded


def test_the_collected_source_does_the_same() -> None:
    original, collected, _ = collect(run_cells(CELLS))
    assert collected == original


def test_a_value_that_was_changed_after_its_cell_is_collected_or_missed_in_the_digest() -> None:
    names = run_cells(CELLS)
    names["FACTOR"] = 0.75
    original, collected, loaded = collect(names)
    assert loaded.FACTOR == 0.75
    assert collected == original
    names["scale"].factor = 7
    original, collected, _ = collect(names)
    assert collected != original
