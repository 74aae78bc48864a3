"""The trainable layers alone, held against Keras' `fit` of the whole model: each cut, runtime and state of the
cache."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tests.unit.network.test_fitting import cache, check_the_tail, fit_tail, fit_whole_model, make_settings  # noqa: F401

pytestmark = pytest.mark.usefixtures("clean_keras")


@pytest.mark.parametrize(
    ("trained", "sizes", "runtime"),
    # Streaming, filling the feature cache, reading it.
    [(0, [0], "tensorflow"), (3, [0, 1, 1], "tensorflow"), (3, [0, 1, 1], "openvino"), (20, [0], "openvino")],
)
def test_training_the_tail_is_training_the_model(trained: int, sizes: list[int], runtime: str) -> None:
    check_the_tail(trained, sizes, runtime)


def test_numbers_do_not_depend_on_what_the_feature_cache_holds() -> None:
    settings = make_settings()
    _, exact = fit_whole_model(settings.trainable_base_layers)
    fits = [fit_tail(settings.updated({"feature_cache_gb": feature_cache_gb})) for feature_cache_gb in (0, 1, 1)]
    for fit in fits[1:]:
        pd.testing.assert_frame_equal(fit.history.drop(columns="seconds"), fits[0].history.drop(columns="seconds"))
    np.testing.assert_allclose(fits[0].history["loss"], exact["loss"], rtol=1e-3)
