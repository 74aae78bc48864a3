"""Several devices share a training, and it comes out as on one; in mixed precision it nearly does."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from scenebook.core.environment import build_environment
from scenebook.core.project import project_root
from scenebook.core.run_directory import RunDirectory
from scenebook.core.run_files import MODEL
from tests.unit.network.recipe.trainings import NUMBERS, TRAIN, fit_in


def test_a_training_that_two_devices_share_and_that_was_interrupted_is_that_of_one(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.whole.two_devices"]
    environment = build_environment() | {"SCENEBOOK_CACHE": str(tmp_path)}
    done = subprocess.run(command, cwd=project_root(), env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    one, two = json.loads(done.stdout.splitlines()[-1])
    assert (one["started"], two["started"]) == ([0, 1], [1])
    # Each of the two sums half of a batch, so that last digits differ, and each step makes more of it.
    np.testing.assert_allclose(two["numbers"], one["numbers"], rtol=0, atol=1e-4)


@pytest.mark.usefixtures("clean_keras")
def test_a_training_in_mixed_precision_leaves_a_network_in_float32(
    run_dir: RunDirectory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And takes neither features nor a finished training from one in float32."""
    monkeypatch.setenv("SCENEBOOK_CACHE", str(tmp_path / "cache"))
    exact, mixed = (fit_in(run_dir, epochs=1, precision=precision) for precision in ("float32", "mixed"))
    assert (exact[1], mixed[1]) == ([0], [0])
    np.testing.assert_allclose(mixed[0].history[NUMBERS], exact[0].history[NUMBERS], atol=0.02)
    assert not mixed[0].history[NUMBERS].equals(exact[0].history[NUMBERS])
    assert [phase.optimizer for phase in mixed[0].phases] == ["SGD"]
    saved = keras.saving.load_model(run_dir.require(MODEL), compile=False)
    assert {layer.compute_dtype for layer in saved._flatten_layers()} == {"float32"}
    images = np.ones((2, *TRAIN.stored.shape[1:]), np.float32)
    np.testing.assert_array_equal(saved.predict(images, verbose=0), mixed[0].model.predict(images, verbose=0))
