from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from scenebook.notebook.figures.classes import ClassCountsDisplay


def make_counts(num_classes: int) -> pd.DataFrame:
    rng = np.random.default_rng(num_classes)
    return pd.DataFrame(
        {
            split: rng.integers(1, most, num_classes)
            for split, most in [("train", 900), ("validation", 90), ("test", 300)]
        },
        index=[f"class {number}" for number in range(num_classes)],
    )


def widths(display: ClassCountsDisplay) -> np.ndarray:
    return np.array([[bar.get_width() for bar in bars] for bars in display.ax_.containers])


def row_names(display: ClassCountsDisplay) -> list[str]:
    return [label.get_text() for label in display.ax_.get_yticklabels()]


@pytest.mark.parametrize("num_classes", [2, 6, 12, 13, 40])
def test_every_class_has_its_count_in_every_split(num_classes: int) -> None:
    counts = make_counts(num_classes)
    display = ClassCountsDisplay.from_counts(counts).plot()
    np.testing.assert_array_equal(widths(display), counts.to_numpy().T)
    assert row_names(display) == list(counts.index)
    assert display.ax_.yaxis_inverted(), "the first class is at the top"
    assert display.ax_.get_legend_handles_labels()[1] == ["train", "validation", "test"]


def test_numbers_stand_at_the_bars() -> None:
    few = ClassCountsDisplay.from_counts(pd.DataFrame({"train": [1234, 5], "test": [0, 7]}, index=["a", "b"])).plot()
    assert [text.get_text() for text in few.ax_.texts] == ["1,234", "5", "0", "7"]
    counts = make_counts(20)
    many = ClassCountsDisplay.from_counts(counts).plot()
    assert [text.get_text() for text in many.ax_.texts] == [
        str(total) for total in counts.sum(axis=1).map("{:,}".format)
    ]


@pytest.mark.parametrize("num_classes", [41, 1000])
def test_many_classes_are_shown_by_their_extremes(num_classes: int) -> None:
    counts = make_counts(num_classes)
    display = ClassCountsDisplay.from_counts(counts).plot()
    totals = counts.sum(axis=1).sort_values(ascending=False)
    shown = display.shown.sum(axis=1)
    np.testing.assert_array_equal(shown, [*totals.iloc[:20], *totals.iloc[-20:]])
    assert display.left_out == num_classes - 40
    notes = [text.get_text() for text in display.ax_.texts if "more classes" in text.get_text()]
    assert notes == [
        f"{num_classes - 40} more classes of {totals.iloc[20:-20].min():,} to {totals.iloc[20:-20].max():,} images"
    ]
    assert display.figure_.get_figheight() < 9


def test_splits_keep_their_colours_whatever_their_order() -> None:
    counts = make_counts(3)
    colors = [
        {
            bars.get_label(): bars[0].get_facecolor()
            for bars in ClassCountsDisplay.from_counts(frame).plot().ax_.containers
        }
        for frame in (counts, counts[["test", "train"]])
    ]
    assert colors[0]["train"] == colors[1]["train"]
    assert len(set(colors[0].values())) == 3


def test_long_and_hostile_names_show_as_text_and_leave_room() -> None:
    names = ["$x$", "<b>", "x" * 255, "y\0", f"{'z' * 100}1", f"{'z' * 100}2"]
    drawn = ClassCountsDisplay.from_counts(make_counts(6)[["train", "test"]].set_axis(names)).plot()
    drawn.figure_.canvas.draw()
    assert row_names(drawn)[:2] == ["$x$", "<b>"]
    assert len(set(row_names(drawn))) == 6
    assert not any(label.get_parse_math() for label in drawn.ax_.get_yticklabels())
    assert drawn.ax_.get_position().width > 0.4


def test_all_classes_may_be_empty() -> None:
    ClassCountsDisplay.from_counts(pd.DataFrame({"train": [0, 0]}, index=["a", "b"])).plot().figure_.canvas.draw()


@pytest.mark.parametrize(
    ("sizes", "telling"), [([225] * 6, False), ([225, 200, 180], False), ([300, 150], True), ([10] * 13, True)]
)
def test_bars_are_telling_where_classes_are_many_or_unequal(sizes: list[int], telling: bool) -> None:
    counts = pd.DataFrame({"train": sizes}, index=[f"class {number}" for number in range(len(sizes))])
    assert ClassCountsDisplay.from_counts(counts).is_telling is telling


def test_the_description_holds_every_number_that_is_shown() -> None:
    counts = pd.DataFrame({"train": [1200, 7], "test": [3, 0]}, index=["sea", "a; b"])
    assert ClassCountsDisplay.from_counts(counts).describe() == (
        "Bars of the number of images of each class: sea 1,200 train, 3 test; a; b 7 train, 0 test."
    )
    many = pd.DataFrame({"train": range(1, 51)}, index=[f"class {number}" for number in range(50)])
    assert ClassCountsDisplay.from_counts(many).describe().endswith("; 10 more classes lie between these.")
