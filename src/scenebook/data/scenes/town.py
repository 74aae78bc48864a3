"""Buildings and street: one painter, and one number that tells them apart."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from scenebook.data.scenes.canvas import (
    Canvas,
    Colour,
    Point,
    mix,
    paint_birds,
    paint_person,
    paint_round_tree,
    paint_sky,
)

WALLS: tuple[Colour, ...] = (
    (206, 176, 132), (168, 92, 74), (222, 208, 184), (150, 152, 156), (196, 148, 128), (128, 146, 160), (178, 166, 148),
)  # fmt: skip
CAR_PAINTS: tuple[Colour, ...] = ((176, 48, 44), (54, 84, 140), (214, 212, 206), (60, 62, 66), (206, 166, 60))
GLASS: Colour = (62, 76, 94)
LAMP: Colour = (255, 214, 130)


@dataclass(frozen=True)
class View:
    """The painter's place in a street whose house fronts stand one unit left and right of its middle.

    A thing at distance d looks 1 / d times its size; positions are given by that scale.

    Attributes:
        centre: Where the street would vanish, as fractions of the side.
        eye: Height of the painter's eye above the ground, in units.
        end: Scale of the front that closes the street.
    """

    centre: Point
    eye: float
    end: float

    def at(self, across: float, height: float, scale: float) -> Point:
        """Position in the image of a point `across` units right of the middle and `height` units above the ground."""
        return self.centre[0] + across * scale, self.centre[1] + (self.eye - height) * scale

    def strip(self, left: float, right: float, start: float, stop: float) -> list[Point]:
        """Corners of a patch of ground between two distances from the middle, and two scales."""
        return [self.at(left, 0, start), self.at(right, 0, start), self.at(right, 0, stop), self.at(left, 0, stop)]

    def nearer(self, start: float, stop: float, share: float) -> float:
        """Scale of the place that lies a share of the way, on the ground, from scale `start` to scale `stop`."""
        return 1 / (1 / start + (1 / stop - 1 / start) * share)


@dataclass(frozen=True)
class House:
    wall: Colour
    height: float
    floors: int
    bays: int
    roof: Colour | None


def paint_town(canvas: Canvas, road: float) -> None:
    """A street between house fronts, closed by one more front after as much road as `road` says.

    At 0 that front fills the image above a strip of road, at 1 it is far away between two rows of houses. Everything
    that differs between buildings and street follows from it.
    """
    centre = (canvas.between(0.36, 0.64), canvas.between(0.52, 0.64))
    view = View(centre, canvas.between(0.26, 0.42), 0.06 + 0.74 * (1 - road) * (1 - road))
    paint_sky(canvas, centre[1])
    paint_ground(canvas, view)
    paint_end(canvas, view)
    for side in (-1, 1):
        paint_row(canvas, view, side)
    paint_traffic(canvas, view)
    if canvas.chance(0.2):
        paint_birds(canvas, 0.3)


def draw_house(canvas: Canvas, height: float, floor_height: float) -> House:
    """A house of about this height: colour, floors, windows a floor, and a roof or none."""
    return House(
        wall=canvas.vary(canvas.pick(WALLS), 16),
        height=height,
        floors=max(2, int(height / floor_height)),
        bays=canvas.pick((2, 3, 4)),
        roof=canvas.vary((120, 72, 60), 18) if canvas.chance(0.4) else None,
    )


def paint_ground(canvas: Canvas, view: View) -> None:
    near = 3.0
    depth = 1 - view.end
    stone = canvas.vary((168, 162, 152), 12)
    tar = canvas.vary((92, 92, 98), 14)
    top = view.at(0, 0, view.end)[1]
    canvas.box(-0.1, top, 1.1, 1.1, canvas.tone(stone, 0.3))
    canvas.polygon(view.strip(-0.66, 0.66, view.end, near), canvas.tone(mix(stone, (60, 60, 64), 0.5), 0.3 * depth))
    canvas.polygon(view.strip(-0.63, 0.63, view.end, near), canvas.tone(tar, 0.3 * depth))
    if canvas.chance(0.7):
        white = canvas.tone((222, 218, 204), 0.3)
        for step in range(12):
            start, stop = (view.nearer(view.end, near, (step + part) / 12) for part in (0.2, 0.65))
            canvas.polygon(view.strip(-0.025, 0.025, start, stop), white)
    if canvas.chance(0.3):
        start = max(view.end * 1.05, canvas.between(0.5, 0.8))
        for bar in range(-5, 6, 2):
            stripe = view.strip(bar * 0.1 - 0.05, bar * 0.1 + 0.05, start, start * 1.35)
            canvas.polygon(stripe, canvas.tone((226, 224, 216)))
    grain = canvas.noise(40, 20, 2)
    canvas.paint(((canvas.rows > top) & (canvas.columns >= 0)).astype(np.uint8) * 40, grain, (0, 0, 0), (255, 255, 255))


def paint_end(canvas: Canvas, view: View) -> None:
    """Fronts that close the street: towers in the haze behind, then one to four houses side by side."""
    depth = 0.9 * (1 - view.end)
    for _ in range(canvas.pick((0, 1, 2, 3))):
        left, width = canvas.between(-1.0, 0.7), canvas.between(0.2, 0.4)
        tower = draw_house(canvas, canvas.between(0.8, 1.3), 0.13)
        paint_front(canvas, view, left, left + width, tower, min(1.0, depth + 0.45))
    count = canvas.pick((1, 2, 3, 3, 4))
    cuts = [-1.0, *sorted(-1 + 2 * (k + canvas.between(-0.25, 0.25)) / count for k in range(1, count)), 1.0]
    for left, right in itertools.pairwise(cuts):
        house = draw_house(canvas, canvas.between(0.5, 1.1), 0.165)
        paint_front(canvas, view, left, right - (0.06 if canvas.chance(0.2) else 0), house, depth)


def paint_front(canvas: Canvas, view: View, left: float, right: float, house: House, depth: float) -> None:
    (x0, y1), (x1, y0) = view.at(left, 0, view.end), view.at(right, house.height, view.end)
    canvas.box(x0, y0, x1, y1, canvas.tone(house.wall, depth))
    eaves = 0.05 * view.end
    if house.roof is not None and right - left < 1.1:
        ridge = ((x0 + x1) / 2, y0 - (x1 - x0) * 0.42)
        canvas.polygon([(x0 - eaves, y0), ridge, (x1 + eaves, y0)], canvas.tone(house.roof, depth))
    else:
        cornice = canvas.tone(mix(house.wall, (50, 46, 50), 0.3), depth)
        canvas.box(x0 - eaves / 2, y0 - eaves * 0.4, x1 + eaves / 2, y0 + eaves * 0.5, cornice)
    bays = max(2, int((right - left) * house.bays * 2.7))
    paint_windows(canvas, (x0, y0, x1, y1), house, bays, depth)


def paint_windows(
    canvas: Canvas, wall: tuple[float, float, float, float], house: House, bays: int, depth: float
) -> None:
    """Framed windows in rows on an upright wall; every other one on the ground floor is a door."""
    x0, y0, x1, y1 = wall
    wide, high = (x1 - x0) / bays, (y1 - y0) / house.floors
    if min(wide, high) * canvas.side < 3:  # too small to be seen
        return
    frame, glass = canvas.tone(mix(house.wall, (250, 246, 238), 0.55), depth), canvas.tone(GLASS, depth)
    lamp = mix(LAMP, canvas.mood.sky_low, 0.3 * depth)
    for floor, bay in itertools.product(range(house.floors), range(bays)):
        x, y = x0 + (bay + 0.25) * wide, y0 + (floor + 0.28) * high
        door = floor == house.floors - 1 and bay % 2 == 1
        bottom = y1 if door else y + 0.5 * high
        canvas.box(x - 0.06 * wide, y - 0.06 * high, x + 0.56 * wide, y1 if door else bottom + 0.05 * high, frame)
        canvas.box(x, y, x + 0.5 * wide, bottom, lamp if canvas.chance(canvas.mood.lamps) else glass)


def paint_row(canvas: Canvas, view: View, side: int) -> None:
    """Houses along one side of the street, from the far end to beside the painter."""
    scale = view.end
    darker = 0.12 + 0.22 * (side > 0)
    while scale < 2:
        nearer = scale * canvas.between(1.45, 1.9)
        house = draw_house(canvas, canvas.between(0.75, 1.9), 0.3)
        paint_side(canvas, view, side, (scale, nearer), house, darker)
        scale = nearer


def paint_side(canvas: Canvas, view: View, side: int, span: tuple[float, float], house: House, darker: float) -> None:
    """One house front along the street, between two scales."""
    far, near = span
    if abs(view.centre[0] + side * far - 0.5) > 0.56:
        return
    depth = max(0.0, 0.85 - 1.6 * far)
    wall = mix(house.wall, (40, 38, 50), darker)

    def quad(low: float, high: float, start: float, stop: float, colour: Colour) -> None:
        first, last = view.nearer(far, near, start), view.nearer(far, near, stop)
        corners = [
            view.at(side, height, scale) for scale, height in ((first, low), (first, high), (last, high), (last, low))
        ]
        canvas.polygon(corners, canvas.tone(colour, depth))

    quad(0, house.height, 0, 1, wall)
    quad(house.height - 0.05, house.height + 0.02, 0, 1, house.roof or mix(wall, (30, 30, 36), 0.35))
    if (near - far) * canvas.side < 8:
        return
    storey = house.height / house.floors
    for floor in range(house.floors):
        for bay in range(house.bays):
            start, low = (bay + 0.25) / house.bays, (floor + 0.3) * storey
            lit = canvas.chance(canvas.mood.lamps)
            pane = LAMP if lit else mix(GLASS, (20, 22, 30), darker)
            bottom = 0.0 if floor == 0 else low
            quad(bottom, low + 0.5 * storey, start, start + 0.5 / house.bays, pane)
    if canvas.chance(0.4):
        quad(0.9 * storey, 1.04 * storey, 0.1, 0.9, canvas.pick(((170, 60, 50), (60, 110, 90), (220, 190, 110))))


def paint_traffic(canvas: Canvas, view: View) -> None:
    """Cars, walkers, trees and lamps, the far ones first."""
    count = canvas.pick((1, 3, 4, 6))
    for step in range(count):
        scale = view.nearer(max(view.end, 0.09) * 1.05, 1.1, (step + canvas.between(0, 1)) / count)
        side = canvas.pick((-1, 1))
        kind = canvas.pick(("car", "car", "walker", "tree", "lamp"))
        if kind == "car":
            paint_car(canvas, view, side * canvas.between(0.2, 0.45), scale)
        elif kind == "walker":
            paint_person(canvas, view.at(side * 0.8, 0, scale), 0.25 * scale)
        elif kind == "tree":
            paint_round_tree(canvas, view.at(side * 0.8, 0, scale), 0.75 * scale)
        else:
            paint_lamp(canvas, view, side, scale)


def paint_car(canvas: Canvas, view: View, across: float, scale: float) -> None:
    x, y = view.at(across, 0, scale)
    size = 0.2 * scale
    paint, dark = canvas.tone(canvas.vary(canvas.pick(CAR_PAINTS), 14)), canvas.tone((34, 34, 40))
    for wheel in (-0.8, 0.5):
        canvas.box(x + size * wheel, y - size * 0.3, x + size * (wheel + 0.3), y, dark)
    canvas.box(x - size * 0.9, y - size * 0.75, x + size * 0.9, y - size * 0.12, paint)
    for bottom, top, wide, narrow, colour in (
        (0.7, 1.2, 0.8, 0.6, paint),
        (0.74, 1.08, 0.62, 0.5, canvas.tone((120, 140, 156))),
    ):
        low, high = y - size * bottom, y - size * top
        corners = [(x - size * wide, low), (x - size * narrow, high), (x + size * narrow, high), (x + size * wide, low)]
        canvas.polygon(corners, colour)
    for lamp in (-0.8, 0.6):
        canvas.box(x + size * lamp, y - size * 0.6, x + size * (lamp + 0.2), y - size * 0.45, (206, 60, 50))


def paint_lamp(canvas: Canvas, view: View, side: int, scale: float) -> None:
    """A street lamp whose arm reaches over the road."""
    dark = canvas.tone((52, 54, 58))
    x, foot = view.at(side * 0.7, 0, scale)
    top, reach, thick = foot - 0.9 * scale, 0.16 * scale, 0.012 * scale
    canvas.box(x - thick, top, x + thick, foot, dark)
    canvas.box(min(x, x - side * reach), top - thick, max(x, x - side * reach), top + thick, dark)
    glow = mix(dark, LAMP, 0.8 if canvas.mood.lamps > 0.1 else 0.3)
    canvas.disc((x - side * reach, top + 2 * thick), 0.03 * scale, glow)
