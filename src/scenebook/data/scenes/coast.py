"""Sea: water up to the horizon, sometimes with a beach, a headland or boats."""

from __future__ import annotations

import numpy as np

from scenebook.data.scenes.canvas import Canvas, Colour, Point, centred, mix, stretch
from scenebook.data.scenes.objects import paint_birds, paint_person, paint_stones
from scenebook.data.scenes.sky import paint_sky

WATERS: tuple[Colour, ...] = ((30, 92, 150), (30, 116, 144), (44, 102, 128), (24, 74, 130), (56, 112, 140))
SAIL: Colour = (246, 242, 232)


def paint_sea(canvas: Canvas, shore: float) -> None:
    """Open water under a level horizon.

    Args:
        canvas: What is painted on, with its light and random numbers.
        shore: How near the painter stands to the beach: below 0.4 there is only water, at 1 a wide strip of sand.
    """
    horizon = canvas.between(0.3, 0.6)
    paint_sky(canvas, horizon)
    if canvas.chance(0.4):
        paint_headland(canvas, horizon)
    water = canvas.vary(canvas.pick(WATERS), 12)
    paint_water(canvas, horizon, water)
    for _ in range(canvas.pick((0, 0, 1, 2))):
        paint_boat(canvas, horizon)
    if shore > 0.4:
        paint_beach(canvas, 1.0 - 0.32 * (shore - 0.3))
    elif canvas.chance(0.4):
        paint_stones(canvas, 0.97)
    if canvas.chance(0.3):
        paint_birds(canvas, horizon)


def paint_water(canvas: Canvas, horizon: float, water: Colour) -> None:
    """Waves that grow towards the painter, with foam on some, and the light of the sky on all."""
    down = np.clip((canvas.rows - horizon) / (1 - horizon), 0, 1)
    swell = canvas.noise(40, 4, 3)
    # Rows are taken ever more slowly towards the bottom: near waves are large.
    taken = 0.97 * down * (2 - down) + centred(canvas.noise(4, 4, 1)) * 0.04
    waves = canvas.moved(swell, taken, canvas.columns)
    mask = (canvas.rows >= horizon) & (canvas.columns >= 0)
    far = mix(canvas.tone(water), canvas.mood.sky_low, 0.35)
    grey = np.clip(stretch(waves, 70, 185) * (0.5 + 0.4 * down) + 50 * (1 - down), 0, 255).astype(np.uint8)
    canvas.paint(mask, grey, canvas.tone(mix(water, (6, 20, 40), 0.35)), mix(far, (235, 245, 245), 0.3))
    level = canvas.between(165, 215)
    foam = mask & (waves > level + 30 * (1 - down))
    canvas.paint(foam, waves, canvas.tone((200, 215, 220)), canvas.tone((250, 252, 252)))
    if canvas.chance(0.25):
        away = np.abs(canvas.columns - canvas.between(0.2, 0.8)) / (0.02 + 0.16 * down)
        glitter = np.where(mask, np.clip((waves - 105.0) * 5, 0, 210) * np.clip(1.4 - away, 0, 1), 0).astype(np.uint8)
        canvas.paint(glitter, waves, mix(canvas.mood.sky_low, (255, 240, 200), 0.4), (255, 250, 232))


def paint_headland(canvas: Canvas, horizon: float) -> None:
    """Low land that comes in from one side and falls to the water."""
    height = canvas.between(0.05, 0.16)
    steps = [horizon - height * max(0.0, 1 - share * canvas.between(1.2, 1.8)) for share in (0.0, 0.25, 0.5, 0.75, 1.0)]
    line = canvas.outline(steps if canvas.chance(0.5) else steps[::-1], 0.012)
    colour = canvas.vary(canvas.pick(((92, 104, 72), (116, 104, 92), (84, 92, 96))), 10)
    mask = (canvas.rows >= line) & (line < horizon - 0.004)
    canvas.paint(
        mask, canvas.noise(20, 8, 2), canvas.tone(mix(colour, (20, 24, 30), 0.4), 0.8), canvas.tone(colour, 0.8)
    )


def paint_beach(canvas: Canvas, level: float) -> None:
    """Sand along the bottom, with a wet edge and a line of foam."""
    line = canvas.outline([level + canvas.between(-0.06, 0.06) for _ in range(3)], 0.01)
    grain = canvas.noise(20, 10, 3)
    sand = canvas.vary(canvas.pick(((214, 190, 148), (196, 178, 150), (226, 208, 172))), 10)
    foam, wet = canvas.between(0.015, 0.04), canvas.between(0.02, 0.05)
    canvas.paint(canvas.rows >= line - foam, grain, canvas.tone((214, 224, 226)), canvas.tone((252, 252, 250)))
    damp = mix(sand, (80, 70, 60), 0.45)
    canvas.paint(canvas.rows >= line, grain, canvas.tone(damp), canvas.tone(mix(damp, sand, 0.2)))
    shade, light = mix(sand, (90, 70, 50), 0.25), mix(sand, (255, 250, 235), 0.2)
    canvas.paint(canvas.rows >= line + wet, grain, canvas.tone(shade), canvas.tone(light))
    for _ in range(canvas.pick((0, 0, 1, 2))):
        paint_person(canvas, (canvas.between(0.1, 0.9), min(0.97, level + canvas.between(0.05, 0.1))), 0.09)


def paint_boat(canvas: Canvas, horizon: float) -> None:
    """A sailing boat on the water."""
    size = canvas.between(0.04, 0.1)
    x, y = canvas.between(0.1, 0.9), horizon + size * canvas.between(0.1, 1.0)
    depth = 0.5

    def patch(colour: Colour, *corners: Point) -> None:
        canvas.polygon([(x + size * across, y - size * up) for across, up in corners], canvas.tone(colour, depth))

    hull = canvas.pick(((120, 52, 44), (60, 62, 74), (228, 226, 220)))
    patch(hull, (-0.55, 0.18), (0.55, 0.18), (0.4, 0), (-0.4, 0))
    patch(SAIL, (-0.05, 0.24), (-0.05, 1.5), (-0.5, 0.24))
    patch(SAIL, (0.05, 0.24), (0.05, 1.3), (0.45, 0.24))
