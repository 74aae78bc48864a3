"""What assistive technology reads in a tagged PDF: its structure tree, with the text of every element.

Text is taken as the standard says: the characters that the font's ToUnicode map gives, replaced by `ActualText` where
marked content carries one. Extraction by position, as most readers do it, guesses at both.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from pypdf import PageObject, PdfReader
from pypdf.generic import ArrayObject, ByteStringObject, ContentStream, DictionaryObject, TextStringObject

_CHARACTERS = re.compile(rb"<([0-9a-fA-F]+)>\s*<([0-9a-fA-F]*)>")
_RANGE = re.compile(rb"<([0-9a-fA-F]+)>\s*<([0-9a-fA-F]+)>\s*<([0-9a-fA-F]+)>")


@dataclass
class Element:
    """An element of the structure tree.

    Args:
        kind: As `P`, `H1`, `TD` or `Figure`; an empty string for the root.
        alt: Its alternative text, or `None`.
        pieces: Text and elements in it, in order.
    """

    kind: str
    alt: str | None = None
    pieces: list[str | Element] = field(default_factory=list)

    @property
    def text(self) -> str:
        """All text in it."""
        return "".join(piece if isinstance(piece, str) else piece.text for piece in self.pieces)

    def walk(self) -> Iterator[Element]:
        """Yields this element and all in it, in order."""
        yield self
        for piece in self.pieces:
            if isinstance(piece, Element):
                yield from piece.walk()

    def find(self, *kinds: str) -> list[Element]:
        """Returns all elements in it of these kinds, in order."""
        return [element for element in self.walk() if element.kind in kinds]


def read_tagged(content: bytes) -> Element:
    """Reads the structure tree of a PDF."""
    reader = PdfReader(io.BytesIO(content))
    numbers = {page.indirect_reference.idnum: page for page in reader.pages if page.indirect_reference}
    texts: dict[int, dict[int, str]] = {}

    def text_of(page: Any, mark: int) -> str:
        number = page.idnum
        if number not in texts:
            texts[number] = _marked_text(numbers[number], reader)
        return texts[number].get(mark, "")

    def read(node: Any, page: Any) -> Element:
        element = Element(str(node.get("/S", ""))[1:], str(node["/Alt"]) if "/Alt" in node else None)
        page = node.raw_get("/Pg") if "/Pg" in node else page
        kids = node.get("/K", [])
        for kid in kids if isinstance(kids, ArrayObject) else [kids]:
            kid = kid.get_object()
            if isinstance(kid, int):
                element.pieces.append(text_of(page, kid))
            elif kid.get("/Type") == "/MCR":
                element.pieces.append(text_of(kid.raw_get("/Pg") if "/Pg" in kid else page, kid["/MCID"]))
            elif kid.get("/Type") != "/OBJR":
                element.pieces.append(read(kid, page))
        return element

    root: Any = reader.root_object["/StructTreeRoot"]
    return read(root, None)


def _marked_text(page: PageObject, reader: PdfReader) -> dict[int, str]:
    """Returns the text of a page's marked content, by its number."""
    found: dict[int, str] = {}
    resources: Any = page["/Resources"]
    fonts = {name: _unicode_of(font.get_object()) for name, font in resources.get("/Font", {}).items()}
    open_marks: list[tuple[int | None, bool]] = []
    font: dict[int, str] = {}
    contents = page.get_contents()
    assert contents is not None
    for operands, operator in ContentStream(contents, reader).operations:
        if operator in (b"BDC", b"BMC"):
            properties = operands[1] if len(operands) > 1 and isinstance(operands[1], DictionaryObject) else {}
            mark = properties.get("/MCID", open_marks[-1][0] if open_marks else None)
            hidden = bool(open_marks and open_marks[-1][1])
            if "/ActualText" in properties and not hidden and mark is not None:
                found[mark] = found.get(mark, "") + str(properties["/ActualText"])
                hidden = True
            open_marks.append((mark, hidden))
        elif operator == b"EMC":
            open_marks.pop()
        elif operator == b"Tf":
            font = fonts[operands[0]]
        elif operator in (b"Tj", b"TJ") and open_marks and open_marks[-1][0] is not None and not open_marks[-1][1]:
            shown = operands[0] if isinstance(operands[0], list) else [operands[0]]
            codes = b"".join(_bytes(item) for item in shown if isinstance(item, (ByteStringObject, TextStringObject)))
            pairs = (int.from_bytes(codes[start : start + 2], "big") for start in range(0, len(codes), 2))
            mark = open_marks[-1][0]
            found[mark] = found.get(mark, "") + "".join(font.get(code, "\ufffc") for code in pairs)
    return found


def _bytes(item: ByteStringObject | TextStringObject) -> bytes:
    return item.original_bytes


def _unicode_of(font: Any) -> dict[int, str]:
    """Reads a font's map from codes of two bytes to text."""
    stream = font["/ToUnicode"].get_object().get_data()
    table: dict[int, str] = {}
    for block in re.findall(rb"beginbfchar(.*?)endbfchar", stream, re.DOTALL):
        for code, text in _CHARACTERS.findall(block):
            table[int(code, 16)] = bytes.fromhex(text.decode()).decode("utf-16-be")
    for block in re.findall(rb"beginbfrange(.*?)endbfrange", stream, re.DOTALL):
        for first, last, text in _RANGE.findall(block):
            start = int.from_bytes(bytes.fromhex(text.decode()), "big")
            for offset in range(int(last, 16) - int(first, 16) + 1):
                table[int(first, 16) + offset] = (start + offset).to_bytes(len(text) // 2, "big").decode("utf-16-be")
    return table
