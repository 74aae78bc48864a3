"""How wide the columns of a table are in the PDF."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import matplotlib
import numpy as np
from markupsafe import Markup
from matplotlib.ft2font import FT2Font, LoadFlags

from scenebook.rendering.document import Table

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
    heads = [1.08 * size * text_width(cell) for cell in table.header]  # these are bold
    widths = np.array([heads, *([size * text_width(cell) for cell in row] for row in rows)])
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


def text_width(text: str) -> float:
    """Returns the width of a text in ems, as the PDF's font for text sets it, near enough."""
    return 1.04 * sum(_advance(sign) for sign in text)


def _longest_word(cells: Iterable[str]) -> float:
    """Returns ems; a word that may break counts with its longest piece."""
    words = [word if len(word) <= LONG_WORD else word[:13] for cell in cells for word in cell.split()]
    return max((text_width(word) for word in words), default=0.0)


@cache
def _advance(sign: str) -> float:
    # Typst's text font cannot be measured from here; this one is nearly as wide, but for its figures.
    if sign in "0123456789":
        return 0.45
    font = FT2Font(str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "STIXGeneral.ttf"))
    if font.get_char_index(ord(sign)) == 0:
        return 1.0 if unicodedata.east_asian_width(sign) in "WF" else 0.6
    return float(font.load_char(ord(sign), flags=LoadFlags.NO_SCALE).horiAdvance / font.units_per_EM)
