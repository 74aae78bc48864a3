from __future__ import annotations

import pandas as pd
import pytest

from scenebook.rendering.tables import html_to_text, read_html_table, side_of


def test_a_data_frame_becomes_rows_with_numbers_on_the_right() -> None:
    frame = pd.DataFrame({"score": [0.5, None], "name": ["<b>", "1st"]})
    grid = read_html_table(frame.to_html())
    assert grid is not None
    assert grid.header == ["", "score", "name"]
    assert grid.rows == [["0", "0.5", "<b>"], ["1", "NaN", "1st"]]
    assert grid.align == ["right", "right", "left"]


def test_levels_of_index_and_columns_are_flattened() -> None:
    index = pd.MultiIndex.from_tuples([("a", "x"), ("a", "y")], names=["first", "second"])
    frame = pd.DataFrame([[1, 2], [3, 4]], index=index, columns=pd.MultiIndex.from_product([["top"], ["u", "v"]]))
    grid = read_html_table(frame.to_html())
    assert grid is not None
    assert grid.rows == [["a", "x", "1", "2"], ["", "y", "3", "4"]]
    assert grid.header == ["first", "second", "top u", "v"]


@pytest.mark.parametrize("html", ["", "<p>no table</p>", "<table></table>", "<table><tr></tr></table>"])
def test_html_without_a_table_is_none(html: str) -> None:
    assert read_html_table(html) is None


def test_absurd_spans_make_no_absurd_table() -> None:
    grid = read_html_table("<table><tr><th>a</th></tr><tr><td colspan=9999 rowspan=x>1</td></tr></table>")
    assert grid is not None
    assert len(grid.header) == 200


def test_scripts_and_styles_are_no_text() -> None:
    assert html_to_text("<style>a</style><p>one</p><script>two</script><b>three</b>") == "one\nthree"


@pytest.mark.parametrize(
    ("cells", "side"),
    [(["1,210", "3", ""], "right"), (["-0.5", "1e-7", "88 %"], "right"), (["", "nan"], "left"), (["1", "x"], "left")],
)
def test_only_numbers_stand_on_the_right(cells: list[str], side: str) -> None:
    assert side_of(cells) == side
