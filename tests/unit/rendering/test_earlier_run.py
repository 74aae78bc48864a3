"""Results of an earlier run beside those of this one: all of them are marked, and nothing else is."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

import nbformat
import page as pdf_checker
import pytest
from bs4 import BeautifulSoup, Tag
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from PIL import Image

from scenebook.core.sentences import fill
from scenebook.rendering.assemble import SourceNotebook, assemble
from scenebook.rendering.document import EarlierRun, Prose
from scenebook.rendering.front_matter import FrontMatter
from scenebook.rendering.html import ScenebookHTMLExporter
from scenebook.rendering.numbering import number_report
from scenebook.rendering.pandoc import plain_text
from scenebook.rendering.pdf import ScenebookPDFExporter
from scenebook.rendering.provenance import Provenance
from scenebook.rendering.records import RECORD_MIME
from scenebook.rendering.report import RenderedReport, StageNotebook
from tests.unit.rendering.conftest import FRONT, make_report, page_of, part_of, pdf_text
from tests.unit.rendering.hostile import NAMED, on_page, same_on_paper
from tests.unit.rendering.tagged import Element, read_tagged

NOTE = "made 2026-11-27 04:00 UTC with learning_rate 0.001, now 0.01"
LABEL = "Earlier run of stage evaluation"
LAYOUTS = {"ieee": "", "article": "layout: article\n"}


def shown(record: dict[str, Any], **data: str) -> nbformat.NotebookNode:
    return new_code_cell(
        "show()", outputs=[new_output("display_data", {RECORD_MIME: record, "text/plain": "x", **data})]
    )


def figure(name: str, *, wide: bool = False) -> nbformat.NotebookNode:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), "teal").save(buffer, "PNG")
    record = {"kind": "figure", "label": f"fig:{name}", "caption": f"Drawn {name}.", "alt": name, "wide": wide}
    return shown(record, **{"image/png": base64.b64encode(buffer.getvalue()).decode()})


def table(name: str, rows: int = 2) -> nbformat.NotebookNode:
    record = {"kind": "table", "label": f"tbl:{name}", "caption": f"Told {name}.", "header": ["a"], "align": ["left"]}
    return shown({**record, "rows": [[str(row)] for row in range(rows)], "wide": False})


def said(sentence: str, value: float) -> nbformat.NotebookNode:
    filled = fill(sentence, ({"n": value},))
    sources = [{"text": one.text, "source": "evaluation/metrics.json: accuracy"} for one in filled.used]
    return shown({"kind": "say", "markdown": filled.markdown, "sources": sources})


def printed(text: str) -> nbformat.NotebookNode:
    return new_code_cell("print()", outputs=[new_output("stream", name="stdout", text=text)])


def notebook(*cells: str | nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Text stands for a cell of Markdown."""
    return new_notebook(cells=[new_markdown_cell(cell) if isinstance(cell, str) else cell for cell in cells])


def results_of(run: str, number: float) -> list[str | nbformat.NotebookNode]:
    """A block of every kind; each says which run it is of."""
    return [
        f"## Results\n\n### Scores of the {run}\n\nProse of the {run}, see [@fig:{run}-narrow].",
        said(f"Sentence of the {run}: {{n}}.", number),
        figure(f"{run}-narrow"),
        f"Between, of the {run}.\n\n$$ x \\label{{eq:{run}}} $$",
        figure(f"{run}-wide", wide=True),
        table(f"{run}-short"),
        table(f"{run}-long", rows=35),
        printed(f"Output of the {run}\n"),
        f"#### Drawn alone, {run}",
        figure(f"{run}-alone"),
    ]


def write(folder: Path, name: str, *cells: str | nbformat.NotebookNode) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.ipynb"
    nbformat.write(notebook(*cells), path)
    return path


@pytest.fixture(scope="module", params=LAYOUTS)
def mixed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> RenderedReport:
    """A stale notebook and a whole one behind it, both with results; the abstract is stale, too."""
    folder = tmp_path_factory.mktemp("mixed")
    stages: list[StageNotebook] = [
        StageNotebook("training", None, "failed"),
        StageNotebook("evaluation", write(folder, "03-old", *results_of("past", 0.25)), "stale", NOTE),
        StageNotebook("samples", write(folder, "04-new", *results_of("present", 0.75)), "done"),
        StageNotebook("conclusion", write(folder, "06-old", "## Abstract\n\nShort words."), "stale", NOTE),
    ]
    return make_report(folder, stages, FRONT + LAYOUTS[request.param], provenance=Provenance(commit="0123abcd"))


def marked(page: BeautifulSoup, text: str) -> bool:
    """True when what says a text stands in a group of an earlier run."""
    (found,) = [tag for tag in page.select("main p, main pre, main figcaption") if text in tag.get_text()]
    return found.find_parent(class_="earlier") is not None


