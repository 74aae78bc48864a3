"""Data frames that a user's cell shows: from their HTML to rows of text."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TypeGuard

from bs4 import BeautifulSoup, Tag

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
