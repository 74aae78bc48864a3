from __future__ import annotations

import pytest

from scenebook.rendering.document import Fragment, Origin
from scenebook.rendering.markdown import prepare, read
from scenebook.rendering.pandoc import Node, each_node, plain_text


def tree_of(source: str) -> list[Node]:
    fragment = Fragment(source, Origin("n", 1))
    assert read([fragment]) == []
    return fragment.tree


def labels_of(source: str) -> list[str]:
    return [label for node in each_node(tree_of(source)) if node["t"] == "Reference" for label in node["c"]["labels"]]


@pytest.mark.parametrize(
    ("source", "labels"),
    [
        ("see [@fig:a] and [@tbl:b; @eq:c].", ["fig:a", "tbl:b", "eq:c"]),
        (r"a class called \[@fig:a\] and \\[@fig:b]", ["fig:b"]),
        ("`[@fig:a]`\n\n```\n[@fig:b]\n```", []),
        ("$[@fig:a]$", []),
        ("[@he2016] [@Fig:A] @fig:a", []),
        ("**[@fig:a]**[@fig:b]", ["fig:a", "fig:b"]),
    ],
)
def test_references_are_found_where_they_are_references(source: str, labels: list[str]) -> None:
    assert labels_of(source) == labels


def test_code_shows_a_reference_as_it_was_written() -> None:
    assert plain_text(tree_of("`[@fig:a]`")) == "[@fig:a]"


@pytest.mark.parametrize(
    "text",
    ["<script>alert(1)</script>", '<iframe src="http://localhost:1/"></iframe>', "<x-y z>",
     "<input type=text>", "<video src=x></video>"],
)  # fmt: skip
@pytest.mark.parametrize("before", ["", "in a line "])
def test_raw_html_is_shown_as_text(text: str, before: str) -> None:
    tree = tree_of(before + text)
    assert plain_text(tree) == before + text
    assert not any(node["t"].startswith("Raw") for node in each_node(tree))


def test_a_few_harmless_tags_are_markup_and_comments_go() -> None:
    tree = tree_of("x<sup>2</sup> <b>bold <i>both</i></b><br>line <!-- note -->\n\n<!-- note -->")
    assert [node["t"] for node in each_node(tree)] == [
        "Para", "Str", "Superscript", "Str", "Space", "Strong", "Str", "Space", "Emph", "Str", "LineBreak", "Str",
        "Space",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("<div align='center'>\n\nin *it*\n\n</div>", "in it"),
        ("<center><h3 style='color:red'>A $x^2$</h3></center>", "A x^2"),
        ("<style>h1 {color: red}</style>", ""),
        ("a <font color='red'>b</font> <a name='c'></a>", "a b"),
        ("<table><tr><td>1</td><td onclick='x()'>2</td></tr></table>", "1 2"),
        ("<p>said <!-- not said --></p>", "said"),
        ("<a href='javascript:alert(1)'>k</a>", "k (javascript:alert(1))"),
    ],
)
def test_html_that_lays_out_a_page_is_read_for_what_it_holds(source: str, text: str) -> None:
    tree = tree_of(source)
    assert " ".join(plain_text(tree).split()) == text
    assert not any(node["t"].startswith("Raw") or node["t"] in {"Div", "Span"} for node in each_node(tree))
    assert "onclick" not in str(tree)
    assert "color" not in str(tree)


@pytest.mark.parametrize("before", ["", "in a line "])
def test_an_image_of_html_is_one_of_markdown(before: str) -> None:
    images = [node["c"] for node in each_node(tree_of(f"{before}<img src='attachment:a.png' width=9 alt='A b'>"))
              if node["t"] == "Image"]  # fmt: skip
    ((attributes, alt, (address, _)),) = images
    assert (attributes, plain_text(alt), address) == (["", [], []], "A b", "attachment:a.png")


def test_a_link_of_html_leads_to_the_web() -> None:
    (link,) = (node for node in each_node(tree_of("see <a href='https://x.org'>*this*</a>")) if node["t"] == "Link")
    assert link["c"][2][0] == "https://x.org"


def test_links_lead_to_the_web_or_to_mail_only() -> None:
    tree = tree_of("[a](https://x.org) [b](javascript:alert(1)) [c](file:///etc/passwd) <mailto:a@b.c>")
    targets = [node["c"][2][0] for node in each_node(tree) if node["t"] == "Link"]
    assert targets == ["https://x.org", "mailto:a@b.c"]
    assert "b (javascript:alert(1))" in plain_text(tree)


def test_a_link_definition_stays_in_its_own_cell() -> None:
    first, second = Fragment("[x]: https://x.org\n\n[x]", Origin("n", 1)), Fragment("[x]", Origin("n", 2))
    read([first, second])
    assert [node["t"] for node in each_node(first.tree)] == ["Para", "Link", "Str"]
    assert [node["t"] for node in each_node(second.tree)] == ["Para", "Str"]


def test_a_footnote_of_another_cell_is_found_and_one_without_a_reference_is_text() -> None:
    cells = [Fragment(text, Origin("n", number)) for number, text in enumerate(
        ["a[^1]\n\n[^2]: unused", "b[^1]", "[^1]: A *note*\n    of two lines\n\n```\n[^3]: code\n```"])]  # fmt: skip
    read(cells)
    notes = [plain_text(node["c"]) for cell in cells for node in each_node(cell.tree) if node["t"] == "Note"]
    assert notes == ["A note of two lines"] * 2
    assert plain_text(cells[0].tree).endswith("[^2]: unused")
    assert plain_text(cells[2].tree) == "[^3]: code"


def test_equations_of_latex_are_display_maths_on_one_line() -> None:
    assert prepare("\\begin{equation}\nE\n+ m\n\\end{equation}") == "$$\\label{}E + m$$"
    assert prepare("\\begin{align*} a &= b \\end{align*}") == "$$\\begin{align*}a &= b\\end{align*}$$"
    assert prepare("```\n$$\na\n$$\n```\n") == "```\n$$\na\n$$\n```\n"


def test_an_equation_is_numbered_when_it_has_a_label() -> None:
    equations = [node["c"] for node in each_node(tree_of("$$a$$\n\n$$b \\label{eq:b}$$ $$c$$ {#eq:c}, $d$"))
                 if node["t"] == "Equation"]  # fmt: skip
    assert [(item["tex"], item["label"], item["numbered"]) for item in equations] == [
        ("a", "", False), ("b", "eq:b", True), ("c", "eq:c", True), ("d", "", False),
    ]  # fmt: skip


def test_markdown_that_cannot_be_read_becomes_plain_text() -> None:
    fragment = Fragment(">" * 3000 + " deep\n\nend", Origin("n", 1))
    assert read([fragment]) == [fragment]
    assert plain_text(fragment.tree).endswith("> deep end")
