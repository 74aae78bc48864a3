from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pypdf import PdfReader

from scenebook.rendering.document import Figure, ReportImage, Table
from scenebook.rendering.fonts import unknown_glyphs
from scenebook.rendering.numbering import number_report
from scenebook.rendering.pdf import ScenebookPDFExporter
from tests.unit.rendering.conftest import FRONT, Render, assembled, pdf_text


def reader(path: Path) -> PdfReader:
    return PdfReader(io.BytesIO(path.read_bytes()))


def test_the_pdf_is_tagged_titled_and_in_a_language(render: Render) -> None:
    rendered = render("whole-run")
    pdf = reader(rendered.pdf)
    assert rendered.warnings == []
    assert pdf.metadata is not None
    assert pdf.metadata.title == "A title & <its> #sign"
    root = pdf.root_object
    assert root["/Lang"] == "en-GB"
    assert "/StructTreeRoot" in root
    assert b"pdfuaid" in rendered.pdf.read_bytes()
    assert [item.title for item in pdf.outline if not isinstance(item, list)] == [
        "I. Introduction", "II. Methodology", "III. Results", "IV. Conclusion", "V. Repository",
    ]  # fmt: skip


def test_the_text_of_the_pdf_is_the_report(render: Render) -> None:
    text = pdf_text(render("whole-run", banner="The images are drawn.").pdf.read_bytes())
    for part in (
        "Abstract—A classifier for 3 classes reaches 88.2%.",
        "The images are drawn.",
        "A network is trained in Section II and measured in Section III.",
        "The split is in Table I, one image a class in Fig. 1.",
        "TABLE I The split, stratified.",
        "buildings 1,210 100",
        "Fig. 2. The confusion matrix of the images in Fig. 1 and Table I.",
        "contradicted by the paper's own numbers",
    ):
        assert part in text, part
    assert "import scenebook" not in text
    assert "0123abcd" not in text, "provenance stays in the page"


def test_hostile_text_reads_as_it_was_written(render: Render) -> None:
    rendered = render("hostile-text.ipynb")
    text = pdf_text(rendered.pdf.read_bytes())
    table = next(block for block in assembled("hostile-text.ipynb").blocks() if isinstance(block, Table))
    names = [row[0] for row in table.rows if "שלום" not in row[0]]
    squeezed = text.replace(" ", "")
    for name in names:
        # In the table, under the images, in the sentence, as printed: four times, the caption aside.
        assert squeezed.count(name.replace(" ", "")) >= 4, name
    assert "drawn label" in text
    assert any("no font has a glyph for 山 (U+5C71), 🏔 (U+1F3D4)" in warning for warning in rendered.warnings)


def test_a_long_table_goes_behind_the_text_and_keeps_its_number(render: Render) -> None:
    pdf = reader(render("long-table.ipynb").pdf)
    first, last = pdf.pages[0].extract_text(), pdf.pages[-1].extract_text()
    assert "Table II, with 45 rows, stands at the end." in " ".join(first.split())
    assert "TABLE III" in first
    assert "TABLE II\n" in last
    assert "row 44 44" in last


def test_the_appendix_stands_behind_the_text_and_before_long_tables(render: Render) -> None:
    rendered = render("appendix")
    assert rendered.warnings == []
    pdf = reader(rendered.pdf)
    assert [item.title for item in pdf.outline if not isinstance(item, list)] == [
        "I. Results", "II. Conclusion", "III. Repository", "Appendix", "Long tables",
    ]  # fmt: skip
    text = pdf_text(rendered.pdf.read_bytes())
    assert "Details are in Appendix A and in Appendix B." in text
    assert "All of them, see Appendix A-1." in text
    assert "See Appendix." in text


@pytest.mark.parametrize(("extra", "size"), [("", (595, 842)), ("paper: letter\nlayout: article\n", (612, 792))])
def test_paper_and_layout_are_those_of_the_front_matter(render: Render, extra: str, size: tuple[int, int]) -> None:
    pdf = reader(render("whole-run", front=FRONT + extra).pdf)
    box = pdf.pages[0].mediabox
    assert (round(box.width), round(box.height)) == size
    assert ("II. Methodology" in str(pdf.outline)) == (extra == "")


def test_a_wide_drawing_is_not_made_smaller_where_one_column_is_narrower_than_two() -> None:
    report = assembled("whole-run", "article")
    figure = next(block for block in report.blocks() if isinstance(block, Figure) and not block.grid)
    figure.wide, drawing = True, b'<svg xmlns="http://www.w3.org/2000/svg" width="490pt" height="60pt"/>'
    figure.images = [ReportImage(drawing, "svg", "Wide")]
    content = ScenebookPDFExporter().from_report(report, number_report(report))
    assert isinstance(content, bytes)
    assert 490 in [
        round(width) for width in figure_widths(PdfReader(io.BytesIO(content)).root_object["/StructTreeRoot"])
    ]


def figure_widths(element: Any) -> Iterator[float]:
    """The widths of all figures below an element of the structure tree, in points."""
    element = element.get_object()
    if isinstance(element, list):
        for one in element:
            yield from figure_widths(one)
    elif isinstance(element, dict):
        if element.get("/S") == "/Figure":
            left, _, right, _ = element["/A"].get_object()[0]["/BBox"]
            yield right - left
        yield from figure_widths(element["/K"]) if "/K" in element else ()


def test_an_image_that_typst_refuses_is_replaced_by_its_description() -> None:
    report = assembled("whole-run")
    figure = next(block for block in report.blocks() if isinstance(block, Figure) and not block.grid)
    figure.images = [ReportImage(b"<svg", "svg", "What it shows")]
    content = ScenebookPDFExporter().from_report(report, number_report(report))
    assert isinstance(content, bytes)
    assert "What it shows" in pdf_text(content)
    assert report.warnings == ["PDF: an image of 03-evaluation, cell 5 cannot be read, so its description is shown."]


def test_where_a_page_cannot_be_tagged_a_plain_pdf_is_made_with_a_warning() -> None:
    report = assembled("whole-run")
    report.sections[0].heading.level = 2
    content = ScenebookPDFExporter().from_report(report, number_report(report))
    assert isinstance(content, bytes)
    assert report.warnings == ["The PDF is not tagged as PDF/UA-1: the first heading must be of level 1."]


def test_letters_of_most_scripts_are_known_and_others_told() -> None:
    assert unknown_glyphs("Zürich, Ελλάδα, Москва, שלום, ≤ ∑ → “x” \u200b") == ""
    assert unknown_glyphs("数据") == "据数"
