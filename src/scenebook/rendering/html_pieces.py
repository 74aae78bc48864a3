"""Reads the HTML that a user's cell put out: tables with their spans, captions and colours, images, and other text."""

from __future__ import annotations

import itertools
import re
from collections import defaultdict
from collections.abc import Mapping
from typing import NamedTuple

from bs4 import BeautifulSoup, Tag
from bs4.element import PageElement, PreformattedString

from scenebook.core.sentences import clean_text
from scenebook.rendering.cell_colours import Colours, read_colours

MOST_COLUMNS = 200
Span = tuple[int, int]
"""How many lines and columns a cell takes; (0, 0): another cell takes its place."""
Spans = dict[tuple[int, int], Span]
"""By line and column; what is not in it takes one of each."""
Colouring = dict[tuple[int, int], Colours]
"""By line and column."""
COVERED: Span = (0, 0)
FOREIGN = {
    "script": "what a script draws",
    "iframe": "a page within the page",
    "video": "a video",
    "audio": "a sound",
    "canvas": "a drawing of a script",
    "object": "an embedded object",
    "embed": "an embedded object",
}
"""Tags of what a page without scripts and requests cannot show, and what each is called."""
_UNSEEN = ("style", "template", "title", "button", "form", "input", "select")
_LINES = (
    "address", "article", "aside", "blockquote", "dd", "div", "dl", "dt", "figcaption", "figure", "h1", "h2", "h3",
    "h4", "h5", "h6", "hr", "li", "ol", "p", "pre", "section", "summary", "table", "td", "th", "tr", "ul",
)  # fmt: skip
"""Tags whose content stands on lines of its own."""
_LOADS = re.compile(r"^\s*$|PlotlyConfig|require(?:js)?\.(?:config|undef)")
_SVG = re.compile(r"<svg\b.*?</svg\s*>", re.DOTALL | re.IGNORECASE)
_NUMBER = re.compile(r"^[+\-−]?(?:\d[\d,\s]*)?(?:\.\d+)?(?:[eE][+\-]?\d+)?\s?%?$")
_NO_NUMBER = frozenset({"", "nan", "none", "inf", "-inf", "…", "...", "-", "–"})


class Grid(NamedTuple):
    """A table's text: header and rows have the same length, `align` names each column's side.

    `heads` are lines above the header; `spans` and `colours` count lines from the first of them.
    """

    header: list[str]
    align: list[str]
    rows: list[list[str]]
    heads: list[list[str]]
    spans: Spans
    colours: Colouring
    caption: str


class HTMLImage(NamedTuple):
    """An image: its address, or the source of a drawing, and its alternative text."""

    source: str
    alt: str


class HTMLPieces(NamedTuple):
    """What an HTML output holds, in its order; `foreign` names what of it cannot be shown."""

    pieces: list[Grid | HTMLImage | str]
    foreign: list[str]
    prepares: bool = False
    """True for what only makes a page ready for later outputs."""

    @property
    def has_more_than_text(self) -> bool:
        return any(not isinstance(piece, str) for piece in self.pieces)


def read_html(html: str) -> HTMLPieces:
    """Reads an HTML output: its tables, its images, and the text around them."""
    source = clean_text(html)
    soup = BeautifulSoup(source, "html.parser")
    drawings, tags = _SVG.findall(source), soup("svg")
    of_tag = {id(tag): text for tag, text in zip(tags, drawings, strict=False)} if len(tags) == len(drawings) else {}
    foreign = [word for name, word in FOREIGN.items() if soup(name)]
    loads = bool(soup("script")) and all(_LOADS.search(tag.get_text()) for tag in soup("script"))
    colours = read_colours(soup)
    logos = [logo.parent for logo in soup("a", href="https://bokeh.org")]  # beside it stands what is being loaded
    for tag in [*logos, *soup([*_UNSEEN, *FOREIGN])]:
        if tag is not None and not tag.decomposed:
            tag.decompose()
    has_images = bool(soup.select(":is(td, th) :is(img, svg)"))
    is_cut = any(len(line.find_all(("td", "th"), recursive=False)) > MOST_COLUMNS for line in soup("tr"))
    found: list[Grid | HTMLImage] = []
    for tag in soup(["table", "img", "svg"]):
        is_within = tag.parent is None or tag.find_parent(["table", "svg"]) is not None
        if tag.decomposed or is_within or (tag.name == "img" and not tag.get("src")):
            continue
        piece = _read_tag(tag, of_tag.get(id(tag), ""), colours.cells)
        if piece is not None:
            found.append(piece)
            tag.replace_with(f"\0{len(found) - 1}\0")
    parts = re.split("\0(\\d+)\0", _text_of(soup))
    texts, places = parts[::2], [found[int(number)] for number in parts[1::2]]
    pieces: list[Grid | HTMLImage | str] = [texts[0].strip()]
    for place, text in zip(places, texts[1:], strict=True):
        pieces += [place, text.strip()]
    if any(isinstance(piece, Grid) for piece in found):
        foreign = [] if colours.all_read else ["colours of a table"]
        foreign += ["images in cells of a table"] * has_images
        foreign += [f"columns of a table behind the {MOST_COLUMNS}th"] * is_cut
    prepares = loads and not any(pieces)
    return HTMLPieces([piece for piece in pieces if piece], [] if prepares else foreign, prepares)


