"""The fonts of the PDF: what they can show, and how wide it is."""

from __future__ import annotations

import shutil
import unicodedata
from collections.abc import Sequence
from functools import cache, lru_cache
from pathlib import Path

import matplotlib
import typst
from matplotlib import font_manager
from matplotlib.ft2font import FT2Font, LoadFlags

_FONTS = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
_FOLDER = "fonts"
SYSTEM_FONTS = "system"
_ENDINGS = frozenset({".ttf", ".otf", ".ttc", ".otc"})
_EXAMPLES = {
    "CJK": ("Chinese", "Noto Sans CJK SC"),
    "HIRAGANA": ("Japanese", "Noto Sans CJK JP"),
    "KATAKANA": ("Japanese", "Noto Sans CJK JP"),
    "HANGUL": ("Korean", "Noto Sans CJK KR"),
}


@lru_cache(maxsize=4)
def fonts(root: Path | None = None) -> typst.Fonts:
    """Returns the fonts that Typst may use: those of wheels, and those that `gather_fonts` put into a folder."""
    more = [] if root is None else [str(root / _FOLDER)]
    return typst.Fonts(include_system_fonts=False, font_paths=[str(_FONTS), *more])


def more_families(root: Path) -> list[str]:
    """Returns the names of the fonts that `gather_fonts` put into a folder."""
    return sorted(set(fonts(root).families()) - set(fonts().families()))


def gather_fonts(text: str, places: Sequence[Path | str], root: Path) -> str:
    """Copies fonts into `root` that show what those of wheels do not. Returns the characters that none of them has.

    `places` are folders, or `system`. Their fonts are only used for what else would be a box: a report whose letters
    are in the fonts of wheels looks the same everywhere.
    """
    wanted = set(unknown_glyphs(text))
    for place in places if wanted else ():
        listed = place.rglob("*") if isinstance(place, Path) else map(Path, font_manager.findSystemFonts())
        files = sorted(path for path in listed if path.suffix.lower() in _ENDINGS)
        signs = {path: wanted & _characters_of(path) for path in files}
        while wanted and signs:
            best = max(signs, key=lambda path: (len(signs[path]), "Regular" in path.stem, -len(path.stem)))
            found = signs.pop(best) & wanted
            if not found:
                break
            (root / _FOLDER).mkdir(exist_ok=True)
            shutil.copyfile(best, root / _FOLDER / best.name)
            wanted -= found
            signs = {path: has & wanted for path, has in signs.items()}
    return "".join(sorted(wanted))


def _characters_of(path: Path) -> set[str]:
    try:
        return set(map(chr, FT2Font(str(path)).get_charmap()))
    except (OSError, RuntimeError, ValueError):
        return set()


def advise_fonts(missing: str) -> str:
    """Returns a sentence on the characters that no font has, and which font would have them."""
    named = ", ".join(f"{sign} (U+{ord(sign):04X})" for sign in missing[:10])
    examples = dict.fromkeys(_find_script(sign) for sign in missing)
    scripts = ", ".join(f"{font} for {script}" for script, font in examples)
    return (
        f"no font has a glyph for {named}; a box stands there. Install a font that has one, or put it into a folder "
        f"that `fonts` in the front matter names: {scripts}."
    )


def _find_script(sign: str) -> tuple[str, str]:
    script = unicodedata.name(sign, "?").split()[0]
    if script in _EXAMPLES:
        return _EXAMPLES[script]
    if unicodedata.category(sign)[0] != "L":
        return "emoji and signs", "Noto Emoji"
    return script.title(), f"Noto Sans {script.title()}"


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
