"""What of a table is printed, and how wide its columns are: as wide as their text, else so that few lines break."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

import numpy as np
from markupsafe import Markup

from scenebook.rendering.document import Table
from scenebook.rendering.fonts import measure_sign

PRINTED_ROWS, LAST_ROWS = 100, 10
"""Rows of a table that are printed, and how many of them are the last ones."""
PRINTED_COLUMNS, LAST_COLUMNS = 24, 6
"""Columns likewise: of more, on paper, nobody could read the figures."""
_PAGE_WIDTH, _COLUMN_WIDTH, _ARTICLE_WIDTH = 498.0, 240.0, 442.0
"""Points: text of a page of two columns, of one of these, and of a page of one column; A4, the narrower paper."""
WASTE = 9.0
"""Points that a broken line of a table leaves free, on average."""
BROKEN = 0.3
"""What a broken cell costs, in lines of the table, where another cell of its row is longer: it reads badly."""
MEASURED_ROWS = 100
LONG_WORD = 24
"""Characters of a word that does not break, as in the template."""


def rows_left_out(table: Table) -> int:
    """Returns how many rows of a long table are not printed."""
    return max(0, len(table.rows) - PRINTED_ROWS)


def tell_left_out(table: Table) -> str:
    """Returns what is said, behind the caption, of rows and columns that are not printed."""
    rows, columns = len(table.rows), len(table.header)
    told = [f"{rows - rows_left_out(table):,} of its {rows:,} rows"] * bool(rows_left_out(table))
    told += [f"{PRINTED_COLUMNS} of its {columns:,} columns"] * (columns > PRINTED_COLUMNS)
    return f" ({' and '.join(told)}; the page has all)" if told else ""


def printed_columns(table: Table) -> Table:
    """Returns a table with the columns that are printed: of very many the first and the last, none joined."""
    width, first = len(table.header), PRINTED_COLUMNS - LAST_COLUMNS
    if width <= PRINTED_COLUMNS:
        return table
    header, align, *lines = (
        [*line[:first], between, *line[width - LAST_COLUMNS :]]
        for between, line in [("…", table.header), ("left", table.align), *(("…", row) for row in table.rows)]
    )
    heads = [[*line[:first], "", *line[width - LAST_COLUMNS :]] for line in table.heads]
    moved = {**{column: column for column in range(first)},
             **{width - LAST_COLUMNS + place: first + 1 + place for place in range(LAST_COLUMNS)}}  # fmt: skip
    colours = {(line, moved[column]): found for (line, column), found in table.colours.items() if column in moved}
    return dataclasses.replace(table, header=header, align=align, rows=lines, heads=heads, spans={}, colours=colours)


def printed_rows(table: Table) -> Table:
    """Returns a table with the rows that are printed: of very many the first and the last, which may be averages."""
    left_out = rows_left_out(table)
    if not left_out:
        return table
    between = [f"… {left_out:,} more", *[""] * (len(table.header) - 1)]
    rows = [*table.rows[: PRINTED_ROWS - LAST_ROWS], between, *table.rows[-LAST_ROWS:]]
    above = len(table.heads) + 1
    spans = {place: span for place, span in table.spans.items() if place[0] < above}
    start = above + PRINTED_ROWS - LAST_ROWS
    colours = {
        (line if line < start else line - left_out + 1, column): colour
        for (line, column), colour in table.colours.items()
        if not start <= line < start + left_out
    }
    return dataclasses.replace(table, rows=rows, spans=spans, colours=colours)


def _width_in_ems(text: str) -> float:
    return 1.04 * sum(measure_sign(sign) for sign in text)


def column_widths(table: Table, layout: str = "ieee") -> Markup:
    """Returns Typst's columns: as wide as their text where all fits a line, else those that need the fewest lines.

    A table that moves to the appendix has a page of one column in any layout.
    """
    columns = len(table.header)
    size, inset = (5.5, 5.0) if columns > 14 else (6.5, 5.0) if columns > 9 else (8.0, 8.0)
    line = _ARTICLE_WIDTH if layout == "article" else _PAGE_WIDTH if table.wide or table.is_long else _COLUMN_WIDTH
    shares, fits = share_width(table, line, size=size, inset=inset)
    if fits:
        return Markup("(" + "auto, " * columns + ")")
    return Markup("(" + "".join(f"{share:.1f}fr, " for share in shares) + ")")


def share_width(table: Table, line: float, *, size: float, inset: float) -> tuple[np.ndarray, bool]:
    """Returns the width of each column, float64 `(columns,)`, and whether no cell breaks; all in points.

    `line` is what there is for all columns, `inset` the room beside the text of a column, both sides together.
    """
    rows = table.rows[:MEASURED_ROWS]  # they tell how the others are
    room = line - inset * len(table.header)
    heads = [1.08 * size * _width_in_ems(cell) for cell in table.header]  # these are bold
    widths = np.array([heads, *([size * _width_in_ems(cell) for cell in row] for row in rows)])
    if widths.max(axis=0).sum() <= room:
        return widths.max(axis=0) + inset, True
    cells = zip(table.header, *rows, strict=True)
    least = [size * max(1.08 * _longest_word((head,)), _longest_word(below), 1.0) for head, *below in cells]
    return _share_line(widths, np.array(least), room) + inset, False


def _share_line(widths: np.ndarray, least: np.ndarray, room: float) -> np.ndarray:
    """Widens columns from the `least` `(columns,)` to `room` in all, that one first which saves most lines a point.

    `widths` `(rows, columns)` are of each cell's text on one line.
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
    words = [word if len(word) <= LONG_WORD else word[:13] for cell in cells for word in cell.split()]
    return max((_width_in_ems(word) for word in words), default=0.0)
