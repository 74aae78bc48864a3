"""Notebooks in the manner of other makers: what they hold is shown in every output, or named as missing there."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import nbformat
import pandas as pd
import pytest

from scenebook.rendering.cell_colours import Colours
from scenebook.rendering.document import Fragment, Origin, Table
from scenebook.rendering.provenance import Provenance
from scenebook.rendering.report import RenderedReport
from scenebook.rendering.tables import (
    PRINTED_COLUMNS,
    PRINTED_ROWS,
    printed_columns,
    printed_rows,
    rows_left_out,
    tell_left_out,
)
from tests.unit.rendering.conftest import make_report, page_of, pdf_text
from tests.unit.rendering.tagged import read_tagged
from tests.unit.rendering.test_pictures import encode

new_markdown, new_code, new_raw = nbformat.v4.new_markdown_cell, nbformat.v4.new_code_cell, nbformat.v4.new_raw_cell


def render_all(folder: Path, notebook: Any, name: str = "theirs") -> RenderedReport:
    """Renders one notebook as page, PDF and Word file."""
    (folder / f"{name}.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
    formats = ["html", "pdf", "docx"]
    return make_report(folder, [folder / f"{name}.ipynb"], provenance=Provenance(), formats=formats)


def show(data: dict[str, Any]) -> Any:
    """A code cell that has shown something."""
    return new_code("x", outputs=[nbformat.v4.new_output("display_data", data=data)])


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> RenderedReport:
    columns = pd.MultiIndex.from_product([["both of them"], ["u", "v"]])
    index = pd.MultiIndex.from_tuples([("a", "x"), ("a", "y")])
    frame = pd.DataFrame([[1, 2], [3, 4]], index=index, columns=columns)
    cells = [
        new_raw("---\nauthor: raw text\n---"),
        new_markdown("# T\n\n## Results\n\n<center><img src='attachment:a b.png' width=9></center>",
                     attachments={"a b.png": {"image/png": encode("PNG")}}),
        new_markdown("in a line <img src='attachment:b.webp' alt='webp'/> and ![gif](attachment:c d.gif)",
                     attachments={"b.webp": {"image/webp": encode("WEBP")}, "c d.gif": {"image/gif": encode("GIF")}}),
        new_raw("raw *Markdown*", metadata={"format": "text/markdown"}),
        new_raw("<p>raw\n\n<b>HTML</b></p>", metadata={"raw_mimetype": "text/html"}),
        new_raw("\\newpage", metadata={"raw_mimetype": "text/latex"}),
        show({"image/gif": encode("GIF", 3)}),
        show({"text/html": frame.style.highlight_max(color='navy').set_caption("Styled by hand").to_html()}),
        show({"application/vnd.plotly.v1+json": {"data": []}, "text/html": "<div><script>x</script></div>"}),
        show({"application/vnd.plotly.v1+json": {"data": []}, "image/png": encode("PNG")}),
        show({"application/vnd.jupyter.widget-view+json": {"model_id": "1"}, "text/plain": "IntSlider()"}),
        new_markdown("<table><tr><th colspan='2'>Both</th></tr><tr><td>1</td><td>2</td></tr></table>"),
    ]  # fmt: skip
    return render_all(tmp_path_factory.mktemp("theirs"), nbformat.v4.new_notebook(cells=cells))


def test_the_page_shows_images_tables_and_raw_cells(theirs: RenderedReport) -> None:
    page = page_of(theirs)
    kinds = [str(tag["src"])[:14] for tag in page.select("main img")]
    assert kinds == ["data:image/png", "data:image/png", "data:image/gif", "data:image/gif", "data:image/png"]
    assert [tag["colspan"] for tag in page.select("main th[colspan]")] == ["2", "2"]
    assert [tag["rowspan"] for tag in page.select("main tbody [rowspan]")] == ["2"]
    assert {cell.get_text() for cell in page.select(".fill-000080.ink-ffffff")} == {"3", "4"}
    assert ".fill-000080 { background: #000080; }" in str(page.style)
    text = page.get_text()
    assert "Styled by hand" in text
    assert "author: raw text" in text
    assert [tag.get_text() for tag in page.select("main strong")] == ["HTML"]
    assert [tag.get_text() for tag in page.select("main em")] == ["Markdown"]
    assert "<img" not in text


def test_what_is_missing_is_named_in_a_box_and_in_a_warning_with_its_cell(theirs: RenderedReport) -> None:
    boxes = [tag.get_text() for tag in page_of(theirs).select("main .lacking")]
    assert len(boxes) == 3
    for word, cell in (("latex", 6), ("plotly", 9), ("IntSlider", 11)):
        assert sum(word in box for box in boxes) == 1
        assert sum(word in warning and f"theirs, cell {cell}:" in warning for warning in theirs.warnings) == 1
    assert sum("cell 7:" in warning and "3 images" in warning for warning in theirs.warnings) == 1
    assert len(theirs.warnings) == 4


def test_the_pdf_and_the_word_file_show_the_same(theirs: RenderedReport) -> None:
    content = theirs.pdf.read_bytes()
    root, text = read_tagged(content), pdf_text(content)
    (head, *_), *_ = ([line.find("TH") for line in table.find("TR")] for table in root.find("Table"))
    assert "both of them" in [cell.text for cell in head]
    assert len(root.find("Figure")) == 5
    body = zipfile.ZipFile(theirs.docx).read("word/document.xml").decode()
    assert body.count('w:fill="000080"') == body.count('w:gridSpan w:val="2"') == 2
    assert "w:vMerge" in body
    for said in ("Styled by hand", "author: raw text", "IntSlider"):
        assert said in text
        assert said in body


def test_a_notebook_of_format_3_is_read(tmp_path: Path) -> None:
    old = {
        "metadata": {"name": ""}, "nbformat": 3, "nbformat_minor": 0,
        "worksheets": [{"metadata": {}, "cells": [
            {"cell_type": "heading", "level": 2, "metadata": {}, "source": ["Old"]},
            {"cell_type": "markdown", "metadata": {}, "source": ["$$E = m c^2$$"]},
            {"cell_type": "code", "collapsed": False, "input": ["x"], "language": "python", "metadata": {},
             "prompt_number": 1, "outputs": [
                {"output_type": "pyout", "prompt_number": 1, "metadata": {}, "text": ["<IPython.core.display.Image>"],
                 "png": encode("PNG")},
                {"output_type": "stream", "stream": "stdout", "text": ["\u001b[1;31mred\u001b[0m"]}]},
        ]}],
    }  # fmt: skip
    page = page_of(render_all(tmp_path, old))
    assert "Old" in [tag.get_text().split()[-1] for tag in page.select("main h2")]
    assert len(page.select("main math")) == len(page.select("main img")) == 1
    assert page.select_one("pre.output").get_text() == "red"  # type: ignore[union-attr]


def test_an_error_that_was_meant_to_be_ends_nothing_and_an_unknown_cell_is_named(tmp_path: Path) -> None:
    failed = new_code("1 / 0", outputs=[nbformat.v4.new_output("error", ename="ZeroDivisionError", evalue="by 0")])
    cells = [failed, new_markdown("Still said."), show({"text/plain": "42"}), new_raw("?")]
    notebook = nbformat.v4.new_notebook(cells=cells)
    notebook.cells[-1].cell_type = "slide"
    rendered = render_all(tmp_path, notebook)
    text = page_of(rendered).get_text()
    assert "Still said." in text
    assert "42" in text
    assert sum("slide" in warning and "cell 4:" in warning for warning in rendered.warnings) == 1


@pytest.mark.parametrize("rows", [PRINTED_ROWS, PRINTED_ROWS + 1, 1000])
def test_of_a_long_table_the_first_and_the_last_rows_are_printed(rows: int) -> None:
    origin = Origin("n", 1)
    cells = [[str(number)] for number in range(rows)]
    table = Table(origin, "tbl:x", Fragment("", origin), ["number"], ["right"], cells)
    printed = printed_rows(table)
    assert printed.rows[-1] == table.rows[-1]
    assert len(printed.rows) == min(rows, PRINTED_ROWS + 1)
    assert rows_left_out(table) == rows - min(rows, PRINTED_ROWS)
    assert (f"{PRINTED_ROWS} of its" in tell_left_out(table)) == (rows > PRINTED_ROWS)


def test_of_a_wide_table_the_first_and_the_last_columns_are_printed_with_their_colours() -> None:
    origin, names = Origin("n", 1), [str(number) for number in range(60)]
    table = Table(origin, "", Fragment("", origin), names, ["right"] * 60, [names], heads=[names])
    table.colours = {(1, 3): Colours("ff0000"), (1, 30): Colours("00ff00"), (1, 59): Colours("0000ff")}
    printed = printed_columns(table)
    assert (printed.header[0], printed.header[-1], len(printed.header)) == ("0", "59", PRINTED_COLUMNS + 1)
    assert {printed.header[column]: colour.ink for (_, column), colour in printed.colours.items()} == {
        "3": "ff0000", "59": "0000ff",
    }  # fmt: skip
    assert "of its 60 columns" in tell_left_out(table)
