"""What every scene is painted with: a canvas, noise and outlines, a light, and the sky.

Images have to be the same on every machine, so nothing here calls a transcendental function: random numbers come from
`Generator.random` and `Generator.integers`, noise is made of integers, and outlines of sums and products.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
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
    """The light of an image: its sky overhead and at the horizon, where it is also that of the haze.

    Things are darker than their own colour by the factors of `light`; `haze` is how much of a thing at depth 1 is lost,
    `clouds` a share of the sky, and `lamps` the probability that a window is lit.
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
    steps = rng.integers(-spread, spread + 1, size=3)
    red, green, blue = (min(255, max(0, channel + int(step))) for channel, step in zip(colour, steps, strict=True))
    return red, green, blue


class Canvas:
    """A square canvas, the light on it, and the random numbers of one image.

    Positions are fractions of the side, (0, 0) at the top left. Arrays are `(side, side)`.
    """

    def __init__(self, rng: np.random.Generator, side: int, mood: Mood) -> None:
        self.rng, self.side, self.mood = rng, side, mood
        self.image = Image.new("RGB", (side, side))
        self.pen = ImageDraw.Draw(self.image)
        steps = np.arange(side, dtype=np.float32) / np.float32(side)
        self.rows, self.columns = steps[:, None], steps[None, :]

    def between(self, low: float, high: float) -> float:
        return low + (high - low) * float(self.rng.random())

    def chance(self, probability: float) -> bool:
        return float(self.rng.random()) < probability

    def pick(self, choices: Sequence[Choice]) -> Choice:
        return choices[int(self.rng.integers(len(choices)))]

    def vary(self, colour: Colour, spread: int) -> Colour:
        return vary(self.rng, colour, spread)

    def tone(self, colour: Colour, depth: float = 0.0) -> Colour:
        red, green, blue = (
            min(255, int(channel * factor)) for channel, factor in zip(colour, self.mood.light, strict=True)
        )
        return mix((red, green, blue), self.mood.sky_low, min(1.0, self.mood.haze * depth))

    def noise(self, rows: int, columns: int, octaves: int = 2) -> Grey:
        """Smooth random grey, about 128 on average, of so many blobs from top to bottom and from left to right.

        Each of the `octaves` layers is twice as fine and half as strong as the one before.
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
        """Broken line through heights at equal steps, by midpoint displacement: its height in each column, `(side,)`.

        Midpoints are moved by up to `rough`, a fraction of the side, in the first round, then half as far each time.
        """
        line = np.array(heights, dtype=np.float64)
        while len(line) < self.side:
            finer = np.empty(2 * len(line) - 1)
            finer[::2] = line
            finer[1::2] = (line[1:] + line[:-1]) / 2 + (self.rng.random(len(line) - 1) - 0.5) * 2 * rough
            line, rough = finer, rough / 2
        return line[np.arange(self.side) * (len(line) - 1) // (self.side - 1)].astype(np.float32)

    def moved(self, grey: Grey, rows: Field, columns: Field) -> Grey:
        """Grey whose pixels are taken from other places: from these rows and columns, fractions of the side."""
        last = self.side - 1
        taken = np.clip(rows * self.side, 0, last).astype(np.intp) * self.side
        return grey.take(taken + np.clip(columns * self.side, 0, last).astype(np.intp))

    def paint(self, mask: Mask, grey: Grey, dark: Colour, light: Colour) -> None:
        """Paint where the mask is set, or as opaque as it says: `dark` where `grey` is 0, `light` where it is 255."""
        opacity = mask.astype(np.uint8) * 255 if mask.dtype == np.bool_ else mask
        steps = np.arange(256)[:, None]
        colours = (np.array(dark) * (255 - steps) + np.array(light) * steps) // 255
        texture = Image.fromarray(grey)
        texture.putpalette(colours.astype(np.uint8).tobytes())
        self.image.paste(texture.convert("RGB"), mask=Image.fromarray(opacity))

    def polygon(self, points: Iterable[Point], colour: Colour) -> None:
        self.pen.polygon([self.pixel(point) for point in points], fill=colour)

    def box(self, left: float, top: float, right: float, bottom: float, colour: Colour) -> None:
        """Fill an upright rectangle, at least one canvas pixel wide and high."""
        x, y = self.pixel((left, top))
        self.pen.rectangle((x, y, max(x, int(right * self.side) - 1), max(y, int(bottom * self.side) - 1)), fill=colour)

    def disc(self, centre: Point, radius: float, colour: Colour) -> None:
        x, y = centre
        left, top = self.pixel((x - radius, y - radius))
        right, bottom = self.pixel((x + radius, y + radius))
        self.pen.ellipse((left, top, max(left, right), max(top, bottom)), fill=colour)

    def pixel(self, point: Point) -> tuple[int, int]:
        return int(point[0] * self.side), int(point[1] * self.side)


def stretch(grey: Grey, low: int, high: int) -> Grey:
    """Grey with `low` and less moved to 0 and `high` and more to 255; the shape is kept."""
    levels = np.clip((np.arange(256) - low) * 255 // (high - low), 0, 255).astype(np.uint8)
    return levels[grey]


def centred(grey: Grey) -> Field:
    """Grey as numbers in `[-0.5, 0.5]`."""
    return (grey.astype(np.float32) - np.float32(127.5)) / np.float32(255)


MOODS = (
    Mood((62, 124, 200), (188, 216, 236), (1.0, 1.0, 0.97), haze=0.30, clouds=0.35, lamps=0.02),
    Mood((84, 82, 140), (246, 176, 120), (0.94, 0.77, 0.70), haze=0.40, clouds=0.45, lamps=0.35),
    Mood((132, 142, 156), (204, 208, 210), (0.84, 0.87, 0.90), haze=0.42, clouds=0.75, lamps=0.12),
    Mood((178, 186, 194), (214, 216, 214), (0.88, 0.90, 0.90), haze=0.66, clouds=0.30, lamps=0.12),
)


def draw_mood(rng: np.random.Generator) -> Mood:
    """Light of one image: one of the four moods, drawn some way towards another."""
    first, second = (MOODS[int(position)] for position in rng.integers(len(MOODS), size=2))
    share = 0.45 * float(rng.random())

    def between(low: float, high: float) -> float:
        return low + (high - low) * share

    red, green, blue = (between(a, b) for a, b in zip(first.light, second.light, strict=True))
    return Mood(
        vary(rng, mix(first.sky_top, second.sky_top, share), 16),
        vary(rng, mix(first.sky_low, second.sky_low, share), 16),
        (red, green, blue),
        haze=between(first.haze, second.haze) * (0.6 + 0.5 * float(rng.random())),
        clouds=between(first.clouds, second.clouds) * (0.3 + 1.2 * float(rng.random())),
        lamps=between(first.lamps, second.lamps),
    )


def paint_sky(canvas: Canvas, horizon: float) -> None:
    """Fill the canvas with sky: a gradient down to the horizon, perhaps a sun, and clouds."""
    mood = canvas.mood
    fall = np.clip(canvas.rows / horizon, 0, 1) + 0 * canvas.columns
    wash = (canvas.noise(2, 3, 1).astype(np.int16) - 128) // 10
    everywhere = np.full((canvas.side, canvas.side), 255, dtype=np.uint8)
    canvas.paint(everywhere, np.clip(fall * 255 + wash, 0, 255).astype(np.uint8), mood.sky_top, mood.sky_low)
    if mood.haze < 0.5 and canvas.chance(0.4):
        paint_sun(canvas, horizon)
    level = int(200 - 120 * min(1.0, mood.clouds))
    billows = canvas.noise(5, 2, 3)
    cloud = (stretch(billows, level, min(255, level + 60)).astype(np.uint16) * 5 // 6).astype(np.uint8)
    bright = mix(mood.sky_low, (255, 255, 255), 0.6)
    canvas.paint(cloud, billows, bright, mix(mood.sky_low, mood.sky_top, 0.35))


def paint_sun(canvas: Canvas, horizon: float) -> None:
    """A pale disc with a halo, anywhere above the horizon."""
    height = canvas.between(0.2, 0.85)
    centre, radius = (canvas.between(0.1, 0.9), horizon * height), canvas.between(0.03, 0.055)
    behind = mix(canvas.mood.sky_top, canvas.mood.sky_low, height)
    glow = mix(canvas.mood.sky_low, (255, 236, 190), 0.5)
    for ring, share in ((2.6, 0.35), (1.8, 0.6)):
        canvas.disc(centre, radius * ring, mix(behind, glow, share))
    canvas.disc(centre, radius, mix((255, 244, 210), canvas.mood.sky_low, 0.25))


GREENS: tuple[Colour, ...] = ((38, 72, 44), (52, 84, 40), (30, 62, 50), (70, 92, 44))


def paint_conifer(canvas: Canvas, base: Point, height: float, depth: float = 0.0, colour: Colour | None = None) -> None:
    x, y = base
    green = canvas.vary(colour or canvas.pick(GREENS), 8)
    shade = canvas.tone(mix(green, (10, 16, 24), 0.35), depth)
    lit = canvas.tone(mix(green, (220, 225, 160), 0.14), depth)
    canvas.box(x - height * 0.03, y - height * 0.12, x + height * 0.03, y, canvas.tone((72, 54, 42), depth))
    tiers = canvas.pick((3, 4, 5))
    for tier in range(tiers):
        bottom = y - height * (0.08 + 0.72 * tier / tiers)
        tip = bottom - height * (0.92 / tiers + 0.16)
        half = height * 0.26 * (1 - 0.8 * tier / tiers)
        canvas.polygon([(x - half, bottom), (x, tip), (x + half, bottom)], shade)
        canvas.polygon([(x - half, bottom), (x, tip), (x + half * 0.1, bottom)], lit)


def paint_round_tree(
    canvas: Canvas, base: Point, height: float, depth: float = 0.0, colour: Colour | None = None
) -> None:
    """A broad-leaved tree: a trunk and a crown of overlapping discs."""
    x, y = base
    green = canvas.vary(colour or (82, 116, 52), 12)
    canvas.box(x - height * 0.035, y - height * 0.5, x + height * 0.035, y, canvas.tone((78, 60, 46), depth))
    for share in (0.0, 0.0, 0.1, 0.2, 0.3):
        spot = (x + height * canvas.between(-0.2, 0.2), y - height * canvas.between(0.48, 0.82))
        canvas.disc(spot, height * canvas.between(0.15, 0.23), canvas.tone(mix(green, (230, 230, 150), share), depth))


def paint_stones(canvas: Canvas, level: float) -> None:
    for _ in range(canvas.pick((2, 3, 4, 6))):
        x, y, size = canvas.between(0, 1), level + canvas.between(-0.05, 0.05), canvas.between(0.02, 0.07)
        grey = canvas.vary((112, 108, 106), 16)
        left, right = (x - size * 0.6, y - size * 0.8), (x + size * 0.3, y - size)
        sides = [(x - size, y), left, right, (x + size, y - size * 0.3), (x + size, y)]
        canvas.polygon(sides, canvas.tone(mix(grey, (20, 20, 30), 0.35)))
        canvas.polygon([left, right, (x, y - size * 0.4)], canvas.tone(grey))


def paint_hut(canvas: Canvas, base: Point) -> None:
    x, y = base
    size = canvas.between(0.035, 0.06)
    wall = canvas.vary(canvas.pick(((150, 110, 80), (190, 176, 150), (130, 70, 60))), 12)
    canvas.box(x - size, y - size, x + size, y, canvas.tone(wall))
    roof = [(x - size * 1.2, y - size), (x, y - size * 1.8), (x + size * 1.2, y - size)]
    canvas.polygon(roof, canvas.tone((92, 58, 50)))
    canvas.box(x - size * 0.3, y - size * 0.6, x + size * 0.2, y, canvas.tone((60, 44, 40)))


def paint_birds(canvas: Canvas, lowest: float) -> None:
    for _ in range(canvas.pick((2, 3, 5))):
        x, y, span = canvas.between(0.1, 0.9), canvas.between(0.06, lowest), canvas.between(0.012, 0.028)
        points = [canvas.pixel(p) for p in ((x - span, y - span * 0.5), (x, y), (x + span, y - span * 0.6))]
        canvas.pen.line(points, fill=canvas.tone((50, 50, 60), 0.3), width=max(1, canvas.side // 100))


def paint_person(canvas: Canvas, feet: Point, height: float) -> None:
    x, y = feet
    coat = canvas.vary(canvas.pick(((160, 60, 50), (60, 80, 130), (70, 70, 70), (190, 160, 80))), 16)
    canvas.box(x - height * 0.1, y - height * 0.45, x + height * 0.1, y, canvas.tone((48, 46, 54)))
    canvas.box(x - height * 0.16, y - height * 0.82, x + height * 0.16, y - height * 0.4, canvas.tone(coat))
    canvas.disc((x, y - height * 0.9), height * 0.1, canvas.tone((206, 170, 146)))
