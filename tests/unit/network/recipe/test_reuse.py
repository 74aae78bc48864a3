"""Nothing is kept or taken where the notebook would give something else."""

from __future__ import annotations

from typing import Any

import keras
import pytest

from scenebook.core.errors import InputError
from scenebook.core.run_directory import RunDirectory
from tests.recipes import load_recipe
from tests.unit.network.recipe.test_running import BLACK
from tests.unit.network.recipe.trainings import fit, fit_in

pytestmark = pytest.mark.usefixtures("clean_keras")


@pytest.mark.parametrize(
    "returned",
    [
        "factor = tf.random.stateless_uniform((), seeds[0], 0.7, 1.3)\n    return factor * make_views(images, seeds)",
        "views = make_views(images, seeds)\n    return views - tf.reduce_mean(views)",
    ],
)
def test_views_that_depend_on_their_batch_are_not_kept(
    returned: str, cache: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    fit(load_recipe((BLACK[0], f"    {returned}")), epochs=1)
    assert "in its batch" in capsys.readouterr().err
    assert not list(cache.rglob("*.rows"))


def test_frozen_layers_with_code_of_their_own_are_not_kept(cache: Any, capsys: pytest.CaptureFixture[str]) -> None:
    own = ("base_model, *head]", "layers.Lambda(lambda images: 2 * images), base_model, *head]")
    numbered = ("model.layers[0]", "model.layers[1]")
    fit(load_recipe(own, numbered), epochs=1)
    assert "has code of its own" in capsys.readouterr().err
    assert not list(cache.rglob("*.rows"))


FIT = (
    "rest = data.resume(part, epochs, make_callbacks(settings))\n"
    "        part.fit(train_ds, validation_data=val_ds, class_weight=weights, **rest)"
)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ("for _ in (0, 1):\n            part.fit(train_ds, **given)", "anew for each `fit`"),
        ("part.fit(train_ds, **{**given, 'callbacks': [*given['callbacks'], stop]})", "callbacks="),
        ("compile_model(part, 0.5, settings)\n        part.fit(train_ds, **given)", "Compile it first"),
        ("data.resume(keras.Sequential([keras.Input((2,)), layers.Dense(2)]), 1)", "is compiled"),
    ],
)
def test_a_training_whose_state_would_be_another_is_refused(run_dir: RunDirectory, call: str, said: str) -> None:
    stop = "stop = keras.callbacks.EarlyStopping()"
    given = f"{stop}\n        given = data.resume(part, epochs)\n        {call}"
    with pytest.raises(InputError) as raised:
        fit_in(run_dir, load_recipe((FIT, given)), epochs=1)
    assert said in str(raised.value)


def test_what_follows_fit_is_not_done_twice_to_a_training_that_is_loaded(run_dir: RunDirectory) -> None:
    doubled = (FIT, f"{FIT}\n        part.set_weights([2 * w for w in part.get_weights()])")
    first, _ = fit_in(run_dir, load_recipe(doubled), epochs=1)
    again, started = fit_in(run_dir, load_recipe(doubled), epochs=1)
    assert started == []
    for mine, expected in zip(again.model.get_weights(), first.model.get_weights(), strict=True):
        assert (mine == expected).all()


def test_what_keras_is_set_to_counts(run_dir: RunDirectory) -> None:
    fit_in(run_dir, epochs=1)
    before = keras.config.epsilon()
    keras.config.set_epsilon(1e-3)
    try:
        assert fit_in(run_dir, epochs=1)[1] == [0]
    finally:
        keras.config.set_epsilon(before)
