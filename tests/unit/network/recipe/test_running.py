"""Training by a recipe, held against plain `fit`, interrupted, edited: a small network on a few images."""

from __future__ import annotations

import random
import threading
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest

from scenebook.core.errors import InputError, SettingsError
from scenebook.core.run_directory import RunDirectory
from scenebook.core.run_files import CHECKPOINT, FINISHED_FIT
from scenebook.core.settings import NO_AUGMENTATION
from scenebook.network.backbones import build_backbone
from scenebook.network.pretrained import add_features
from scenebook.network.recipe.finishing import describe_model
from scenebook.network.recipe.running import build_seeded, open_first_phase, run_recipe
from tests.recipes import load_recipe
from tests.unit.network.recipe.trainings import (
    CLASSES,
    NUMBERS,
    SIDE,
    TRAIN,
    VALIDATION,
    check_against_keras,
    fit,
    fit_in,
    fit_plainly,
    make_settings,
)

pytestmark = pytest.mark.usefixtures("clean_keras")

TWO_PHASES: dict[str, Any] = {"trainable_base_layers": 0, "fine_tune_epochs": 2, "fine_tune_layers": 3}


class Killed(Exception):
    pass


class KilledInEpoch(keras.callbacks.Callback):
    """Ends the training in the middle of an epoch, counted from 0 over all phases."""

    def __init__(self, epoch: int) -> None:
        super().__init__()
        self._epoch = epoch
        self._now = 0

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._now = epoch

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        if self._now == self._epoch and batch == 1:
            raise Killed


# tests/whole/test_equality.py has the other cuts, the other runtime, and the feature cache filled and read.
@pytest.mark.parametrize("accelerate", [True, False])
def test_training_by_the_recipe_is_training_as_keras_has_it(accelerate: bool) -> None:
    check_against_keras(3, accelerate=accelerate)


@pytest.mark.parametrize("changes", [{"trainable_base_layers": 0}, {"trainable_base_layers": 3}, TWO_PHASES])
def test_with_and_without_acceleration_the_history_is_the_same(changes: dict[str, Any]) -> None:
    whole = fit_plainly(*changes.items())
    for _ in range(2):  # the second time from the feature cache
        fast = fit(**changes)
        pd.testing.assert_frame_equal(fast.history[NUMBERS], whole.history[NUMBERS], rtol=0, atol=1e-4)
    assert [phase.epochs for phase in fast.phases] == ([2, 2] if "fine_tune_epochs" in changes else [2])
    for mine, expected in zip(fast.model.get_weights(), whole.model.get_weights(), strict=True):
        np.testing.assert_allclose(mine, expected, atol=1e-4)


def test_views_in_turn_are_those_of_the_first_epochs_in_both_phases(cache: Path) -> None:
    changes = {**TWO_PHASES, "fine_tune_epochs": 1, "views": 2}
    whole, fast = fit_plainly(*changes.items()), fit(**changes)
    pd.testing.assert_frame_equal(fast.history[NUMBERS], whole.history[NUMBERS], rtol=0, atol=1e-4)
    assert {file.name.partition("-")[0] for file in cache.rglob("*.rows")} == {"0", "1", "plain.rows"}


def test_images_that_were_made_to_fit_in_another_way_share_no_features(cache: Path) -> None:
    for fits in ("squash", "crop"):
        with open_first_phase(load_recipe(), make_settings(fit=fits), TRAIN, VALIDATION, num_classes=CLASSES) as data:
            data.fill([0])
    assert len(list(cache.rglob("*.rows"))) == 2


def test_a_second_phase_trains_more_layers_and_keeps_their_batch_statistics() -> None:
    trained = fit(**TWO_PHASES)
    first, second = trained.phases
    assert (first.first_epoch, second.first_epoch) == (0, 2)
    assert second.frozen_layers <= first.frozen_layers
    base_model = trained.model.layers[0]
    assert not any(layer.trainable for layer in base_model.layers if isinstance(layer, keras.layers.BatchNormalization))


