"""Images that a notebook holds: of an output, of an attachment, within an address, or in a file beside it."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import unquote_to_bytes
from xml.etree import ElementTree

from PIL import Image

from scenebook.core.sentences import clean_text
from scenebook.rendering.document import ReportImage
from scenebook.rendering.records import BarItem, Suffix

SVG = "image/svg+xml"
_BETTER_FIRST = (SVG, "image/png", "image/jpeg")
_KEPT: dict[str | None, Suffix] = {"PNG": "png", "JPEG": "jpg", "GIF": "gif"}
"""Formats that the page, the PDF and the Word file all take as they are; any other becomes a PNG."""


_LINKED = re.compile(
    rb"<(image|use)\b[^<>]*?\bhref\s*=\s*(?:\"(?!data:|#)[^\"]*\"|'(?!data:|#)[^']*')[^<>]*?(?:/>|>\s*</\1\s*>)"
)
_LEFT_OUT = b"<!-- linked, and not part of the report -->"
_PARTS_LOST = {
    _LEFT_OUT: "what a drawing only links to",
    b"<script": "what a script draws",
    b"<foreignObject": "HTML within a drawing, which the page alone has",
}
"""Marks of what no page without requests and scripts, or no paper, shows of SVG."""


def parts_lost(image: ReportImage) -> list[str]:
    """Returns names for what of a drawing cannot be shown."""
    return [name for mark, name in _PARTS_LOST.items() if image.suffix == "svg" and mark in image.content]


def image_of(data: Mapping[str, Any], alt: str, caption: str = "", bars: Sequence[BarItem] = ()) -> ReportImage | None:
    """Returns the best image among the forms of an output, by their types, that can be read as an image."""
    types = sorted(
        (mime for mime in data if mime.startswith("image/")),
        key=lambda mime: _BETTER_FIRST.index(mime) if mime in _BETTER_FIRST else len(_BETTER_FIRST),
    )
    for mime in types:
        content = data[mime]
        text = "".join(content) if isinstance(content, list) else str(content)
        if (read := read_image(text, mime)) is not None:
            return ReportImage(*read, alt, caption, tuple(bars))
    return None


def image_of_address(address: str, alt: str) -> ReportImage | None:
    """Returns the image that an address holds, as `data:image/png;base64,...`, or that is SVG source."""
    if address.startswith("<svg"):
        read = read_image(address, SVG)
    elif address.startswith("data:image/"):
        kind, _, content = address.removeprefix("data:").partition(",")
        mime, *options = kind.split(";")
        decoded = unquote_to_bytes(content)
        text = decoded.decode("utf-8", "replace")
        if mime == SVG and "base64" in options:
            text = base64.b64decode(text + "==").decode("utf-8", "replace")
        read = read_image(text, mime)
    else:
        return None
    return None if read is None else ReportImage(*read, alt)


def read_image(text: str, mime: str) -> tuple[bytes, Suffix] | None:
    """Reads SVG source, or an image in base64; `None` when it is no such image."""
    try:
        content = text.encode("utf-8") if mime == SVG else base64.b64decode("".join(text.split()), validate=True)
    except ValueError:
        return None
    return check_image(content, is_svg=mime == SVG)


def check_image(content: bytes, *, is_svg: bool) -> tuple[bytes, Suffix] | None:
    """Returns the content of an image file as the report takes it; `None` when it is none."""
    try:
        if is_svg:
            content = clean_text(content.decode("utf-8")).encode("utf-8")
            ElementTree.fromstring(content)
            return _LINKED.sub(_LEFT_OUT, content), "svg"
        image = Image.open(io.BytesIO(content))
        if suffix := _KEPT.get(image.format):
            image.verify()
            return content, suffix
        buffer = io.BytesIO()
        image.convert("RGBA").save(buffer, "PNG")
    except (ElementTree.ParseError, ValueError, OSError, SyntaxError, Image.DecompressionBombError):
        return None
    return buffer.getvalue(), "png"


def count_frames(image: ReportImage) -> int:
    """Returns how many images follow one another in an animation, 1 for any other image."""
    return int(getattr(Image.open(io.BytesIO(image.content)), "n_frames", 1)) if image.suffix == "gif" else 1
