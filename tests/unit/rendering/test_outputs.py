from __future__ import annotations

import pytest

from scenebook.core.errors import ReportError
from scenebook.rendering.document import Figure, Origin, Output, Prose, Table
from scenebook.rendering.outputs import read_data, read_outputs, strip_terminal_codes
from scenebook.rendering.records import RECORD_MIME
from tests.unit.rendering.conftest import assembled
from tests.unit.rendering.test_pictures import encode

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


@pytest.mark.parametrize(
    "text",
    ["PosixPath('/home/x')", "[WindowsPath('C:/x')]", "<a.b object at 0x7f>", "[<matplotlib.lines.Line2D at 0x7f1a>]"],
)
def test_what_differs_on_every_machine_is_left_out(text: str) -> None:
    assert read_data({"text/plain": text}, ORIGIN) == []


@pytest.mark.parametrize(
    ("tex", "source"), [("$x$", "$$x$$"), ("$$x$$", "$$x$$"), ("x", "$$x$$"), ("$a$ and $b$", "$a$ and $b$")]
)
def test_latex_is_one_formula_unless_words_stand_between(tex: str, source: str) -> None:
    (block,) = read_data({"text/latex": tex}, ORIGIN)
    assert isinstance(block, Prose)
    assert block.body.source == source


def test_html_that_only_jupyter_can_show_is_read_for_its_text() -> None:
    blocks = read_data({"text/html": "<p>said</p>", "text/plain": "<IPython.core.display.HTML object>"}, ORIGIN)
    assert blocks == [Output(ORIGIN, "said")]


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
    (block,) = read_data({RECORD_MIME: record}, ORIGIN)
    assert isinstance(block, Table)
    assert block.rows == [["1", ""], ["1", "2"]]
    assert block.align == ["left", "left"]


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("\x1b[31mred\x1b[0m\n 10%\r 50%\r100%\r\n", "red\n100%\n"),
        (" 1/10 [=..]" + "\b" * 11 + "10/10 [===]\n", "10/10 [===]\n"),
        ("outer 0%\n\rinner 0%\r        \r\x1b[A\router 100%\n", "outer 100%\n"),
        ("\x1b[?25lloading\x1b[2Kdone\x1b(B\x1b[m\x1b=\x9b31m!", "done!"),
    ],
)
def test_of_what_was_overwritten_the_last_state_stays_and_colours_go(written: str, shown: str) -> None:
    assert strip_terminal_codes(written) == shown


def test_what_is_printed_in_pieces_is_one_text_without_addresses_in_memory() -> None:
    pieces = [
        ("stdout", "a "),
        ("stderr", "W"),
        ("stdout", "b\n10%\r"),
        ("stdout", "50%\r"),
        ("stdout", "<x at 0x7f12>"),
    ]
    outputs = [{"output_type": "stream", "name": name, "text": text} for name, text in pieces]
    assert read_outputs(outputs, ORIGIN) == [Output(ORIGIN, "a b\n<x>")]


@pytest.mark.parametrize(
    "returned",
    ["Text(0.5, 1.0, 'A title')", "array([[<Axes: >, <Axes: >]], dtype=object)", "(-0.5, 9.5, 9.5, -0.5)",
     "(array([1., 2.]), array([0., 1.]), <BarContainer object of 2 artists>)"],
)  # fmt: skip
def test_what_a_plotting_call_returns_does_not_stand_beside_its_figure(returned: str) -> None:
    result: dict[str, object] = {"output_type": "execute_result", "data": {"text/plain": returned}}
    figure: dict[str, object] = {"output_type": "display_data", "data": {"image/png": encode("PNG")}}
    assert [type(block) for block in read_outputs([result, figure], ORIGIN)] == [Figure]
    assert [type(block) for block in read_outputs([result], ORIGIN)] == [Output]


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        (
            "<script>window.PlotlyConfig = {MathJaxConfig: 'local'};</script><script src='https://x.org/p.js'></script>",
            [],
        ),
        ("<div><a href='https://bokeh.org'></a><span>Loading BokehJS ...</span></div>", []),
        ("<a href='out.csv'>out.csv</a><br>", ["out.csv"]),
        ("<b>Accuracy</b>: 0.9 of CO<sub>2</sub><ul><li>one</li><li>two</li></ul>", ["Accuracy: 0.9 of CO2\none\ntwo"]),
        ("<form><label>Once</label></form><div><img id='later'></div><script>draw()</script>", ["Not shown:"]),
    ],
)
def test_html_for_a_page_with_scripts_says_no_more_than_a_reader_needs(source: str, shown: list[str]) -> None:
    blocks = read_data({"text/html": source, "text/plain": "/home/somebody/out.csv"}, ORIGIN)
    texts = [block.text for block in blocks if isinstance(block, Output)]
    assert [text.partition(" what a script")[0] for text in texts] == shown


