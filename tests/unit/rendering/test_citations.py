from __future__ import annotations

import io
import shutil
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbconvert.exporters import get_exporter
from pypdf import PdfReader

from scenebook.core.errors import ReportError
from scenebook.rendering.citations import load_bibliography, resolve_citations, simplify
from scenebook.rendering.document import Fragment, Origin, Prose, Report
from scenebook.rendering.front_matter import FrontMatter
from scenebook.rendering.markdown import read
from scenebook.rendering.pandoc import Node, each_node, plain_text
from scenebook.rendering.report import RenderedReport, StageNotebook
from tests.unit.rendering.conftest import FRONT, NOTEBOOKS, Render, make_report, page_of, part_of, pdf_text

WORKS = NOTEBOOKS / "works.bib"
# JSON's way to write a string is one of YAML's.
NUMERIC = FRONT + f'bibliography: "{WORKS.as_posix()}"\nsubtitle: "As <told> by #works"\n'
AUTHOR_YEAR = NUMERIC + "citation_style: author-year\nlayout: article\n"
HOSTILE_TITLE = (
    '#panic() "] <script>alert(2)</script> 5$ 100% @x [@y] \\input{/etc/passwd} \\href{http://localhost:1}{here}'
)


def front_of(style: str = "numeric") -> FrontMatter:
    values = {"title": "T", "authors": [{"name": "A"}], "bibliography": str(WORKS), "citation_style": style}
    return FrontMatter.model_validate(values)


def cited(*sources: str, style: str = "numeric") -> Report:
    """Paragraphs whose citations are resolved."""
    report = Report(front_of(style))
    report.abstract = [Prose(Fragment(source, Origin("n", number))) for number, source in enumerate(sources, start=1)]
    assert read([prose.body for prose in report.abstract]) == []
    resolve_citations(report, load_bibliography(report))
    return report


def shown(tree: Any) -> str:
    """The text of a tree, with what its citations became."""
    parts = []
    for node in each_node(tree):
        parts += [shown(node["c"]["shown"])] if node["t"] == "Citation" else []
        parts += [node["c"]] if node["t"] == "Str" else [" "] if node["t"] == "Space" else []
    return "".join(parts)


def citations_of(source: str) -> list[list[Node]]:
    fragment = Fragment(source, Origin("n", 1))
    read([fragment])
    return [node["c"]["items"] for node in each_node(fragment.tree) if node["t"] == "Citation"]


@pytest.mark.parametrize(
    ("source", "items"),
    [
        ("[@he2016]", [[("he2016", "")]]),
        ("[@a; @b_c, p. 3 ;@d,\nch. 2]", [[("a", ""), ("b_c", "p. 3"), ("d", "ch. 2")]]),
        ("[@a, pp. 3--5]", [[("a", "pp. 3–5")]]),
        ("[@DBLP:conf/cvpr/He+16]", [[("DBLP:conf/cvpr/He+16", "")]]),
        ("[@_a_b_] *[@c]*", [[("_a_b_", "")], [("c", "")]]),
        ("[@fig:a; @b; @sec:c]", [[("b", "")]]),
        (r"\[@a\] \\[@b]", [[("b", "")]]),
        ("`[@a]`, $[@b]$\n\n```\n[@c]\n```", []),
        ("[@a](https://x.org) @a [see @a] [-@a] [@a.] [@.a] [@a b] [@é] [@a;] [@]", []),
        ("[@a, `x`] [@a, <b>] [@a,\n\np. 3] [@" + "k" * 101 + "]", []),
        ("[a](scenebook-reference:zz) [b](scenebook-reference:00)", []),
    ],
)
def test_citations_are_found_where_they_are_citations(source: str, items: list[list[tuple[str, str]]]) -> None:
    assert [[(item["key"], item["locator"]) for item in found] for found in citations_of(source)] == items


def test_a_long_list_without_its_bracket_takes_no_time() -> None:
    assert citations_of("[" + "@a,x     ;" * 2000) == []


def test_numbers_count_in_the_order_of_first_citation() -> None:
    report = cited("Of [@web] and [@he2016; @web].", "Of [@kim_a, pp. 3–5], [@he2016].")
    assert [shown(prose.body.tree) for prose in report.abstract] == ["Of [1] and [1], [2].", "Of [3, pp. 3–5], [2]."]
    assert [(work.number, work.key) for work in report.references] == [
        ("[1]", "web"),
        ("[2]", "he2016"),
        ("[3]", "kim_a"),
    ]
    assert plain_text(report.references[1].body.tree) == (
        "K. He, X. Zhang, S. Ren, and J. Sun, “Deep Residual Learning for Image Recognition,” in Proceedings of CVPR, "
        "2016, pp. 770–778, doi: 10.1109/CVPR.2016.90."
    )


