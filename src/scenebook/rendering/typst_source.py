"""Text, prose, tables and images as Typst source. All text enters as literals; pandoc writes only structure."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup

from scenebook.core.sentences import clean_text
from scenebook.rendering.document import Figure, Report, ReportImage, Table
from scenebook.rendering.exporter import Formula, FragmentWriter, convert_equations
from scenebook.rendering.fonts import measure_sign
from scenebook.rendering.numbering import Target
from scenebook.rendering.pandoc import Node, each_node, plain_text, raw, raw_block

CODE_WIDTH, SMALL_CODE_WIDTH, CODE_LINES = 56, 80, 60
"""Characters of a line of preformatted text, and of one that is set smaller, as a summary of a network; and lines."""
_SHORT_CODE, _SHORT_ADDRESS = 30, 16
MAX_GRID_IMAGES = 48
PRINTED_ROWS, LAST_ROWS = 100, 10
"""Rows of a table that are printed, and how many of them are the last ones."""
PRINTED_COLUMNS, LAST_COLUMNS = 24, 6
"""Columns likewise: of more, on paper, nobody could read the figures."""
_TYPST_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t"})


def typst_literal(value: Any) -> Markup:
    """Writes a value as a Typst literal, for code mode. Nothing in it can be read as markup or code.

    Anything but numbers, bool and None is text; `Markup` is Typst source already and passes.
    """
    if isinstance(value, Markup):
        return value
    if value is None or isinstance(value, bool):
        return Markup(str(value).lower())
    if isinstance(value, (int, float)):
        return Markup(repr(value))
    return Markup('"' + clean_text(str(value)).translate(_TYPST_ESCAPES) + '"')


def typst_text(text: str) -> str:
    """Writes text as it stands within Typst markup: a string expression, closed so that nothing can follow it."""
    return f"#{typst_literal(text)};"


def wrap_lines(text: str, width: int = CODE_WIDTH, most: int = CODE_LINES, *, widest: int = SMALL_CODE_WIDTH) -> str:
    """Breaks preformatted text into at most `most` lines of `width` characters, and says where lines were left out.

    Where no line has more than `widest`, none is broken: a table that somebody printed stays one.
    """
    lines: list[str] = []
    given = text.expandtabs(4).split("\n")
    longest = max(map(len, given[:most]))
    width = longest if width < longest <= widest else width
    for line in given:
        lines.extend(line[start : start + width] for start in range(0, max(len(line), 1), width))
    if len(lines) > most:
        lines = [*lines[: most - 1], f"... {len(lines) - most + 1} more lines"]
    return "\n".join(lines)


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


def file_name(image: ReportImage) -> str:
    """Returns a name made from an image's content: text from data never becomes part of a path."""
    return f"{hashlib.sha256(image.content).hexdigest()[:20]}.{image.suffix}"


def describe_grid(figure: Figure) -> str:
    """Returns the alternative text of a grid: of the whole, and of each image that it does not speak of already.

    A tagged PDF describes a figure once; readers are not led into it.
    """
    rows = []
    for heading, images in figure.groups(MAX_GRID_IMAGES):
        told = list(filter(None, (_describe(image, figure.alt) for _, image in images)))
        if told:
            rows.append(f"{heading}: " * bool(heading) + "; ".join(told))
    return f"{figure.alt.rstrip('.: ')}: {'. '.join(rows)}." if rows else figure.alt


def _describe(image: ReportImage, known: str) -> str:
    """Returns what is to be said of an image where `known` has been said; of bars, the numbers."""
    bars = ", ".join(f"{bar.label} {bar.text}{' (true class)' * bar.is_true}" for bar in image.bars)
    alt = "" if image.alt in known else image.alt
    return f"{alt} ({bars})" if alt and bars else alt or bars


