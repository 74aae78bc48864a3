from __future__ import annotations

import re
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import pytest

from scenebook.core.project import project_root
from scenebook.rendering.provenance import Provenance
from scenebook.rendering.report import RenderedReport
from tests.unit.rendering.conftest import FRONT, NOTEBOOKS, make_report, notebooks_of

W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
FILE = """
@article{he2016, title={Deep Residual Learning for Image Recognition}, author={He, Kaiming}, year={2016}}
"""


def render_word(folder: Path, name: str, front: str = FRONT) -> RenderedReport:
    folder.mkdir()
    (folder / "works.bib").write_text(FILE, encoding="utf-8")
    more = {"provenance": Provenance(commit="0123abcd"), "banners": ["The images are drawn."], "formats": ["docx"]}
    return make_report(folder, notebooks_of(name), front, run_dir=NOTEBOOKS, **more)


class Word:
    """What a Word file holds."""

    def __init__(self, path: Path) -> None:
        self.archive = zipfile.ZipFile(path)
        self.body = ElementTree.fromstring(self.archive.read("word/document.xml"))
        self.paragraphs = list(self.body.iter(f"{W}p"))

    def texts(self, style: str = "") -> list[str]:
        """The paragraphs of a style, by its name in Word."""
        found = [part for part in self.paragraphs if not style or style_of(part) == style]
        return [text_of(part).replace("\u00a0", " ") for part in found]


def style_of(paragraph: ElementTree.Element) -> str:
    named = paragraph.find(f"{W}pPr/{W}pStyle")
    return "" if named is None else str(named.get(f"{W}val"))


def text_of(part: ElementTree.Element) -> str:
    return "".join(node.text or "" for node in part.iter(f"{W}t"))


@pytest.fixture(scope="module")
def word(tmp_path_factory: pytest.TempPathFactory) -> Word:
    front = FRONT + 'subtitle: "Under it"\ncourse: "Vision, 2"\nkeywords: [one, two]\n'
    return Word(render_word(tmp_path_factory.mktemp("word") / "whole", "whole-run", front).docx)


def test_headings_are_words_own_with_the_reports_numbers(word: Word) -> None:
    assert word.texts("Heading1") == [
        "I. Introduction", "II. Methodology", "III. Results", "IV. Conclusion", "V. Repository",
    ]  # fmt: skip
    assert word.texts("Heading2")[:2] == ["A. Data", "B. Measures"]


def test_the_title_block_is_there_and_in_the_files_properties(word: Word) -> None:
    assert word.texts("Title") == ["A title & <its> #sign"]
    assert word.texts("Subtitle") == ["Under it"]
    assert word.texts("Author") == ["Ada"]
    assert "Vision, 2" in word.texts("Date")[0]
    assert "A classifier for 3 classes reaches 88.2%." in word.texts("Abstract")
    properties = word.archive.read("docProps/core.xml").decode()
    for part in ("A title &amp; &lt;its&gt; #sign", "Ada", "one, two"):
        assert part in properties
    assert "The images are drawn." in word.texts("BlockText")


def test_captions_have_words_style_and_numbers_that_word_counts(word: Word) -> None:
    captions = word.texts("Caption")
    assert captions
    fields = [node.get(f"{W}instr") for node in word.body.iter(f"{W}fldSimple")]
    assert len(fields) == len(captions)
    figures = [text for text in captions if text.startswith("Fig.")]
    assert [text.split(".")[1].strip() for text in figures] == [str(number + 1) for number in range(len(figures))]
    assert all("SEQ Figure" in str(field) or "SEQ Table" in str(field) for field in fields)


def test_every_image_has_its_alternative_text_and_every_reference_a_bookmark(word: Word) -> None:
    described = [node.get("descr") for node in word.body.iter() if node.tag.endswith("}docPr")]
    assert described
    assert all(described)
    bookmarks = {node.get(f"{W}name") for node in word.body.iter(f"{W}bookmarkStart")}
    anchors = {node.get(f"{W}anchor") for node in word.body.iter(f"{W}hyperlink")} - {None}
    assert anchors
    assert anchors <= bookmarks


def test_drawings_are_images_that_any_word_can_show(word: Word) -> None:
    media = [name for name in word.archive.namelist() if name.startswith("word/media/")]
    assert media
    assert {Path(name).suffix for name in media} <= {".png", ".jpg", ".jpeg"}


def test_tables_and_equations_are_words_own(word: Word, tmp_path: Path) -> None:
    cells = [text_of(cell) for cell in word.body.iter(f"{W}tc")]
    assert "88.2%" in " ".join([*cells, *word.texts()])
    equations = Word(render_word(tmp_path / "x", "equations.ipynb").docx)
    assert [node for node in equations.body.iter() if node.tag.endswith("}oMath")]


def test_works_are_cited_and_listed(tmp_path: Path) -> None:
    front = FRONT + "bibliography: works.bib\nabstract: 'As in [@he2016].'\n"
    cited = Word(render_word(tmp_path / "x", "whole-run", front).docx)
    assert "As in [1]." in cited.texts("Abstract")
    (entry,) = cited.texts("Bibliography")
    assert "Deep Residual Learning for Image Recognition" in entry


def test_the_same_report_is_the_same_file(tmp_path: Path) -> None:
    one, other = (render_word(tmp_path / name, "equations.ipynb").docx for name in ("one", "another folder"))
    assert one.read_bytes() == other.read_bytes()
    assert {entry.date_time[0] for entry in zipfile.ZipFile(one).infolist()} == {1980}


def test_pages_are_of_the_paper_that_is_asked_for(tmp_path: Path) -> None:
    sizes = {}
    for paper in ("a4", "letter"):
        found = Word(render_word(tmp_path / paper, "equations.ipynb", FRONT + f"paper: {paper}\n").docx)
        (page,) = found.body.iter(f"{W}pgSz")
        sizes[paper] = int(str(page.get(f"{W}w"))), int(str(page.get(f"{W}h")))
    assert sizes == {"a4": (11906, 16838), "letter": (12240, 15840)}


def test_formats_that_are_not_asked_for_are_not_left_from_before(tmp_path: Path) -> None:
    rendered = render_word(tmp_path / "x", "equations.ipynb")
    assert rendered.docx.is_file()
    make_report(tmp_path / "x", [NOTEBOOKS / "equations.ipynb"], run_dir=NOTEBOOKS)
    assert sorted(path.name for path in rendered.docx.parent.iterdir()) == ["report.html", "report.pdf"]


def test_the_template_has_every_style_that_is_used() -> None:
    source = (project_root() / "src" / "scenebook" / "rendering" / "word.py").read_text(encoding="utf-8")
    template = zipfile.ZipFile(project_root() / "report" / "template" / "word" / "reference.docx")
    styles = template.read("word/styles.xml").decode()
    for name in {*re.findall(r'_styled\("([^"]+)"', source), "Table Text", "Table Text Kept", "Images"}:
        assert f'w:name w:val="{name}"' in styles, name