def test_authors_and_years_tell_works_apart_and_sort_the_list() -> None:
    report = cited("Of [@web; @he2016] and [@kim_b; @kim_a], [@M:1/2+x, p. 3].", style="author-year")
    assert shown(report.abstract[0].body.tree) == (
        "Of (He et al., 2016; The ACME Group, 2020) and (Kim, 2016a, 2016b), (Müller et al., 2019, p. 3)."
    )
    assert [work.key for work in report.references] == ["he2016", "kim_a", "kim_b", "M:1/2+x", "web"]
    assert {work.number for work in report.references} == {""}
    assert plain_text(report.references[3].body.tree) == "Müller, Z. et al. (2019). A Book of E. coli. U."


def test_only_addresses_of_the_web_become_links() -> None:
    report = cited("[@he2016; @web; @evil]")
    links = [node["c"][2][0] for work in report.references for node in each_node(work.body.tree) if node["t"] == "Link"]
    assert links == ["https://doi.org/10.1109/CVPR.2016.90", "https://a.org/x_y"]


def test_a_link_to_anywhere_else_becomes_its_text() -> None:
    link: dict[str, Any] = {"t": "Link", "c": [["", [], []], [{"t": "Str", "c": "here"}], ["javascript:alert(1)", ""]]}
    parts: list[dict[str, Any]] = [link, {"t": "Note", "c": []}, {"t": "RawInline", "c": ["typst", "#panic()"]}]
    assert [node["t"] for node in simplify(parts, {"https://a.org"})] == ["Str", "Str", "Str"]
    assert plain_text(simplify(parts, set())) == "here#panic()"


def test_hostile_fields_are_text() -> None:
    (work,) = cited("[@evil]").references
    assert plain_text(work.body.tree) == (
        f"<script>alert(1)</script> and $Q. #panic(), “{HOSTILE_TITLE},” J. & Co, 2020, "
        '<iframe src="http://localhost:1"></iframe>, javascript:alert(3).'
    )
    assert {node["t"] for node in each_node(work.body.tree)} <= {"Str", "Space", "Emph"}


@pytest.fixture(params=[NUMERIC, AUTHOR_YEAR], ids=["numeric", "author-year"])
def rendered(request: pytest.FixtureRequest, render: Render) -> RenderedReport:
    return render("cited", front=request.param)


def test_both_files_list_the_same_works_in_the_same_words(rendered: RenderedReport) -> None:
    # No word on tags: it is PDF/UA-1.
    assert rendered.warnings == [
        "works.bib: the equation '\\\\input{/etc/passwd}' cannot be read, so its source is shown."
    ]
    page, text = page_of(rendered), pdf_text(rendered.pdf.read_bytes())
    section = part_of(page, "[role=doc-bibliography]")
    entries = [" ".join(item.get_text().split()) for item in section.find_all("li")]
    assert len(entries) == 7
    listed = text[text.index("References") :].replace(" ", "")
    places = [listed.find(entry.replace(" ", "")) for entry in entries if "norm" not in entry]
    assert -1 not in places
    assert places == sorted(places)


def test_each_citation_leads_to_its_entry(rendered: RenderedReport) -> None:
    page = page_of(rendered)
    links = page.find_all("a", attrs={"role": "doc-biblioref"})
    anchors = {item["id"] for item in part_of(page, "[role=doc-bibliography]").find_all("li")}
    assert {str(link["href"]).removeprefix("#") for link in links} == anchors
    assert {
        "ref:he2016", "ref:kim_b", "ref:kim_a", "ref:M:1/2+x", "ref:maths", "ref:web", "ref:evil",
    } == anchors  # fmt: skip
    pdf = PdfReader(io.BytesIO(rendered.pdf.read_bytes()))
    inner = [note for one in pdf.pages for note in one.get("/Annots", []) if "/Dest" in str(note.get_object())]
    # In the PDF, two references to a section and a table lead somewhere as well.
    assert len(inner) >= len(links) + 2


def test_hostile_works_read_as_they_were_written_and_do_nothing(rendered: RenderedReport) -> None:
    page, text = page_of(rendered), pdf_text(rendered.pdf.read_bytes()).replace(" ", "")
    entry = part_of(page, "[id='ref:evil']")
    for written in (
        HOSTILE_TITLE,
        "javascript:alert(3)",
        "<script>alert(1)</script>",
        '<iframe src="http://localhost:1">',
    ):
        assert written in " ".join(entry.get_text().split())
        assert written.replace(" ", "") in text
    assert not page.find_all(["script", "iframe"])
    assert not entry.find_all("a")
    assert "root:" not in text


