from __future__ import annotations

import json
from pathlib import Path

import pytest
import typst

from scenebook.core.errors import ReportError
from scenebook.rendering.document import Figure, Heading, Report, Table
from scenebook.rendering.exporter import template_folder
from scenebook.rendering.fonts import fonts
from scenebook.rendering.numbering import check_references, letter, number_report, roman, slug_of
from scenebook.rendering.pdf import ScenebookPDFExporter, write_images
from scenebook.rendering.sections import for_paper
from tests.unit.rendering.conftest import assembled


def test_roman_numbers_and_letters() -> None:
    assert [roman(number) for number in (1, 4, 9, 14, 40, 1994)] == ["I", "IV", "IX", "XIV", "XL", "MCMXCIV"]
    assert [letter(number) for number in (1, 26, 27, 703)] == ["A", "Z", "AA", "AAA"]


def test_a_slug_of_any_heading_is_a_label() -> None:
    assert [slug_of(text) for text in ("What is wrong?", "数据", "  A--b ")] == ["what-is-wrong", "section", "a-b"]


def test_references_read_as_in_the_conference_style() -> None:
    targets = number_report(assembled("whole-run"))
    texts = {label: target.text.replace("\u00a0", " ") for label, target in targets.items()}
    assert texts == {
        "sec:introduction": "Section I", "sec:methodology": "Section II", "sec:data": "Section II-A",
        "sec:measures": "Section II-B", "sec:results": "Section III", "sec:accuracy": "Section III-A",
        "sec:conclusion": "Section IV", "sec:repository": "Section V",
        "tbl:split": "Table I", "fig:classes": "Fig. 1", "eq:accuracy": "Eq. (1)", "fig:confusion": "Fig. 2",
        "tbl:claims": "Table II",
    }  # fmt: skip


def test_an_article_has_arabic_numbers() -> None:
    targets = number_report(assembled("whole-run", "article"))
    assert targets["sec:measures"].text == "Section\u00a02.2"
    assert targets["tbl:claims"].text == "Table\u00a02"


def test_an_unknown_reference_names_notebook_and_cell_and_the_nearest_label() -> None:
    report = assembled("unknown-reference.ipynb")
    match = r"reference='\[@fig:confusoin\]', notebook='unknown-reference', cell=3\. Did you mean \[@fig:confusion\]\?"
    with pytest.raises(ReportError, match=match):
        check_references(report, number_report(report))


def test_a_label_given_twice_names_both_places() -> None:
    with pytest.raises(ReportError, match=r"label='fig:twice', first='duplicate-label, cell 2', again=.*cell 3"):
        number_report(assembled("duplicate-label.ipynb"))


@pytest.mark.parametrize(("layout", "mark"), [("ieee", "A-1"), ("article", "A.1")])
def test_parts_of_the_appendix_have_letters(layout: str, mark: str) -> None:
    report = assembled("appendix", layout)
    targets = number_report(report)
    numbers = [block.number for block in report.sections[-1].blocks if isinstance(block, Heading)]
    assert numbers == (["A.", "1)", "B."] if layout == "ieee" else ["A", "A.1", "B"])
    assert report.sections[-1].heading.number == ""
    names = ("appendix", "other-seeds", "how-they-differ", "wide", "each-class")
    texts = [targets[f"sec:{name}"].text for name in names]
    assert texts == ["Appendix", *(f"Appendix\u00a0{part}" for part in ("A", mark, "B", "B"))]


@pytest.mark.parametrize("layout", ["ieee", "article"])
@pytest.mark.parametrize("name", ["whole-run", "appendix", "long-table.ipynb", "equations.ipynb", "user-cells.ipynb"])
def test_typst_counts_as_python_does(tmp_path: Path, name: str, layout: str) -> None:
    whole = assembled(name, layout)
    report, targets = for_paper(whole, number_report(whole))
    source = ScenebookPDFExporter(source_only=True).from_report(report, targets)
    assert isinstance(source, str)
    write_images(report, tmp_path)
    (tmp_path / "scenebook.typ").write_bytes((template_folder() / "typst" / "scenebook.typ").read_bytes())
    (tmp_path / "main.typ").write_text(source + COUNTS, encoding="utf-8")
    compiler = typst.Compiler(str(tmp_path / "main.typ"), root=str(tmp_path), font_paths=fonts())
    counted = dict(json.loads(compiler.query("<counted>", field="value", one=True)))
    assert counted == python_numbers(report)


COUNTS = """
#context [#metadata(
  query(selector(figure).or(heading).or(math.equation.where(block: true)))
    .filter(it => it.at("label", default: none) != none and it.numbering != none)
    .map(it => {
      let counted = if it.func() == figure { it.counter } else { counter(it.func()) }
      (str(it.label), numbering(it.numbering, ..counted.at(it.location())))
    })
)<counted>]
"""


def python_numbers(report: Report) -> dict[str, str]:
    """Anchor to number, of everything that has one and that Typst counts itself."""
    counted = [block for block in report.blocks() if isinstance(block, (Heading, Figure, Table))]
    numbers = {block.anchor: block.number for block in counted if block.number}
    for anchor, number in equations_of(report).items():
        numbers[anchor] = f"({number})"
    return numbers


def equations_of(report: Report) -> dict[str, str]:
    from scenebook.rendering.pandoc import each_node

    nodes = [node["c"] for fragment in report.fragments() for node in each_node(fragment.tree)
             if node["t"] == "Equation"]  # fmt: skip
    return {item["anchor"]: item["number"] for item in nodes if item["numbered"] and "undefined" not in item["tex"]}
