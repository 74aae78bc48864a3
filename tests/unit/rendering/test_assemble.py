from __future__ import annotations

import nbformat
import pytest

from scenebook.core.sentences import Filled
from scenebook.rendering.assemble import SourceNotebook, assemble, title_of
from scenebook.rendering.document import Code, Heading, Output, Prose, Report
from scenebook.rendering.front_matter import FrontMatter
from scenebook.rendering.pandoc import plain_text
from tests.unit.rendering.conftest import assembled, notebooks_of

FRONT = FrontMatter.model_validate({"title": "A", "authors": [{"name": "B"}]})


def from_markdown(*notebooks: list[str]) -> Report:
    """A report of notebooks that hold Markdown cells only."""
    sources = []
    for number, texts in enumerate(notebooks, start=1):
        cells = [nbformat.v4.new_markdown_cell(text) for text in texts]
        sources.append(SourceNotebook(f"0{number}", nbformat.v4.new_notebook(cells=cells)))
    return assemble(sources, FRONT)


def outline(report: Report) -> list[str]:
    """Headings with their level, and prose as text."""
    lines = []
    for block in report.blocks():
        if isinstance(block, Heading):
            lines.append("#" * block.level + " " + block.plain)
        elif isinstance(block, Prose):
            lines.append(plain_text(block.body.tree))
    return lines


def test_sections_of_several_notebooks_continue_and_come_in_order() -> None:
    report = assembled("whole-run")
    assert [section.heading.plain for section in report.sections] == [
        "Introduction", "Methodology", "Results", "Conclusion", "Repository",
    ]  # fmt: skip
    headings = [block for block in report.sections[1].blocks if isinstance(block, Heading) and block.level == 2]
    assert [heading.plain for heading in headings] == ["Data", "Measures"]
    assert [plain_text(prose.body.tree) for prose in report.abstract] == ["A classifier for 3 classes reaches 88.2%."]


def test_a_section_of_another_name_follows_the_one_that_stood_before_it() -> None:
    report = from_markdown(["## Introduction"], ["## Results", "## Discussion"], ["## Conclusion", "## Thanks"])
    assert [section.heading.plain for section in report.sections] == [
        "Introduction", "Results", "Discussion", "Conclusion", "Thanks",
    ]  # fmt: skip


def test_the_appendix_comes_last_whatever_stands_behind_it() -> None:
    first = ["## Introduction", "## Appendix\n\n### One\n\nword", "## Aside"]
    second = ["lost words", "## Results", "## Appendix\n\n### Two"]
    report = from_markdown(first, second, ["## Coda"], ["## Repository"])
    assert outline(report) == [
        "# Introduction", "# Aside", "# Results", "lost words", "# Coda", "# Repository",
        "# Appendix", "## One", "word", "## Two",
    ]  # fmt: skip


def test_a_heading_that_an_output_shows_is_a_bold_line_and_no_section() -> None:
    output = nbformat.v4.new_output("display_data", data={"text/markdown": "# Loud\n\nand clear"})
    cells = [nbformat.v4.new_markdown_cell("## Results"), nbformat.v4.new_code_cell("", outputs=[output])]
    report = assemble([SourceNotebook("01", nbformat.v4.new_notebook(cells=cells))], FRONT)
    (prose,) = [block for block in report.blocks() if isinstance(block, Prose)]
    assert [node["t"] for node in prose.body.tree] == ["Para", "Para"]
    assert [section.heading.plain for section in report.sections] == ["Results"]


def test_parameters_injected_and_notebook_only_cells_stay_out_and_hidden_code_too() -> None:
    report = assembled("whole-run")
    code = [(str(block.origin), block.source) for block in report.blocks() if isinstance(block, Code)]
    assert code == [
        ("01-data, cell 3", "seed = 7"),
        ("01-data, cell 6", 'print("split")'),
        ("01-data, cell 7", 'print("images")'),
        ("03-evaluation, cell 5", 'print("confusion")'),
        ("06-conclusion, cell 6", 'print("claims")'),
    ]
    assert not any(isinstance(block, Output) for block in report.blocks())


def test_a_failed_notebook_ends_with_the_error_and_without_papermills_banners() -> None:
    report = assembled("failed-cell.ipynb")
    assert outline(report)[:2] == ["# Results", "## Before"]
    outputs = [block for block in report.blocks() if isinstance(block, Output)]
    assert [(block.text, block.failed) for block in outputs] == [("ZeroDivisionError: division by zero", True)]
    assert "do not exist" not in " ".join(outline(report))
    assert "Exception was encountered" not in " ".join(outline(report))


def test_the_title_of_a_notebook_stays_out_and_levels_have_no_gaps() -> None:
    report = from_markdown(["# Title\n\nbefore", "## Results\n\n##### Deep\n\ntext", "### Flat\n\n> ## quoted"])
    assert outline(report) == ["# Results", "before", "## Deep", "text", "## Flat", "quoted"]


def test_a_notebook_without_sections_becomes_one_of_its_name() -> None:
    assert outline(from_markdown(["just *text*"])) == ["# 01", "just text"]


def test_an_abstract_of_the_front_matter_replaces_the_generated_one() -> None:
    notebooks = [SourceNotebook(path.stem, nbformat.read(path, as_version=4)) for path in notebooks_of("whole-run")]
    report = assemble(notebooks, FRONT, abstract=Filled("Given, see [@sec:results]."))
    assert [plain_text(prose.body.tree) for prose in report.abstract] == ["Given, see ."]


def test_a_heading_without_text_is_none() -> None:
    assert outline(from_markdown(["## Results\n\n##\n\n### \n\ntext"])) == ["# Results", "text"]


def test_headings_in_code_are_no_headings() -> None:
    report = from_markdown(["## Results\n\n```\n## not a heading\n```"])
    assert len(report.sections) == 1


@pytest.mark.parametrize(("text", "title"), [("# A *b* #", "A *b*"), ("## B", ""), ("#no", "")])
def test_the_title_of_a_notebook(text: str, title: str) -> None:
    assert title_of(nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(text)])) == title
