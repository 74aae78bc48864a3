from __future__ import annotations

import itertools

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from scenebook.core.errors import InputError
from scenebook.evaluation.metrics.intervals import Score
from scenebook.notebook.figures import style
from scenebook.notebook.figures.differences import AblationDifferencesDisplay, Difference
from scenebook.study.summaries import summarize_variants
from tests.unit.study.study import HOSTILE, make_base, make_failed, make_records, make_variant


def make_score(value: float, half: float = 0.03) -> Score:
    return {"value": value, "low": value - half, "high": value + half}


def make_row(value: float = -0.02, *, title: str = "variant", shown: bool = False) -> Difference:
    return Difference(title, make_score(value), make_score(-value), shown, shown, [value] * 3, [-value] * 3)


def marks_of(ax: Axes) -> list[Line2D]:
    return [line for line in ax.get_lines() if line.get_marker() == "o"]


def test_differences_are_drawn_in_points_at_their_rows() -> None:
    display = AblationDifferencesDisplay.from_rows([make_row(-0.02), make_row(0.05)]).plot()
    for ax, sign in zip(display.ax_, (1, -1), strict=True):
        marks = np.concatenate([np.asarray(mark.get_xydata()) for mark in marks_of(ax)])
        np.testing.assert_allclose(marks, [[-2 * sign, 0], [5 * sign, 1]])
    intervals = [np.asarray(line.get_xdata()) for line in display.ax_[0].get_lines() if line.get_linewidth() == 1.1]
    np.testing.assert_allclose(intervals[0], [-5, 1])
    assert display.ax_[0].get_ylim()[0] > display.ax_[0].get_ylim()[1], "the first row on top"


def test_what_is_shown_and_what_is_not_differ_by_more_than_colour() -> None:
    ax = AblationDifferencesDisplay.from_rows([make_row(shown=True), make_row()]).plot().ax_[0]
    filled, hollow = marks_of(ax)
    assert filled.get_markerfacecolor() == style.BLUE
    assert hollow.get_markerfacecolor() == "white"


def test_what_lies_far_outside_is_an_arrow_with_its_value() -> None:
    rows = [*(make_row(-0.01 * number) for number in range(6)), make_row(-0.43)]
    ax = AblationDifferencesDisplay.from_rows(rows).plot().ax_[0]
    assert len(marks_of(ax)) == 6
    assert "−43.0" in [text.get_text() for text in ax.texts]
    assert ax.get_xlim()[0] > -20


def test_a_study_is_drawn_without_its_base_and_with_its_failures() -> None:
    plan = [make_base(), make_variant("worse"), make_variant("failed"), make_variant("unrun")]
    records = [*make_records("base"), *make_records("worse", validation=0.7), make_failed("failed")]
    display = AblationDifferencesDisplay.from_summaries(summarize_variants(plan, records)).plot()
    assert [label.get_text() for label in display.ax_[0].get_yticklabels()] == ["worse", "failed"]
    assert display.rows[0].accuracy_shown
    assert "diverged" in [text.get_text() for text in display.ax_[0].texts]


def test_the_description_holds_every_number() -> None:
    rows = [make_row(-0.02, title="a"), Difference("b", None, None, note="failed")]
    assert AblationDifferencesDisplay.from_rows(rows).describe() == (
        "Differences from the base in percentage points, with 95% intervals. "
        "a: accuracy −2.0 (−5.0 to +1.0), gap +2.0 (−1.0 to +5.0); b: failed."
    )


TITLES = {"markup": HOSTILE, "long": "much too long for its row " * 8, "wide": "日本語" * 30, "control": "\x00"}


@pytest.mark.parametrize("title", TITLES.values(), ids=TITLES)
def test_titles_are_text_and_leave_the_axes_their_width(title: str) -> None:
    first, second = (AblationDifferencesDisplay.from_rows([make_row(title=title)] * 12).plot() for _ in range(2))
    assert style.to_svg(first.figure_) == style.to_svg(second.figure_)
    assert first.ax_[0].get_position().width > 0.3
    assert not any(text.get_parse_math() for text in first.ax_[0].get_yticklabels())


@pytest.mark.parametrize("count", [1, 10, 25])
def test_rows_do_not_run_into_each_other(count: int) -> None:
    display = AblationDifferencesDisplay.from_rows([make_row() for _ in range(count)]).plot()
    display.figure_.canvas.draw()
    spans = [label.get_window_extent() for label in display.ax_[0].get_yticklabels()]
    assert all(one.y0 > other.y1 - 1 for one, other in itertools.pairwise(spans))
    assert display.figure_.get_figheight() < 6


def test_a_study_in_which_nothing_can_be_compared_is_an_error() -> None:
    with pytest.raises(InputError, match=r"at least one variant with a difference from the base\. Received: rows=1"):
        AblationDifferencesDisplay.from_rows([Difference("v", None, None, note="failed")])
