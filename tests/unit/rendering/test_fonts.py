from __future__ import annotations

import io
from pathlib import Path

import nbformat
import pytest
from fontTools.fontBuilder import FontBuilder  # type: ignore[import-untyped]
from fontTools.pens.ttGlyphPen import TTGlyphPen  # type: ignore[import-untyped]
from pypdf import PdfReader

from scenebook.core.errors import ReportError
from scenebook.rendering.fonts import gather_fonts
from scenebook.rendering.front_matter import load_front_matter
from scenebook.rendering.report import RenderedReport
from tests.unit.rendering.conftest import make_report


def make_font(path: Path, signs: str, family: str) -> None:
    """Writes a font in which each of some characters is a square."""
    pen = TTGlyphPen(None)
    for number, corner in enumerate(((100, 0), (100, 700), (800, 700), (800, 0))):
        (pen.lineTo if number else pen.moveTo)(corner)
    pen.closePath()
    names = [".notdef", *(f"uni{ord(sign):04X}" for sign in signs)]
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder(names)
    builder.setupCharacterMap({ord(sign): f"uni{ord(sign):04X}" for sign in signs})
    builder.setupGlyf(dict.fromkeys(names, pen.glyph()))
    builder.setupHorizontalMetrics(dict.fromkeys(names, (900, 100)))
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": family, "styleName": "Regular", "psName": family.replace(" ", "")})
    builder.setupOS2()
    builder.setupPost()
    builder.save(path)


def render(folder: Path, fonts: str) -> RenderedReport:
    cells = [nbformat.v4.new_markdown_cell("## Results\n\nThe classes 山 and `川`.")]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), folder / "01.ipynb")
    return make_report(folder, [folder / "01.ipynb"], f"title: A\nauthors: [{{name: B}}]\nfonts: {fonts}\n")


def fonts_of(report: RenderedReport) -> str:
    pages = PdfReader(io.BytesIO(report.pdf.read_bytes())).pages
    fonts = [font.get_object() for page in pages for font in page["/Resources"]["/Font"].values()]  # type: ignore[index]
    return " ".join(str(font["/BaseFont"]) for font in fonts if "/BaseFont" in font)


def test_a_font_of_the_project_is_used_for_what_the_own_ones_lack(tmp_path: Path) -> None:
    (tmp_path / "my fonts").mkdir()
    make_font(tmp_path / "my fonts" / "mountain.ttf", "山川", "Mountain Sans")
    with_font = render(tmp_path, "[my fonts]")
    assert with_font.warnings == []
    assert "MountainSans" in fonts_of(with_font)
    assert "LastResort" not in fonts_of(with_font)


def test_without_one_the_warning_names_script_and_font(tmp_path: Path) -> None:
    without = render(tmp_path, "[]")
    (warning,) = without.warnings
    assert "山 (U+5C71), 川 (U+5DDD)" in warning
    assert "Noto Sans CJK SC for Chinese" in warning
    assert "LastResort" in fonts_of(without)


def test_fonts_are_taken_only_for_what_is_missing_and_as_few_as_will_do(tmp_path: Path) -> None:
    fonts, root = tmp_path / "fonts", tmp_path / "root"
    fonts.mkdir()
    root.mkdir()
    make_font(fonts / "few.ttf", "山", "Few")
    make_font(fonts / "many.ttf", "山川", "Many")
    (fonts / "broken.ttf").write_bytes(b"no font")
    assert gather_fonts("Zoë in the sea", [fonts], root) == ""
    assert not (root / "fonts").exists()
    assert gather_fonts("山川森", [fonts], root) == "森"
    assert [path.name for path in (root / "fonts").iterdir()] == ["many.ttf"]


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    (tmp_path / "front.yaml").write_text("title: A\nauthors: [{name: B}]\nfonts: [none]\n", encoding="utf-8")
    with pytest.raises(ReportError, match=r"no folder 'none'.*line=3"):
        load_front_matter(tmp_path / "front.yaml")