@pytest.mark.parametrize(("changes", "kills"), [({"epochs": 4, "views": 3}, [0, 1, 3]), (TWO_PHASES, [1, 2, 3])])
def test_an_interrupted_training_goes_on_to_the_same_network(
    run_dir: RunDirectory, changes: dict[str, Any], kills: list[int]
) -> None:
    whole = fit(**changes)
    for killed in kills:
        with pytest.raises(Killed):
            fit_in(run_dir, callbacks=[KilledInEpoch(killed)], **changes)
    resumed, started = fit_in(run_dir, **changes)
    assert started == list(range(kills[-1], 4))
    np.testing.assert_array_equal(resumed.history[NUMBERS], whole.history[NUMBERS])
    for mine, expected in zip(resumed.model.get_weights(), whole.model.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, expected)


def test_a_finished_training_is_loaded_unless_anything_of_it_changed(
    run_dir: RunDirectory, capsys: pytest.CaptureFixture[str]
) -> None:
    first, _ = fit_in(run_dir)
    saved = run_dir.path("training/model.keras").read_bytes()
    again, started = fit_in(run_dir)
    assert started == []
    assert again.phases == first.phases
    np.testing.assert_array_equal(again.history, first.history)
    assert run_dir.path("training/model.keras").read_bytes() == saved
    assert "nothing of the training has changed" in capsys.readouterr().err
    edited: list[tuple[list[tuple[str, str]], dict[str, Any]]] = [
        ([], {"learning_rate": 0.5}),
        ([("shear_range=settings.shear_range,", "shear_range=0.0,")], {}),
        ([('activation="relu"', 'activation="tanh"')], {}),
        ([("momentum=settings.momentum", "momentum=0.5")], {}),
    ]
    for edits, changes in edited:
        assert fit_in(run_dir, load_recipe(*edits), **changes)[1] == [0, 1]
        assert fit_in(run_dir)[1] == [0, 1]
    run_dir.path("training/model.keras").write_bytes(saved[:-1])
    assert fit_in(run_dir)[1] == [0, 1]


