from __future__ import annotations

import itertools

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from scenebook.evaluation.metrics.intervals import Score
from scenebook.notebook.figures import style
from scenebook.notebook.figures.ablations import AblationDifferencesDisplay, AblationHistoriesDisplay
from scenebook.study.summaries import Comparison, Summary, summarize_variants
from tests.unit.study.study import (
    HOSTILE,
    make_base,
    make_failed,
    make_history,
    make_record,
    make_records,
    make_variant,
)


def make_panels(count: int, *, epochs: int = 8, seeds: int = 1, title: str = "variant {}") -> list[Summary]:
    """Variants with histories, the first of which is the base."""
    history = make_history(0.9, 0.85, epochs)
    plan = [make_base(seeds), *(make_variant(f"v{number}", seeds=seeds) for number in range(1, count))]
    records = [make_record("v", seed, images=20, held_out=4, history=history) for seed in range(seeds)]
    return [
        Summary(number, make_variant(variant.name, title=title.replace("{}", str(number)), seeds=seeds), records, [])
        for number, variant in enumerate(plan)
    ]


def test_a_panel_holds_means_seeds_and_the_base() -> None:
    plan = [make_base(2), make_variant("v", seeds=2)]
    records = [*make_records("base", seeds=2), *make_records("v", seeds=2, history=make_history(0.9, 0.5))]
    display = AblationHistoriesDisplay.from_summaries(summarize_variants(plan, records)).plot()
    base, variant = display.ax_
    assert [ax.get_title() for ax in display.ax_] == ["as the run (base)", "v"]
    assert len(base.get_lines()) == 6, "two means, two seeds of each"
    assert len(variant.get_lines()) == 8, "the base's two means as well"
    *_, training, validation = variant.get_lines()
    np.testing.assert_allclose(np.asarray(training.get_ydata()), make_history(0.9, 0.5)["accuracy"])
    np.testing.assert_allclose(np.asarray(validation.get_ydata()), make_history(0.9, 0.5)["val_accuracy"])
    assert training.get_linestyle() != validation.get_linestyle()


def test_seeds_that_stop_at_different_epochs_and_linear_classifiers_have_their_curves() -> None:
    stopped, linear = make_variant("stopped", seeds=2), make_variant("linear", seeds=1)
    history = make_history(0.9, 0.5)
    records = [
        make_record("stopped", 0, history=history),
        make_record("stopped", 1, history=history[:1]),
        make_record("linear", 0, history=history[:0], validation=0.8),
    ]
    display = AblationHistoriesDisplay.from_summaries(summarize_variants([stopped, linear], records)).plot()
    *_, validation = display.ax_[0].get_lines()
    np.testing.assert_allclose(np.asarray(validation.get_ydata()), history["val_accuracy"])
    assert np.asarray(display.ax_[1].get_lines()[-1].get_ydata()) == pytest.approx([0.8])
    assert "over 1 epochs validation 80% to 80%" in display.describe()


def test_all_panels_have_the_same_axes() -> None:
    axes = AblationHistoriesDisplay.from_summaries([*make_panels(5), *make_panels(1, epochs=10)]).plot().ax_
    assert len({(ax.get_xlim(), ax.get_ylim()) for ax in axes}) == 1
    assert axes[0].get_xlim()[1] > 10


def test_one_long_training_leaves_the_others_their_room() -> None:
    display = AblationHistoriesDisplay.from_summaries([*make_panels(3), *make_panels(1, epochs=24)]).plot()
    assert display.is_logarithmic
    short = display.ax_[1].transData.transform((8, 0.5))[0] - display.ax_[1].transData.transform((1, 0.5))[0]
    assert short > 0.5 * display.ax_[1].bbox.width
    assert not AblationHistoriesDisplay.from_summaries(make_panels(3)).is_logarithmic


def test_failed_and_incomplete_variants_have_a_note_in_their_panel() -> None:
    plan = [make_base(), make_variant("failed"), make_variant("some"), make_variant("unrun")]
    records = [*make_records("base"), make_failed("failed"), *make_records("some", seeds=2)]
    display = AblationHistoriesDisplay.from_summaries(summarize_variants(plan, records)).plot()
    assert [[text.get_text() for text in ax.texts] for ax in display.ax_] == [[], ["diverged"], ["2 of 3 seeds"]]
    assert "; failed: diverged; some, 2 of 3 seeds: over 8 epochs validation " in display.describe()


@pytest.mark.parametrize(("count", "columns"), [(1, 3), (10, 4), (25, 5)])
def test_panels_stay_readable_and_on_one_page(count: int, columns: int) -> None:
    figure = AblationHistoriesDisplay.from_summaries(make_panels(count, seeds=2)).plot().figure_
    assert figure.get_figwidth() == pytest.approx(style.WIDE_WIDTH)
    assert figure.get_figheight() < 8
    assert len({ax.get_subplotspec().colspan.start for ax in figure.axes}) == columns  # type: ignore[union-attr]
    assert min(float(text.get_fontsize()) for ax in figure.axes for text in (ax.title, *ax.get_xticklabels())) >= 6


def test_of_too_many_variants_the_first_are_drawn() -> None:
    display = AblationHistoriesDisplay.from_summaries(make_panels(40))
    assert len(display.panels) == 36
    assert display.left_out == 4
    assert display.describe().endswith(" 4 more variants are not drawn.")


