from __future__ import annotations

import re
from pathlib import Path

import pytest

from scenebook.core.errors import ReportError
from scenebook.core.project import project_root
from scenebook.rendering.front_matter import Author, FrontMatter, load_front_matter
from tests.unit.rendering.conftest import Render, page_of, part_of, pdf_text

GOOD = "title: A\nauthors:\n  - name: Ada\n"


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "front-matter.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_front_matter_of_the_project_can_be_read_and_names_no_data_set_or_backbone() -> None:
    front = load_front_matter(project_root() / "report" / "front-matter.yaml")
    assert front.layout == "ieee"
    assert not {"nature", "six", "resnet50"} & set(front.title.lower().replace(":", " ").split())


def test_all_keys_are_read(tmp_path: Path) -> None:
    text = (
        GOOD
        + "    id: '7'\n    affiliation: X\n    email: a@b\ncourse: C\nabstract: text\nkeywords: [k]\npaper: letter\n"
    )
    front = load_front_matter(write(tmp_path, text))
    assert (front.authors[0].id, front.course, front.keywords, front.paper) == ("7", "C", ["k"], "letter")


@pytest.mark.parametrize(
    ("text", "match"),
    [
        (GOOD + "tilte: B\n", r"only known keys.*entry='tilte', line=4.*Known here: title,"),
        (GOOD + "    nmae: B\n", r"entry='authors\.0\.nmae', line=4.*Known here: name, id"),
        ("authors:\n  - name: Ada\n", r"the key title.*entry='title'"),
        (GOOD + "layout: wide\n", r"'ieee' or 'article'.*entry='layout', line=4"),
        (GOOD + "course: 5\n", r"valid string.*entry='course', line=4"),
        (GOOD + "repository: javascript:alert(1)\n", r"starts with https.*line=4"),
        (GOOD + "subtitle: [a]\n", r"valid string.*entry='subtitle', line=4"),
        (GOOD + "subtitel: a\n", r"only known keys.*entry='subtitel', line=4.*subtitle.*bibliography, citation_style"),
        (GOOD + "bibliography: none.bib\n", r"no file 'none\.bib' beside.*entry='bibliography', line=4"),
        (GOOD + "bibliography: .\n", r"no file '\.'.*entry='bibliography', line=4"),
        (GOOD + "bibliography: 5\n", r"is text.*entry='bibliography', line=4"),
        (GOOD + 'bibliography: "a\\0b"\n', r"entry='bibliography', line=4"),
        (GOOD + f"bibliography: {'x' * 300}\n", r"no file 'xxx.*entry='bibliography', line=4"),
        (GOOD + "bibliography: ~nobody-of-that-name/x.bib\n", r"no file '~nobody.*entry='bibliography', line=4"),
        (GOOD + "citation_style: apa\n", r"'numeric' or 'author-year'.*entry='citation_style', line=4"),
        (GOOD + "title: B\n", r"every key.*once.*key='title', line=4, first in line=1"),
        ("title: 'A\n", r"in YAML.*line="),
        ("- a\n", r"to be a mapping"),
    ],
)
def test_an_error_names_the_key_and_the_line(tmp_path: Path, text: str, match: str) -> None:
    with pytest.raises(ReportError, match=match):
        load_front_matter(write(tmp_path, text))


def test_a_file_in_another_encoding_is_named_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "front-matter.yaml"
    path.write_bytes("title: A\nauthors:\n  - name: Müller\n".encode("latin-1"))
    with pytest.raises(ReportError, match=r"UTF-8.*file='front-matter\.yaml', line=3"):
        load_front_matter(path)


def test_the_bibliography_lies_beside_the_front_matter(tmp_path: Path) -> None:
    (tmp_path / "x.bib").write_text("", encoding="utf-8")
    front = load_front_matter(write(tmp_path, GOOD + "bibliography: x.bib\ncitation_style: author-year\n"))
    assert front.bibliography == tmp_path / "x.bib"
    assert front.citation_style == "author-year"
    assert load_front_matter(write(tmp_path, GOOD + "bibliography:\n")).bibliography is None


def test_the_comments_of_the_project_tell_every_key() -> None:
    text = (project_root() / "report" / "front-matter.yaml").read_text(encoding="utf-8")
    for key in (*FrontMatter.model_fields, *Author.model_fields):
        assert re.search(rf"(?m)^\s*(# |- )*{key}:", text), key


def test_placeholders_are_asked_for_on_the_page_and_never_printed_where_they_would_mislead(
    tmp_path: Path, render: Render
) -> None:
    keys = ["title", "authors", "course", "repository"]
    given = load_front_matter(project_root() / "report" / "front-matter.yaml")
    assert given.list_placeholders() == keys
    own = write(tmp_path, "title: A\nauthors: [{name: Ada}]\ncourse: C\nrepository: https://git.example.test/x\n")
    assert load_front_matter(own).list_placeholders() == []
    text = (project_root() / "report" / "front-matter.yaml").read_text(encoding="utf-8")
    rendered = render("equations.ipynb", front=re.sub("(?m)^bibliography.*$", "", text))
    assert rendered.placeholders == keys
    assert ", ".join(keys) in part_of(page_of(rendered), ".unfinished").get_text()
    shown = rendered.html.read_text(encoding="utf-8") + pdf_text(rendered.pdf.read_bytes())
    assert "example.org" not in shown
    assert "Course, assignment" not in shown
    assert page_of(render("equations.ipynb")).select(".unfinished") == []


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ReportError, match=r"Expected a readable front matter.*none\.yaml"):
        load_front_matter(tmp_path / "none.yaml")
