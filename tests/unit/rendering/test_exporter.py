from __future__ import annotations

import nbformat
import pytest
from nbconvert.exporters import get_exporter

from scenebook.rendering.pdf import ScenebookPDFExporter
from tests.unit.rendering.conftest import notebooks_of, pdf_text

EVALUATION = 1


def test_one_notebook_renders_alone_as_a_page_under_its_own_title() -> None:
    exporter = get_exporter("scenebook-html")()
    page, resources = exporter.from_filename(str(notebooks_of("whole-run")[EVALUATION]))
    assert resources["output_extension"] == ".html"
    assert "<title>Evaluation</title>" in page
    assert "Fig. “classes” and Table “split”" in page.replace("\u00a0", " ").replace("&nbsp;", " ")


def test_one_notebook_renders_alone_as_a_pdf() -> None:
    exporter = get_exporter("scenebook-pdf")()
    content, resources = exporter.from_filename(str(notebooks_of("whole-run")[EVALUATION]))
    assert resources["output_extension"] == ".pdf"
    assert "The accuracy is 88.2% (Fig. 1, Eq. (1))." in pdf_text(content)


def test_code_can_be_left_out_of_the_page_and_origins_stay() -> None:
    exporter = get_exporter("scenebook-html")(exclude_input=True)
    page, _ = exporter.from_filename(str(notebooks_of("whole-run")[EVALUATION]))
    assert 'class="code"' not in page
    assert "<code>" not in page
    assert page.count('<details class="made">') == 1


def test_the_typst_source_can_be_asked_for() -> None:
    source, _ = ScenebookPDFExporter(source_only=True).from_filename(str(notebooks_of("whole-run")[EVALUATION]))
    assert isinstance(source, str)
    assert source.startswith('#import "scenebook.typ"')


def test_a_notebook_without_cells_renders() -> None:
    content, _ = get_exporter("scenebook-pdf")().from_notebook_node(nbformat.v4.new_notebook())
    assert content.startswith(b"%PDF")


@pytest.mark.parametrize("name", ["scenebook-html", "scenebook-pdf"])
def test_widgets_without_state_do_not_stop_it(name: str) -> None:
    notebook = nbformat.v4.new_notebook(metadata={"widgets": {}})
    assert get_exporter(name)().from_notebook_node(notebook)[0]
