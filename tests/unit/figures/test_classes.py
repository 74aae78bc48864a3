from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from scenebook.errors import InputError
from scenebook.figures import ClassCountsDisplay, PerClassDisplay


def make_counts(num_classes: int) -> pd.DataFrame:
    rng = np.random.default_rng(num_classes)
    return pd.DataFrame(
        {
            split: rng.integers(1, most, num_classes)
            for split, most in [("train", 900), ("validation", 90), ("test", 300)]
        },
        index=[f"class {number}" for number in range(num_classes)],
    )


def make_report(num_classes: int) -> pd.DataFrame:
    scores = np.random.default_rng(num_classes).uniform(0.5, 1, (num_classes, 3))
    names = [f"class {number}" for number in range(num_classes)]
    return pd.DataFrame(scores, columns=["precision", "recall", "f1"], index=names)


def widths(display: ClassCountsDisplay) -> np.ndarray:
    return np.array([[bar.get_width() for bar in bars] for bars in display.ax_.containers])


def row_names(display: ClassCountsDisplay | PerClassDisplay) -> list[str]:
    return [label.get_text() for label in display.ax_.get_yticklabels()]


@pytest.mark.parametrize("num_classes", [2, 6, 12, 13, 40])
def test_every_class_has_its_count_in_every_split(num_classes: int) -> None:
    counts = make_counts(num_classes)
    display = ClassCountsDisplay(counts).plot()
    np.testing.assert_array_equal(widths(display), counts.to_numpy().T)
    assert row_names(display) == list(counts.index)
    assert display.ax_.yaxis_inverted(), "the first class is at the top"
    assert display.ax_.get_legend_handles_labels()[1] == ["train", "validation", "test"]


def test_numbers_stand_at_the_bars() -> None:
    few = ClassCountsDisplay(pd.DataFrame({"train": [1234, 5], "test": [0, 7]}, index=["a", "b"])).plot()
    assert [text.get_text() for text in few.ax_.texts] == ["1,234", "5", "0", "7"]
    counts = make_counts(20)
    many = ClassCountsDisplay(counts).plot()
    assert [text.get_text() for text in many.ax_.texts] == [
        str(total) for total in counts.sum(axis=1).map("{:,}".format)
    ]


@pytest.mark.parametrize("num_classes", [41, 1000])
def test_many_classes_are_shown_by_their_extremes(num_classes: int) -> None:
    counts = make_counts(num_classes)
    display = ClassCountsDisplay(counts).plot()
    totals = counts.sum(axis=1).sort_values(ascending=False)
    shown = display.shown.sum(axis=1)
    np.testing.assert_array_equal(shown, [*totals.iloc[:20], *totals.iloc[-20:]])
    assert display.left_out == num_classes - 40
    notes = [text.get_text() for text in display.ax_.texts if "more classes" in text.get_text()]
    assert notes == [
        f"{num_classes - 40} more classes of {totals.iloc[20:-20].min():,} to {totals.iloc[20:-20].max():,} pictures"
    ]
    assert display.figure_.get_figheight() < 9


def test_splits_keep_their_colours_whatever_their_order() -> None:
    counts = make_counts(3)
    colors = [
        {bars.get_label(): bars[0].get_facecolor() for bars in ClassCountsDisplay(frame).plot().ax_.containers}
        for frame in (counts, counts[["test", "train"]])
    ]
    assert colors[0]["train"] == colors[1]["train"]
    assert len(set(colors[0].values())) == 3


@pytest.mark.parametrize("display", [ClassCountsDisplay, PerClassDisplay])
def test_long_and_hostile_names_show_as_text_and_leave_room(
    display: type[ClassCountsDisplay | PerClassDisplay],
) -> None:
    names = ["$x$", "<b>", "x" * 255, "y\0", f"{'z' * 100}1", f"{'z' * 100}2"]
    data = pd.concat([make_counts(6), make_report(6)], axis=1).set_axis(names)
    given = data[["train", "test"]] if display is ClassCountsDisplay else data[["precision", "recall", "f1"]]
    drawn = display(given).plot()
    drawn.figure_.canvas.draw()
    assert row_names(drawn)[:2] == ["$x$", "<b>"]
    assert len(set(row_names(drawn))) == 6
    assert not any(label.get_parse_math() for label in drawn.ax_.get_yticklabels())
    assert drawn.ax_.get_position().width > 0.4


def test_counts_without_classes_are_an_error() -> None:
    with pytest.raises(InputError, match=r"Expected counts of at least one class and split.*Received: shape="):
        ClassCountsDisplay(pd.DataFrame({"train": []}))


def test_all_classes_may_be_empty() -> None:
    ClassCountsDisplay(pd.DataFrame({"train": [0, 0]}, index=["a", "b"])).plot().figure_.canvas.draw()


def test_scores_are_drawn_a_row_a_class() -> None:
    report = make_report(6)
    display = PerClassDisplay(report).plot()
    drawn = {dots.get_label(): np.asarray(dots.get_offsets()) for dots in display.ax_.collections[1:]}
    for score in ("precision", "recall", "f1"):
        np.testing.assert_array_equal(drawn[score][:, 0], report[score])
        np.testing.assert_array_equal(drawn[score][:, 1], np.arange(6))
    assert row_names(display) == list(report.index)


def test_of_many_classes_the_worst_are_shown() -> None:
    report = make_report(100)
    display = PerClassDisplay(report).plot()
    np.testing.assert_array_equal(display.shown["f1"], np.sort(report["f1"])[:40])
    assert display.left_out == 60
    assert "60 classes" in display.ax_.get_xlabel()


def test_scores_that_are_not_defined_are_left_out() -> None:
    report = make_report(3)
    report.iloc[1] = np.nan
    PerClassDisplay(report).plot().figure_.canvas.draw()


def test_report_without_a_score_is_an_error() -> None:
    with pytest.raises(InputError, match=r"Expected a report .*precision, recall, f1.*Received: columns="):
        PerClassDisplay(make_report(2).drop(columns="f1"))
