"""From what a cell showed to blocks of the report: our own records first, then whatever a user's cell left."""

from __future__ import annotations

import base64
import io
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple
from xml.etree import ElementTree

from bs4 import BeautifulSoup, Tag
from PIL import Image

from scenebook.core.errors import ReportError
from scenebook.core.sentences import clean_text
from scenebook.core.validation import Problem, validate
from scenebook.rendering.document import Block, Code, Figure, Fragment, Origin, Output, Prose, ReportImage, Table
from scenebook.rendering.records import RECORD_MIME, AnyRecord, BarItem, FigureRecord, ImagesRecord

Data = Mapping[str, Any]

IMAGE_TYPES: dict[str, Literal["svg", "png", "jpg"]] = {"image/svg+xml": "svg", "image/png": "png", "image/jpeg": "jpg"}
"""The better ones first."""
MOST_COLUMNS = 200
_SAYS_NOTHING = re.compile(r"^<.* at 0x[0-9a-fA-F]+>$|^\[?(?:Posix|Windows|Pure\w*)?Path\('.*'\)\]?$", re.DOTALL)
_REPR_ONLY = re.compile(r"^<[\w.]+ (?:object|size) ?.*>$|^<[\w.]+>$", re.DOTALL)
_TERMINAL_CODE = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?")
_NUMBER = re.compile(r"^[+\-−]?(?:\d[\d,\s]*)?(?:\.\d+)?(?:[eE][+\-]?\d+)?\s?%?$")
_NO_NUMBER = frozenset({"", "nan", "none", "inf", "-inf", "…", "...", "-", "–"})


def read_outputs(outputs: Iterable[Mapping[str, Any]], origin: Origin) -> list[Block]:
    """Reads the outputs of one cell, in order. What a cell wrote to stderr is its log, not part of the report.

    Raises:
        ReportError: A record of ours is not as `scenebook.notebook.display` writes it.
    """
    blocks: list[Block] = []
    for output in outputs:
        kind = output["output_type"]
        if kind == "stream" and output["name"] == "stdout":
            text = clean_text(strip_terminal_codes(_joined(output["text"]))).strip("\n")
            last = blocks[-1] if blocks else None
            if isinstance(last, Output) and not last.failed:
                last.text += "\n" + text
            elif text.strip():
                blocks.append(Output(origin, text))
        elif kind in {"display_data", "execute_result"}:
            block = read_data(output["data"], origin)
            blocks += [] if block is None else [block]
        elif kind == "error":
            text = strip_terminal_codes(f"{output['ename']}: {output['evalue']}")
            blocks.append(Output(origin, clean_text(text), failed=True))
    return blocks


def read_data(data: Data, origin: Origin) -> Block | None:
    """Reads one output: the richest form that the report can show."""
    if RECORD_MIME in data:
        return _read_record(data, origin)
    rich = _read_image(data, origin) or _read_table(data, origin) or _read_markdown(data, origin)
    return rich or _read_plain(data, origin)


def _read_record(data: Data, origin: Origin) -> Block:
    record = read_record(data[RECORD_MIME], origin)
    if record.kind == "say":
        sources = ((item.text, f"computed in {origin}: " * item.computed + item.source) for item in record.sources)
        return Prose(Fragment(record.markdown, origin), list(sources))
    if record.kind == "source":
        return Code(origin, record.code.strip("\n"), name=record.name)
    caption = Fragment(record.caption, origin, inline=True)
    if record.kind == "table":
        width = len(record.header)
        align = [*record.align[:width], *["left"] * (width - len(record.align))]
        rows = [fit_row(row, width) for row in record.rows]
        return Table(origin, record.label, caption, record.header, list(align), rows, record.wide)
    images = _images(record, data, origin)
    figure = Figure(origin, record.label, caption, images, record.alt, record.wide)
    if isinstance(record, ImagesRecord):
        figure.grid, figure.columns = True, record.columns
        figure.rows = tuple((row.heading, row.count) for row in record.rows)
    return figure


def _images(record: FigureRecord | ImagesRecord, data: Data, origin: Origin) -> list[ReportImage]:
    if isinstance(record, FigureRecord):
        images = [image_of(data, record.alt)]
    else:
        images = [image_of({"image/jpeg": item.jpeg}, item.alt, item.caption, item.bars) for item in record.items]
    found = [image for image in images if image is not None]
    if not found or len(found) < len(images):
        raise ReportError(
            "Expected the image of a figure beside its record, as SVG, PNG or JPEG.",
            received={**origin.received(), "label": record.label},
            advice="Show it with show_figure or show_pictures.",
        )
    return found


def image_of(data: Data, alt: str, caption: str = "", bars: Sequence[BarItem] = ()) -> ReportImage | None:
    """Returns the best image of an output that can be read as an image."""
    for mime, suffix in IMAGE_TYPES.items():
        if mime in data and (content := read_image(_joined(data[mime]), suffix)) is not None:
            return ReportImage(content, suffix, alt, caption, tuple(bars))
    return None