def test_what_cannot_be_compared_is_never_loaded(run_dir: RunDirectory) -> None:
    recipe = (
        ("def prepare(", "import time\n\n\ndef prepare("),
        ("    if training:\n", "    if training and time.time():\n"),
    )
    for _ in range(2):
        assert fit_in(run_dir, load_recipe(*recipe))[1] == [0, 1]
        assert not run_dir.path(FINISHED_FIT).exists()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"learning_rate": 0.5}, "the checkpoint is not used: learning_rate: 0.001 -> 0.5"),
        ({"epochs": 3}, "the checkpoint is not used: epochs: 2 -> 3"),
        ({"head_units": 4}, "the checkpoint is not used: head_units: 8 -> 4"),
        ({"feature_cache_gb": 0}, "training goes on after epoch 1"),
    ],
)
def test_a_checkpoint_of_another_training_is_never_used(
    run_dir: RunDirectory, changes: dict[str, Any], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(Killed):
        fit_in(run_dir, callbacks=[KilledInEpoch(1)])
    assert fit_in(run_dir, **changes)[1][0] == ("feature_cache_gb" in changes)
    assert said in capsys.readouterr().err


def test_other_first_weights_are_another_training(
    run_dir: RunDirectory, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """The recipe and the name of the weights are the same; the file has changed."""
    file = tmp_path / "own.weights.h5"
    for seed in (0, 1):
        build_backbone("efficientnet-lite0", image_size=SIDE, weights="random", seed=seed).save_weights(file)
        assert fit_in(run_dir, weights=str(file))[1] == [0, 1]
        assert fit_in(run_dir, weights=str(file))[1] == []
    assert "the finished training is not used: first weights: " in capsys.readouterr().err


def test_what_other_threads_draw_does_not_change_the_first_weights() -> None:
    """In a worker of dask, others draw from Python's generator while a network is built."""
    expected = fit(epochs=1).history["loss"]
    ended = threading.Event()

    def draw() -> None:
        # Often within each step of building a network, and without keeping the interpreter for itself.
        while not ended.wait(0.0005):
            random.random()

    thread = threading.Thread(target=draw)
    thread.start()
    try:
        assert fit(epochs=1).history["loss"].equals(expected)
    finally:
        ended.set()
        thread.join()


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty"])
def test_a_damaged_checkpoint_is_told_of_and_not_used(
    run_dir: RunDirectory, damage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(Killed):
        fit_in(run_dir, callbacks=[KilledInEpoch(1)])
    file = run_dir.path(CHECKPOINT)
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes({"cut": bytes(content[:-2000]), "flipped": bytes(content), "empty": b""}[damage])
    assert fit_in(run_dir)[1] == [0, 1]
    assert "the checkpoint is damaged and is not used" in capsys.readouterr().err


BLACK = ("    return make_views(images, seeds)", "    return 0.0 * make_views(images, seeds)")


def test_an_edited_augmentation_neither_takes_nor_leaves_features_of_another(cache: Path) -> None:
    """The cache is warm from the unedited recipe, then from the edited one."""
    unedited, edited = fit(), fit(load_recipe(BLACK))
    assert not np.allclose(unedited.history["loss"], edited.history["loss"])
    cache.rename(cache.with_name("other"))
    np.testing.assert_array_equal(fit(load_recipe(BLACK)).history[NUMBERS], edited.history[NUMBERS])
    np.testing.assert_array_equal(fit().history[NUMBERS], unedited.history[NUMBERS])


def test_views_that_a_layer_draws_by_itself_are_not_kept(capsys: pytest.CaptureFixture[str], cache: Path) -> None:
    bright = ("def augment(", "brighter = layers.RandomBrightness(0.5, seed=1)\n\n\ndef augment(")
    fit(load_recipe(bright, (BLACK[0], "    return brighter(make_views(images, seeds), training=True)")))
    assert "feature cache: not used" in capsys.readouterr().err
    assert not list(cache.rglob("*.rows"))


@pytest.mark.parametrize(
    "mixed", ["images - tf.reduce_mean(images)", "0.6 * images + 0.4 * tf.roll(images, 1, 0)", "images[::-1]"]
)
def test_images_that_depend_on_their_batch_are_not_kept(
    mixed: str, capsys: pytest.CaptureFixture[str], cache: Path
) -> None:
    edit = ("    return make_views(images, seeds)", f"    images = make_views(images, seeds)\n    return {mixed}")
    with open_first_phase(load_recipe(edit), make_settings(), TRAIN, VALIDATION, num_classes=CLASSES) as data:
        data.fill([0])
    assert "feature cache: not used" in capsys.readouterr().err
    assert not list(cache.rglob("*.rows"))


def test_views_and_images_that_differ_in_a_value_alone_are_kept_apart(cache: Path) -> None:
    """TensorFlow does the same to both: only the variables that it reads are others."""
    recipe = load_recipe(
        ("def prepare(", "LEVELS = [tf.Variable(0.5), tf.Variable(1.0)]\n\n\ndef prepare("),
        ("        images = augment(images, seeds, settings)", "        pass"),
        ("return preprocess_input(tf.cast(images, tf.float32))",
         "return preprocess_input(tf.cast(images, tf.float32) * LEVELS[0 if training else 1])"),
    )  # fmt: skip
    with open_first_phase(recipe, make_settings(), TRAIN, VALIDATION, num_classes=CLASSES) as data:
        data.fill([0])
        data.predict(TRAIN)
    assert len(list(cache.rglob("*.rows"))) == 2


def test_without_augmentation_each_image_goes_through_the_frozen_layers_once(cache: Path) -> None:
    fit(**NO_AUGMENTATION)
    assert [file.name for file in cache.rglob("*.rows")] == ["plain.rows"]


def test_the_cache_is_shared_by_recipes_that_differ_behind_it(cache: Path) -> None:
    fit()
    files = {file: file.read_bytes() for file in cache.rglob("*.rows")}
    fit(load_recipe(('activation="relu"', 'activation="tanh"')), learning_rate=0.01)
    assert {file: file.read_bytes() for file in cache.rglob("*.rows")} == files


FUNCTIONAL = """
def build_model(settings, num_classes):
    base_model = backbones.build_backbone(settings.backbone, image_size=settings.image_size, weights="random")
    base_model.trainable = False
    images = keras.Input((settings.image_size, settings.image_size, 3))
    features = layers.GlobalAveragePooling2D()(base_model(images, training=False))
    outputs = layers.Dense(num_classes, activation="softmax")(layers.Dropout(0.2)(features))
    return keras.Model(images, outputs)


def train_model(model, data, settings):
    part, train_ds, val_ds = data.accelerate(model)
    part.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
    part.fit(train_ds, validation_data=val_ds, **data.resume(part, settings.epochs))
"""


def test_a_functional_model_of_another_kind_is_trained_saved_and_described(run_dir: RunDirectory) -> None:
    recipe = load_recipe(("def train_model(", f"{FUNCTIONAL}\n\ndef unused("))
    trained, _ = fit_in(run_dir, recipe)
    (phase,) = trained.phases
    assert phase.optimizer == "Adam"
    loaded = keras.saving.load_model(run_dir.require("training/model.keras"), safe_mode=True, compile=False)
    images = np.zeros((1, SIDE, SIDE, 3), np.float32)
    np.testing.assert_allclose(loaded.predict(images, verbose=0), trained.model.predict(images, verbose=0))
    probs, features = add_features(loaded, {}).predict(images, verbose=0)
    assert probs.shape == (1, CLASSES)
    assert features.ndim == 2
    probs = run_recipe(recipe, make_settings(), TRAIN, VALIDATION, num_classes=CLASSES, predict=True).val_probs
    assert probs is not None
    assert probs.shape == (len(VALIDATION), CLASSES)
    told = describe_model(recipe.prepare, make_settings(), trained.model, TRAIN)
    assert told["trainable_base_layers"] == 0
    assert any("Dropout" in layer for layer in told["head"])


def test_a_base_model_of_the_notebooks_own_is_not_called_by_the_settings_name() -> None:
    own = FUNCTIONAL.replace(
        'backbones.build_backbone(settings.backbone, image_size=settings.image_size, weights="random")',
        "keras.applications.MobileNetV2(input_shape=(32, 32, 3), include_top=False, weights=None, alpha=0.35)",
    )
    recipe = load_recipe(("def train_model(", f"{own}\n\ndef unused("))
    told = describe_model(recipe.prepare, make_settings(), recipe.build_model(make_settings(), CLASSES), TRAIN)
    assert told["backbone"].startswith("mobilenetv2")
    assert told["weights"] == "notebook"


def test_the_preprocessing_is_named_when_it_has_a_name() -> None:
    settings, model = make_settings(), build_seeded(load_recipe().build_model, make_settings(), CLASSES)
    own = load_recipe(("preprocess_input(tf.cast(images, tf.float32))", "tf.cast(images, tf.float32) / 100"))
    found = [describe_model(recipe.prepare, settings, model, TRAIN)["preprocessing"] for recipe in (load_recipe(), own)]
    assert found == ["scenebook.network.efficientnet_lite.preprocess_input", "notebook"]


def test_a_training_without_its_arguments_is_an_input_error(run_dir: RunDirectory) -> None:
    with pytest.raises(InputError, match="resume"):
        fit_in(run_dir, load_recipe(("**rest", "epochs=epochs, shuffle=False, verbose=0")))
    with pytest.raises(SettingsError, match="trainable_base_layers=5000"):
        fit(trainable_base_layers=5000)


def test_the_first_phase_is_reached_without_training(cache: Path) -> None:
    with open_first_phase(load_recipe(), make_settings(), TRAIN, VALIDATION, num_classes=CLASSES) as data:
        data.fill([0, 1])
    assert data.part is not None
    assert data.part.optimizer is not None
    files = {file: file.read_bytes() for file in cache.rglob("*.rows")}
    assert len(files) == 2
    fit()
    assert all(file.read_bytes() == content for file, content in files.items())
