"""The PDF as assistive technology reads it, and what is said when it cannot."""

from __future__ import annotations

import io
from itertools import pairwise
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import nbformat
import page as pdf_checker
import pytest
from pypdf import PdfReader

from scenebook.core.run_directory import RunDirectory
from scenebook.notebook import display as notebook
from scenebook.notebook.display import show_figure
from scenebook.rendering.report import RenderedReport
from tests.unit.rendering.conftest import FRONT, Render, make_report
from tests.unit.rendering.tagged import read_tagged

LAYOUTS = {"ieee": "", "article": "layout: article\npaper: letter\n"}
FIXTURES = ("whole-run", "appendix", "user-cells.ipynb", "equations.ipynb", "hostile-text.ipynb", "long-table.ipynb")


def failures(content: bytes) -> list[str]:
    """What the checker of PDF/UA-1 finds."""
    report = pdf_checker.validate_pdf_bytes(content, profile="ua1")
    return [f"{failure.rule_id}: {failure.message}" for failure in report.failures]


@pytest.mark.parametrize(
    ("name", "layout"),
    [*((name, "ieee") for name in FIXTURES), ("whole-run", "article"), ("long-table.ipynb", "article")],
)
def test_an_independent_checker_finds_the_pdf_accessible(name: str, layout: str, render: Render) -> None:
    content = render(name, front=FRONT + LAYOUTS[layout]).pdf.read_bytes()
    assert failures(content) == []
    root: Any = PdfReader(io.BytesIO(content)).root_object
    assert root["/MarkInfo"]["/Marked"]
    assert root["/Lang"].startswith("en-")
    assert b"<pdfuaid:part>1</pdfuaid:part>" in root["/Metadata"].get_object().get_data()


@pytest.mark.parametrize("name", FIXTURES)
def test_every_figure_and_equation_is_described_and_levels_have_no_gaps(name: str, render: Render) -> None:
    content = render(name).pdf.read_bytes()
    root = read_tagged(content)
    described = root.find("Figure", "Formula")
    assert described or name in ("appendix", "long-table.ipynb")
    assert [element.kind for element in described if not element.alt] == []
    levels = [int(heading.kind[1:]) for heading in root.find("H1", "H2", "H3", "H4", "H5", "H6")]
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_bookmarks_are_the_sections(render: Render) -> None:
    content = render("whole-run").pdf.read_bytes()
    headings = read_tagged(content).find("H1", "H2", "H3")
    marks = list(flatten(PdfReader(io.BytesIO(content)).outline))
    assert ["".join(mark.split()) for mark in marks] == ["".join(heading.text.split()) for heading in headings]


def flatten(outline: Any) -> list[str]:
    return [title for item in outline for title in (flatten(item) if isinstance(item, list) else [str(item.title)])]


def test_a_figure_without_an_alternative_text_has_that_of_its_caption(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rendered = render_without_alt(tmp_path, monkeypatch)
    content = rendered.pdf.read_bytes()
    assert (rendered.warnings, failures(content)) == ([], [])
    assert [element.alt for element in read_tagged(content).find("Figure")] == ["A frame.", "As one frame."]


def render_without_alt(folder: Path, monkeypatch: pytest.MonkeyPatch) -> RenderedReport:
    """Renders a report of two figures, of which the second has no alternative text."""
    shown: list[dict[str, Any]] = []
    with monkeypatch.context() as patch:
        patch.setattr(notebook, "display", lambda data, raw: shown.append(data))
        patch.setitem(notebook._open, "run_dir", RunDirectory(folder))
        for name, alt in (("one", "A frame."), ("two", "")):
            show_figure(plt.figure(figsize=(1, 1)), label=f"fig:{name}", caption="As *one* frame.", alt=alt)
    outputs = [nbformat.v4.new_output("display_data", data=data) for data in shown]
    cells = [
        nbformat.v4.new_markdown_cell("# Title\n\n## Results\n\nSee [@fig:one] and [@fig:two].\n\n### Part"),
        nbformat.v4.new_code_cell("one", outputs=outputs[:1]),
        nbformat.v4.new_markdown_cell("#### Deeper\n\nSee [@fig:two]."),
        nbformat.v4.new_code_cell("two", outputs=outputs[1:]),
    ]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), folder / "mine.ipynb")
    return make_report(folder, [folder / "mine.ipynb"])
