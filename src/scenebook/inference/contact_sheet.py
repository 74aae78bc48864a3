"""Contact sheets: pages of small images with their file's name and class, for people to look over."""

from __future__ import annotations

import hashlib
import importlib.util
import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from scenebook.core.wording import printable, shorten

MOST_TILES = 60
_COLUMNS = 10
TILE_SIDE = 160
"""Height and width of an image on a sheet, in pixels."""
_GAP = 10
_LINE = 17
_HEADER = 40


class Chosen(NamedTuple):
    """An image that is to be shown: its path, and the lines under it."""

    path: str
    lines: tuple[str, ...]


class Largest:
    """Keeps the images with the largest values, at most so many as are shown, the largest first."""

    def __init__(self, most: int = MOST_TILES) -> None:
        self._most = most
        self._kept: list[tuple[float, Chosen]] = []

    def offer(self, value: float, path: str, *lines: str) -> None:
        """Shows an image; it is kept while its value is among the largest. Of equal ones the first stay."""
        if len(self._kept) < self._most or value > self._kept[-1][0]:
            self._kept.append((value, Chosen(path, lines)))
            self._kept.sort(key=lambda entry: entry[0], reverse=True)
            del self._kept[self._most :]

    def list_chosen(self) -> list[Chosen]:
        """Returns what is kept, the largest value first."""
        return [chosen for _, chosen in self._kept]


class Sample:
    """Keeps a few of many images of each class, by a digest of their paths: as good as drawn, but always the same.

    Attributes:
        counts: How many images of each class were offered.
    """

    def __init__(self, class_names: Sequence[str]) -> None:
        most = max(1, MOST_TILES // len(class_names))
        self._kept = {name: Largest(most) for name in class_names}
        self.counts = dict.fromkeys(class_names, 0)

    def offer(self, name: str, path: str, *lines: str) -> None:
        """Shows an image of the class `name`; it may be kept, in another's place."""
        self.counts[name] += 1
        digest = hashlib.blake2b(os.fsencode(path), digest_size=6).digest()
        self._kept[name].offer(int.from_bytes(digest), path, *lines)

    def list_chosen(self) -> list[Chosen]:
        """Returns at most `MOST_TILES` images in the order of the classes; of more classes the most frequent ones."""
        frequent = sorted(self.counts, key=lambda name: -self.counts[name])[:MOST_TILES]
        return [chosen for name, kept in self._kept.items() if name in frequent for chosen in kept.list_chosen()]


def draw_sheet(title: str, tiles: Sequence[tuple[np.ndarray, Sequence[str]]]) -> bytes:
    """Returns a page of at least one tile as JPEG: an image, uint8 `(TILE_SIDE, TILE_SIDE, 3)`, and the lines under it.

    Names are drawn as they are, shortened in their middle to fit.
    """
    columns = min(_COLUMNS, len(tiles))
    height = TILE_SIDE + _LINE * max(len(lines) for _, lines in tiles) + _GAP
    rows = -(-len(tiles) // _COLUMNS)
    page = Image.new("RGB", (max(columns, 5) * (TILE_SIDE + _GAP) + _GAP, _HEADER + rows * height + _GAP), "white")
    draw = ImageDraw.Draw(page)
    draw.text((_GAP, _GAP), _fit(title, _font(18), page.width - 2 * _GAP), fill="black", font=_font(18))
    font = _font(12)
    for number, (pixels, lines) in enumerate(tiles):
        x, y = _GAP + number % _COLUMNS * (TILE_SIDE + _GAP), _HEADER + number // _COLUMNS * height
        page.paste(Image.fromarray(pixels), (x, y))
        for line, text in enumerate(lines):
            draw.text((x, y + TILE_SIDE + 2 + line * _LINE), _fit(text, font, TILE_SIDE), fill="black", font=font)
    buffer = io.BytesIO()
    page.save(buffer, "JPEG", quality=85)
    return buffer.getvalue()


def _font(size: int) -> ImageFont.FreeTypeFont:
    # Matplotlib brings it; importing that would take longer than drawing.
    found = importlib.util.find_spec("matplotlib")
    folder = Path(str(found and found.origin)).parent
    file = folder / "mpl-data" / "fonts" / "ttf" / "DejaVuSans.ttf"
    return ImageFont.truetype(str(file), size, layout_engine=ImageFont.Layout.BASIC)


def _fit(text: str, font: ImageFont.FreeTypeFont, width: int) -> str:
    """Returns one printable line, shortened in its middle to fit `width` pixels."""
    line = shorten(printable(text), width // 3)
    limit = len(line)
    while limit > 3 and font.getlength(line) > width:
        limit -= 1
        line = shorten(line, limit)
    return line