def read_image(text: str, suffix: str) -> bytes | None:
    """Returns the bytes of SVG source or of a PNG or JPEG in base64, or `None` when it is no such image."""
    try:
        if suffix == "svg":
            content = clean_text(text).encode("utf-8")
            ElementTree.fromstring(content)
        else:
            content = base64.b64decode("".join(text.split()), validate=True)
            Image.open(io.BytesIO(content), formats=["PNG", "JPEG"]).verify()
    except (ElementTree.ParseError, ValueError, OSError, SyntaxError, Image.DecompressionBombError):
        return None
    return content


def _read_image(data: Data, origin: Origin) -> Block | None:
    image = image_of(data, alt="")
    return Figure(origin, "", Fragment("", origin, inline=True), [image], alt="") if image else None


def _read_table(data: Data, origin: Origin) -> Block | None:
    grid = read_html_table(_joined(data["text/html"])) if "text/html" in data else None
    if grid is None:
        return None
    wide = len(grid.header) > 6
    return Table(origin, "", Fragment("", origin, inline=True), grid.header, grid.align, grid.rows, wide)


def _read_markdown(data: Data, origin: Origin) -> Block | None:
    if "text/markdown" in data:
        return Prose(Fragment(clean_text(_joined(data["text/markdown"])), origin))
    if "text/latex" in data:
        text = clean_text(_joined(data["text/latex"])).strip()
        tex = text.strip("$")
        # Dollar signs within: formulas among words, as Jupyter shows them.
        return Prose(Fragment(text if "$" in tex else f"$${tex}$$", origin))
    return None


def _read_plain(data: Data, origin: Origin) -> Block | None:
    text = strip_terminal_codes(_joined(data.get("text/plain", "")))
    if "text/html" in data and (not text.strip() or _REPR_ONLY.match(text.strip())):
        text = html_to_text(_joined(data["text/html"]))
    text = clean_text(text).strip("\n")
    # Where an object lies in memory, or a file on this machine, differs from run to run and tells a reader nothing.
    return Output(origin, text) if text.strip() and not _SAYS_NOTHING.match(text.strip()) else None


def _joined(value: Any) -> str:
    """Returns the text of a field that a notebook may store as a list of lines."""
    return "".join(value) if isinstance(value, list) else str(value)


def strip_terminal_codes(text: str) -> str:
    """Returns what a terminal would show: no colours, and of a line that was overwritten the last state."""
    text = _TERMINAL_CODE.sub("", text).replace("\r\n", "\n")
    return "\n".join(line.rstrip("\r").rsplit("\r", 1)[-1] for line in text.split("\n"))


def read_record(value: object, origin: Origin) -> AnyRecord:
    """Checks one record.

    Raises:
        ReportError: It is not as `scenebook.notebook.display` writes it; the error names notebook, cell and field.
    """

    def make_error(problem: Problem) -> ReportError:
        field = ".".join(map(str, problem.location))
        return ReportError(
            f"Expected {problem.expected}, as scenebook.notebook.display writes an output.",
            received={"notebook": origin.notebook, "cell": origin.cell, "field": field},
            advice="Show it with show_figure, show_images, show_table, say or show_source.",
        )

    record: AnyRecord = validate(AnyRecord, value, make_error)
    return record


class Grid(NamedTuple):
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
    width = min(max(map(len, [header, *rows])), MOST_COLUMNS)
    if width == 0:
        return None
    rows = [fit_row(row, width) for row in rows]
    return Grid(fit_row(header, width), [side_of([row[column] for row in rows]) for column in range(width)], rows)


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
    held: dict[int, int] = defaultdict(int)
    for line in lines:
        row: list[str] = []
        for cell in [*line.find_all(["td", "th"], recursive=False), None]:
            while held[len(row)] > 0:
                held[len(row)] -= 1
                row.append("")
            if cell is not None:
                across = min(_span(cell, "colspan"), MOST_COLUMNS)
                held |= dict.fromkeys(range(len(row), len(row) + across), _span(cell, "rowspan") - 1)
                row += [clean_text(cell.get_text(" ", strip=True)), *[""] * (across - 1)]
        grid.append(row)
    return grid


def _span(cell: Tag, name: str) -> int:
    value = str(cell.get(name, "1"))
    return max(int(value), 1) if value.isascii() and value.isdigit() and len(value) < 5 else 1


def _join_header(lines: list[list[str]]) -> list[str]:
    """Joins header lines into one: a named index puts its name into a second line, under blanks."""
    width = max(map(len, lines), default=0)
    lines = [fit_row(line, width) for line in lines]
    return [" ".join(line[column] for line in lines if line[column]) for column in range(width)]
