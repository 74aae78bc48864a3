"""No edit of the recipe is ever trained on what was kept for another: held against a fresh cache, edit by edit."""

from __future__ import annotations

import random
import re
import shutil
import sys
import traceback
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from scenebook.core.run_directory import RunDirectory
from scenebook.network.recipe.recipe import Recipe
from scenebook.network.recipe.source import load_source
from tests.recipes import RECIPE
from tests.unit.network.recipe.edits import BESIDE, edit_recipe
from tests.unit.network.recipe.trainings import NUMBERS, fit_in

pytestmark = pytest.mark.usefixtures("clean_keras")

MUTANTS = 60


def train(source: str, run_dir: RunDirectory, changes: dict[str, Any]) -> np.ndarray | str:
    """Returns the numbers of a training's history, or the error that it ends with."""
    keras.backend.clear_session()
    keras.utils.set_random_seed(0)
    sys.modules.pop(BESIDE, None)
    try:
        recipe = Recipe(vars(load_source(source)))
        return fit_in(run_dir, recipe, **{"image_size": 32, "epochs": 2, **changes})[0].history[NUMBERS].to_numpy()
    except Exception as error:
        # Addresses and the names of tensors differ; what is raised where does not.
        last = traceback.extract_tb(error.__traceback__)[-1]
        return f"{type(error).__name__} in {last.name}: {re.sub(r'[0-9].*', '', str(error), flags=re.DOTALL)}"


def check_edits(folder: Path, seed: int, count: int, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Trains each mutant twice; returns the errors of those that failed."""
    rng = random.Random(seed)
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    warm = RunDirectory(folder / "warm" / "run")
    failed = []
    for number in range(count + 1):
        source, changes = edit_recipe(RECIPE(), rng) if number else (RECIPE(), {})
        by = rng.choice([0.3, 0.6, 0.9])
        (folder / f"{BESIDE}.py").write_text(f"def shade(images):\n    return images * {by}\n", encoding="utf-8")
        found = []
        for run_dir, name in ((warm, "warm"), (RunDirectory(folder / "fresh" / "run"), "fresh")):
            monkeypatch.setenv("SCENEBOOK_CACHE", str(folder / name / "cache"))
            found.append(train(source, run_dir, changes))
        shutil.rmtree(folder / "fresh", ignore_errors=True)
        np.testing.assert_array_equal(found[0], found[1], err_msg=f"mutant {number}, {changes}:\n{source}")
        failed += [found[0]] if isinstance(found[0], str) else []
    return failed


def test_a_few_random_edits_are_trained_as_with_a_fresh_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(check_edits(tmp_path, 0, 3, monkeypatch)) < 3


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 5))
def test_many_random_edits_are_trained_as_with_a_fresh_cache(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = check_edits(tmp_path, seed, MUTANTS // 4, monkeypatch)
    assert len(failed) < MUTANTS // 8, failed