def test_every_block_of_the_stale_notebook_stands_in_a_labelled_group_and_no_other(mixed: RenderedReport) -> None:
    page = page_of(mixed)
    for text in ("Prose of the", "Sentence of the", "Between, of the", "Output of the"):
        assert marked(page, f"{text} past")
        assert not marked(page, f"{text} present")
    assert marked(page, "Short words.")
    for name in ("narrow", "wide", "alone"):
        assert part_of(page, f"[id='fig:past-{name}']").find_parent(class_="earlier")
        assert part_of(page, f"[id='fig:present-{name}']").find_parent(class_="earlier") is None
    for group in page.select(".earlier"):
        label = part_of(page, f"[id='{group['aria-labelledby']}']")
        assert group["role"] == "group"
        assert label.get_text() in {LABEL, "Earlier run of stage conclusion"}
        assert group.find(True) is label
        assert len([child for child in group.children if isinstance(child, Tag)]) > 1
    ids = [str(tag["id"]) for tag in page.find_all(id=True)]
    assert len(ids) == len(set(ids))


def test_a_heading_is_of_no_run_and_the_label_stands_anew_below_each(mixed: RenderedReport) -> None:
    page = page_of(mixed)
    assert [tag for tag in page.select("h2, h3, h4") if tag.find_parent(class_="earlier")] == []
    results = part_of(page, "[aria-labelledby='sec:results']")
    names = [tag.get_text(" ", strip=True).split(maxsplit=1)[-1] for tag in results.select("h3, h4, .earlier-label")]
    assert names == [
        "Scores of the past", "run of stage evaluation", "Drawn alone, past", "run of stage evaluation",
        "Scores of the present", "Drawn alone, present",
    ]  # fmt: skip


def test_captions_say_it_in_both_files(mixed: RenderedReport) -> None:
    page = page_of(mixed)
    tree = read_tagged(mixed.pdf.read_bytes())
    # A table that floats has its caption in the table's own element.
    on_paper = [element.text for element in tree.find("Caption", "Table")]
    for name in ("Drawn {}-narrow.", "Drawn {}-wide.", "Drawn {}-alone.", "Told {}-short.", "Told {}-long."):
        for run, mark in (("past", True), ("present", False)):
            text = name.format(run)
            (caption,) = [tag.get_text() for tag in page.select("figcaption") if text in tag.get_text()]
            assert (f"(earlier run) {text}" in caption) is mark
            found = [caption for caption in on_paper if text in caption]
            assert found
            assert all((f"(earlier run) {text}" in caption) is mark for caption in found)


def test_on_paper_the_label_stands_before_what_is_stale(mixed: RenderedReport) -> None:
    (document,) = read_tagged(mixed.pdf.read_bytes()).find("Document")
    order = [piece.text for piece in document.pieces if isinstance(piece, Element) and piece.kind in {"P", "H2", "H3"}]

    def before(text: str) -> str:
        return order[next(place for place, one in enumerate(order) if text in one) - 1]

    assert before("Prose of the past") == LABEL
    assert before("Short words.") == "Earlier run of stage conclusion"
    assert "Scores of the present" in before("Prose of the present")
    assert order.count(LABEL) == 2


def test_on_paper_a_bar_stands_beside_what_flows_and_is_stale() -> None:
    report = assemble(
        [
            SourceNotebook("03-old", notebook(*results_of("past", 0.25)), earlier=EarlierRun("evaluation")),
            SourceNotebook("04-new", notebook(*results_of("present", 0.75))),
        ],
        FrontMatter.model_validate({"title": "A", "authors": [{"name": "B"}]}),
    )
    source = ScenebookPDFExporter(source_only=True).from_report(report, number_report(report))
    assert isinstance(source, str)
    within, without = [], []
    for part in source.split("\n#earlier[\n")[1:]:
        inner, _, outer = part.partition("\n]\n")
        within.append(inner)
        without.append(outer)
    assert all(text in "".join(within) for text in ("Prose of the past", "Between, of the past", "Output of the past"))
    assert "past-long" in "".join(within)
    assert not any("of the present" in text or "#image-figure" in text or "#table-figure" in text for text in within)
    assert "fig:past-wide" in "".join(without)


def test_the_pdf_stays_accessible_and_the_page_without_scripts(mixed: RenderedReport) -> None:
    report = pdf_checker.validate_pdf_bytes(mixed.pdf.read_bytes(), profile="ua1")
    assert [f"{failure.rule_id}: {failure.message}" for failure in report.failures] == []
    assert mixed.warnings == []
    assert page_of(mixed).find_all("script") == []


