from __future__ import annotations

import pandas as pd
import pytest

from scenebook.core.errors import ReportError
from scenebook.rendering.document import Figure, Origin, Output, Prose, Table
from scenebook.rendering.outputs import (
    html_to_text,
    read_data,
    read_html_table,
    read_image,
    read_outputs,
    side_of,
    strip_terminal_codes,
)
from scenebook.rendering.records import RECORD_MIME

from .conftest import assembled

ORIGIN = Origin("01-data", 3)


def test_a_users_cells_become_figures_tables_prose_and_text_named_after_their_heading() -> None:
    blocks = assembled("user-cells.ipynb").sections[0].blocks
    figure = next(block for block in blocks if isinstance(block, Figure))
    table = next(block for block in blocks if isinstance(block, Table))
    texts = [block.text for block in blocks if isinstance(block, Output)]
    assert figure.caption.tree == [{"t": "Str", "c": "My"}, {"t": "Space"}, {"t": "Str", "c": "own"},
                                   {"t": "Space"}, {"t": "Str", "c": "plot"}]  # fmt: skip
    assert "My own plot" in figure.images[0].alt
    assert table.rows == [["0", "0.5", "sea <b>"], ["1", "-1.25", "forest"]]
    assert texts == ["hello 100%\nagain", "{'a': 1}"]
    assert sum(isinstance(block, Prose) for block in blocks) == 3


def test_stderr_is_the_log_and_no_part_of_the_report() -> None:
    assert read_outputs([{"output_type": "stream", "name": "stderr", "text": "W0000"}], ORIGIN) == []


@pytest.mark.parametrize("text", ["PosixPath('/home/x')", "[WindowsPath('C:/x')]", "<a.b object at 0x7f>"])
def test_what_differs_on_every_machine_is_left_out(text: str) -> None:
    assert read_data({"text/plain": text}, ORIGIN) is None


@pytest.mark.parametrize(
    ("tex", "source"),
    [("$x$", "$$x$$"), ("$$x$$", "$$x$$"), ("x", "$$x$$"), ("$a$ and $b$", "$a$ and $b$")],
)
def test_latex_is_one_formula_unless_words_stand_between(tex: str, source: str) -> None:
    block = read_data({"text/latex": tex}, ORIGIN)
    assert isinstance(block, Prose)
    assert block.body.source == source


def test_html_that_only_jupyter_can_show_is_read_for_its_text() -> None:
    block = read_data({"text/html": "<p>said</p>", "text/plain": "<IPython.core.display.HTML object>"}, ORIGIN)
    assert block == Output(ORIGIN, "said")


def test_what_is_no_image_is_not_taken_for_one() -> None:
    assert read_image("<svg", "svg") is None
    assert read_image("not base64!", "png") is None
    assert read_image("aGVsbG8=", "jpg") is None


def test_a_broken_record_names_notebook_cell_and_field() -> None:
    with pytest.raises(ReportError, match=r"valid list.*notebook='broken-record', cell=2, field='rows'"):
        assembled("broken-record.ipynb")


def test_a_figure_without_its_image_names_the_label() -> None:
    record = {"kind": "figure", "label": "fig:x", "caption": "", "alt": ""}
    with pytest.raises(ReportError, match=r"image of a figure beside its record.*cell=3, label='fig:x'"):
        read_data({RECORD_MIME: record}, ORIGIN)


def test_rows_of_another_length_are_made_to_fit() -> None:
    record = {"kind": "table", "label": "tbl:x", "caption": "", "header": ["a", "b"], "align": ["left"],
              "rows": [["1"], ["1", "2", "3"]]}  # fmt: skip
    block = read_data({RECORD_MIME: record}, ORIGIN)
    assert isinstance(block, Table)
    assert block.rows == [["1", ""], ["1", "2"]]
    assert block.align == ["left", "left"]


def test_a_progress_bar_keeps_its_last_state_and_colours_go() -> None:
    assert strip_terminal_codes("\x1b[31mred\x1b[0m\n 10%\r 50%\r100%\r\n") == "red\n100%\n"


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
