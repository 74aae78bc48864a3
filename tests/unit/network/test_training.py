from __future__ import annotations

import keras
import numpy as np
import pytest

from scenebook.core.errors import DivergedError
from scenebook.core.run_directory import RunDirectory
from scenebook.network import training

pytestmark = pytest.mark.usefixtures("clean_keras")


def make_model() -> keras.Sequential:
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, activation="softmax")])
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9), loss="categorical_crossentropy", metrics=["accuracy"])
    return model


def make_data(scale: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.normal(size=(12, 4)) * scale, np.eye(3)[rng.integers(0, 3, 12)]


def test_inverse_time_decay_is_the_legacy_decay_per_step() -> None:
    schedule = keras.optimizers.schedules.InverseTimeDecay(0.001, decay_steps=1, decay_rate=1e-2)
    for step in (0, 1, 7, 1000):
        assert float(schedule(step)) == pytest.approx(0.001 / (1 + 1e-2 * step), rel=1e-6)


def test_the_history_is_on_disk_after_every_epoch(run_dir: RunDirectory) -> None:
    writer = training.HistoryWriter(run_dir)
    images, labels = make_data()
    make_model().fit(images, labels, validation_data=(images, labels), epochs=2, callbacks=[writer], verbose=0)
    stored = run_dir.read_csv("training/history.csv")
    assert list(stored.columns) == training.HISTORY_COLUMNS
    assert list(stored["epoch"]) == [1, 2]
    assert stored["learning_rate"].tolist() == pytest.approx([0.1, 0.1])
    np.testing.assert_allclose(stored["val_loss"], writer.history["val_loss"], rtol=1e-8)


def test_a_loss_that_is_no_number_stops_training() -> None:
    images, labels = make_data()
    images[5] = np.nan
    with pytest.raises(
        DivergedError, match=r"loss=nan in epoch 1, batch \d.* learning_rate=0\.1\. Lower learning_rate"
    ):
        make_model().fit(
            images, labels, batch_size=4, verbose=0, shuffle=False, callbacks=[training.StopOnNonFiniteLoss()]
        )


def test_progress_goes_to_the_error_stream_only(capsys: pytest.CaptureFixture[str]) -> None:
    images, labels = make_data()
    make_model().fit(images, labels, epochs=2, verbose=0, callbacks=[training.ProgressLines()])
    captured = capsys.readouterr()
    assert captured.out == ""
    lines = captured.err.splitlines()
    assert len(lines) == 2
    assert lines[1].startswith("» epoch 2/2: accuracy 0.")


def test_equal_models_give_equal_files_without_an_optimizer(run_dir: RunDirectory) -> None:
    model = make_model()
    images, labels = make_data()
    model.fit(images, labels, verbose=0)
    training.save_model(run_dir, model, "a.keras")
    training.save_model(run_dir, model, "b.keras")
    assert run_dir.path("a.keras").read_bytes() == run_dir.path("b.keras").read_bytes()
    loaded = keras.models.load_model(run_dir.path("a.keras"), safe_mode=True)
    assert getattr(loaded, "optimizer", None) is None
    np.testing.assert_array_equal(loaded.predict(images, verbose=0), model.predict(images, verbose=0))


def test_predictions_name_the_most_probable_class() -> None:
    probs = np.array([[0.2, 0.8], [0.6, 0.4]])
    table = training.make_predictions(["a/1.png", "b/2.png"], np.array([1, 1]), probs, ["cat", "dog"])
    assert table.to_dict("records") == [
        {"path": "a/1.png", "label": "dog", "predicted": "dog", "confidence": 0.8, "p_cat": 0.2, "p_dog": 0.8},
        {"path": "b/2.png", "label": "dog", "predicted": "cat", "confidence": 0.6, "p_cat": 0.6, "p_dog": 0.4},
    ]
