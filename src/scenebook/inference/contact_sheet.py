"""Contact sheets: pages of small images with their file's name and class, for people to look over."""

from __future__ import annotations

import heapq
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from scenebook.core.wording import printable, shorten

MOST = 60
COLUMNS = 10
SIDE = 160
GAP = 10
LINE = 17
HEADER = 40


@dataclass(frozen=True)
class Tile:
    """An image on a sheet: its small uint8 `(SIDE, SIDE, 3)` copy and the lines under it."""

    pixels: np.ndarray
    lines: tuple[str, ...]


def make_tile(pixels: np.ndarray, *lines: str) -> Tile:
    """Returns a tile from uint8 `(height, width, 3)` and the lines under it."""
    return Tile(np.asarray(Image.fromarray(pixels).resize((SIDE, SIDE), Image.Resampling.BILINEAR)), lines)


class Sample:
    """Keeps a few of many images of each class, each of them with the same chance (reservoir sampling).

    Args:
        class_names: The classes.
        seed: Seed of the draw.
    """

    def __init__(self, class_names: Sequence[str], seed: int = 0) -> None:
        self._most = max(1, MOST // len(class_names))
        self._rng = np.random.default_rng(seed)
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
        """Returns at most `MOST` tiles in the order of the classes; of more classes the most frequent ones."""
        frequent = set(sorted(self.counts, key=lambda name: -self.counts[name])[:MOST])
        return [tile for name, kept in self._kept.items() if name in frequent for tile in kept]


@dataclass
class Extremes:
    """Keeps the `MOST` images with the largest value."""

    _heap: list[tuple[float, int, Tile]] = field(default_factory=list)
    _offered: int = 0

    def offer(self, value: float, pixels: np.ndarray, *lines: str) -> None:
        """Shows an image; it is kept while its value is among the largest. Of equal ones the first stay."""
        self._offered += 1
        if len(self._heap) < MOST:
            heapq.heappush(self._heap, (value, -self._offered, make_tile(pixels, *lines)))
        elif value > self._heap[0][0]:
            heapq.heapreplace(self._heap, (value, -self._offered, make_tile(pixels, *lines)))

    def tiles(self) -> list[Tile]:
        """Returns the tiles, the largest value first."""
        return [tile for _, _, tile in sorted(self._heap, key=lambda entry: entry[:2], reverse=True)]


def draw_sheet(title: str, tiles: Sequence[Tile]) -> bytes:
    """Returns a page as JPEG. File names and class names are drawn as they are, shortened in their middle to fit.

    Args:
        title: One line.
        tiles: At least one.
    """
    columns = min(COLUMNS, len(tiles))
    height = SIDE + LINE * max(len(tile.lines) for tile in tiles) + GAP
    rows = -(-len(tiles) // COLUMNS)
    page = Image.new("RGB", (max(columns, 5) * (SIDE + GAP) + GAP, HEADER + rows * height + GAP), "white")
    draw = ImageDraw.Draw(page)
    draw.text((GAP, GAP), _fit(title, _font(18), page.width - 2 * GAP), fill="black", font=_font(18))
    font = _font(12)
    for number, tile in enumerate(tiles):
        x, y = GAP + number % COLUMNS * (SIDE + GAP), HEADER + number // COLUMNS * height
        page.paste(Image.fromarray(tile.pixels), (x, y))
        for line, text in enumerate(tile.lines):
            draw.text((x, y + SIDE + 2 + line * LINE), _fit(text, font, SIDE), fill="black", font=font)
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
