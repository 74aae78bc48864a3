"""Pages as a reader sees them: what leaves its column, how columns end, what can be copied."""

from __future__ import annotations

import base64
import io
import tempfile
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pytest
import typst
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from PIL import Image
from pypdf import PdfReader

from scenebook.rendering.assemble import SourceNotebook, assemble
from scenebook.rendering.front_matter import FrontMatter
from scenebook.rendering.numbering import number_report
from scenebook.rendering.pdf import ScenebookPDFExporter
from scenebook.rendering.records import RECORD_MIME
from tests.unit.rendering.tagged import Element, read_tagged

RESOLUTION = 50
LONG_NAME = "IMG_" + "0123456789abcdef" * 15 + ".jpeg"
DIGEST = "cd6e80c9b8db735547b5859dbc45ff7167c651d117e06ee951a61d2ffb905c09"
ADDRESS = "https://git.example.test/a/very/long/address/of/a/repository/that/somebody/chose"
LOREM = "Sentences of ordinary length stand here so that the columns have something to hold. "


def jpeg() -> str:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), "teal").save(buffer, "JPEG")
    return base64.b64encode(buffer.getvalue()).decode()


def shown(record: dict[str, Any]) -> nbformat.NotebookNode:
    output = new_output("display_data", {RECORD_MIME: record, "text/plain": "x"})
    return new_code_cell("show()", outputs=[output])


def table(label: str, header: list[str], rows: list[list[str]], *, wide: bool = False) -> nbformat.NotebookNode:
    align = ["left"] * len(header)
    record = {"kind": "table", "label": label, "caption": "A table.", "header": header, "align": align, "rows": rows}
    return shown({**record, "wide": wide})


def render(
    *cells: nbformat.NotebookNode, layout: str = "ieee", paper: str = "a4", title: str = "A title"
) -> tuple[bytes, list[str]]:
    front = {"title": title, "authors": [{"name": "Ada"}], "layout": layout, "paper": paper}
    notebook = new_notebook(cells=[new_markdown_cell("## Introduction"), *cells])
    report = assemble([SourceNotebook("n", notebook)], FrontMatter.model_validate(front))
    content = ScenebookPDFExporter().from_report(report, number_report(report))
    assert isinstance(content, bytes)
    return content, report.warnings


def pages_of(pdf: bytes) -> list[np.ndarray]:
    """bool `(height, width)` of each page: where there is ink, at 50 pixels an inch."""
    count = len(PdfReader(io.BytesIO(pdf)).pages)
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "report.pdf").write_bytes(pdf)
        source = Path(folder) / "main.typ"
        source.write_text(
            "#set page(width: auto, height: auto, margin: 0pt, fill: white)\n"
            f'#for number in range(1, {count + 1}) {{ page(image("report.pdf", page: number)) }}\n',
            encoding="utf-8",
        )
        drawn = typst.compile(str(source), root=folder, format="png", ppi=RESOLUTION)
    pages = drawn if isinstance(drawn, list) else [drawn]
    return [np.asarray(Image.open(io.BytesIO(page)).convert("L")) < 200 for page in pages if page is not None]


def millimetres(length: float) -> int:
    return round(length / 25.4 * RESOLUTION)


def text_of(pdf: bytes) -> str:
    return "".join("".join(page.extract_text() for page in PdfReader(io.BytesIO(pdf)).pages).split())


@pytest.mark.parametrize(("layout", "paper", "margin"), [("ieee", "a4", 17), ("article", "letter", 27)])
def test_nothing_leaves_the_page_however_long_it_is(layout: str, paper: str, margin: float) -> None:
    classes = [f"a_class_with_a_long_name_{number}" for number in range(30)]
    items = [{"jpeg": jpeg(), "caption": name, "alt": name} for name in classes]
    images = {"kind": "images", "label": "fig:p", "caption": "All.", "alt": "All classes", "columns": 6, "items": items}
    pdf, warnings = render(
        new_markdown_cell(f"{LOREM} {LONG_NAME} {LOREM} <{ADDRESS}> and `{LONG_NAME}`."),
        table("tbl:a", ["file", "SHA-256"], [[LONG_NAME, DIGEST]]),
        table("tbl:b", [f"class_{n}" for n in range(24)], [[f"{n * 100}" for n in range(24)]] * 3, wide=True),
        table("tbl:c", ["class", "why"], [[name, LOREM] for name in classes], wide=True),
        shown(images),
        layout=layout,
        paper=paper,
    )
    assert warnings == []
    for ink in pages_of(pdf):
        edge = millimetres(margin - 1.5)
        assert not ink[:, :edge].any(), "left margin"
        assert not ink[:, -edge:].any(), "right margin"
    text = text_of(pdf)
    # In the sentence, as code, and in the table: all of it, and nothing that was not there.
    assert text.count(LONG_NAME) == 3
    assert text.count(DIGEST) == 1
    assert ADDRESS in text
    assert text.count(classes[7]) == 2


