from __future__ import annotations

import functools
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import keras
import numpy as np
import pytest

from scenebook.core import source_code
from scenebook.core.source_code import PACKAGE, digest_modules, read_module
from scenebook.network.code_digests import digest_training_code
from scenebook.network.frozen.cutting import split_frozen
from scenebook.network.recipe.caching import RecipeCaches
from tests.recipes import load_recipe
from tests.unit.network.recipe.trainings import CLASSES, TRAIN, make_settings

Edit = Callable[[str, str, str], None]


@pytest.fixture
def edit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Edit]:
    """Changes a copy of the package, which takes the place of the package itself."""
    package = tmp_path / "scenebook"
    shutil.copytree(PACKAGE, package, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(source_code, "PACKAGE", package)
    monkeypatch.setenv("SCENEBOOK_CACHE", str(tmp_path / "cache"))
    read_module.cache_clear()

    def change(module: str, old: str, new: str) -> None:
        file = package.joinpath(*module.split(".")).with_suffix(".py")
        text = file.read_text(encoding="utf-8")
        assert old in text
        file.write_text(text.replace(old, new), encoding="utf-8")
        read_module.cache_clear()

    yield change
    read_module.cache_clear()


@functools.cache
def build_base() -> keras.Model:
    model = load_recipe().build_model(make_settings(), CLASSES)
    return split_frozen(model).base


def count_lost_rows(view: int | None) -> int:
    """Returns how many of two rows the feature cache has to compute."""
    lost = 0

    def compute(missing: np.ndarray) -> list[np.ndarray]:
        nonlocal lost
        lost += len(missing)
        return [np.zeros((len(missing), *tensor.shape[1:]), np.float32) for tensor in build_base().outputs]

    caches = RecipeCaches(load_recipe(), make_settings(), TRAIN)
    caches.open(build_base(), "TensorFlow", keep_views=True)
    (caches.plain if view is None else caches.views).fetch(view, ["a" * 64, "b" * 64], compute)
    caches.close()
    return lost


TEXTS = (
    ("network.augmentation", "Expected ", "We had hoped for "),
    ("network.backbones", "Expected ", "We had hoped for "),
    ("core.errors", "Received", "Got"),
    ("core.wording", '"none"', '"nothing"'),
    ("core.sentences", "def fill(", "def fill_all("),
    ("core.progress", "» ", "> "),
    ("core.settings", 'description="', 'description="a '),
    ("network.augmentation", '"""', '""" '),
    ("network.recipe.checkpoints", "the checkpoint is damaged", "what was kept is damaged"),
    ("data.scenes.sea_and_forest", "0.", "1."),
)


def test_texts_for_people_and_drawn_scenes_are_in_no_key_of_a_number(edit: Edit) -> None:
    training = digest_training_code("efficientnet-lite0")
    assert count_lost_rows(0) == 2
    for module, old, new in TEXTS:
        edit(module, old, new)
        assert digest_training_code("efficientnet-lite0") == training, module
    assert count_lost_rows(0) == 0


def test_a_constant_of_the_augmentation_is_in_the_keys_of_trainings_and_of_views(edit: Edit) -> None:
    training = digest_training_code("efficientnet-lite0")
    assert (count_lost_rows(0), count_lost_rows(None)) == (2, 2)
    edit("network.augmentation", "2.0 * draws - 1.0", "2.0 * draws - 0.9")
    assert digest_training_code("efficientnet-lite0") != training
    assert count_lost_rows(0) == 2


def test_how_images_are_decoded_is_in_the_keys_of_trainings_and_of_all_rows(edit: Edit) -> None:
    training = digest_training_code("efficientnet-lite0")
    assert count_lost_rows(None) == 2
    edit("data.decoding", "BILINEAR", "BICUBIC")
    assert digest_training_code("efficientnet-lite0") != training
    assert count_lost_rows(None) == 2


def test_what_errors_say_is_in_no_key_of_a_stage(edit: Edit) -> None:
    before = digest_modules(["import scenebook.evaluation.baselines"])
    edit("evaluation.baselines", "Expected ", "We had hoped for ")
    assert digest_modules(["import scenebook.evaluation.baselines"]) == before
