from __future__ import annotations

from pathlib import Path

import pytest

from scenebook.core.errors import ReportError
from scenebook.core.project import project_root
from scenebook.rendering.bibliography import read_bibliography, tame, text_of
from scenebook.rendering.citations import check_work
from tests.unit.rendering.conftest import NOTEBOOKS

WORKS = read_bibliography(NOTEBOOKS / "works.bib")


def test_every_entry_is_read_with_its_line() -> None:
    assert list(WORKS.entries) == [
        "he2016", "kim_b", "kim_a", "M:1/2+x", "web", "evil", "maths", "untitled", "unwritten", "twice",
    ]  # fmt: skip
    assert (WORKS.lines["he2016"], WORKS.lines["twice"]) == ([2], [18, 19])


def test_titles_keep_their_case() -> None:
    assert text_of(WORKS.entries["he2016"]["title"]) == "Deep Residual Learning for Image Recognition"
    assert text_of(WORKS.entries["M:1/2+x"]["title"]) == "A Book of E. coli"


def test_commands_are_text_and_no_title_is_lost() -> None:
    assert text_of(WORKS.entries["evil"]["title"]) == (
        '#panic() "] <script>alert(2)</script> 5$ 100% @x [@y] \\input{/etc/passwd} \\href{http://localhost:1}{here}'
    )


def test_only_the_web_and_a_doi_are_addresses() -> None:
    assert text_of(WORKS.entries["he2016"]["doi"]) == "10.1109/CVPR.2016.90"
    evil = WORKS.entries["evil"]
    assert not {"url", "URL"} & set(evil)
    assert text_of(evil["note"]) == '<iframe src="http://localhost:1"></iframe>, javascript:alert(3)'


@pytest.mark.parametrize(
    ("source", "tamed"),
    [
        (r"note={costs 5$}", r"note={costs 5\$}"),
        (r"note={$x$ and \$5}", r"note={$x$ and \$5}"),
        (r"note={\'{E}va \ss \textbf{b}}", r"note={\'{E}va \ss \textbf{b}}"),
        (r"note={\url{https://a.b/c_d}}", r"note={https://a.b/c_d}"),
        (r"note={\x{a}[b] c}", r"note={\textbackslash{}x\{a\}[b] c}"),
        ('title = "a {b"} c", year', 'title = "{a {b"} c}", year'),
        ("booktitle={a {b} c}, x={title}", "booktitle={{a {b} c}}, x={title}"),
        ("title={never closed", "title={never closed"),
    ],
)
def test_latex_is_made_text_before_anything_reads_it(source: str, tamed: str) -> None:
    assert tame(source) == tamed


def test_braces_that_nobody_closes_take_no_time() -> None:
    assert tame("title={" * 20_000).startswith("title={title={")


@pytest.mark.parametrize(
    ("key", "match"),
    [
        ("untitled", r"to have a title.*file='works\.bib', key='untitled', line=16"),
        ("unwritten", r"to have an author.*key='unwritten', line=17.*organization"),
        ("twice", r"every key.*once.*key='twice', line=18, again=19"),
    ],
)
def test_an_entry_that_cannot_be_listed_is_named_with_its_line(key: str, match: str) -> None:
    with pytest.raises(ReportError, match=match):
        check_work(key, WORKS, {})


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"@misc{good, title={a}}\n@misc{bad,\n title={b}\n@misc{c, title={d}}\n",
         r"to be BibTeX.*file='x\.bib', key='bad', begins on line=2, line=4"),
        (b"@misc{open, title={a", r"to be BibTeX.*key='open'"),
        (b"@misc{a, title={\xff}}", r"UTF-8.*file='x\.bib', line=1"),
    ],
)  # fmt: skip
def test_a_broken_file_is_named_with_entry_and_line(tmp_path: Path, content: bytes, match: str) -> None:
    path = tmp_path / "x.bib"
    path.write_bytes(content)
    with pytest.raises(ReportError, match=match):
        read_bibliography(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ReportError, match=r"Expected a bibliography.*none\.bib"):
        read_bibliography(tmp_path / "none.bib")


def test_the_works_of_the_project_can_all_be_cited() -> None:
    works = read_bibliography(project_root() / "report" / "references.bib")
    for key in works.entries:
        check_work(key, works, {})


def test_of_a_large_file_only_what_is_cited_is_read(tmp_path: Path) -> None:
    others = "".join(f"@article{{k{number}, title={{T}}, abstract={{{'word ' * 100}}}}}\n" for number in range(2000))
    path = tmp_path / "library.bib"
    path.write_text(
        '@string{acm = "ACM"}\n'
        + others
        + "@inproceedings{mine, author={Kim, A.}, title={Mine}, crossref={its-book}}\n"
        "@proceedings{its-book, title={A Conference}, year=2016, publisher=acm}\n",
        encoding="utf-8",
    )
    works = read_bibliography(path, {"mine"})
    assert list(works.entries) == ["mine", "its-book"]
    assert text_of(works.entries["mine"]["container-title"]) == "A Conference"
    assert works.lines["mine"] == [2002]
    assert "k1999" in works.lines