def _text_of(tag: Tag) -> str:
    """Returns the text within a tag, line by line as a browser would break it."""
    parts: list[str] = []
    # Without recursion, and each node once: somebody's page may be deep, and a table has many cells.
    left: list[tuple[PageElement | str, bool]] = [(tag, tag.name == "pre")]
    while left:
        node, keeps_spaces = left.pop()
        if isinstance(node, Tag):
            edge = [("\n", True)] * (node is not tag and (node.name in _LINES or node.name == "br"))
            inner = ((child, keeps_spaces or node.name == "pre") for child in reversed(node.contents))
            left += [*edge, *inner, *edge[node.name == "br" :]]
        elif isinstance(node, str) and not isinstance(node, PreformattedString):
            parts.append(node if keeps_spaces else re.sub(r"\s+", " ", node))
    # Where a browser counts spaces, there may be several at the beginning.
    lines = (re.sub(r"^ (?! )", "", line.rstrip()) for line in "".join(parts).split("\n"))
    return "\n".join(line for line in lines if line)


def _read_tag(tag: Tag, drawing: str, colours: Mapping[int, Colours]) -> Grid | HTMLImage | None:
    if tag.name == "table":
        return _read_table(tag, colours)
    if tag.name == "img":
        return HTMLImage(str(tag.get("src", "")), clean_text(str(tag.get("alt", ""))))
    if drawing and "xmlns=" not in drawing.split(">")[0]:
        drawing = drawing.replace("<svg", '<svg xmlns="http://www.w3.org/2000/svg"', 1)
    return HTMLImage(drawing, "") if drawing else None


def _read_table(table: Tag, colours: Mapping[int, Colours]) -> Grid | None:
    for image in table("img"):
        image.replace_with(f"[image: {image.get('alt') or 'without a description'}]")
    lines = [line for line in table.find_all("tr") if line.find_parent("table") is table]
    heads = [line for line in lines if line.find_parent("thead") is not None]
    body = [line for line in lines if line not in heads]
    if not heads:
        heads = list(itertools.takewhile(lambda line: line.find("td") is None, body))
        body = body[len(heads) :]
    rows, spans, coloured = _expand(body, colours)
    above, spans_above, coloured_above = _expand(heads, colours)
    width = min(max(map(len, [[], *above, *rows])), MOST_COLUMNS)
    if width == 0:
        return None
    # Heads end with the last line in which a cell spans columns; what stands below is joined to one line.
    last = max((line for (line, _), (_, across) in spans_above.items() if across > 1), default=-1)
    first = min(last + 1, max(len(above) - 1, 0))
    above = [fit_row(line, width) for line in above]
    # A named index puts its name into a second line, under blanks.
    header = [" ".join(line[column] for line in above[first:] if line[column]) for column in range(width)]
    rows = [fit_row(row, width) for row in rows]
    kept = _clip({place: span for place, span in spans_above.items() if place[0] <= first}, first + 1, width)
    if any(header[column] for (line, column), span in kept.items() if line == first and span == COVERED):
        kept = {}  # a name stands below a cell that reaches down: it is not to be covered
    kept |= {(line + first + 1, column): span for (line, column), span in _clip(spans, len(rows), width).items()}
    found = {(min(line, first), column): colour for (line, column), colour in coloured_above.items()}
    found |= {(line + first + 1, column): colour for (line, column), colour in coloured.items()}
    caption = table.find("caption", recursive=False)
    text = clean_text(caption.get_text(" ", strip=True)) if isinstance(caption, Tag) else ""
    align = [side_of([row[column] for row in rows]) for column in range(width)]
    return Grid(header, align, rows, above[:first], kept, found, text)


def fit_row(row: list[str], width: int) -> list[str]:
    """Returns a row of exactly `width` cells."""
    return [*row[:width], *[""] * (width - len(row))]


def side_of(cells: list[str]) -> str:
    """Returns `right` for a column of numbers and `left` for any other."""
    told = [cell.strip() for cell in cells if cell.strip().lower() not in _NO_NUMBER]
    return "right" if told and all(_NUMBER.match(cell) for cell in told) else "left"


def _expand(lines: list[Tag], colours: Mapping[int, Colours]) -> tuple[list[list[str]], Spans, Colouring]:
    """Reads lines of cells; a cell that spans several leaves the others blank."""
    grid: list[list[str]] = []
    spans: Spans = {}
    coloured: Colouring = {}
    held: dict[int, int] = defaultdict(int)
    for number, line in enumerate(lines):
        row: list[str] = []
        for cell in [*line.find_all(["td", "th"], recursive=False), None]:
            while held[len(row)] > 0:
                held[len(row)] -= 1
                row.append("")
            if cell is None:
                continue
            start, down = len(row), min(_span(cell, "rowspan"), len(lines) - number)
            if id(cell) in colours:
                coloured[number, start] = colours[id(cell)]
            wanted = range(start, start + min(_span(cell, "colspan"), MOST_COLUMNS))
            across = next((column - start for column in wanted if held[column] > 0), len(wanted))
            if down > 1 or across > 1:
                places = ((number + i, start + j) for i in range(down) for j in range(across))
                spans |= dict.fromkeys(places, COVERED) | {(number, start): (down, across)}
            held |= dict.fromkeys(range(start, start + across), down - 1)
            row += [clean_text(" ".join(_text_of(cell).split("\n"))), *[""] * (across - 1)]
        grid.append(row)
    return grid, spans, coloured


def _span(cell: Tag, name: str) -> int:
    value = str(cell.get(name, "1"))
    return max(int(value), 1) if value.isascii() and value.isdigit() and len(value) < 5 else 1


def _clip(spans: Spans, lines: int, width: int) -> Spans:
    return {
        (line, column): (min(down, lines - line), min(across, width - column))
        for (line, column), (down, across) in spans.items()
        if line < lines and column < width
    }
