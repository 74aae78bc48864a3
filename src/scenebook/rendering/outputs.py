"""From what a cell showed to blocks of the report: our own records first, then whatever a user's cell left."""

from __future__ import annotations

import base64
import binascii
import io
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal
from urllib.parse import unquote
from xml.etree import ElementTree

from PIL import Image
from pydantic import ValidationError

from scenebook.core.errors import ReportError
from scenebook.core.sentences import without_marks
from scenebook.rendering.document import Block, Code, Figure, Fragment, Origin, Output, Prose, ReportImage, Table
from scenebook.rendering.pandoc import Node, map_lists, plain_text, string
from scenebook.rendering.records import (
    ANY_RECORD,
    RECORD_MIME,
    AnyRecord,
    BarItem,
    FigureRecord,
    ImagesRecord,
    SayRecord,
    SourceRecord,
    TableRecord,
)
from scenebook.rendering.tables import fit_row, html_to_text, read_html_table
from scenebook.rendering.text import clean_text, strip_terminal_codes

Data = Mapping[str, Any]

IMAGE_TYPES: tuple[tuple[str, Literal["svg", "png", "jpg"]], ...] = (
    ("image/svg+xml", "svg"),
    ("image/png", "png"),
    ("image/jpeg", "jpg"),
)
_SAYS_NOTHING = re.compile(r"^<.* at 0x[0-9a-fA-F]+>$|^\[?(?:Posix|Windows|Pure\w*)?Path\('.*'\)\]?$", re.DOTALL)
_REPR_ONLY = re.compile(r"^<[\w.]+ (?:object|size) ?.*>$|^<[\w.]+>$", re.DOTALL)


def read_outputs(outputs: Iterable[Mapping[str, Any]], origin: Origin) -> list[Block]:
    """Reads the outputs of one cell, in order. What a cell wrote to stderr is its log, not part of the report.

    Raises:
        ReportError: A record of ours is not as `scenebook.notebook.display` writes it.
    """
    blocks: list[Block] = []
    for output in outputs:
        kind = output["output_type"]
        if kind == "stream" and output["name"] == "stdout":
            _add_text(blocks, _joined(output["text"]), origin)
        elif kind in {"display_data", "execute_result"}:
            block = read_data(output["data"], origin)
            if block is not None:
                blocks.append(block)
        elif kind == "error":
            text = strip_terminal_codes(f"{output['ename']}: {output['evalue']}")
            blocks.append(Output(origin, clean_text(text), failed=True))
    return blocks


def _add_text(blocks: list[Block], text: str, origin: Origin) -> None:
    text = clean_text(strip_terminal_codes(text)).strip("\n")
    last = blocks[-1] if blocks else None
    if isinstance(last, Output) and not last.failed:
        last.text += "\n" + text
    elif text.strip():
        blocks.append(Output(origin, text))


def read_data(data: Data, origin: Origin) -> Block | None:
    """Reads one output: the richest form that the report can show."""
    if RECORD_MIME in data:
        return _read_record(data, origin)
    for read in (_read_image, _read_table, _read_markdown, _read_plain):
        block = read(data, origin)
        if block is not None:
            return block
    return None


def _read_record(data: Data, origin: Origin) -> Block:
    record = read_record(data[RECORD_MIME], origin)
    if isinstance(record, SayRecord):
        sources = [
            (item.text, f"computed in {origin}: {item.source}" if item.computed else item.source)
            for item in record.sources
        ]
        return Prose(Fragment(record.markdown, origin), sources)
    if isinstance(record, SourceRecord):
        return Code(origin, record.code.strip("\n"), name=record.name)
    caption = Fragment(record.caption, origin, inline=True)
    if isinstance(record, TableRecord):
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
        images = [_image_of(data, record.alt)]
    else:
        images = [_image_of({"image/jpeg": item.jpeg}, item.alt, item.caption, item.bars) for item in record.items]
    found = [image for image in images if image is not None]
    if not found or len(found) < len(images):
        raise ReportError(
            "Expected the image of a figure beside its record, as SVG, PNG or JPEG.",
            received={"notebook": origin.notebook, "cell": origin.cell, "label": record.label},
            advice="Show it with show_figure or show_pictures.",
        )
    return found


