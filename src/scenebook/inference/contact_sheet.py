"""Contact sheets: pages of small images with their file's name and class, for people to look over."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from scenebook.core.wording import printable, shorten

MOST_TILES = 60
_COLUMNS = 10
_SIDE = 160
_GAP = 10
_LINE = 17
_HEADER = 40


class Tile(NamedTuple):
    """A small image on a sheet, and the lines under it."""

    image: Image.Image
    lines: tuple[str, ...]


def make_tile(pixels: np.ndarray, *lines: str) -> Tile:
    """Returns a tile from uint8 `(height, width, 3)` and the lines under it."""
    return Tile(Image.fromarray(pixels).resize((_SIDE, _SIDE), Image.Resampling.BILINEAR), lines)


class Sample:
    """Keeps a few of many images of each class, each of them with the same chance (reservoir sampling).

    Attributes:
        counts: How many images of each class were offered.
    """

    def __init__(self, class_names: Sequence[str]) -> None:
        self._most = max(1, MOST_TILES // len(class_names))
        self._rng = np.random.default_rng(0)
        self._kept: dict[str, list[Tile]] = {name: [] for name in class_names}
        self.counts = dict.fromkeys(class_names, 0)

    def offer(self, name: str, pixels: np.ndarray, *lines: str) -> None:
        """Shows an image of the class `name`; it may be kept, in another's place."""
        self.counts[name] += 1
        kept = self._kept[name]
        if len(kept) < self._most:
            kept.append(make_tile(pixels, *lines))
        elif (place := int(self._rng.integers(self.counts[name]))) < self._most:
            kept[place] = make_tile(pixels, *lines)

    def tiles(self) -> list[Tile]:
        """Returns at most `MOST_TILES` tiles in the order of the classes; of more classes the most frequent ones."""
        frequent = sorted(self.counts, key=lambda name: -self.counts[name])[:MOST_TILES]
        return [tile for name, kept in self._kept.items() if name in frequent for tile in kept]


class Extremes:
    """Keeps the `MOST_TILES` images with the largest value."""

    def __init__(self) -> None:
        self._kept: list[tuple[float, Tile]] = []

    def offer(self, value: float, pixels: np.ndarray, *lines: str) -> None:
        """Shows an image; it is kept while its value is among the largest. Of equal ones the first stay."""
        if len(self._kept) < MOST_TILES or value > self._kept[-1][0]:
            self._kept.append((value, make_tile(pixels, *lines)))
            self._kept.sort(key=lambda entry: entry[0], reverse=True)
            del self._kept[MOST_TILES:]

    def tiles(self) -> list[Tile]:
        """Returns the tiles, the largest value first."""
        return [tile for _, tile in self._kept]


def draw_sheet(title: str, tiles: Sequence[Tile]) -> bytes:
    """Returns a page of at least one tile as JPEG. Names are drawn as they are, shortened in their middle to fit."""
    columns = min(_COLUMNS, len(tiles))
    height = _SIDE + _LINE * max(len(tile.lines) for tile in tiles) + _GAP
    rows = -(-len(tiles) // _COLUMNS)
    page = Image.new("RGB", (max(columns, 5) * (_SIDE + _GAP) + _GAP, _HEADER + rows * height + _GAP), "white")
    draw = ImageDraw.Draw(page)
    draw.text((_GAP, _GAP), _fit(title, _font(18), page.width - 2 * _GAP), fill="black", font=_font(18))
    font = _font(12)
    for number, tile in enumerate(tiles):
        x, y = _GAP + number % _COLUMNS * (_SIDE + _GAP), _HEADER + number // _COLUMNS * height
        page.paste(tile.image, (x, y))
        for line, text in enumerate(tile.lines):
            draw.text((x, y + _SIDE + 2 + line * _LINE), _fit(text, font, _SIDE), fill="black", font=font)
    buffer = io.BytesIO()
    page.save(buffer, "JPEG", quality=85)
    return buffer.getvalue()


def _font(size: int) -> ImageFont.FreeTypeFont:
    file = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
    return ImageFont.truetype(str(file), size, layout_engine=ImageFont.Layout.BASIC)


def _fit(text: str, font: ImageFont.FreeTypeFont, width: int) -> str:
    """Returns one printable line, shortened in its middle to fit `width` pixels."""
    line = shorten(printable(text), width // 3)
    limit = len(line)
    while limit > 3 and font.getlength(line) > width:
        limit -= 1
        line = shorten(line, limit)
    return line
