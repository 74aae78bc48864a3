from __future__ import annotations

from nbformat import v4

from scenebook.rendering.assemble import SourceNotebook, assemble
from scenebook.rendering.bundles import MIME
from scenebook.rendering.document import Prose, Report
from scenebook.rendering.front_matter import FrontMatter
from scenebook.rendering.tree import each_node, plain_text
from scenebook.sentences import Sourced, fill

FRONT = FrontMatter.model_validate({"title": "A title", "authors": [{"name": "Ada"}]})


def report_of(sentence: str, *sources: dict[str, object]) -> Report:
    """A report of one sentence, as `say` hands it over."""
    filled = fill(sentence, sources)
    used = [{"text": one.text, "source": one.source or one.field, "computed": not one.source} for one in filled.used]
    record = {"kind": "say", "markdown": filled.markdown, "sources": used}
    cells = [
        v4.new_markdown_cell("## Results"),
        v4.new_code_cell("", outputs=[v4.new_output("display_data", {MIME: record})]),
    ]
    return assemble([SourceNotebook("03", v4.new_notebook(cells=cells))], FRONT)


def titles_of(report: Report) -> list[tuple[str, str]]:
    """Text and title of each value, and no mark is left."""
    prose = next(block for block in report.blocks() if isinstance(block, Prose))
    assert not {"\ufdd0", "\ufdd1"} & set(str(prose.body.tree))
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


def test_the_table_lists_numbers_only_and_shortens_sentences() -> None:
    long = "sea taken for glacier (1 of 50); " * 4
    report = report_of("{name}, {n}, {n} and {long}", {"name": "sea", "n": 6, "long": long})
    assert report.sources is not None
    assert [row[0] for row in report.sources.rows] == [
        "6",
        "sea taken for glacier (1 of 50); sea ta…",
    ]
    assert report.sources.rows[0] == ["6", "computed in 03, cell 2: n", "Results"]


def test_a_report_whose_sentences_hold_no_numbers_has_no_table() -> None:
    assert report_of("The {name}.", {"name": "sea"}).sources is None
