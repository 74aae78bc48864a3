from __future__ import annotations

import io

import matplotlib as mpl
import matplotlib.pyplot as plt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure

from scenebook.core.wording import printable, shorten, shorten_all
from scenebook.notebook.figures import style
from scenebook.notebook.figures.training import HistoryDisplay


def svg_of(figure: Figure) -> str:
    with style.use():
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return buffer.getvalue()


def test_style_holds_inside_its_block_only() -> None:
    before = mpl.rcParams["svg.fonttype"]
    with style.use():
        assert mpl.rcParams["svg.fonttype"] == "none"
    assert mpl.rcParams["svg.fonttype"] == before


def test_apply_makes_the_style_last() -> None:
    with mpl.rc_context():
        style.apply()
        assert mpl.rcParams["svg.hashsalt"] == "scenebook"
        assert mpl.rcParams["text.parse_math"] is False


def test_same_figure_is_the_same_bytes_with_its_text_as_text() -> None:
    import pandas as pd

    history = pd.DataFrame({"loss": [2.0, 1.0], "val_loss": [2.1, 1.5]})
    first, second = (svg_of(HistoryDisplay.from_history(history).plot().figure_) for _ in range(2))
    assert first == second
    assert ">validation</text>" in first
    assert "DejaVu Sans" in first


def test_set_plain_text_reaches_labels_that_were_made_before() -> None:
    _, ax = plt.subplots()
    ax.set_xticks([0, 1], ["$x$", "b"])
    style.set_plain_text(ax)
    assert not ax.get_xticklabels()[0].get_parse_math()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("sea", "sea"),
        ("$x$ <b> & %", "$x$ <b> & %"),
        ("two\nlines\tand tab", "two lines and tab"),
        ("bell\x07", "bell\N{REPLACEMENT CHARACTER}"),
        ("not UTF-8 \udcff", "not UTF-8 \N{REPLACEMENT CHARACTER}"),
        ("no character \uffff", "no character \N{REPLACEMENT CHARACTER}"),
        (7, "7"),
    ],
)
def test_printable_keeps_text_and_replaces_what_no_file_can_hold(text: object, shown: str) -> None:
    assert printable(text) == shown


@given(st.text(st.characters()))
def test_printable_text_is_one_line_of_valid_xml(text: str) -> None:
    shown = printable(text)
    assert len(shown.splitlines()) <= 1
    shown.encode("utf-8")
    assert all(sign >= " " for sign in shown)


def test_shorten_leaves_the_middle_out() -> None:
    assert shorten("mountain", 8) == "mountain"
    assert shorten("abcdefghij", 7) == "abc…hij"
    assert shorten("abcdefghij", 2) == "a…"


@given(st.text(), st.integers(min_value=2, max_value=40))
def test_shortened_text_keeps_the_limit(text: str, limit: int) -> None:
    assert len(shorten(text, limit)) <= limit


def test_shortened_names_stay_apart() -> None:
    names = [f"images of the kind number {number} of them all" for number in range(12)]
    short = shorten_all(names, 14)
    assert len(set(short)) == len(names)
    assert all(len(name) <= 14 for name in short)
    assert "3 of" in short[3], "what differs is what is shown"


def test_equal_names_are_numbered() -> None:
    assert shorten_all(["a", "a", "b"], 12) == ["a (1)", "a (2)", "b"]


@pytest.mark.parametrize("text", ["conv5_block3_1_conv", "1,049,088 parameters", "5 × 5 × 2048", "mountain", "street"])
def test_estimated_width_is_near_the_drawn_one(text: str) -> None:
    with style.use():
        ax = plt.figure(figsize=(5, 2)).subplots()
        drawn = ax.text(0, 0, text, size=8).get_window_extent().width / ax.figure.dpi
    assert style.text_width(text, 8) == pytest.approx(drawn, rel=0.15)


def test_fit_shortens_only_what_is_too_wide() -> None:
    assert style.fit("sea", 1.0, 8) == "sea"
    short = style.fit("a_rather_long_name_of_a_layer", 1.0, 8)
    assert "…" in short
    assert style.text_width(short, 8) <= 1.0
