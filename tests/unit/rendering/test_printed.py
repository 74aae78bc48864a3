from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from bs4 import BeautifulSoup

from scenebook.rendering.assemble import SourceNotebook, assemble
from scenebook.rendering.document import Code, Heading, Prose, Report, Table
from scenebook.rendering.front_matter import FrontMatter
from scenebook.rendering.numbering import number_report
from scenebook.rendering.pandoc import plain_text
from scenebook.rendering.report import RenderedReport
from scenebook.rendering.sections import for_paper
from tests.unit.rendering.conftest import make_report, page_of, pdf_text

FRONT = FrontMatter.model_validate({"title": "A", "authors": [{"name": "B"}]})


def markdown(text: str, *tags: str) -> nbformat.NotebookNode:
    return nbformat.v4.new_markdown_cell(text, metadata={"tags": list(tags)})


def table(name: str, *tags: str) -> nbformat.NotebookNode:
    record = {"kind": "table", "label": f"tbl:{name}", "caption": f"The {name}.", "header": ["a"], "align": ["left"],
              "rows": [["1"]]}  # fmt: skip
    output = nbformat.v4.new_output("display_data", data={"application/vnd.scenebook+json": record})
    return nbformat.v4.new_code_cell(f"show({name!r})", outputs=[output], metadata={"tags": list(tags)})


def silent(*tags: str) -> nbformat.NotebookNode:
    return nbformat.v4.new_code_cell("pass", metadata={"tags": list(tags)})


CELLS = [
    markdown("## Results\n\n### One\n\nSee [@tbl:far], [@tbl:near] and [@sec:deep], as in [@he2016]."),
    table("far", "supplement"),
    silent("supplement"),
    markdown("More words, as in [@kumar2019].", "supplement"),
    table("first"),
    markdown("### Two"),
    table("near", "appendix"),
    markdown("### Deep\n\nDetails.", "supplement"),
    markdown("## Repository\n\nCode."),
]
FILE = """
@article{he2016, title={Residual}, author={He, K.}, year={2016}}
@article{kumar2019, title={Calibration}, author={Kumar, A.}, year={2019}}
"""


def report_of(*cells: nbformat.NotebookNode, front: FrontMatter = FRONT) -> Report:
    return assemble([SourceNotebook("01", nbformat.v4.new_notebook(cells=list(cells)))], front)


def outline(report: Report) -> list[str]:
    lines = []
    for block in report.blocks():
        match block:
            case Heading():
                lines.append("#" * block.level + " " + block.plain)
            case Prose():
                lines.append(plain_text(block.body.tree))
            case Table():
                lines.append(block.label)
            case Code():
                lines.append(block.source)
    return lines


def test_tagged_cells_go_to_the_end_below_the_heading_under_which_they_stood() -> None:
    report = report_of(*CELLS)
    assert [line for line in outline(report) if not line.startswith("See")] == [
        "# Results", "## One", "pass", "tbl:first", "show('first')", "## Two",
        "# Repository", "Code.",
        "# Appendix", "## Two", "tbl:near", "show('near')",
        "# Supplement", "## One", "tbl:far", "show('far')", "More words, as in .", "## Deep", "Details.",
    ]  # fmt: skip


def test_the_short_report_is_the_beginning_of_the_full_one() -> None:
    lines = {}
    for length in ("short", "full"):
        whole = report_of(*CELLS, front=FRONT.model_copy(update={"length": length}))
        targets = number_report(whole)
        lines[length] = outline(for_paper(whole, targets)[0])
    assert len(lines["short"]) < len(lines["full"])
    assert lines["full"][: len(lines["short"])] == lines["short"]
    assert "# Supplement" not in lines["short"]


def test_an_appendix_without_anything_in_it_is_none() -> None:
    report = report_of(markdown("## Results\n\ntext"), markdown("## Appendix"), silent("supplement"))
    assert outline(report) == ["# Results", "text"]


@pytest.mark.parametrize("shows", [True, False])
def test_a_section_on_what_did_not_happen_is_left_out(shows: bool) -> None:
    conditional = markdown("### Variants\n\nWhat they are.", "if-shown")
    cells = [silent(), markdown("aside", "notebook-only"), table("variants") if shows else silent()]
    report = report_of(markdown("## Results"), conditional, *cells, markdown("### Next"))
    assert ("## Variants" in outline(report)) == shows
    assert "## Next" in outline(report)


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> dict[str, RenderedReport]:
    """The cells as a report of either length."""
    found = {}
    for length in ("short", "full"):
        folder = tmp_path_factory.mktemp(length)
        nbformat.write(nbformat.v4.new_notebook(cells=CELLS), folder / "01.ipynb")
        (folder / "works.bib").write_text(FILE, encoding="utf-8")
        front = f"{{title: A, authors: [{{name: B}}], bibliography: works.bib, length: {length}}}"
        found[length] = make_report(folder, [folder / "01.ipynb"], front)
    return found


def printed(report: RenderedReport) -> str:
    return pdf_text(report.pdf.read_bytes()).replace("\u00a0", " ")


def test_numbers_are_the_same_in_every_output_and_nothing_dangles(rendered: dict[str, RenderedReport]) -> None:
    short, full = printed(rendered["short"]), printed(rendered["full"])
    assert "See Table III of the supplement, Table II and Supplement B, as in [1]." in short
    assert "See Table III, Table II and Supplement B, as in [1]." in full
    assert "See Table III, Table II and Supplement B" in page_of(rendered["short"]).get_text().replace("\u00a0", " ")
    for text in (short, full):
        assert "TABLE II The near." in text
    assert "The far." not in short
    assert "TABLE III The far." in full


def test_the_short_report_lists_no_work_that_it_does_not_cite(rendered: dict[str, RenderedReport]) -> None:
    assert "Calibration" not in printed(rendered["short"])
    assert "Calibration" in printed(rendered["full"])
    unprinted = page_of(rendered["short"]).select(".works .unprinted")
    assert [work["id"] for work in unprinted] == ["ref:kumar2019"]


def test_the_short_report_says_what_is_elsewhere(rendered: dict[str, RenderedReport]) -> None:
    assert "report.html also has the supplement (One; Deep)." in printed(rendered["short"])
    assert "also has" not in printed(rendered["full"])


def test_the_page_is_the_same_for_either_length(rendered: dict[str, RenderedReport]) -> None:
    assert rendered["short"].html.read_bytes() == rendered["full"].html.read_bytes()
    page: BeautifulSoup = page_of(rendered["short"])
    assert [section["class"] for section in page.select("main > section[class]") if "supplement" in section["class"]]


def test_a_wrong_length_is_an_error_that_names_the_line(tmp_path: Path) -> None:
    from scenebook.core.errors import ReportError
    from scenebook.rendering.front_matter import load_front_matter

    (tmp_path / "front.yaml").write_text("title: A\nauthors: [{name: B}]\nlength: long\n", encoding="utf-8")
    with pytest.raises(ReportError, match=r"(?s)line.*3"):
        load_front_matter(tmp_path / "front.yaml")
