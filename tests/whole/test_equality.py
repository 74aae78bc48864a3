"""The trainable layers alone, held against Keras' `fit` of the whole model: each cut, runtime and state of the
cache."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from tests.unit.network.recipe.trainings import NUMBERS, check_against_keras, fit

pytestmark = pytest.mark.usefixtures("clean_keras")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache of its own for each test."""
    monkeypatch.setenv("SCENEBOOK_CACHE", str(tmp_path / "cache"))


@pytest.mark.parametrize(
    ("trained", "sizes", "runtime"),
    # Streaming, filling the feature cache, reading it.
    [(0, [0], "tensorflow"), (3, [0, 1, 1], "tensorflow"), (3, [0, 1, 1], "openvino"), (20, [0], "openvino")],
)
def test_training_the_tail_is_training_the_model(trained: int, sizes: list[int], runtime: str) -> None:
    for feature_cache_gb in sizes:
        check_against_keras(trained, feature_cache_gb=feature_cache_gb, frozen_layers_runtime=runtime)


def test_numbers_do_not_depend_on_what_the_feature_cache_holds() -> None:
    first, *others = [fit(feature_cache_gb=size, frozen_layers_runtime="auto") for size in (0, 1, 1)]
    for other in others:
        pd.testing.assert_frame_equal(other.history[NUMBERS], first.history[NUMBERS])
