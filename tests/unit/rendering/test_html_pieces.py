from __future__ import annotations

import html
import re

import pandas as pd
import pytest

from scenebook.rendering.cell_colours import Colours
from scenebook.rendering.html_pieces import Grid, HTMLImage, read_html, side_of


def table_of(source: str) -> Grid:
    (grid,) = read_html(source).pieces
    assert isinstance(grid, Grid)
    return grid


def test_a_data_frame_becomes_rows_with_numbers_on_the_right() -> None:
    frame = pd.DataFrame({"score": [0.5, None], "name": ["<b>", "1st"]})
    grid = table_of(frame.to_html())
    assert grid.header == ["", "score", "name"]
    assert grid.rows == [["0", "0.5", "<b>"], ["1", "NaN", "1st"]]
    assert grid.align == ["right", "right", "left"]
    assert grid.spans == {}


def test_levels_of_index_and_columns_are_cells_that_span_others() -> None:
    index = pd.MultiIndex.from_tuples([("a", "x"), ("a", "y")], names=["first", "second"])
    frame = pd.DataFrame([[1, 2], [3, 4]], index=index, columns=pd.MultiIndex.from_product([["top"], ["u", "v"]]))
    grid = table_of(frame.to_html())
    assert grid.heads == [["", "", "top", ""]]
    assert grid.header == ["first", "second", "u", "v"]
    assert grid.rows == [["a", "x", "1", "2"], ["", "y", "3", "4"]]
    assert grid.spans == {(0, 2): (1, 2), (0, 3): (0, 0), (2, 0): (2, 1), (3, 0): (0, 0)}


def test_a_name_below_a_head_that_reaches_down_is_not_covered() -> None:
    grid = table_of(
        "<table><thead><tr><th rowspan=3>n</th><th colspan=2>s</th></tr><tr><th>a</th><th>b</th></tr>"
        "<tr><th>x</th><th>y</th></tr></thead><tr><td>1</td><td>2</td><td>3</td></tr></table>"
    )
    assert grid.heads == [["n", "s", ""]]
    assert grid.header == ["", "a x", "b y"]
    assert grid.spans == {(0, 0): (2, 1), (0, 1): (1, 2), (0, 2): (0, 0), (1, 0): (0, 0)}


def test_a_stylers_caption_and_colours_are_kept_and_what_cannot_be_shown_is_named() -> None:
    frame = pd.DataFrame({"a": [1, 2]})
    styler = frame.style.highlight_max(color="navy").map(lambda value: "color: rgba(255, 0, 0, .5)", subset=([0], "a"))
    styler = styler.set_table_styles([{"selector": "th.col_heading", "props": "background-color: #ff0"}])
    grid = table_of(styler.set_caption("Said").to_html())
    assert grid.caption == "Said"
    assert grid.colours == {
        (0, 1): Colours("000000", "ffff00"), (1, 1): Colours("ff8080"), (2, 1): Colours("ffffff", "000080"),
    }  # fmt: skip
    assert read_html(frame.style.to_html()).foreign == []
    assert len(read_html(frame.style.bar().to_html()).foreign) == 1


@pytest.mark.parametrize(
    "value",
    [
        "url(https://a.example/x)", "expression(alert(1))", "red}body{display:none", "#12", "var(--x)", "rgb(1,2)",
        "r\\65 d", "</style><script>", '"); #panic("', "rgb(99999999999999999999,0,0)", "rgba(0,0,0,9e9)", "#fffffffff",
    ],
)  # fmt: skip
def test_whatever_else_a_style_holds_only_colours_are_taken_from_it(value: str) -> None:
    style = f"<style>#c {{background: {value}; color: {value}}}</style>"
    read = read_html(f"{style}<table><tr><td id=c>1</td><td style='color: {html.escape(value)}'>2</td></tr></table>")
    for piece in read.pieces:
        for colours in piece.colours.values() if isinstance(piece, Grid) else ():
            assert all(re.fullmatch("([0-9a-f]{6})?", colour) for colour in colours)


@pytest.mark.parametrize("source", ["", "<p>no table</p>", "<table></table>", "<table><tr></tr></table>"])
def test_html_without_a_table_has_none(source: str) -> None:
    assert not read_html(source).has_more_than_text


def test_absurd_spans_make_no_absurd_table() -> None:
    grid = table_of("<table><tr><th>a</th></tr><tr><td colspan=9999 rowspan=x>1</td></tr></table>")
    assert len(grid.header) == 200


def test_tables_images_and_text_keep_their_order() -> None:
    table = "<table><tr><td>{}</td></tr></table>"
    svg = '<svg viewBox="0 0 1 1"><text>t</text></svg>'
    read = read_html(f"<h2>first</h2>{table.format(1)}<p>then</p><img src='data:x' alt='i'>{table.format(2)}{svg}")
    kinds = [piece if isinstance(piece, str) else type(piece) for piece in read.pieces]
    assert kinds == ["first", Grid, "then", HTMLImage, Grid, HTMLImage]
    assert 'viewBox="0 0 1 1"' in str(read.pieces[-1])


def test_images_and_columns_that_a_table_cannot_show_are_named() -> None:
    image = "<td><img src='data:image/png;base64,x' alt='cat'></td><td><svg><rect/></svg></td>"
    read = read_html(f"<table><tr><td>H<sub>2</sub>O</td>{image}{'<td>1</td>' * 200}</tr></table>")
    (grid,) = (piece for piece in read.pieces if isinstance(piece, Grid))
    assert grid.rows[0][:3] == ["H2O", "[image: cat]", ""]
    assert len(read.foreign) == 2


def test_scripts_and_styles_are_no_text() -> None:
    assert read_html("<style>a</style><p>one</p><script>two</script><b>three</b>").pieces == ["one\nthree"]


@pytest.mark.parametrize(
    ("cells", "side"),
    [(["1,210", "3", ""], "right"), (["-0.5", "1e-7", "88 %"], "right"), (["", "nan"], "left"), (["1", "x"], "left")],
)
def test_only_numbers_stand_on_the_right(cells: list[str], side: str) -> None:
    assert side_of(cells) == side