def test_how_a_stale_result_was_made_tells_of_its_own_run(mixed: RenderedReport) -> None:
    page = page_of(mixed)
    old = part_of(page, "[id='fig:past-narrow'] .made dl").get_text(" ", strip=True)
    new = part_of(page, "[id='fig:present-narrow'] .made dl").get_text(" ", strip=True)
    assert f"earlier run {NOTE}" in old
    assert "0123abcd" not in old
    assert "0123abcd" in new
    assert "earlier" not in new


def test_numbers_of_two_runs_have_two_rows_in_the_table_of_sources(mixed: RenderedReport) -> None:
    page = page_of(mixed)
    sources = part_of(page, "#sources").find_next("figure")
    assert isinstance(sources, Tag)
    rows = [[cell.get_text() for cell in row.find_all(["th", "td"])] for row in sources.select("tr")]
    place = "Results: Scores of the"
    assert rows[1:] == [
        ["0.25", "evaluation/metrics.json: accuracy (earlier run)", f"{place} past"],
        ["0.75", "evaluation/metrics.json: accuracy", f"{place} present"],
    ]
    titles = {tag.get_text(): tag["title"] for tag in page.select(".value")}
    assert titles == {
        "0.25": "evaluation/metrics.json: accuracy (earlier run)",
        "0.75": "evaluation/metrics.json: accuracy",
    }


def test_both_files_begin_with_what_is_missing_and_what_is_stale(mixed: RenderedReport) -> None:
    wanted = (
        "This report is incomplete: stage training failed. What would have been shown there is missing. "
        f"Stages evaluation and conclusion show results of an earlier run, marked as such: {NOTE}."
    )
    banners = part_of(page_of(mixed), ".banners")
    assert " ".join(banners.get_text().split()) == wanted
    assert wanted in pdf_text(mixed.pdf.read_bytes())


@pytest.mark.parametrize(
    ("statuses", "banners"),
    [
        ({"a": ("stale", "")}, ["Stage a shows results of an earlier run, marked as such."]),
        ({"a": ("stale", " made\n today. ")}, ["Stage a shows results of an earlier run, marked as such: made today."]),
        (
            {"a": ("stale", "made today"), "b": ("stale", ""), "c": ("stale", "made then")},
            ["Stages a, b and c show results of an earlier run, marked as such: a made today; c made then."],
        ),
        (
            {"a": ("interrupted", ""), "b": ("running", ""), "c": ("failed", ""), "d": ("not run", "")},
            [
                "This report is incomplete: stage c failed, stages a and b were interrupted, and stage d did not run. "
                "What would have been shown there is missing."
            ],
        ),
        (
            {"a": ("running", ""), "b": ("blocked", ""), "c": ("pending", ""), "d": ("stale", "x")},
            [
                "This report is incomplete: stage a was interrupted, and stages b and c did not run. "
                "What would have been shown there is missing.",
                "Stage d shows results of an earlier run, marked as such: x.",
            ],
        ),
        ({"a": ("done", "x"), "b": ("skipped", "")}, []),
    ],
    ids=["one", "one with a note", "of several notes", "stopped", "stopped and stale", "whole"],
)
def test_the_banner_is_good_english(statuses: dict[str, tuple[str, str]], banners: list[str], tmp_path: Path) -> None:
    stages = [
        StageNotebook(name, write(tmp_path, name, "## Results\n\nText."), *status) for name, status in statuses.items()
    ]
    page = page_of(make_report(tmp_path, stages, formats=["html"]))
    assert [tag.get_text() for tag in page.select(".banners p")] == banners


def test_a_stale_stage_is_neither_whole_nor_missing() -> None:
    path = Path("x.ipynb")
    assert StageNotebook("a", path, "stale", "x").earlier == EarlierRun("a", "x")
    assert not StageNotebook("a", path, "stale").is_incomplete
    assert StageNotebook("a", None, "stale").earlier is None
    assert StageNotebook("a", path, "done", "x").earlier is None
    assert not StageNotebook("a", path, "done").is_incomplete


def test_a_stale_stage_without_a_notebook_did_not_run(tmp_path: Path) -> None:
    page = page_of(make_report(tmp_path, [StageNotebook("training", None, "stale", NOTE)], formats=["html"]))
    (banner,) = page.select(".banners p")
    assert "stage training did not run" in banner.get_text()


@pytest.mark.parametrize("start", range(0, len(NAMED), 40))
def test_a_hostile_note_stays_text_in_both_files(start: int, tmp_path: Path) -> None:
    note = "with class " + " and ".join([*NAMED[start : start + 40], "the end"])
    path = write(tmp_path, "03-old", "## Results\n\nText.", figure("a"))
    rendered = make_report(tmp_path, [StageNotebook("evaluation", path, "stale", note)])
    page = page_of(rendered)
    wanted = f"Stage evaluation shows results of an earlier run, marked as such: {note}."
    assert on_page(part_of(page, ".banners p").get_text()) == on_page(wanted)
    assert on_page(part_of(page, ".made dl div:last-child dd").get_text()) == on_page(note)
    assert page.find_all(["script", "iframe"]) == []
    assert [tag["alt"] for tag in page.find_all("img")] == ["a"]
    (document,) = read_tagged(rendered.pdf.read_bytes()).find("Document")
    assert same_on_paper(wanted, next(element.text for element in document.find("P")))
    assert all("has a glyph" in warning for warning in rendered.warnings), rendered.warnings


