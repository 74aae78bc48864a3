"""The colours that somebody gave to cells of an HTML table, as a Styler of pandas does.

Of a style nothing is handed on but three numbers from 0 to 255 for each colour, whatever else it holds.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import tinycss2
from bs4 import BeautifulSoup, Tag
from tinycss2.color4 import parse_color

MOST_SELECTORS = 500
"""Rules for more than one cell; each is looked for in the whole output."""
_CELLS = ("td", "th")
_PROPERTIES = {"color": "ink", "background-color": "fill", "background": "fill"}
_NO_COLOURS = {"", "none", "transparent", "inherit", "initial", "unset", "revert", "auto", "currentcolor"}
_IDENTIFIER = re.compile(r"#[\w-]{1,200}")
_SELECTOR = re.compile(r"#[\w-]{1,200}(?: +[\w.-]{1,200}){1,4}")
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
    for selector, asked in _list_rules(soup):
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


def _list_rules(soup: BeautifulSoup) -> Iterator[tuple[str, dict[str, str | None]]]:
    for sheet in soup("style"):
        for rule in tinycss2.parse_stylesheet(sheet.get_text(), skip_comments=True, skip_whitespace=True):
            if rule.type == "qualified-rule":
                asked = _read_style(rule.content)
                for selector in tinycss2.serialize(rule.prelude).split(","):
                    yield " ".join(selector.split()), asked


def _read_style(style: str | Iterable[Any]) -> dict[str, str | None]:
    """Returns the colours that a style asks for; empty: none; `None`: one that cannot be read."""
    declarations = tinycss2.parse_blocks_contents(style, skip_comments=True, skip_whitespace=True)
    return {
        _PROPERTIES[one.lower_name]: _read_colour(tinycss2.serialize(one.value).strip().lower())
        for one in declarations
        if one.type == "declaration" and one.lower_name in _PROPERTIES
    }


def _read_colour(text: str) -> str | None:
    if text in _NO_COLOURS or text.startswith("var("):  # a theme's: the report has its own
        return ""
    colour = parse_color(text)
    if colour is None or colour.space not in ("srgb", "hsl", "hwb"):
        return None
    *channels, alpha = colour.to("srgb")
    over_white = (round(255 * (1 + alpha * (min(max(channel, 0), 1) - 1))) for channel in channels)
    return "".join(f"{channel:02x}" for channel in over_white)


def _make_readable(ink: str = "", fill: str = "") -> Colours:
    """Returns the colours, with black or white text on a background for which no text was chosen."""
    if fill and not ink:
        red, green, blue = (int(fill[start : start + 2], 16) for start in (0, 2, 4))
        ink = _BLACK if 0.299 * red + 0.587 * green + 0.114 * blue > 128 else _WHITE
    return Colours(ink, fill)
