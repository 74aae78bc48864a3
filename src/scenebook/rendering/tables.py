"""Tables: those of a user's cell, from HTML to rows of text; and how wide the columns of any are in the PDF."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeGuard

import numpy as np
from bs4 import BeautifulSoup, Tag
from markupsafe import Markup

from scenebook.rendering.document import Table
from scenebook.rendering.fonts import width_in_ems
from scenebook.rendering.text import clean_text

_NUMBER = re.compile(r"^[+\-−]?(?:\d[\d,\s]*)?(?:\.\d+)?(?:[eE][+\-]?\d+)?\s?%?$")
_NO_NUMBER = frozenset({"", "nan", "none", "inf", "-inf", "…", "...", "-", "–"})
MOST_COLUMNS = 200


@dataclass(frozen=True)
class Grid:
    """A table's text: header and rows have the same length, `align` names each column's side."""

    header: list[str]
    align: list[str]
    rows: list[list[str]]


def read_html_table(html: str) -> Grid | None:
    """Reads the first table of an HTML output, or returns `None` where there is none."""
    table = BeautifulSoup(html, "html.parser").find("table")
    if not isinstance(table, Tag):
        return None
    lines = [line for line in table.find_all("tr") if line.find_parent("table") is table]
    heads = [line for line in lines if line.find_parent("thead") is not None]
    body = [line for line in lines if line not in heads]
    if not heads and body and body[0].find("td") is None:
        heads, body = body[:1], body[1:]
    rows = _expand(body)
    header = _join_header(_expand(heads))
    width = min(max([len(header), *(len(row) for row in rows)], default=0), MOST_COLUMNS)
    if width == 0:
        return None
    header = fit_row(header, width)
    rows = [fit_row(row, width) for row in rows]
    return Grid(header, [side_of([row[column] for row in rows]) for column in range(width)], rows)


def html_to_text(html: str) -> str:
    """Returns what an HTML output says, without its tags, styles and scripts."""
    soup = BeautifulSoup(html, "html.parser")
    for tag in soup(["script", "style", "template"]):
        tag.decompose()
    return clean_text(soup.get_text("\n", strip=True))


def fit_row(row: list[str], width: int) -> list[str]:
    """Returns a row of exactly `width` cells."""
    return [*row[:width], *[""] * (width - len(row))]


def side_of(cells: list[str]) -> str:
    """Returns `right` for a column of numbers and `left` for any other."""
    told = [cell.strip() for cell in cells if cell.strip().lower() not in _NO_NUMBER]
    return "right" if told and all(_NUMBER.match(cell) for cell in told) else "left"


def _expand(lines: list[Tag]) -> list[list[str]]:
    """Reads lines of cells; a cell that spans several leaves the others blank."""
    grid: list[list[str]] = []
    held: dict[int, int] = {}
    for line in lines:
        row: list[str] = []
        for cell in (child for child in line.children if _is_cell(child)):
            while held.get(len(row), 0) > 0:
                held[len(row)] -= 1
                row.append("")
            across = min(_span(cell, "colspan"), MOST_COLUMNS)
            for offset in range(across):
                held[len(row) + offset] = _span(cell, "rowspan") - 1
            row.extend([clean_text(cell.get_text(" ", strip=True)), *[""] * (across - 1)])
        while held.get(len(row), 0) > 0:
            held[len(row)] -= 1
            row.append("")
        grid.append(row)
    return grid


def _is_cell(child: object) -> TypeGuard[Tag]:
    return isinstance(child, Tag) and child.name in {"td", "th"}


def _span(cell: Tag, name: str) -> int:
    value = str(cell.get(name, "1"))
    return max(int(value), 1) if value.isascii() and value.isdigit() and len(value) < 5 else 1


def _join_header(lines: list[list[str]]) -> list[str]:
    """Joins header lines into one: a named index puts its name into a second line, under blanks."""
    width = max((len(line) for line in lines), default=0)
    lines = [fit_row(line, width) for line in lines]
    return [" ".join(line[column] for line in lines if line[column]) for column in range(width)]


PAGE_WIDTH, COLUMN_WIDTH, ARTICLE_WIDTH = 498.0, 240.0, 442.0
"""Points: text of a page of two columns, of one of these, and of a page of one column; A4, the narrower paper."""


WASTE = 9.0
"""Points that a broken line of a table leaves free, on average."""


BROKEN = 0.3
"""What a broken cell costs, in lines of the table, where another cell of its row is longer: it reads badly."""


MEASURED_ROWS = 100


LONG_WORD = 24
"""Characters of a word that does not break, as in the template."""


def column_widths(table: Table, layout: str = "ieee") -> Markup:
    """Returns Typst's columns: as wide as their text where all fits a line, else those that need the fewest lines.

    Args:
        table: Its texts are measured.
        layout: Of the page; a table that moves to the appendix has a page of one column in any layout.
    """
    rows = table.rows[:MEASURED_ROWS]
    columns = len(table.header)
    size, inset = (5.5, 5.0) if columns > 14 else (6.5, 5.0) if columns > 9 else (8.0, 8.0)
    line = ARTICLE_WIDTH if layout == "article" else PAGE_WIDTH if table.wide or table.is_long else COLUMN_WIDTH
    room = line - inset * columns
    heads = [1.08 * size * width_in_ems(cell) for cell in table.header]  # these are bold
    widths = np.array([heads, *([size * width_in_ems(cell) for cell in row] for row in rows)])
    if widths.max(axis=0).sum() <= room:
        return Markup("(" + "auto, " * columns + ")")
    words = [
        (1.08 * _longest_word((head,)), _longest_word(cells), 1.0)
        for head, *cells in zip(table.header, *rows, strict=True)
    ]
    least = size * np.array([max(widest) for widest in words])
    shares = _share_line(widths, least, room) + inset
    return Markup("(" + "".join(f"{share:.1f}fr, " for share in shares) + ")")


def _share_line(widths: np.ndarray, least: np.ndarray, room: float) -> np.ndarray:
    """Widens one column after the other, that one first which saves most lines for the width that it takes.

    Args:
        widths: Points `(rows, columns)`, each cell's text on one line.
        least: Points `(columns,)`, the widths to begin with.
        room: Points, for all columns together.

    Returns:
        Points `(columns,)`.
    """
    shares = least.astype(float)
    while (free := room - shares.sum()) > 0:
        best, most = None, 0.0
        lines = _count_lines(widths, shares)
        for column, share in enumerate(shares):
            # Only a width at which a cell loses a line can save one.
            wanted = np.unique([widths[:, column] / n + (WASTE if n > 1 else 0.5) for n in range(1, 7)])
            others = np.delete(lines, column, axis=1).max(axis=1, initial=1)
            for width in wanted[(wanted > share) & (wanted <= share + free)]:
                own = _count_lines(widths[:, column], width)
                saved = (lines.max(axis=1) - np.maximum(others, own)).sum() + BROKEN * (lines[:, column] - own).sum()
                if saved / (width - share) > most:
                    best, most = (column, width), saved / (width - share)
        if best is None:
            break
        shares[best[0]] = best[1]
    # What is left over goes to the columns that break lines.
    broken = (widths > shares).any(axis=0)
    shares[broken] += max(free, 0) / max(1, int(broken.sum()))
    return shares


def _count_lines(widths: np.ndarray, share: np.ndarray | float) -> np.ndarray:
    """Returns the lines of each cell; a broken line is rarely full."""
    return np.where(widths <= share, 1, np.ceil(widths / np.maximum(share - WASTE, 1)))


def _longest_word(cells: Iterable[str]) -> float:
    """Returns ems; a word that may break counts with its longest piece."""
    words = [word if len(word) <= LONG_WORD else word[:13] for cell in cells for word in cell.split()]
    return max((width_in_ems(word) for word in words), default=0.0)