def write_typst(
    report: Report,
    targets: dict[str, Target],
    *,
    as_source: frozenset[Formula] = frozenset(),
    missing: frozenset[str] = frozenset(),
) -> dict[Formula, str]:
    """Fills `typst` of every fragment of a numbered report. Returns the equations that are set as such, in Typst.

    Typst was seen not to compile the equations `as_source`, nor to read the image files of the names `missing`.
    """
    converted = convert_equations(report, "typst")
    equations = {formula: text for formula, text in converted.items() if formula not in as_source}
    fragments = list(report.fragments())
    flush_left = [dataclasses.replace(fragment, tree=_set_flush_left(fragment.tree)) for fragment in fragments]
    written = _TypstWriter(targets, equations, missing).write(flush_left)
    for fragment, text in zip(fragments, written, strict=True):
        fragment.typst = Markup(text)
    return equations


def _set_flush_left(tree: list[Node]) -> list[Node]:
    """Marks paragraphs that hold an address or a command: stretched to both edges, their lines would be torn apart."""
    torn = [node["t"] == "Para" and any(map(_is_rigid, each_node(node))) for node in tree]
    before, after = raw_block("typst", "#ragged["), raw_block("typst", "]")
    pieces = ([before, node, after] if is_torn else [node] for node, is_torn in zip(tree, torn, strict=True))
    return list(itertools.chain.from_iterable(pieces))


def _is_rigid(node: Node) -> bool:
    if node["t"] == "Link":
        shown = plain_text(node["c"][1])
        return len(shown) > _SHORT_ADDRESS and " " not in shown
    return node["t"] == "Code" and len(node["c"][1]) > _SHORT_CODE


@dataclass
class _TypstWriter(FragmentWriter):
    missing: frozenset[str]
    target = "typst"

    def change(self, nodes: list[Node]) -> list[Node]:
        """Changes one list of nodes: runs of text become one literal each."""
        done: list[Node] = []
        text, follows_display = "", False
        for node in [*nodes, None]:
            if node is not None and node["t"] in {"Str", "Space", "SoftBreak"}:
                text += node["c"] if node["t"] == "Str" else " "
                continue
            # A space behind an equation on a line of its own would indent the line that follows.
            text = text.lstrip() if follows_display else text
            follows_display = node is not None and node["t"] == "Equation" and bool(node["c"]["display"])
            text = text.rstrip() if follows_display else text
            done += [raw("typst", typst_text(text))] if text else []
            done += self.change_node(node) if node is not None else []
            text = ""
        return done

    def change_node(self, node: Node) -> list[Node]:
        kind = node["t"]
        if kind == "Code":
            return [raw("typst", f"#raw({typst_literal(node['c'][1])});")]
        if kind == "CodeBlock":
            return [raw_block("typst", f"#printed({typst_literal(wrap_lines(node['c'][1]))})")]
        if kind == "Link":
            _, inlines, (address, _) = node["c"]
            # Citations and references lead to a place within, other links to the web or to mail.
            is_within = address.startswith("#")
            target = f"label({typst_literal(address[1:])})" if is_within else str(typst_literal(address))
            return [raw("typst", f"#link({target})["), *inlines, raw("typst", "];")]
        if kind == "HorizontalRule":
            return [raw_block("typst", "#rule")]
        if kind == "Table":
            return [raw_block("typst", "#markdown-table["), node, raw_block("typst", "]")]
        return super().change_node(node)

    def write_equation(self, content: dict[str, Any], source: str | None) -> str:
        label = f"#label({typst_literal(content['anchor'])})" if content["numbered"] else ""
        if source is None:
            # An equation that cannot be set keeps its number, so that references to it stay true.
            shown = typst_literal(content["tex"])
            if content["display"]:
                return f"#unreadable-equation({shown}, numbered: {typst_literal(content['numbered'])});{label}"
            return f"#raw({shown});"
        numbering = ', numbering: "(1)"' if content["numbered"] else ""
        alt = typst_literal(content["tex"] or "empty equation")
        return f"#[#set math.equation(alt: {alt}{numbering});{source}{label}]"

    def write_image(self, image: ReportImage) -> str:
        if file_name(image) in self.missing:
            return typst_text(f"[image: {image.alt}]")
        return f"#image({typst_literal(file_name(image))}, alt: {typst_literal(image.alt)});"

    def write_text(self, text: str) -> str:
        return typst_text(text)


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
