"""The fonts of the PDF: those of the typst and matplotlib wheels, since those of a system would change the pages."""

from __future__ import annotations

import unicodedata
from functools import cache
from pathlib import Path

import matplotlib
import typst
from matplotlib.ft2font import FT2Font, LoadFlags

_FOLDER = Path(matplotlib.get_data_path()) / "fonts" / "ttf"


@cache
def fonts() -> typst.Fonts:
    """Returns the fonts that Typst may use."""
    return typst.Fonts(include_system_fonts=False, font_paths=[str(_FOLDER)])


def width_in_ems(text: str) -> float:
    """Returns the width of a text in ems, as the PDF's font for text sets it, near enough."""
    return 1.04 * sum(_advance(sign) for sign in text)


@cache
def _advance(sign: str) -> float:
    # Typst's text font cannot be measured from here; this one is nearly as wide, but for its figures.
    if sign in "0123456789":
        return 0.45
    font = FT2Font(str(_FOLDER / "STIXGeneral.ttf"))
    if font.get_char_index(ord(sign)) == 0:
        return 1.0 if unicodedata.east_asian_width(sign) in "WF" else 0.6
    return float(font.load_char(ord(sign), flags=LoadFlags.NO_SCALE).horiAdvance / font.units_per_EM)


def unknown_glyphs(text: str) -> str:
    """Returns the characters, each once, that the fonts of the PDF show as a box."""
    return "".join(sorted(character for character in set(text) if _needs_glyph(character)))


def _needs_glyph(character: str) -> bool:
    # Below U+0180 Libertinus has all; it is embedded in Typst, where nobody can look.
    if ord(character) < 0x180 or unicodedata.category(character)[0] in "CMZ":
        return False
    return ord(character) not in _known_characters()


@cache
def _known_characters() -> frozenset[int]:
    names = ("DejaVuSans.ttf", "STIXGeneral.ttf", "DejaVuSansMono.ttf")
    return frozenset(code for name in names for code in FT2Font(str(_FOLDER / name)).get_charmap())
