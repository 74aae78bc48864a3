from __future__ import annotations

import pytest
from nbformat import v4

from scenebook.core.sentences import VALUE_ENDS, Sourced, fill, without_marks
from scenebook.rendering.assemble import SourceNotebook, assemble
from scenebook.rendering.document import Prose, Report
from scenebook.rendering.front_matter import FrontMatter
from scenebook.rendering.pandoc import each_node, plain_text
from scenebook.rendering.records import RECORD_MIME

FRONT = FrontMatter.model_validate({"title": "A title", "authors": [{"name": "Ada"}]})


def report_of(sentence: str, *sources: dict[str, object]) -> Report:
    """A report of one sentence, as `say` hands it over."""
    filled = fill(sentence, sources)
    used = [{"text": one.text, "source": one.source or one.field, "computed": not one.source} for one in filled.used]
    record = {"kind": "say", "markdown": filled.markdown, "sources": used}
    cells = [
        v4.new_markdown_cell("## Results"),
        v4.new_code_cell("", outputs=[v4.new_output("display_data", {RECORD_MIME: record})]),
    ]
    return assemble([SourceNotebook("03", v4.new_notebook(cells=cells))], FRONT)


def titles_of(report: Report) -> list[tuple[str, str]]:
    """Text and title of each value, and no mark is left."""
    prose = next(block for block in report.blocks() if isinstance(block, Prose))
    text = str(prose.body.tree)
    assert without_marks(text) == text
    spans = [node["c"] for node in each_node(prose.body.tree) if node["t"] == "Span"]
    return [(plain_text(nodes), dict(attributes)["title"]) for (_, _, attributes), nodes in spans]


def test_a_value_of_several_words_has_one_title() -> None:
    report = report_of("On *{name}* with {k} classes.", Sourced({"name": "a  small *b*", "k": 3}, "data/classes.json"))
    assert titles_of(report) == [("a small *b*", "data/classes.json: name"), ("3", "data/classes.json: k")]


def test_the_same_text_elsewhere_in_the_sentence_has_no_title() -> None:
    report = report_of("Of 3 and a 3rd, {a}3 **{b}**, {c}.", {"a": 3, "b": 3, "c": ""})
    assert titles_of(report) == [("3", "computed in 03, cell 2: a"), ("3", "computed in 03, cell 2: b")]


def test_a_value_in_code_or_a_formula_has_no_title_and_costs_no_other_its_own() -> None:
    report = report_of("`{a}` and $x = {b}$, {c}.", {"a": 1, "b": 2, "c": 3})
    assert titles_of(report) == [("3", "computed in 03, cell 2: c")]


def test_a_value_in_a_footnote_or_a_citation_costs_no_other_its_own_title() -> None:
    report = report_of("A note[^1], [@he2016, p. {a}], {b}.\n\n[^1]: Of {c}.", {"a": 1, "b": 2, "c": 3})
    assert titles_of(report) == [("3", "computed in 03, cell 2: c"), ("2", "computed in 03, cell 2: b")]


def test_a_value_can_be_an_address() -> None:
    report = report_of("[data]({address}) and {n}", {"address": "https://example.org/a-b", "n": 3})
    prose = next(block for block in report.blocks() if isinstance(block, Prose))
    (link,) = [node for node in each_node(prose.body.tree) if node["t"] == "Link"]
    assert link["c"][2][0] == "https://example.org/a-b"
    assert titles_of(report) == [("3", "computed in 03, cell 2: n")]


@pytest.mark.parametrize("typed", ["\ufdd0", "\ufdd0\ufdd5x", "\ufdd0" + 5000 * "\ufdd3", "\ufdd1", "\ufdda"])
def test_marks_that_somebody_typed_are_no_values(typed: str) -> None:
    cells = [v4.new_markdown_cell(f"## Results\n\na {typed}{VALUE_ENDS} b")]
    assert titles_of(assemble([SourceNotebook("03", v4.new_notebook(cells=cells))], FRONT)) == []


def test_the_table_lists_numbers_only_and_shortens_sentences() -> None:
    long = "sea as glacier (1 of 50); " * 4
    report = report_of("{name}, {n}, {n} and {long}", {"name": "sea", "n": 6, "long": long})
    assert report.sources is not None
    assert [row[0] for row in report.sources.rows] == ["6", "sea as glacier (1 of 50); sea as glacie…"]
    assert report.sources.rows[0] == ["6", "computed in 03, cell 2: n", "Results"]


def test_a_score_and_its_bounds_are_one_row() -> None:
    score = {"value": 0.917, "low": 0.88, "high": 0.943}
    scores = Sourced({"gain": score}, "scores.json")
    report = report_of("{gain:.1%} ({gain.low:.0%} to {gain.high:.0%}), {gain:.3f}", scores)
    assert report.sources is not None
    assert report.sources.rows == [["91.7%, 88%, 94%, 0.917", "scores.json: gain (low and high)", "Results"]]


def test_a_report_whose_sentences_hold_no_numbers_has_no_table() -> None:
    assert report_of("The {name}.", {"name": "sea"}).sources is None