def _image_of(data: Data, alt: str, caption: str = "", bars: Sequence[BarItem] = ()) -> ReportImage | None:
    """Returns the best image of an output that can be read as an image."""
    for mime, suffix in IMAGE_TYPES:
        if mime in data:
            content = read_image(_joined(data[mime]), suffix)
            if content is not None:
                return ReportImage(content, suffix, alt, caption, tuple(bars))
    return None


def read_image(text: str, suffix: str) -> bytes | None:
    """Returns an image's bytes from how a notebook stores it, or `None` when they are no such image.

    Args:
        text: SVG source, or base64 of a PNG or JPEG.
        suffix: `svg`, `png` or `jpg`.
    """
    if suffix == "svg":
        content = clean_text(text).encode("utf-8")
        return content if _is_readable(lambda: ElementTree.fromstring(content)) else None
    try:
        content = base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        return None
    return content if _is_readable(lambda: Image.open(io.BytesIO(content), formats=["PNG", "JPEG"]).verify()) else None


def _is_readable(attempt: Callable[[], object]) -> bool:
    try:
        attempt()
    except (ElementTree.ParseError, ValueError, OSError, SyntaxError, Image.DecompressionBombError):
        return False
    return True


def _read_image(data: Data, origin: Origin) -> Block | None:
    image = _image_of(data, alt="")
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


LARGEST_FILE = 20_000_000


_SUFFIXES: dict[str, Literal["svg", "png", "jpg"]] = {".svg": "svg", ".png": "png", ".jpg": "jpg", ".jpeg": "jpg"}


def resolve_images(
    fragment: Fragment, attachments: Mapping[str, Data], folder: Path | None, run_dir: Path | None
) -> list[str]:
    """Puts the images that a fragment names into its `images`: attachments of its cell, and files of the run.

    Args:
        fragment: Its tree has been read.
        attachments: Of the cell, by name.
        folder: The notebook's, which relative addresses start from.
        run_dir: No file outside of it is read.

    Returns:
        A warning for each image that is only named instead.
    """
    warnings: list[str] = []

    def show(node: Node) -> Node:
        if node["t"] != "Image":
            return node
        _, inlines, (address, _) = node["c"]
        address, alt = without_marks(address), without_marks(plain_text(inlines))
        name = unquote(address)
        described = alt or Path(name).name
        if name.startswith("attachment:"):
            image = _image_of(attachments.get(name.removeprefix("attachment:"), {}), described)
        else:
            image = _read_file(name, described, folder, run_dir)
        if image is None:
            warnings.append(
                f"{fragment.origin}: the image {address!r} is not part of the run, so the report only names it."
            )
            return string(f"[image: {alt or address}]")
        fragment.images.append(image)
        return {"t": "ReportImage", "c": {"index": len(fragment.images) - 1}}

    fragment.tree = map_lists(fragment.tree, lambda nodes: [show(node) for node in nodes])
    return warnings


def _read_file(name: str, alt: str, folder: Path | None, run_dir: Path | None) -> ReportImage | None:
    kind = _SUFFIXES.get(Path(name).suffix.lower())
    if kind is None or folder is None or run_dir is None or "://" in name:
        return None
    try:
        path = (folder / name).resolve()
        if not path.is_relative_to(run_dir.resolve()) or path.stat().st_size > LARGEST_FILE:
            return None
        return ReportImage(path.read_bytes(), kind, alt)
    except (OSError, ValueError):
        return None


def read_record(value: object, origin: Origin) -> AnyRecord:
    """Checks one record.

    Raises:
        ReportError: It is not as `scenebook.notebook.display` writes it; the error names notebook, cell and field.
    """
    try:
        return ANY_RECORD.validate_python(value)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise ReportError(
            f"Expected an output as scenebook.notebook.display writes it: {first['msg']}.",
            received={
                "notebook": origin.notebook,
                "cell": origin.cell,
                "field": ".".join(map(str, first["loc"])),
            },
            advice="Show it with show_figure, show_pictures, show_table, say or show_source.",
        ) from None