def test_references_stand_in_the_contents_behind_the_last_section(rendered: RenderedReport) -> None:
    page = page_of(rendered)
    assert part_of(page, "nav a[href='#references']").get_text() == "References"
    headings = [heading.get("id") for heading in page.select("main h2")]
    assert headings.index("references") == headings.index("sec:results") + 1
    pdf = PdfReader(io.BytesIO(rendered.pdf.read_bytes()))
    titles = [str(item.title) for item in pdf.outline if not isinstance(item, list)]
    assert titles[titles.index("References") - 1].endswith("Results")


def test_citations_stand_in_prose_sentences_captions_and_notes(render: Render) -> None:
    page = " ".join(page_of(render("cited", front=NUMERIC)).get_text().split())
    for part in (
        "Networks [1] learn, as others say [2], [3], at length [4, pp. 3–5].",
        "A class called [@he2016] and [@he2016] stay text, and so do [@ x] and [@$x].",
        "It is 88.1% [7], and [@no] is text.",
        "Counts, after [1, p. 3].",
        "Of [5].",
        "As before [6], in",
    ):
        assert part in page, part


def test_the_subtitle_stands_under_the_title(rendered: RenderedReport) -> None:
    assert part_of(page_of(rendered), ".subtitle").get_text() == "As <told> by #works"
    assert "A title & <its> #sign As <told> by #works Ada" in pdf_text(rendered.pdf.read_bytes())


def render_cell(folder: Path, source: str, front: str, status: str = "done") -> RenderedReport:
    nbformat.write(
        nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(f"## S\n\n{source}")]), folder / "x.ipynb"
    )
    return make_report(folder, [StageNotebook("x", folder / "x.ipynb", status)], front)


@pytest.mark.parametrize(
    ("source", "front", "match"),
    [
        ("[@he2017]", NUMERIC, r"'\[@he2017\]', notebook='x', cell=1, bibliography='works\.bib'.*mean \[@he2016\]\?"),
        ("[@zzzzzzzzzz]", NUMERIC, r"citation='\[@zzzzzzzzzz\]'.*Add an entry"),
        ("[@word]", FRONT, r"name a bibliography.*'\[@word\]', notebook='x', cell=1.*references\.bib.*\\\[@word"),
        ("[@untitled]", NUMERIC, r"to have a title.*file='works\.bib', key='untitled', line=16"),
        ("x", NUMERIC + "abstract: '[@he2017]'\n", r"citation='\[@he2017\]', file='front-matter\.yaml'"),
        ("[@fig:X]", NUMERIC, r"reference='\[@fig:X\]'"),
    ],
)  # fmt: skip
def test_a_citation_without_a_work_stops_before_anything_is_written(
    tmp_path: Path, source: str, front: str, match: str
) -> None:
    with pytest.raises(ReportError, match=match):
        render_cell(tmp_path, source, front)
    assert not (tmp_path / "build").exists()


def test_an_incomplete_report_shows_an_unknown_citation_as_it_was_written(tmp_path: Path) -> None:
    rendered = render_cell(tmp_path, "[@he2016] and [@nobody, p. 3; @web]", NUMERIC, status="failed")
    assert rendered.warnings == ["x, cell 1: no entry of the bibliography is called nobody."]
    assert "[1] and [@nobody; @web]" in page_of(rendered).get_text()


def test_a_broken_bibliography_is_an_error_even_if_nothing_is_cited(tmp_path: Path) -> None:
    (tmp_path / "broken.bib").write_text("@misc{a,\n title={b}\n@misc{c, title={d}}\n", encoding="utf-8")
    with pytest.raises(ReportError, match=r"BibTeX.*broken\.bib.*key='a'"):
        render_cell(tmp_path, "x", FRONT + "bibliography: broken.bib\n")


@pytest.mark.parametrize(("name", "number"), [("01-networks", 7), ("02-results", 1)])
def test_a_notebook_alone_lists_the_works_that_it_cites(tmp_path: Path, name: str, number: int) -> None:
    (tmp_path / "front-matter.yaml").write_text(NUMERIC, encoding="utf-8")
    shutil.copyfile(WORKS, tmp_path / "works.bib")
    exporter = get_exporter("scenebook-html")(front_matter=str(tmp_path / "front-matter.yaml"))
    page, _ = exporter.from_filename(str(NOTEBOOKS / "cited" / f"{name}.ipynb"))
    assert page.count('<li id="ref:') == number
    assert "[1]" in page


def test_the_same_works_give_the_same_bytes(tmp_path: Path) -> None:
    contents = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        files = render_cell(tmp_path / name, "[@maths; @evil]", NUMERIC)
        contents.append((files.html.read_bytes(), files.pdf.read_bytes()))
    assert contents[0] == contents[1]
