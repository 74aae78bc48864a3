from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from scenebook.notebook.figures.training import CutDisplay, HistoryDisplay
from tests.unit.notebook.figures.test_network import texts_of


@pytest.fixture
def history() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "epoch": np.arange(1, 9),
            "loss": np.linspace(2, 0.5, 8),
            "accuracy": np.linspace(0.4, 0.9, 8),
            "val_loss": np.linspace(2.1, 0.9, 8),
            "val_accuracy": np.linspace(0.35, 0.85, 8),
        }
    )


@pytest.mark.parametrize("metric", ["loss", "accuracy"])
def test_both_curves_are_drawn_by_epoch(history: pd.DataFrame, metric: str) -> None:
    display = HistoryDisplay.from_history(history, metric).plot()  # type: ignore[arg-type]
    training, validation = display.ax_.get_lines()
    np.testing.assert_array_equal(training.get_xydata(), history[["epoch", metric]])
    np.testing.assert_array_equal(validation.get_xydata(), history[["epoch", f"val_{metric}"]])
    assert display.ax_.get_legend_handles_labels()[1] == ["training", "validation"]
    assert metric in display.ax_.get_ylabel()


def test_curves_differ_by_more_than_colour(history: pd.DataFrame) -> None:
    training, validation = HistoryDisplay.from_history(history).plot().ax_.get_lines()
    assert training.get_linestyle() != validation.get_linestyle()
    assert training.get_marker() != validation.get_marker()


def test_accuracy_is_labelled_in_percent(history: pd.DataFrame) -> None:
    ax = HistoryDisplay.from_history(history, "accuracy").plot().ax_
    assert ax.yaxis.get_major_formatter()(0.875, 0) == "87.5"
    assert ax.get_ylabel() == "accuracy (%)"


def test_history_without_validation_has_one_curve(history: pd.DataFrame) -> None:
    for given in (history[["loss"]], history.assign(val_loss=np.nan)):
        display = HistoryDisplay.from_history(given).plot()
        assert display.validation is None
        assert len(display.ax_.get_lines()) == 1
        np.testing.assert_array_equal(display.epochs, np.arange(1, 9))


def test_one_epoch_shows_as_points(history: pd.DataFrame) -> None:
    display = HistoryDisplay.from_history(history.head(1)).plot()
    assert list(display.ax_.get_xticks()) == [1]
    assert all(line.get_marker() not in ("", "None") for line in display.ax_.get_lines())


@pytest.mark.parametrize("epochs", [1, 2, 3, 8, 57, 1000])
def test_epochs_are_whole_numbers(epochs: int) -> None:
    ax = HistoryDisplay.from_history(pd.DataFrame({"loss": np.linspace(1, 0, epochs)})).plot().ax_
    np.testing.assert_array_equal(ax.get_xticks() % 1, 0)
    assert len(ax.get_xticks()) <= 13


def test_epochs_of_a_resumed_run_keep_their_numbers(history: pd.DataFrame) -> None:
    np.testing.assert_array_equal(HistoryDisplay.from_history(history.tail(3)).epochs, [6, 7, 8])


def test_loss_that_is_not_a_number_leaves_a_gap(history: pd.DataFrame) -> None:
    history.loc[7, "loss"] = np.nan
    display = HistoryDisplay.from_history(history).plot()
    display.figure_.canvas.draw()
    assert np.isnan(display.training[-1])


def test_the_description_of_a_history_tells_the_trend_and_the_best_epoch() -> None:
    history = pd.DataFrame(
        {
            "epoch": [1, 2, 3],
            "loss": [0.9, 0.5, 0.4],
            "val_loss": [0.8, 0.6, 0.7],
            "accuracy": [0.5, 0.7, 0.8],
            "val_accuracy": [0.7, 0.8, 0.6],
        }
    )
    assert HistoryDisplay.from_history(history, "loss").describe() == (
        "3 epochs. Training loss falls from 0.900 to 0.400, is lowest in epoch 3 (0.400) and never rises. "
        "Validation loss falls from 0.800 to 0.700, is lowest in epoch 2 (0.600) and rises again in 1 of 2 steps."
    )
    accuracy = HistoryDisplay.from_history(history, "accuracy")
    assert accuracy.describe().endswith("is highest in epoch 2 (0.800) and falls again in 1 of 2 steps.")
    first = HistoryDisplay.from_history(history[:1])
    assert first.describe() == "1 epoch. Training loss is 0.900. Validation loss is 0.800."
    unmeasured = HistoryDisplay.from_history(history.assign(val_loss=np.nan))
    assert unmeasured.describe().endswith("Validation loss has no values.")


def test_it_tells_the_size_of_both_parts_and_of_what_passes_between_them() -> None:
    display = CutDisplay((172, 23_000), (1, 6_300), [(5, 5, 2048), (5, 5, 1024)]).plot()
    assert {"172 layers", "1 layer", "23,000 parameters", "6,300 parameters"} <= texts_of(display)
    assert {"5 × 5 × 2048", "5 × 5 × 1024"} <= texts_of(display)


def test_many_tensors_are_counted() -> None:
    assert "5 tensors" in texts_of(CutDisplay((3, 9), (4, 16), [(2, 2, 8)] * 5).plot())


def test_a_long_number_stays_in_its_box() -> None:
    display = CutDisplay((3, 9), (4, 123_456_789_012), [(8,)]).plot()
    assert not any("123,456,789,012 parameters" in text for text in texts_of(display))
