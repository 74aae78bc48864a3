from __future__ import annotations

import re

import pytest
from bs4 import BeautifulSoup
from bs4.element import Tag

from scenebook.rendering.document import ReportImage, Table
from scenebook.rendering.html import breakable, clean_html, shown_width
from tests.unit.rendering.conftest import Render, assembled, page_of


def one(page: BeautifulSoup | Tag, selector: str) -> Tag:
    found = page.select(selector)
    assert len(found) == 1, selector
    return found[0]


def test_the_page_runs_nothing_and_asks_for_nothing(render: Render) -> None:
    for name in ("whole-run", "hostile-text.ipynb", "user-cells.ipynb"):
        page = page_of(render(name))
        policy = str(one(page, 'meta[http-equiv="Content-Security-Policy"]')["content"])
        assert policy.startswith("default-src 'none'; img-src data:; style-src 'sha256-")
        assert page.find_all(["script", "iframe", "link", "object", "embed", "form"]) == []
        for tag in page.find_all(True):
            assert not [key for key in tag.attrs if key.startswith("on") or key == "style"], tag.name
            assert (
                str(tag.get("src", "data:")).startswith("data:image/") if tag.name == "img" else not tag.has_attr("src")
            )
            assert re.match(r"(#|https?://|mailto:)", str(tag.get("href", "#")))


def test_every_link_within_the_page_has_its_target_once(render: Render) -> None:
    page = page_of(render("whole-run"))
    ids = [str(tag["id"]) for tag in page.find_all(id=True)]
    assert len(ids) == len(set(ids))
    assert {str(tag["href"])[1:] for tag in page.select('a[href^="#"]')} <= set(ids)


def test_figures_tables_and_sections_are_numbered_and_named(render: Render) -> None:
    page = page_of(render("whole-run"))
    captions = [" ".join(tag.get_text().split()) for tag in page.find_all("figcaption")]
    assert captions == [
        "Table I. The split, stratified.",
        "Fig. 1. One image a class.",
        "Fig. 2. The confusion matrix of the images in Fig. 1 and Table I.",
        "Table II. Reported against measured.",
        "Table III. The numbers in this report's sentences: which file or setting of the run, or which cell of a "
        "notebook, they are from.",
    ]
    headings = [" ".join(tag.get_text().split()) for tag in page.select("main h2, main h3")]
    assert headings == ["Abstract", "I. Introduction", "II. Methodology", "A. Data", "B. Measures", "III. Results",
                        "A. Accuracy", "IV. Conclusion", "V. Repository", "Where the numbers come from"]  # fmt: skip
    assert [" ".join(tag.get_text().split()) for tag in page.select("nav a")] == headings[1:]


def test_the_appendix_is_the_last_section_and_its_parts_stand_in_the_contents(render: Render) -> None:
    page = page_of(render("appendix"))
    entries = [" ".join(tag.get_text().split()) for tag in page.select("nav a")]
    assert entries[-4:] == ["III. Repository", "Appendix", "A. Other seeds", "B. Each class"]
    assert [" ".join(tag.get_text().split()) for tag in page.select("main h2, main h3, main h4")][-4:] == [
        "Appendix", "A. Other seeds", "1) How they differ", "B. Each class",
    ]  # fmt: skip
    for link in page.select("a"):
        assert link.get_text().strip() or link.find("img"), link


def test_tables_have_header_cells_with_a_scope(render: Render) -> None:
    table = one(page_of(render("whole-run")), "figure[id='tbl:split'] table")
    assert [(tag.get_text(), tag["scope"]) for tag in table.select("thead th")] == [
        ("class", "col"), ("train", "col"), ("test", "col"),
    ]  # fmt: skip
    assert [tag["scope"] for tag in table.select("tbody th")] == ["row"] * 3
    assert [tag["class"] for tag in table.select("tbody tr:first-child td")] == [["right"], ["right"]]


def test_every_image_has_its_alternative_text_and_svg_is_isolated(render: Render) -> None:
    page = page_of(render("whole-run"))
    assert [tag["alt"] for tag in page.find_all("img")] == [
        "Image 1 of 3", "Image 2 of 3", "Image 3 of 3", "A drawn figure",
    ]  # fmt: skip
    assert page.find("svg") is None


