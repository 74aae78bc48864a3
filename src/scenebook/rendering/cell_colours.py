"""The colours that somebody gave to cells of an HTML table, as a Styler of pandas does.

Of a style nothing is handed on but three numbers from 0 to 255 for each colour, whatever else it holds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from bs4 import BeautifulSoup, Tag
from PIL import ImageColor

MOST_SELECTORS = 500
"""Rules for more than one cell; each is looked for in the whole output."""
_CELLS = ("td", "th")
_PROPERTIES = {"color": "ink", "background-color": "fill", "background": "fill"}
_NO_COLOURS = {"", "none", "transparent", "inherit", "initial", "unset", "revert", "auto", "currentcolor"}
_IDENTIFIER = re.compile(r"#[\w-]{1,200}")
_SELECTOR = re.compile(r"#[\w-]{1,200}(?: +[\w.-]{1,200}){1,4}")
_COLOUR = re.compile(r"#[0-9a-f]{3,8}|[a-z]{3,24}|(?:rgb|hsl)\([0-9,.% ]{5,40}\)")
_WITH_ALPHA = re.compile(r"rgba?\( ?(\d{1,3}),? (\d{1,3}),? (\d{1,3})(?:,| /) ?([01]?(?:\.\d{1,9})?) ?\)")
_WHITE, _BLACK = "ffffff", "000000"


class Colours(NamedTuple):
    """The colours of a cell's text and of its background, as `ff0000`; an empty text: that of the page."""

    ink: str = ""
    fill: str = ""


class ReadColours(NamedTuple):
    """The colours of cells, by the `id` of their tag; `all_read` is false where others were asked for, such as bars."""

    cells: dict[int, Colours]
    all_read: bool


def read_colours(soup: BeautifulSoup) -> ReadColours:
    """Reads the colours that styles give to cells of tables: those of the output, and those that a cell has itself."""
    cells: dict[int, dict[str, str | None]] = {}
    all_read = True
    by_identifier = {f"#{tag['id']}": tag for tag in soup(id=True)}
    left = MOST_SELECTORS
    for selector, style in _list_rules(soup):
        asked = _read_style(style)
        if not asked or ":" in selector:  # what is pointed at, say, which nothing is on paper
            continue
        found: list[Tag] = []
        if _IDENTIFIER.fullmatch(selector):
            found = [by_identifier[selector]] if selector in by_identifier else []
        elif _SELECTOR.fullmatch(selector) and left:
            left -= 1
            found = list(soup.select(selector))
        elif selector.startswith("#T_"):  # a Styler's own
            all_read = False
        for tag in found:
            for cell in [tag] if tag.name in _CELLS else tag(_CELLS):
                cells[id(cell)] = cells.get(id(cell), {}) | asked
    for cell in soup(_CELLS):
        ground = f"background: {cell['bgcolor']};" if cell.has_attr("bgcolor") else ""
        cells[id(cell)] = cells.get(id(cell), {}) | _read_style(f"{ground}{cell.get('style', '')}")
    all_read &= all(None not in asked.values() for asked in cells.values())
    coloured = {cell: _make_readable(**{name: it or "" for name, it in asked.items()}) for cell, asked in cells.items()}
    return ReadColours({cell: colours for cell, colours in coloured.items() if any(colours)}, all_read)


def _list_rules(soup: BeautifulSoup) -> Iterator[tuple[str, str]]:
    for sheet in soup("style"):
        first, *others = sheet.get_text().split("/*")
        source = first + "".join(part.partition("*/")[2] for part in others)
        for rule in source.split("}"):
            selectors, _, style = rule.rpartition("{")
            for selector in selectors.rpartition("{")[2].split(","):
                yield " ".join(selector.split()), style


def _read_style(style: str) -> dict[str, str | None]:
    """Returns the colours that a style asks for; empty: none; `None`: one that cannot be read."""
    found: dict[str, str | None] = {}
    for declaration in style.split(";"):
        name, _, value = declaration.partition(":")
        if known := _PROPERTIES.get(name.strip().lower()):
            found[known] = _read_colour(" ".join(value.lower().replace("!important", "").split()))
    return found


def _read_colour(text: str) -> str | None:
    if text in _NO_COLOURS or text.startswith("var("):  # a theme's: the report has its own
        return ""
    alpha = 1.0
    if match := _WITH_ALPHA.fullmatch(text):
        text, alpha = f"rgb({match[1]},{match[2]},{match[3]})", float(f"0{match[4]}")
    if not _COLOUR.fullmatch(text):
        return None
    try:
        red, green, blue, *rest = ImageColor.getrgb(text)
    except ValueError:
        return None
    alpha = rest[0] / 255 if rest else min(alpha, 1.0)
    channels = (round(255 + alpha * (min(max(channel, 0), 255) - 255)) for channel in (red, green, blue))
    return "".join(f"{channel:02x}" for channel in channels)  # over white


def _make_readable(ink: str = "", fill: str = "") -> Colours:
    """Returns the colours, with black or white text on a background for which no text was chosen."""
    if fill and not ink:
        red, green, blue = (int(fill[start : start + 2], 16) for start in (0, 2, 4))
        ink = _BLACK if 0.299 * red + 0.587 * green + 0.114 * blue > 128 else _WHITE
    return Colours(ink, fill)