HTML = {"text/plain": "<IPython.core.display.HTML object>"}
CHART: dict[str, object] = {"data": [], "layout": {}}


@pytest.mark.parametrize(
    ("data", "named"),
    [
        ({"application/vnd.plotly.v1+json": CHART, "text/html": "<div><script>draw()</script></div>"}, "plotly"),
        ({"application/vnd.jupyter.widget-view+json": {}, "text/plain": "  0%|   | 0/9"}, "0/9"),
        ({"application/vnd.vegalite.v5+json": {}, "text/plain": "alt.Chart(...)"}, "chart"),
        ({"application/javascript": "x()", "text/plain": "<IPython.core.display.Javascript object>"}, "script"),
        ({"text/html": "<video><source src='x'></video>", **HTML}, "video"),
        ({"text/html": "<iframe src='https://x.org'></iframe>", "text/plain": "<folium.Map at 0x7f>"}, "page"),
        ({"text/html": "<img src='https://x.org/y.png'>", **HTML}, "https://x.org/y.png"),
        ({"image/png": "no image"}, "image"),
        ({"application/pdf": "x"}, "PDF"),
        ({"application/vnd.code.notebook.error": {"message": "x"}}, "code.notebook.error"),
        ({"application/x-mine": "x", "text/plain": "<a.b object at 0x7f>"}, "x-mine"),
    ],
)
def test_what_cannot_be_shown_leaves_a_note_that_names_it(data: dict[str, object], named: str) -> None:
    (block,) = read_data(data, ORIGIN)
    assert isinstance(block, Output)
    assert block.lacks
    assert named in block.text


@pytest.mark.parametrize(
    "data",
    [
        {"application/vnd.google.colaboratory.intrinsic+json": {"type": "string"}, "text/plain": "'abc'"},
        {"text/html": "<style>x</style><div>Pipe<script>x</script></div>", "text/plain": "Pipeline(steps=[])"},
        {"application/json": {"a": 1}, "text/plain": "<IPython.core.display.JSON object>"},
        {"application/json": {"a": 1}},
        {"text/csv": "a,b\n1,2", "application/x-mine": "x"},
    ],
)
def test_text_that_says_as_much_needs_no_note(data: dict[str, object]) -> None:
    (block,) = read_data(data, ORIGIN)
    assert isinstance(block, Output)
    assert not block.lacks


def test_a_table_of_latex_is_a_table() -> None:
    tex = "\\begin{table}\\caption{Said}\\begin{tabular}{lr} & a \\\\ \\hline 0 & 1 \\\\ \\end{tabular}\\end{table}"
    (block,) = read_data({"text/latex": tex, "text/plain": "<IPython.core.display.Latex object>"}, ORIGIN)
    assert isinstance(block, Table)
    assert (block.header, block.rows, block.caption.source) == (["", "a"], [["0", "1"]], "Said")


def test_parts_of_a_drawing_that_cannot_be_shown_are_named_and_the_others_stay() -> None:
    linked = (
        "<image href='https://x.org/y.png'/><image href='data:image/png;base64,'/><use href='#a'/><script>x</script>"
    )
    drawing = f"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'><g id='a'/>{linked}</svg>"
    figure, *notes = read_data({"image/svg+xml": drawing}, ORIGIN)
    assert isinstance(figure, Figure)
    assert [getattr(note, "lacks", False) for note in notes] == [True, True]
    assert b"x.org" not in figure.images[0].content
    assert figure.images[0].content.count(b"href") == 2


def test_a_formula_is_shown_as_such_and_not_as_its_image() -> None:
    (block,) = read_data({"image/png": encode("PNG"), "text/latex": "$x^2$", "text/plain": "x**2"}, ORIGIN)
    assert isinstance(block, Prose)


def test_what_only_prepares_a_notebook_shows_nothing() -> None:
    assert read_data({"application/vnd.bokehjs_load.v0+json": "", "application/javascript": "x"}, ORIGIN) == []


def test_text_that_is_printed_behind_a_note_does_not_join_it() -> None:
    outputs: list[dict[str, object]] = [{"output_type": "display_data", "data": {"application/pdf": "x"}},
               {"output_type": "stream", "name": "stdout", "text": "said"}]  # fmt: skip
    assert [getattr(block, "lacks", None) for block in read_outputs(outputs, ORIGIN)] == [True, False]