def test_code_is_folded_and_names_its_notebook_and_cell(render: Render) -> None:
    summaries = [" ".join(tag.get_text(" ").split()) for tag in page_of(render("whole-run")).find_all("summary")]
    assert summaries[:2] == ["Code 01-data, cell 3", "How this was made 01-data, cell 6"]
    assert "Code 01-data, cell 6" not in summaries, "the box at the table holds it"


def test_equations_are_mathml_with_their_number(render: Render) -> None:
    page = page_of(render("whole-run"))
    equation = one(page, "[id='eq:accuracy']")
    assert equation.find("math") is not None
    assert one(equation, ".equation-number").get_text() == "(1)"
    assert "Eq.\u00a0(1)" in page.get_text()


def test_an_equation_that_nobody_understands_shows_its_source(render: Render) -> None:
    rendered = render("equations.ipynb")
    page = page_of(rendered)
    assert [tag.get_text() for tag in page.select("code.tex")] == ["\\undefinedcommand{x}", "\\undefinedcommand"]
    assert "equations, cell 1: the equation '\\\\undefinedcommand' cannot be read" in " ".join(rendered.warnings)
    assert len(page.find_all("math")) == 5


def test_a_value_of_a_sentence_carries_its_source_also_in_the_abstract(render: Render) -> None:
    values = [(tag.get_text(), tag["title"]) for tag in page_of(render("whole-run")).select("span.value")]
    assert values == [
        ("3 classes", "computed in 06-conclusion, cell 3: k"),
        ("88.2%", "evaluation/metrics.json: accuracy"),
        ("88.2%", "evaluation/metrics.json: accuracy"),
    ]


def test_one_table_behind_all_else_names_every_source_once_with_its_numbers_and_places(render: Render) -> None:
    page = page_of(render("whole-run"))
    last = page.select("main > section")[-1]
    assert one(last, "h2").get_text() == "Where the numbers come from"
    assert [[cell.get_text() for cell in row.select("th, td")] for row in last.select("tr")] == [
        ["numbers", "source", "stand in"],
        ["3 classes", "computed in 06-conclusion, cell 3: k", "Abstract"],
        ["88.2%", "evaluation/metrics.json: accuracy", "Abstract; Results: Accuracy"],
    ]


def test_a_report_without_numbers_in_sentences_has_no_such_table(render: Render) -> None:
    assert page_of(render("equations.ipynb")).select("#sources") == []


def test_provenance_and_banners_stand_in_the_page(render: Render) -> None:
    page = page_of(render("whole-run", banner="Drawn <images>."))
    assert one(page, "aside.banners").get_text().strip() == "Drawn <images>."
    assert one(page, "footer dl").get_text(" ").split() == ["code", "commit", "0123abcd"]
    assert one(page, "title").get_text() == "A title & <its> #sign"


def test_hostile_text_reads_as_it_was_written(render: Render) -> None:
    page = page_of(render("hostile-text.ipynb"))
    table = next(block for block in assembled("hostile-text.ipynb").blocks() if isinstance(block, Table))
    names = [row[0] for row in table.rows]
    assert [tag.get_text() for tag in page.select("[id='tbl:names'] tbody th")] == names
    assert [tag.get_text() for tag in page.select(".image-caption")] == names
    assert one(page, "[id='fig:alt'] img")["alt"] == '" onerror="alert(4) #panic() \\'
    sentence = next(tag.get_text() for tag in page.select("main p") if tag.get_text().startswith(names[0]))
    assert sentence == "; ".join(names) + "."
    assert "<script>alert(2)</script> #panic() $ @x % \\input{/etc/passwd}" in page.get_text()
    assert "[" * 50 in page.get_text()


def test_wide_figures_and_tables_scroll_in_a_region_that_the_keyboard_reaches(render: Render) -> None:
    page = page_of(render("whole-run"))
    for selector in ("[id='fig:confusion'] .card", "[id='tbl:claims'] .scroll"):
        region = one(page, f"figure.wide{selector}")
        assert (region["tabindex"], region["role"]) == ("0", "region")
        assert one(page, f"[id='{region['aria-labelledby']}']").name == "figcaption"


