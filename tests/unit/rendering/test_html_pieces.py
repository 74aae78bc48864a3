from __future__ import annotations

import pandas as pd
import pytest

from scenebook.rendering.html_pieces import Grid, HTMLImage, read_html, side_of


def table_of(html: str) -> Grid:
    (grid,) = read_html(html).pieces
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


def test_a_stylers_caption_is_kept_and_its_colours_are_named_as_missing() -> None:
    frame = pd.DataFrame({"a": [1, 2]})
    styled = read_html(frame.style.highlight_max().set_caption("Said").to_html())
    assert [piece.caption for piece in styled.pieces if isinstance(piece, Grid)] == ["Said"]
    assert len(styled.foreign) == 1
    assert read_html(frame.style.to_html()).foreign == []


@pytest.mark.parametrize("html", ["", "<p>no table</p>", "<table></table>", "<table><tr></tr></table>"])
def test_html_without_a_table_has_none(html: str) -> None:
    assert not read_html(html).has_more_than_text


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


def test_scripts_and_styles_are_no_text() -> None:
    assert read_html("<style>a</style><p>one</p><script>two</script><b>three</b>").pieces == ["one\nthree"]


@pytest.mark.parametrize(
    ("cells", "side"),
    [(["1,210", "3", ""], "right"), (["-0.5", "1e-7", "88 %"], "right"), (["", "nan"], "left"), (["1", "x"], "left")],
)
def test_only_numbers_stand_on_the_right(cells: list[str], side: str) -> None:
    assert side_of(cells) == side
