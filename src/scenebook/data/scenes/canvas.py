"""What every scene is painted with: a canvas, a light, noise and outlines.

Images have to be the same on every machine, so nothing here calls a transcendental function: random numbers come from
`Generator.random` and `Generator.integers`, noise is made of integers, and outlines of sums and products.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

Colour = tuple[int, int, int]
Point = tuple[float, float]
Grey = NDArray[np.uint8]
Field = NDArray[np.float32]
Mask = NDArray[np.bool_] | Grey
Choice = TypeVar("Choice")


@dataclass(frozen=True)
class Mood:
    """The light of an image.

    Attributes:
        sky_top: Colour of the sky overhead.
        sky_low: Colour of the sky at the horizon, and of the haze.
        light: Factors for red, green and blue by which things are darker than their own colour.
        haze: How much of a thing at depth 1 is lost in haze, in `[0, 1]`.
        clouds: Share of the sky under clouds, in `[0, 1]`.
        lamps: Probability that a window is lit.
    """

    sky_top: Colour
    sky_low: Colour
    light: tuple[float, float, float]
    haze: float
    clouds: float
    lamps: float


def mix(first: Colour, second: Colour, share: float) -> Colour:
    """Colour between two others: `first` at share 0, `second` at share 1."""
    red, green, blue = (int(a + (b - a) * share + 0.5) for a, b in zip(first, second, strict=True))
    return red, green, blue


def vary(rng: np.random.Generator, colour: Colour, spread: int) -> Colour:
    """A colour near another, each channel at most `spread` away."""
    steps = rng.integers(-spread, spread + 1, size=3)
    red, green, blue = (min(255, max(0, channel + int(step))) for channel, step in zip(colour, steps, strict=True))
    return red, green, blue


@dataclass
class Canvas:
    """A square canvas, the light on it, and the random numbers of one image.

    Positions are fractions of the side, (0, 0) at the top left. Arrays are `(side, side)`.
    """

    rng: np.random.Generator
    side: int
    mood: Mood
    image: Image.Image = field(init=False)
    pen: ImageDraw.ImageDraw = field(init=False)
    rows: Field = field(init=False)
    columns: Field = field(init=False)

    def __post_init__(self) -> None:
        self.image = Image.new("RGB", (self.side, self.side))
        self.pen = ImageDraw.Draw(self.image)
        steps = np.arange(self.side, dtype=np.float32) / np.float32(self.side)
        self.rows, self.columns = steps[:, None], steps[None, :]

    def between(self, low: float, high: float) -> float:
        """Number drawn evenly from `[low, high)`."""
        return low + (high - low) * float(self.rng.random())

    def chance(self, probability: float) -> bool:
        """Whether something happens that has this probability."""
        return float(self.rng.random()) < probability

    def pick(self, choices: Sequence[Choice]) -> Choice:
        """One of the choices, each as likely as another."""
        return choices[int(self.rng.integers(len(choices)))]

    def vary(self, colour: Colour, spread: int) -> Colour:
        """A colour near another, each channel at most `spread` away."""
        return vary(self.rng, colour, spread)

    def tone(self, colour: Colour, depth: float = 0.0) -> Colour:
        """Colour as it looks in this light from a distance of `depth`, 0 (near) to 1 (at the horizon)."""
        red, green, blue = (
            min(255, int(channel * factor)) for channel, factor in zip(colour, self.mood.light, strict=True)
        )
        return mix((red, green, blue), self.mood.sky_low, min(1.0, self.mood.haze * depth))

    def noise(self, rows: int, columns: int, octaves: int = 2) -> Grey:
        """Smooth random grey, uint8 `(side, side)`, about 128 on average.

        Args:
            rows: Number of blobs from top to bottom.
            columns: Number of blobs from left to right.
            octaves: Layers, each twice as fine and half as strong as the one before.
        """
        # Painted at the half of the canvas that is kept in the end, and enlarged once.
        half = (self.side // 2, self.side // 2)
        total = np.zeros(half, dtype=np.uint16)
        for octave in range(octaves):
            cells = self.rng.integers(0, 256, size=(rows << octave, columns << octave), dtype=np.uint8)
            layer = Image.fromarray(cells).resize(half, Image.Resampling.BICUBIC)
            total += np.asarray(layer).astype(np.uint16) << (octaves - 1 - octave)
        grey = Image.fromarray((total // ((1 << octaves) - 1)).astype(np.uint8))
        return np.asarray(grey.resize((self.side, self.side), Image.Resampling.BILINEAR))

    def outline(self, heights: Sequence[float], rough: float) -> Field:
        """Broken line through given heights, by midpoint displacement.

        Args:
            heights: Height at equal steps from left to right, as fractions of the side.
            rough: How far midpoints are moved at most in the first round, as a fraction of the side; halved each round.

        Returns:
            Height in each column, float32 `(side,)`.
        """
        line = np.array(heights, dtype=np.float64)
        while len(line) < self.side:
            finer = np.empty(2 * len(line) - 1)
            finer[::2] = line
            finer[1::2] = (line[1:] + line[:-1]) / 2 + (self.rng.random(len(line) - 1) - 0.5) * 2 * rough
            line, rough = finer, rough / 2
        return line[np.arange(self.side) * (len(line) - 1) // (self.side - 1)].astype(np.float32)

    def moved(self, grey: Grey, rows: Field, columns: Field) -> Grey:
        """Grey whose pixels are taken from other places, the nearest pixel of the canvas each.

        Args:
            grey: uint8 `(side, side)`.
            rows: Row from which each pixel is taken, as a fraction of the side; with `columns`, `(side, side)`.
            columns: Column from which each pixel is taken.
        """
        last = self.side - 1
        taken = np.clip(rows * self.side, 0, last).astype(np.intp) * self.side
        return grey.take(taken + np.clip(columns * self.side, 0, last).astype(np.intp))

    def paint(self, mask: Mask, grey: Grey, dark: Colour, light: Colour) -> None:
        """Paint where the mask is set: `dark` where `grey` is 0, `light` where it is 255.

        Args:
            mask: bool or uint8 opacity, `(side, side)`.
            grey: Texture, uint8 `(side, side)`.
            dark: Colour of black.
            light: Colour of white.
        """
        opacity = mask.astype(np.uint8) * 255 if mask.dtype == np.bool_ else mask
        texture = Image.fromarray(grey)
        texture.putpalette(palette(dark, light))
        self.image.paste(texture.convert("RGB"), mask=Image.fromarray(opacity))

    def polygon(self, points: Iterable[Point], colour: Colour) -> None:
        """Fill a polygon whose corners are fractions of the side."""
        self.pen.polygon([self.pixel(point) for point in points], fill=colour)

    def box(self, left: float, top: float, right: float, bottom: float, colour: Colour) -> None:
        """Fill an upright rectangle, at least one canvas pixel wide and high."""
        x, y = self.pixel((left, top))
        self.pen.rectangle((x, y, max(x, int(right * self.side) - 1), max(y, int(bottom * self.side) - 1)), fill=colour)

    def disc(self, centre: Point, radius: float, colour: Colour) -> None:
        """Fill a circle."""
        x, y = centre
        left, top = self.pixel((x - radius, y - radius))
        right, bottom = self.pixel((x + radius, y + radius))
        self.pen.ellipse((left, top, max(left, right), max(top, bottom)), fill=colour)

    def pixel(self, point: Point) -> tuple[int, int]:
        """Canvas pixel of a position."""
        return int(point[0] * self.side), int(point[1] * self.side)


def stretch(grey: Grey, low: int, high: int) -> Grey:
    """Grey with `low` and less moved to 0 and `high` and more to 255; the shape is kept."""
    levels = np.clip((np.arange(256) - low) * 255 // (high - low), 0, 255).astype(np.uint8)
    return levels[grey]


def centred(grey: Grey) -> Field:
    """Grey as numbers in `[-0.5, 0.5]`."""
    return (grey.astype(np.float32) - np.float32(127.5)) / np.float32(255)


def palette(dark: Colour, light: Colour) -> bytes:
    """The 256 colours from `dark` to `light`, as Pillow's palettes want them."""
    steps = np.arange(256)[:, None]
    return ((np.array(dark) * (255 - steps) + np.array(light) * steps) // 255).astype(np.uint8).tobytes()
