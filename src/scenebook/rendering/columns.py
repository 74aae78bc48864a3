"""How wide the columns of tables are: as wide as their text where there is room, else so that few lines break."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from markupsafe import Markup

from scenebook.rendering.document import Table
from scenebook.rendering.fonts import measure_sign

_PAGE_WIDTH, _COLUMN_WIDTH, _ARTICLE_WIDTH = 498.0, 240.0, 442.0
"""Points: text of a page of two columns, of one of these, and of a page of one column; A4, the narrower paper."""
WASTE = 9.0
"""Points that a broken line of a table leaves free, on average."""
BROKEN = 0.3
"""What a broken cell costs, in lines of the table, where another cell of its row is longer: it reads badly."""
MEASURED_ROWS = 100
LONG_WORD = 24
"""Characters of a word that does not break, as in the template."""


def _width_in_ems(text: str) -> float:
    """Returns the width of a text in ems, as the PDF's font for text sets it, near enough."""
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

    `line` is what there is for all columns, `size` that of the text, `inset` the room beside the text of a column, both
    sides together. Of the table as many rows are measured as tell how the others are.
    """
    rows = table.rows[:MEASURED_ROWS]
    room = line - inset * len(table.header)
    heads = [1.08 * size * _width_in_ems(cell) for cell in table.header]  # these are bold
    widths = np.array([heads, *([size * _width_in_ems(cell) for cell in row] for row in rows)])
    if widths.max(axis=0).sum() <= room:
        return widths.max(axis=0) + inset, True
    cells = zip(table.header, *rows, strict=True)
    least = [size * max(1.08 * _longest_word((head,)), _longest_word(below), 1.0) for head, *below in cells]
    return _share_line(widths, np.array(least), room) + inset, False


def _share_line(widths: np.ndarray, least: np.ndarray, room: float) -> np.ndarray:
    """Widens one column after the other, that one first which saves most lines for the width that it takes.

    All in points: `widths` `(rows, columns)` are of each cell's text on one line, `least` `(columns,)` those to begin
    with, `room` that of all columns together. Returns `(columns,)`.
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