def test_the_page_says_its_language_and_its_landmarks(render: Render) -> None:
    page = page_of(render("whole-run", banner="Drawn."))
    assert one(page, "html")["lang"] == "en-GB"
    assert one(page, "nav")["aria-label"] == "Contents"
    assert one(page, "aside")["aria-label"] == "Please note"
    assert [len(page.find_all(name)) for name in ("header", "main", "footer")] == [1, 1, 1]
    assert one(page, "body > a.skip")["href"] == "#main"
    assert one(page, "main")["tabindex"] == "-1"


def test_drawings_are_shown_a_quarter_larger_than_on_paper_and_photographs_as_they_are() -> None:
    svg = b'<?xml version="1.0"?><svg height="72pt" version="1.1" width="144.5pt" viewBox="0 0 1 1"></svg>'
    assert shown_width(ReportImage(svg, "svg", "")) == 241
    assert shown_width(ReportImage(b"<svg></svg>", "svg", "")) is None
    assert shown_width(ReportImage(b"\xff\xd8", "jpg", "")) is None


def test_each_figure_and_table_says_how_it_was_made(render: Render) -> None:
    page = page_of(render("whole-run"))
    figures = [figure for figure in page.select("main > section > figure") if figure["id"] != "tbl:3"]
    boxes = [one(figure, "details.made") for figure in figures]
    assert len(boxes) == 4
    facts = [[tag.get_text() for tag in box.select("dt, dd")] for box in boxes]
    assert facts[1] == ["notebook", "01-data", "cell", "7", "code commit", "0123abcd"]
    assert one(boxes[1], "pre").get_text() == 'print("images")'


def test_a_image_of_a_grid_opens_larger_and_closes_without_script(render: Render) -> None:
    page = page_of(render("whole-run"))
    assert len(page.select("img")) == 4, "no image is there twice"
    for item in page.select(".images > li"):
        assert one(item, "a.enlarge")["href"] == f"#{item['id']}"
        assert one(item, "a.enlarge").find("img") is not None
        assert one(item, "a.close")["href"] == "#fig:classes"
        assert one(item, "a.close").get_text() == "Close"


@pytest.mark.parametrize(
    ("text", "markup"),
    [
        ("short & <sweet>", "short &amp; &lt;sweet&gt;"),
        ("evaluation/metrics.json: accuracy", "evaluation/metrics.json: accuracy"),
        ("training/test_predictions.csv", "training/<wbr>test_<wbr>predictions.<wbr>csv"),
        ("0123456789abcdef0123456789", "0123456789ab<wbr>cdef01234567<wbr>89"),
        ("e\u0301" * 30, "e\u0301" * 30),
    ],
    ids=["short", "words", "separators", "digest", "accents"],
)
def test_long_words_may_break_and_are_copied_as_they_are(text: str, markup: str) -> None:
    assert breakable(text) == markup
    assert BeautifulSoup(breakable(text), "html.parser").get_text() == text


def test_the_page_holds_one_line_of_code_for_each_line_of_the_cell(render: Render) -> None:
    code = [tag.get_text() for tag in page_of(render("user-cells.ipynb")).select("details code")]
    assert code[0] == "import matplotlib.pyplot as plt\n\nplt.plot([1, 2])\nplt.show()"


@pytest.mark.parametrize(
    ("dirty", "clean"),
    [
        ('<a href="data:text/html,x">x</a>', '<a rel="noopener noreferrer">x</a>'),
        ('<img src="http://x/y.png" alt="a">', '<img alt="a">'),
        ('<td style="text-align: right;">1</td>', "1"),
        ('<p onclick="x()" style="color: red">x</p>', "<p>x</p>"),
        ("<math><mtext><script>alert(1)</script></mtext></math>", "<math><mtext></mtext></math>"),
    ],
)
def test_fragments_are_cleaned(dirty: str, clean: str) -> None:
    assert clean_html(dirty) == clean
