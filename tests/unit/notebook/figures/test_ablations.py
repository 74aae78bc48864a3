from __future__ import annotations

import numpy as np
import pytest

from scenebook.core.errors import InputError
from scenebook.notebook.figures import style
from scenebook.notebook.figures.ablations import AblationHistoriesDisplay, Histories
from scenebook.study.summaries import summarize_variants
from tests.unit.study.study import HOSTILE, make_base, make_failed, make_history, make_records, make_variant


def make_panels(count: int, *, epochs: int = 8, seeds: int = 1, title: str = "variant {}") -> list[Histories]:
    curve = np.linspace(0.4, 0.9, epochs)
    return [
        Histories(title.replace("{}", str(number)), np.tile(curve, (seeds, 1)), np.tile(curve - 0.05, (seeds, 1)))
        for number in range(count)
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


def test_all_panels_have_the_same_axes() -> None:
    axes = AblationHistoriesDisplay.from_panels([*make_panels(5), *make_panels(1, epochs=10)], 0).plot().ax_
    assert len({(ax.get_xlim(), ax.get_ylim()) for ax in axes}) == 1
    assert axes[0].get_xlim()[1] > 10


def test_one_long_training_leaves_the_others_their_room() -> None:
    display = AblationHistoriesDisplay.from_panels([*make_panels(3), *make_panels(1, epochs=24)], 0).plot()
    assert display.is_logarithmic
    short = display.ax_[1].transData.transform((8, 0.5))[0] - display.ax_[1].transData.transform((1, 0.5))[0]
    assert short > 0.5 * display.ax_[1].bbox.width
    assert not AblationHistoriesDisplay.from_panels(make_panels(3)).is_logarithmic


def test_failed_and_incomplete_variants_have_a_note_in_their_panel() -> None:
    plan = [make_base(), make_variant("failed"), make_variant("some"), make_variant("unrun")]
    records = [*make_records("base"), make_failed("failed"), *make_records("some", seeds=2)]
    display = AblationHistoriesDisplay.from_summaries(summarize_variants(plan, records)).plot()
    assert [[text.get_text() for text in ax.texts] for ax in display.ax_] == [[], ["diverged"], ["2 of 3 seeds"]]
    assert "; failed: diverged; some, 2 of 3 seeds: over 8 epochs validation " in display.describe()


@pytest.mark.parametrize(("count", "columns"), [(1, 3), (10, 4), (25, 5)])
def test_panels_stay_readable_and_on_one_page(count: int, columns: int) -> None:
    figure = AblationHistoriesDisplay.from_panels(make_panels(count, seeds=2), 0).plot().figure_
    assert figure.get_figwidth() == pytest.approx(style.WIDE_WIDTH)
    assert figure.get_figheight() < 8
    assert len({ax.get_subplotspec().colspan.start for ax in figure.axes}) == columns  # type: ignore[union-attr]
    assert min(float(text.get_fontsize()) for ax in figure.axes for text in (ax.title, *ax.get_xticklabels())) >= 6


def test_of_too_many_variants_the_first_are_drawn() -> None:
    display = AblationHistoriesDisplay.from_panels(make_panels(40), 0)
    assert len(display.panels) == 36
    assert display.left_out == 4
    assert display.describe().endswith(" 4 more variants are not drawn.")


def test_titles_are_text_no_wider_than_their_panel() -> None:
    titles = [HOSTILE, "much too long for a panel " * 8, "日本語" * 20, "\x00{}", ""]
    display = AblationHistoriesDisplay.from_panels(
        [panel for title in titles for panel in make_panels(2, title=title)], 0
    ).plot()
    style.to_svg(display.figure_)
    for ax in display.ax_:
        room = ax.get_position().width * style.WIDE_WIDTH
        assert style.text_width(ax.get_title(), float(ax.title.get_fontsize())) < room
        assert not ax.title.get_parse_math()


def test_one_epoch_shows_as_points_and_the_same_data_are_the_same_bytes() -> None:
    first, second = (AblationHistoriesDisplay.from_panels(make_panels(3, epochs=1), 0).plot() for _ in range(2))
    assert all(line.get_marker() == "." for line in first.ax_[0].get_lines())
    assert style.to_svg(first.figure_) == style.to_svg(second.figure_)


def test_a_study_without_a_history_is_an_error() -> None:
    nothing = Histories("failed", np.zeros((0, 0)), np.zeros((0, 0)), "diverged")
    with pytest.raises(InputError, match=r"at least one variant with a history\. Received: panels=1"):
        AblationHistoriesDisplay.from_panels([nothing])