def test_references_to_what_an_earlier_run_does_not_show_break_nothing(tmp_path: Path) -> None:
    old = write(tmp_path, "03-old", "## Results\n\nSee [@fig:gone] and [@he2016].", figure("kept"))
    new = write(tmp_path, "04-new", "## Results\n\nSee [@fig:kept; @fig:planned].")
    rendered = make_report(tmp_path, [StageNotebook("a", old, "stale", NOTE), StageNotebook("b", new, "done")])
    for text in (page_of(rendered).get_text(), pdf_text(rendered.pdf.read_bytes())):
        text = text.replace("\u00a0", " ")
        assert "See Fig. “gone” and" in text
        assert "See Fig. 1 and Fig. “planned”." in text


@pytest.mark.parametrize("is_first", [True, False])
def test_what_moved_to_another_notebook_since_is_named_by_the_new_one(is_first: bool, tmp_path: Path) -> None:
    old = write(tmp_path, "03-old", "## Results", figure("map"), "$$ x \\label{eq:x} $$")
    new = write(tmp_path, "04-new", "## Results\n\nSee [@fig:map] and [@eq:x].", figure("map"), "$$ y \\label{eq:x} $$")
    stages: list[StageNotebook] = [StageNotebook("a", old, "stale", NOTE), StageNotebook("b", new, "done")]
    page = page_of(make_report(tmp_path, stages if is_first else stages[::-1], formats=["html"]))
    number, (link, equation) = (2 if is_first else 1), page.select("main section > p > a")
    assert link.get_text() == f"Fig.\u00a0{number}"
    assert equation.get_text() == f"Eq.\u00a0({number})"
    named = part_of(page, f"[id='{str(link['href'])[1:]}']")
    assert named.find_parent(class_="earlier") is None
    assert named.get_text(" ", strip=True).startswith(f"Fig. {number}.")
    assert part_of(page, f"[id='{str(equation['href'])[1:]}']").find_parent(class_="earlier") is None


def test_fields_of_the_front_matter_are_not_filled_beside_stale_results(tmp_path: Path) -> None:
    path = write(tmp_path, "06-old", "## Abstract\n\nShort words.")
    stages = [StageNotebook("conclusion", path, "stale", NOTE)]
    rendered = make_report(tmp_path, stages, FRONT + "abstract: '{accuracy:.1%}'\n", formats=["html"])
    assert rendered.warnings == [
        "The abstract of the front matter has fields for results that are missing or of an earlier run: it is left out."
    ]
    assert "Earlier run of stage conclusion Short words." in part_of(page_of(rendered), ".abstract").get_text(
        " ", strip=True
    )
    given = make_report(tmp_path / "given", stages, FRONT + "abstract: By hand.\n", formats=["html"])
    assert part_of(page_of(given), ".abstract").get_text(" ", strip=True) == "Abstract By hand."


def test_code_alone_is_not_marked_where_no_code_is_shown() -> None:
    report = assemble(
        [SourceNotebook("03-old", notebook("## Results", new_code_cell("1")), earlier=EarlierRun("evaluation"))],
        FrontMatter.model_validate({"title": "A", "authors": [{"name": "B"}]}),
    )
    targets = number_report(report)
    assert LABEL in ScenebookHTMLExporter().from_report(report, targets)
    assert LABEL not in ScenebookHTMLExporter(exclude_input=True).from_report(report, targets)
    source = ScenebookPDFExporter(source_only=True).from_report(report, targets)
    assert isinstance(source, str)
    assert LABEL not in source


def test_blocks_of_two_earlier_runs_are_two_groups() -> None:
    report = assemble(
        [
            SourceNotebook("01", notebook("## Results\n\nOne.")),
            SourceNotebook("02", notebook("## Results", "Two.", "Three."), earlier=EarlierRun("b")),
            SourceNotebook("03", notebook("## Results", "Four."), earlier=EarlierRun("c", NOTE)),
        ],
        FrontMatter.model_validate({"title": "A", "authors": [{"name": "B"}]}),
    )
    (section,) = report.sections
    groups = [
        (run.stage if run else "", [plain_text(block.body.tree) for block in group if isinstance(block, Prose)])
        for run, group in report.groups(section.blocks)
    ]
    assert groups == [("", ["One."]), ("b", ["Two.", "Three."]), ("c", ["Four."])]
