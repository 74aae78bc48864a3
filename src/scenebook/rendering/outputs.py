"""From what a cell showed to blocks of the report: our own records first, then whatever a user's cell left."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from scenebook.core.errors import ReportError
from scenebook.core.sentences import clean_text, escape
from scenebook.core.validation import Problem, validate
from scenebook.core.wording import shorten
from scenebook.rendering import pandoc
from scenebook.rendering.document import Block, Code, Figure, Fragment, Origin, Output, Prose, ReportImage, Table
from scenebook.rendering.html_pieces import Grid, HTMLImage, HTMLPieces, fit_row, read_html
from scenebook.rendering.pictures import SVG, image_of, image_of_address, parts_lost
from scenebook.rendering.records import RECORD_MIME, AnyRecord, FigureRecord, ImagesRecord

Data = Mapping[str, Any]

_SAYS_NOTHING = re.compile(r"^[\[(]?<.* at 0x\w+>,?[\])]?$|^\[?(?:Posix|Windows|Pure\w*)?Path\('.*'\)\]?$", re.DOTALL)
_REPR_ONLY = re.compile(r"^<[\w.]+ (?:object|size) ?.*>$|^<[\w.]+>$", re.DOTALL)
_ARTIST = re.compile(
    r"<matplotlib\.|<Axes\b|AxesSubplot|<\w*Container object of|^Text\(|<Figure size |<seaborn\.|<a list of \d+ "
    r"|^\((?:(?:np\.float64\()?-?[\d.e+-]+\)?(?:, )?){4}\)$"
)
"""What plotting calls return, the limits of axes included: beside the figure itself it tells a reader nothing."""
_ADDRESS = re.compile(r"(?<=\S) at 0x[0-9a-fA-F]{4,16}(?=>)")
_FILE_NAME = re.compile(r"(?:/|[A-Za-z]:[\\/])\S[^\n]*")
_TERMINAL_CODE = re.compile(
    r"(?:\x1b\[|\x9b)[0-9;?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[ -/]*[0-Z\\^-~]"
)
_CURSOR = re.compile(r"(\n|\r|\x08+|\x1b\[\d*A|\x1b\[2K)")
_ALIVE = {
    "application/vnd.plotly": "an interactive figure (plotly)",
    "application/vnd.jupyter.widget-view": "a widget",
    "application/vnd.vega": "an interactive chart (Vega)",
    "application/vnd.bokehjs": "an interactive figure (Bokeh)",
    "application/vnd.holoviews": "an interactive figure (HoloViews)",
    "application/geo+json": "an interactive map",
    "application/javascript": "what a script draws",
    "application/pdf": "a PDF file",
    "video/": "a video",
    "audio/": "a sound",
    "image/": "an image that cannot be read or is too large",
}
"""Types, by how they begin, that neither a page without scripts nor paper can show, and what each is called."""
_LOADS = re.compile(r"application/vnd\..*_load\.v\d+\+json")
"""Types of what only prepares a notebook for later outputs."""
_NOT_SHOWN = "Not shown: "


def read_outputs(outputs: Iterable[Mapping[str, Any]], origin: Origin) -> list[Block]:
    """Reads the outputs of one cell, in order. What a cell wrote to stderr is its log, not part of the report.

    Raises:
        ReportError: A record of ours is not as `scenebook.notebook.display` writes it.
    """
    blocks: list[Block] = []
    shown = [one for one in outputs if one["output_type"] != "stream" or one["name"] == "stdout"]
    has_image = any(mime.startswith("image/") for one in shown for mime in one.get("data", ()))
    # What is printed in several pieces, a progress bar say, is one text.
    for is_printed, group in itertools.groupby(shown, key=lambda one: one["output_type"] == "stream"):
        if is_printed:
            text = _clean_printed("".join(_joined(one["text"]) for one in group))
            blocks += [Output(origin, _ADDRESS.sub("", text))] if text.strip() else []
            continue
        for output in group:
            if output["output_type"] == "error":
                text = strip_terminal_codes(f"{output['ename']}: {output['evalue']}")
                blocks.append(Output(origin, clean_text(text), failed=True))
            elif not (has_image and _ARTIST.search(_only_text(output["data"]))):
                blocks += read_data(output["data"], origin)
    return blocks


def _clean_printed(text: str) -> str:
    return clean_text(strip_terminal_codes(text)).strip("\n")


def _only_text(data: Data) -> str:
    return _joined(data["text/plain"]).strip() if set(data) == {"text/plain"} else ""


def read_data(data: Data, origin: Origin) -> list[Block]:
    """Reads one output: the richest form that the report can show, and notes on what of it cannot be shown."""
    if RECORD_MIME in data:
        return [_read_record(data, origin)]
    # A formula's own image is made for where there is no LaTeX.
    image = None if "text/latex" in data and SVG not in data else image_of(data, alt="")
    if image is not None:
        return [_figure(image, origin), *_note(parts_lost(image), origin)]
    html = _joined(data["text/html"]) if "text/html" in data else _tables_of_latex(_joined(data.get("text/latex", "")))
    read = read_html(html) if html else HTMLPieces([], [])
    if read.has_more_than_text:
        return [*_read_pieces(read.pieces, origin), *_note(read.foreign, origin)]
    prose = _read_markdown(data, origin)
    if prose is not None:
        return [prose]
    alive = next((word for mime in data for start, word in _ALIVE.items() if mime.startswith(start)), "")
    if any(map(_LOADS.fullmatch, data)):
        return []
    said = strip_terminal_codes(_joined(data.get("text/plain", ""))).strip()
    if alive:
        known = said and not _REPR_ONLY.match(said) and not _SAYS_NOTHING.match(said)
        return _note([f"{alive}: {shorten(' '.join(said.split()), 60)}" if known else alive], origin)
    if "application/json" in data and (not said or _REPR_ONLY.match(said)):
        return [Output(origin, clean_text(json.dumps(data["application/json"], indent=1, ensure_ascii=False)))]
    says_less = not said or any(form.fullmatch(said) for form in (_REPR_ONLY, _SAYS_NOTHING, _FILE_NAME))
    if "text/html" in data and (says_less or read.prepares):
        return [*_read_pieces(read.pieces, origin), *_note(read.foreign, origin)]
    # What is of a type that one program alone shows is said in words where it has any.
    for mime in sorted(data, key=lambda mime: mime != "text/plain"):
        text = _clean_printed(_joined(data[mime])) if mime.startswith("text/") else ""
        # Where an object lies in memory, or a file on this machine, differs from run to run and tells a reader nothing.
        if text.strip() and not _SAYS_NOTHING.match(text.strip()):
            return [Output(origin, _ADDRESS.sub("", text))]
    return _note((f"an output of the type {mime}" for mime in data if not mime.startswith("text/")), origin)


def note_missing(what: str, origin: Origin) -> Output:
    """Returns what stands in the report where something cannot be shown; `what` names it, as 'a video'."""
    return Output(origin, clean_text(f"{_NOT_SHOWN}{what}."), lacks=True)


def _tables_of_latex(tex: str) -> str:
    """Returns LaTeX with a table in it as HTML; an empty text for any other, and where it cannot be read."""
    if not re.search(r"\\begin\{(?:tabular|longtable)", tex):
        return ""
    try:
        return pandoc.run_pandoc(tex, "latex", "html", seconds=pandoc.SECONDS_A_PIECE)
    except pandoc.PandocError:
        return ""


def _note(names: Iterable[str], origin: Origin) -> list[Block]:
    return [note_missing(name, origin) for name in dict.fromkeys(names)]


def _read_pieces(pieces: Iterable[Grid | HTMLImage | str], origin: Origin) -> list[Block]:
    blocks: list[Block] = []
    for piece in pieces:
        if isinstance(piece, Grid):
            header, align, rows, heads, spans, colours, words = piece
            caption = Fragment(escape(words), origin, inline=True)
            table = Table(origin, "", caption, header, align, rows, len(header) > 6, heads=heads, spans=spans)
            table.colours = colours
            blocks.append(table)
        elif isinstance(piece, str):
            blocks.append(Output(origin, piece))
        elif image := image_of_address(piece.source, piece.alt):
            blocks += [_figure(image, origin), *_note(parts_lost(image), origin)]
        else:
            address = "" if piece.source.startswith(("data:", "<")) else f" at {shorten(piece.source, 80)}"
            blocks.append(note_missing(f"the image{address}{f' ({piece.alt})' * bool(piece.alt)}", origin))
    return blocks


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


def _figure(image: ReportImage, origin: Origin) -> Figure:
    return Figure(origin, "", Fragment("", origin, inline=True), [image], alt=image.alt)


def _read_markdown(data: Data, origin: Origin) -> Block | None:
    if "text/markdown" in data:
        return Prose(Fragment(clean_text(_joined(data["text/markdown"])), origin))
    if "text/latex" in data:
        text = clean_text(_joined(data["text/latex"])).strip()
        tex = re.sub(r"^\\[\[(](.*)\\[\])]$", r"\1", text, flags=re.DOTALL).strip("$")
        # Dollar signs within: formulas among words, as Jupyter shows them.
        return Prose(Fragment(text if "$" in tex else f"$${tex}$$", origin))
    return None


def _joined(value: Any) -> str:
    return "".join(value) if isinstance(value, list) else str(value)


def strip_terminal_codes(text: str) -> str:
    """Returns what a terminal would show: no colours, and of a line that was overwritten the last state."""
    lines, line, begins_anew = [""], 0, False
    for piece in _CURSOR.split(text.replace("\r\n", "\n")):
        if piece == "\n":
            line, begins_anew = line + 1, line + 1 < len(lines)
            lines += [""] * (line == len(lines))
        elif piece.startswith("\x08"):
            lines[line] = lines[line][: -len(piece)]
        elif piece == "\x1b[2K":
            lines[line] = ""
        elif _CURSOR.fullmatch(piece):
            line = max(0, line - int(piece[2:-1] or 1)) if piece != "\r" else line
            begins_anew = True
        elif told := _TERMINAL_CODE.sub("", piece):
            lines[line] = told if begins_anew else lines[line] + told
            begins_anew = False
    return "\n".join(line if line.strip() else "" for line in lines)


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
