from __future__ import annotations

import re
import unicodedata

import pytest
from bs4 import BeautifulSoup
from bs4.element import Tag

from scenebook.rendering.document import Table
from scenebook.rendering.html_fragments import clean_html, find_sources
from scenebook.rendering.tree import string

from .conftest import Render, assembled, page_of


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
        "Fig. 1. One picture a class.",
        "Fig. 2. The confusion matrix of the pictures in Fig. 1 and Table I.",
        "Table II. Reported against measured.",
    ]
    headings = [" ".join(tag.get_text().split()) for tag in page.select("main h2, main h3")]
    assert headings == ["Abstract", "I. Introduction", "II. Methodology", "A. Data", "B. Measures", "III. Results",
                        "A. Accuracy", "IV. Conclusion", "V. Repository"]  # fmt: skip
    assert [" ".join(tag.get_text().split()) for tag in page.select("nav a")] == headings[1:]


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
        "Picture 1 of 3", "Picture 2 of 3", "Picture 3 of 3", "A drawn figure",
    ]  # fmt: skip
    assert page.find("svg") is None


def test_code_is_folded_and_names_its_notebook_and_cell(render: Render) -> None:
    summaries = [" ".join(tag.get_text(" ").split()) for tag in page_of(render("whole-run")).find_all("summary")]
    assert summaries[:2] == ["Code 01-data, cell 3", "Code 01-data, cell 6"]


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


def test_a_number_of_a_sentence_carries_its_source(render: Render) -> None:
    values = [(tag.get_text(), tag["title"]) for tag in page_of(render("whole-run")).select("span.value")]
    assert values == [("88.2%", "accuracy"), ("88.2%", "accuracy")]


def test_sources_are_found_in_order_and_those_of_several_words_are_passed_over() -> None:
    nodes = [string("12"), string("12,"), string("5%")]
    sources = [("two words", "a"), ("12", "b"), ("12", "c"), ("5%", "d"), ("7", "e")]
    found = find_sources(nodes, sources)
    assert [found.get(id(node)) for node in nodes] == [[("12", "b")], [("12", "c")], [("5%", "d")]]


def test_provenance_and_banners_stand_in_the_page(render: Render) -> None:
    page = page_of(render("whole-run", banner="Drawn <pictures>."))
    assert one(page, "aside.banners").get_text().strip() == "Drawn <pictures>."
    assert one(page, "footer dl").get_text(" ").split() == ["commit", "0123abcd"]
    assert one(page, "title").get_text() == "A title & <its> #sign"


def test_hostile_text_reads_as_it_was_written(render: Render) -> None:
    page = page_of(render("hostile-text.ipynb"))
    table = next(block for block in assembled("hostile-text.ipynb").blocks() if isinstance(block, Table))
    names = [row[0] for row in table.rows]
    assert [tag.get_text() for tag in page.select("[id='tbl:names'] tbody th")] == names
    assert [tag.get_text() for tag in page.select(".picture-caption")] == names
    assert one(page, "[id='fig:alt'] img")["alt"] == '" onerror="alert(4) #panic() \\'
    sentence = next(tag.get_text() for tag in page.select("main p") if tag.get_text().startswith(names[0]))
    # pandoc composes letters and their accents; what a reader sees is the same.
    assert sentence == unicodedata.normalize("NFC", "; ".join(names) + ".")
    assert "<script>alert(2)</script> #panic() $ @x % \\input{/etc/passwd}" in page.get_text()
    assert "[" * 50 in page.get_text()


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
