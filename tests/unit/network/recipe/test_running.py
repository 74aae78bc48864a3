"""Training by a recipe, held against plain `fit`, interrupted, edited: a small network on a few images."""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest

from scenebook.core.errors import InputError, SettingsError
from scenebook.core.run_directory import RunDirectory
from scenebook.core.run_files import CHECKPOINT, FINISHED_FIT
from scenebook.core.settings import Settings
from scenebook.data.splitting import SplitImages
from scenebook.network import training
from scenebook.network.recipe.finishing import describe_model, finish_training
from scenebook.network.recipe.recipe import Recipe
from scenebook.network.recipe.running import Fit, build_seeded, open_first_phase, open_training, run_recipe
from scenebook.network.recipe.seeds import add_first_seed, repeat_training, summarize_seeds
from tests.recipes import load_recipe

pytestmark = pytest.mark.usefixtures("clean_keras")

SIDE, CLASSES = 32, 3
NUMBERS = [name for name in training.HISTORY_COLUMNS if name != "seconds"]
TWO_PHASES = {"trainable_base_layers": 0, "fine_tuning_epochs": 2, "fine_tuning_base_layers": 3}


def make_split(count: int, seed: int) -> SplitImages:
    """Random images, brighter for a higher class."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % CLASSES
    stored = (rng.integers(0, 120, (count, SIDE, SIDE, 3)) + 60 * labels[:, None, None, None]).astype(np.uint8)
    digests = [hashlib.sha256(image.tobytes()).hexdigest() for image in stored]
    return SplitImages(stored, np.arange(count), labels, [f"{n}.png" for n in range(count)], digests)


TRAIN, VALIDATION, TEST = make_split(22, 0), make_split(6, 1), make_split(6, 2)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of its own for each test."""
    monkeypatch.setenv("SCENEBOOK_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def make_settings(**changes: Any) -> Settings:
    given: dict[str, Any] = {"image_size": SIDE, "epochs": 2, "batch_size": 8, "head_units": 8}
    return Settings(**{**given, "frozen_layers_runtime": "tensorflow", "feature_cache_gb": 1, **changes})


def fit(recipe: Recipe | None = None, **changes: Any) -> Fit:
    return run_recipe(recipe or load_recipe(), make_settings(**changes), TRAIN, VALIDATION, num_classes=CLASSES)


@functools.cache
def fit_plainly(*changes: tuple[str, Any]) -> Fit:
    return fit(accelerate=False, feature_cache_gb=0, **dict(changes))


class Killed(Exception):
    pass


class KilledInEpoch(keras.callbacks.Callback):
    """Ends the training in the middle of an epoch, counted from 0 over all phases."""

    def __init__(self, epoch: int) -> None:
        super().__init__()
        self._epoch = epoch
        self._now = 0
        self.started: list[int] = []

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._now = epoch
        self.started.append(epoch)

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        if self._now == self._epoch and batch == 1:
            raise Killed


def fit_in(
    run_dir: RunDirectory, recipe: Recipe | None = None, killed: int = 99, **changes: Any
) -> tuple[Fit, list[int]]:
    """Trains as notebook 02 does, to the end unless it is killed; returns the epochs that were begun, too."""
    recipe, settings, callback = recipe or load_recipe(), make_settings(**changes), KilledInEpoch(killed)
    training.initialize_determinism(settings.seed)
    model = build_seeded(recipe.build_model, settings, CLASSES)
    with open_training(
        recipe, settings, TRAIN, VALIDATION, num_classes=CLASSES, run_dir=run_dir, callbacks=[callback]
    ) as data:
        recipe.train_model(model, data, settings)
    finish_training(run_dir, recipe, model, data)
    return Fit(model, data.keeper.history.history, data.keeper.phases, data.runtime), callback.started


@pytest.mark.parametrize("changes", [{"trainable_base_layers": 0}, {"trainable_base_layers": 3}, TWO_PHASES])
def test_with_and_without_acceleration_the_history_is_the_same(changes: dict[str, Any]) -> None:
    whole = fit_plainly(*changes.items())
    for _ in range(2):  # the second time from the feature cache
        fast = fit(**changes)
        pd.testing.assert_frame_equal(fast.history[NUMBERS], whole.history[NUMBERS], rtol=0, atol=1e-4)
    assert [phase.epochs for phase in fast.phases] == ([2, 2] if "fine_tuning_epochs" in changes else [2])
    for mine, expected in zip(fast.model.get_weights(), whole.model.get_weights(), strict=True):
        np.testing.assert_allclose(mine, expected, atol=1e-4)


def test_a_second_phase_trains_more_layers_and_keeps_their_batch_statistics() -> None:
    trained = fit(**TWO_PHASES)
    first, second = trained.phases
    assert (first.first_epoch, second.first_epoch) == (0, 2)
    assert second.frozen_layers <= first.frozen_layers
    base_model = trained.model.layers[0]
    assert not any(layer.trainable for layer in base_model.layers if isinstance(layer, keras.layers.BatchNormalization))


@pytest.mark.parametrize(("changes", "kills"), [({"epochs": 4}, [0, 1, 3]), (TWO_PHASES, [1, 2, 3])])
def test_an_interrupted_training_goes_on_to_the_same_network(
    run_dir: RunDirectory, changes: dict[str, Any], kills: list[int]
) -> None:
    whole = fit(**changes)
    for killed in kills:
        with pytest.raises(Killed):
            fit_in(run_dir, killed=killed, **changes)
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
    for edits, changes in (
        ([], {"learning_rate": 0.5}),
        ([("shear_range=settings.shear_range,", "shear_range=0.0,")], {}),
        ([('activation="relu"', 'activation="tanh"')], {}),
        ([("momentum=settings.momentum", "momentum=0.5")], {}),
    ):
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


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty"])
def test_a_damaged_checkpoint_is_told_of_and_not_used(
    run_dir: RunDirectory, damage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(Killed):
        fit_in(run_dir, killed=1)
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


def test_without_augmentation_each_image_goes_through_the_frozen_layers_once(cache: Path) -> None:
    ranges = ("rotation_range", "width_shift_range", "height_shift_range", "shear_range", "zoom_range")
    fit(**dict.fromkeys(ranges, 0), horizontal_flip=False)
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
    assert found == ["scenebook.network.embedded.preprocess_input", "notebook"]


def test_a_training_without_its_arguments_is_an_input_error(run_dir: RunDirectory) -> None:
    with pytest.raises(InputError, match="resume"):
        fit_in(run_dir, load_recipe(("**data.resume(part, epochs)", "epochs=epochs, shuffle=False, verbose=0")))
    with pytest.raises(SettingsError, match="trainable_base_layers=5000"):
        fit(trainable_base_layers=5000)


def test_further_seeds_are_trained_by_the_same_recipe(run_dir: RunDirectory) -> None:
    recipe, settings = load_recipe(('activation="relu"', 'activation="tanh"')), make_settings(seeds=3)
    parts = (TRAIN, VALIDATION, TEST)
    table = repeat_training(recipe, settings, *parts, num_classes=CLASSES, run_dir=run_dir, weights_sha256=None)
    expected = fit(recipe, seed=1).history.iloc[-1]
    assert table["seed"].tolist() == [1, 2]
    assert table["loss"].iloc[0] == pytest.approx(expected["loss"], abs=1e-6)
    again = repeat_training(recipe, settings, *parts, num_classes=CLASSES, run_dir=run_dir, weights_sha256=None)
    pd.testing.assert_frame_equal(again, table)
    whole = add_first_seed(table, seed=0, history=fit(recipe).history, test_accuracy=0.5)
    assert summarize_seeds(whole)["seeds"] == 3


def test_the_first_phase_is_reached_without_training(cache: Path) -> None:
    with open_first_phase(load_recipe(), make_settings(), TRAIN, VALIDATION, num_classes=CLASSES) as data:
        data.fill([0, 1])
    assert data.part is not None
    assert data.part.optimizer is not None
    files = {file: file.read_bytes() for file in cache.rglob("*.rows")}
    assert len(files) == 2
    fit()
    assert all(file.read_bytes() == content for file, content in files.items())