def test_titles_are_text_no_wider_than_their_panel() -> None:
    titles = [HOSTILE, "much too long for a panel " * 8, "日本語" * 20, "\x00{}", ""]
    display = AblationHistoriesDisplay.from_summaries(
        [panel for title in titles for panel in make_panels(2, title=title)]
    ).plot()
    style.to_svg(display.figure_)
    for ax in display.ax_:
        room = ax.get_position().width * style.WIDE_WIDTH
        assert style.text_width(ax.get_title(), float(ax.title.get_fontsize())) < room
        assert not ax.title.get_parse_math()


def test_one_epoch_shows_as_points_and_the_same_data_are_the_same_bytes() -> None:
    first, second = (AblationHistoriesDisplay.from_summaries(make_panels(3, epochs=1)).plot() for _ in range(2))
    assert all(line.get_marker() == "." for line in first.ax_[0].get_lines())
    assert style.to_svg(first.figure_) == style.to_svg(second.figure_)


def make_score(value: float, half: float = 0.03) -> Score:
    return {"value": value, "low": value - half, "high": value + half}


def make_row(value: float = -0.02, *, title: str = "variant", p: float = 0.5) -> Summary:
    """A variant whose accuracy differs by `value` from the base's, and its gap by as much the other way."""
    differences = np.full(3, value)
    comparison = Comparison(make_score(value), p, make_score(-value), 450, differences, -differences)
    return Summary(1, make_variant("v", title=title), make_records("v", images=20, held_out=4), [], comparison)


def make_unlike(title: str) -> Summary:
    """A variant that failed, so that there is nothing to compare."""
    return Summary(1, make_variant("v", title=title), [], [make_failed("v")])


def marks_of(ax: Axes) -> list[Line2D]:
    return [line for line in ax.get_lines() if line.get_marker() == "o"]


def test_differences_are_drawn_in_points_at_their_rows() -> None:
    display = AblationDifferencesDisplay.from_summaries([make_row(-0.02), make_row(0.05)]).plot()
    for ax, sign in zip(display.ax_, (1, -1), strict=True):
        marks = np.concatenate([np.asarray(mark.get_xydata()) for mark in marks_of(ax)])
        np.testing.assert_allclose(marks, [[-2 * sign, 0], [5 * sign, 1]])
    intervals = [np.asarray(line.get_xdata()) for line in display.ax_[0].get_lines() if line.get_linewidth() == 1.1]
    np.testing.assert_allclose(intervals[0], [-5, 1])
    assert display.ax_[0].get_ylim()[0] > display.ax_[0].get_ylim()[1], "the first row on top"


def test_what_is_shown_and_what_is_not_differ_by_more_than_colour() -> None:
    ax = AblationDifferencesDisplay.from_summaries([make_row(-0.05, p=0.001), make_row(-0.05)]).plot().ax_[0]
    filled, hollow = marks_of(ax)
    assert filled.get_markerfacecolor() == style.BLUE
    assert hollow.get_markerfacecolor() == "white"


def test_what_lies_far_outside_is_an_arrow_with_its_value() -> None:
    rows = [*(make_row(-0.01 * number) for number in range(6)), make_row(-0.43)]
    ax = AblationDifferencesDisplay.from_summaries(rows).plot().ax_[0]
    assert len(marks_of(ax)) == 6
    assert "−43.0" in [text.get_text() for text in ax.texts]
    assert ax.get_xlim()[0] > -20


def test_a_study_is_drawn_without_its_base_and_with_its_failures() -> None:
    plan = [make_base(), make_variant("worse"), make_variant("failed"), make_variant("unrun")]
    records = [*make_records("base"), *make_records("worse", validation=0.7), make_failed("failed")]
    display = AblationDifferencesDisplay.from_summaries(summarize_variants(plan, records)).plot()
    assert [label.get_text() for label in display.ax_[0].get_yticklabels()] == ["worse", "failed"]
    assert "diverged" in [text.get_text() for text in display.ax_[0].texts]


def test_the_description_holds_every_number() -> None:
    rows = [make_row(-0.02, title="a"), make_unlike("b")]
    assert AblationDifferencesDisplay.from_summaries(rows).describe() == (
        "Differences from the base in percentage points, with 95% intervals. "
        "a: accuracy −2.0 (−5.0 to +1.0), gap +2.0 (−1.0 to +5.0); b: diverged."
    )


def test_titles_are_text_and_leave_the_axes_their_width() -> None:
    rows = [make_row(title=title) for title in (HOSTILE, "much too long for its row " * 8, "日本語" * 30, "\x00")]
    first, second = (AblationDifferencesDisplay.from_summaries(rows * 3).plot() for _ in range(2))
    assert style.to_svg(first.figure_) == style.to_svg(second.figure_)
    assert first.ax_[0].get_position().width > 0.3
    assert not any(text.get_parse_math() for text in first.ax_[0].get_yticklabels())


@pytest.mark.parametrize("count", [1, 25])
def test_rows_do_not_run_into_each_other(count: int) -> None:
    display = AblationDifferencesDisplay.from_summaries([make_row() for _ in range(count)]).plot()
    display.figure_.canvas.draw()
    spans = [label.get_window_extent() for label in display.ax_[0].get_yticklabels()]
    assert all(one.y0 > other.y1 - 1 for one, other in itertools.pairwise(spans))
    assert display.figure_.get_figheight() < 6
