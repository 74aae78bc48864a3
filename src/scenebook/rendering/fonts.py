"""The fonts of the PDF: what they can show, and how wide it is."""

from __future__ import annotations

import unicodedata
from functools import cache
from pathlib import Path

import matplotlib
import typst
from matplotlib.ft2font import FT2Font, LoadFlags

_FONTS = Path(matplotlib.get_data_path()) / "fonts" / "ttf"


@cache
def fonts() -> typst.Fonts:
    """Returns the fonts that Typst may use, those of wheels: those of a system would change the pages."""
    return typst.Fonts(include_system_fonts=False, font_paths=[str(_FONTS)])


def unknown_glyphs(text: str) -> str:
    """Returns the characters, each once, that the fonts of the PDF show as a box."""
    # Below U+0180 Libertinus has all; it is embedded in Typst, where nobody can look.
    drawn = {sign for sign in text if ord(sign) >= 0x180 and unicodedata.category(sign)[0] not in "CMZ"}
    return "".join(sorted(sign for sign in drawn if ord(sign) not in _known_characters()))


@cache
def _known_characters() -> frozenset[int]:
    names = ("DejaVuSans.ttf", "STIXGeneral.ttf", "DejaVuSansMono.ttf")
    return frozenset(code for name in names for code in FT2Font(str(_FONTS / name)).get_charmap())


@cache
def measure_sign(sign: str) -> float:
    """Returns how wide a character is in ems, as the PDF's font for text sets it, near enough."""
    # Typst's text font cannot be measured from here; this one is nearly as wide, but for its figures.
    if sign in "0123456789":
        return 0.45
    font = FT2Font(str(_FONTS / "STIXGeneral.ttf"))
    if font.get_char_index(ord(sign)) == 0:
        return 1.0 if unicodedata.east_asian_width(sign) in "WF" else 0.6
    return float(font.load_char(ord(sign), flags=LoadFlags.NO_SCALE).horiAdvance / font.units_per_EM)
