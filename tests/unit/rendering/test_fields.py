"""Markdown of the last notebook, filled when the report is rendered."""

from __future__ import annotations

import nbformat
import pytest

from scenebook.core.errors import ReportError
from scenebook.core.fields import Fields, collect_fields, write_fields
from scenebook.core.run_directory import RunDirectory
from scenebook.core.sentences import Sourced
from scenebook.rendering.assemble import SourceNotebook, assemble
from scenebook.rendering.document import Prose, Report
from scenebook.rendering.front_matter import FrontMatter
from scenebook.rendering.pandoc import plain_text
from scenebook.rendering.report import RenderedReport, StageNotebook
from tests.unit.rendering.conftest import make_report, page_of

ACCURACY = {"value": 0.85, "low": 0.8, "high": 0.9}


def make_fields(better: bool = False) -> Fields:
    scores = Sourced({"accuracy": ACCURACY}, "evaluation/metrics.json")
    facts = Sourced({"better": better, "n": 1200}, origins={"better": "baselines.json: gain", "n": "splits.csv: rows"})
    return collect_fields([scores, facts], {"finding": "The network is right for {accuracy:.1%}."})


def make_notebook(*texts: str) -> nbformat.NotebookNode:
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(text) for text in texts])


def assemble_text(*texts: str, name: str = "06-conclusion") -> Report:
    front = FrontMatter.model_validate({"title": "A", "authors": [{"name": "B"}]})
    return assemble([SourceNotebook(name, make_notebook(*texts))], front, fields=make_fields())


def test_each_paragraph_knows_the_sources_of_its_own_values() -> None:
    report = assemble_text("## Discussion\n\n{finding} *Mine.*\n\n### Data\n\nOn {n:,} images.", "## Abstract\n\n{n}")
    proses = [block for section in report.sections for block in section.blocks if isinstance(block, Prose)]
    assert [plain_text(prose.body.tree) for prose in proses] == [
        "The network is right for 85.0%. Mine.",
        "On 1,200 images.",
    ]
    assert plain_text(report.abstract[0].body.tree) == "1200"
    assert report.sources is not None
    places = {row[1]: row[2] for row in report.sources.rows}
    assert places == {
        "splits.csv: rows": "Abstract; Discussion: Data",
        "evaluation/metrics.json: accuracy": "Discussion",
    }


def test_only_the_last_notebook_has_fields() -> None:
    (section,) = assemble_text("## Results\n\nThe set {n}.", name="03-evaluation").sections
    (prose,) = section.blocks
    assert isinstance(prose, Prose)
    assert plain_text(prose.body.tree) == "The set {n}."


def test_a_wrong_field_is_named_with_its_cell() -> None:
    with pytest.raises(ReportError, match=r"notebook='06-conclusion', cell=2, field='acuracy'.*Did you mean accuracy"):
        assemble_text("## Discussion", "{acuracy:.1%}")


def render(run: RunDirectory, text: str, better: bool) -> RenderedReport:
    write_fields(run, make_fields(better))
    notebook = run.path("notebooks/06-conclusion.ipynb")
    notebook.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(make_notebook("## Discussion", text), notebook)
    return make_report(run.root, [StageNotebook("conclusion", notebook, "done")], formats=["html"])


def test_words_stay_and_a_bound_that_was_crossed_is_warned_of_in_terminal_and_report(run_dir: RunDirectory) -> None:
    written = "Training pays off, as I expected.{better=true} It reaches {accuracy>0.8:.0%}."
    agrees = render(run_dir, written, better=True)
    assert agrees.warnings == []
    assert "the text is written for" not in page_of(agrees).get_text()
    crossed = render(run_dir, written, better=False)
    (warning,) = crossed.warnings
    assert warning.startswith(
        "06-conclusion, cell 2: the text is written for better = true, and in this run it is false"
    )
    page = " ".join(page_of(crossed).get_text().split())
    assert "Training pays off, as I expected. It reaches 85%." in page
    assert warning in page