def test_long_words_do_not_cross_into_the_other_column() -> None:
    cell = new_markdown_cell(f"{LOREM * 20}\n\n{LONG_NAME}\n\n`{LONG_NAME}`\n\n{LOREM * 20}")
    pdf, _ = render(cell, table("tbl:a", ["file", "SHA-256"], [[LONG_NAME, DIGEST]]))
    (ink,) = pages_of(pdf)
    body = ink[millimetres(40) : -millimetres(25)]
    middle, half = body.shape[1] // 2, millimetres(2)
    assert not body[:, middle - half : middle + half].any()
    assert body[:, :middle].any()
    assert body[:, middle:].any()


def test_a_tab_keeps_words_apart() -> None:
    pdf, _ = render(table("tbl:a", ["a\tb"], [["left\tright"]]))
    text = PdfReader(io.BytesIO(pdf)).pages[0].extract_text()
    assert "a b" in text
    assert "left right" in text


@pytest.mark.parametrize("sentences", [12, 95])
def test_the_last_columns_are_equally_long(sentences: int) -> None:
    pdf, _ = render(new_markdown_cell("\n\n".join([LOREM * 5] * (sentences // 5))))
    ink = pages_of(pdf)[-1][: -millimetres(21)]
    middle = ink.shape[1] // 2
    ends = [int(np.flatnonzero(half.any(axis=1)).max()) for half in (ink[:, :middle], ink[:, middle:])]
    assert abs(ends[0] - ends[1]) <= millimetres(11), ends


def test_a_title_breaks_behind_its_colon_and_stays_one_text() -> None:
    title = "Transfer Learning for Image Classification: A Reproducible Report"
    pdf, _ = render(new_markdown_cell(LOREM), title=title)
    first = PdfReader(io.BytesIO(pdf)).pages[0].extract_text().split("\n")
    assert first[0].strip() == "Transfer Learning for Image Classification:"
    assert first[1].strip() == "A Reproducible Report"
    metadata = PdfReader(io.BytesIO(pdf)).metadata
    assert metadata is not None
    assert metadata.title == title


def test_a_short_title_with_a_colon_keeps_its_line() -> None:
    pdf, _ = render(new_markdown_cell(LOREM), title="Cats: a report")
    assert PdfReader(io.BytesIO(pdf)).pages[0].extract_text().startswith("Cats: a report")


def test_a_grid_is_one_figure_that_tells_of_every_image() -> None:
    items = [{"jpeg": jpeg(), "caption": name, "alt": f"a {name}"} for name in ("cat", "dog")]
    record = {"kind": "images", "label": "fig:p", "caption": "Both.", "alt": "An image a class.", "items": items}
    figures = figures_of(render(shown(record))[0])
    assert [figure.alt for figure in figures] == ["An image a class: a cat; a dog."]
    told = {**record, "alt": "This is a cat and that a dog"}
    assert [figure.alt for figure in figures_of(render(shown(told))[0])] == ["This is a cat and that a dog"]


def figures_of(pdf: bytes) -> list[Element]:
    return read_tagged(pdf).find("Figure")


def test_an_equation_is_described_by_its_source() -> None:
    pdf, _ = render(new_markdown_cell(r"$$\frac{a}{b} = \sigma^2$$"))
    assert [element.alt for element in read_tagged(pdf).find("Formula")] == [r"\frac{a}{b} = \sigma^2"]
