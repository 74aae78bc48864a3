"""Sea: water up to the horizon, sometimes with a beach, a headland or boats."""

from __future__ import annotations

import numpy as np

from scenebook.data.scenes.easel import Colour, Easel, Point, centred, mix, stretch
from scenebook.data.scenes.sky import paint_sky
from scenebook.data.scenes.things import paint_birds, paint_person, paint_stones

WATERS: tuple[Colour, ...] = ((30, 92, 150), (30, 116, 144), (44, 102, 128), (24, 74, 130), (56, 112, 140))
SAIL: Colour = (246, 242, 232)


def paint_sea(easel: Easel, shore: float) -> None:
    """Open water under a level horizon.

    Args:
        easel: The canvas.
        shore: How near the painter stands to the beach: below 0.4 there is only water, at 1 a wide strip of sand.
    """
    horizon = easel.between(0.3, 0.6)
    paint_sky(easel, horizon)
    if easel.chance(0.4):
        paint_headland(easel, horizon)
    water = easel.vary(easel.pick(WATERS), 12)
    paint_water(easel, horizon, water)
    for _ in range(easel.pick((0, 0, 1, 2))):
        paint_boat(easel, horizon)
    if shore > 0.4:
        paint_beach(easel, 1.0 - 0.32 * (shore - 0.3))
    elif easel.chance(0.4):
        paint_stones(easel, 0.97)
    if easel.chance(0.3):
        paint_birds(easel, horizon)


def paint_water(easel: Easel, horizon: float, water: Colour) -> None:
    """Waves that grow towards the painter, with foam on some, and the light of the sky on all."""
    down = np.clip((easel.rows - horizon) / (1 - horizon), 0, 1)
    swell = easel.noise(40, 4, 3)
    # Rows are taken ever more slowly towards the bottom: near waves are large.
    taken = 0.97 * down * (2 - down) + centred(easel.noise(4, 4, 1)) * 0.04
    waves = easel.moved(swell, taken, easel.columns)
    mask = (easel.rows >= horizon) & (easel.columns >= 0)
    far = mix(easel.tone(water), easel.mood.sky_low, 0.35)
    grey = np.clip(stretch(waves, 70, 185) * (0.5 + 0.4 * down) + 50 * (1 - down), 0, 255).astype(np.uint8)
    easel.paint(mask, grey, easel.tone(mix(water, (6, 20, 40), 0.35)), mix(far, (235, 245, 245), 0.3))
    level = easel.between(165, 215)
    foam = mask & (waves > level + 30 * (1 - down))
    easel.paint(foam, waves, easel.tone((200, 215, 220)), easel.tone((250, 252, 252)))
    if easel.chance(0.25):
        away = np.abs(easel.columns - easel.between(0.2, 0.8)) / (0.02 + 0.16 * down)
        glitter = np.where(mask, np.clip((waves - 105.0) * 5, 0, 210) * np.clip(1.4 - away, 0, 1), 0).astype(np.uint8)
        easel.paint(glitter, waves, mix(easel.mood.sky_low, (255, 240, 200), 0.4), (255, 250, 232))


def paint_headland(easel: Easel, horizon: float) -> None:
    """Low land that comes in from one side and falls to the water."""
    height = easel.between(0.05, 0.16)
    steps = [horizon - height * max(0.0, 1 - share * easel.between(1.2, 1.8)) for share in (0.0, 0.25, 0.5, 0.75, 1.0)]
    line = easel.outline(steps if easel.chance(0.5) else steps[::-1], 0.012)
    colour = easel.vary(easel.pick(((92, 104, 72), (116, 104, 92), (84, 92, 96))), 10)
    mask = (easel.rows >= line) & (line < horizon - 0.004)
    easel.paint(mask, easel.noise(20, 8, 2), easel.tone(mix(colour, (20, 24, 30), 0.4), 0.8), easel.tone(colour, 0.8))


def paint_beach(easel: Easel, level: float) -> None:
    """Sand along the bottom, with a wet edge and a line of foam."""
    line = easel.outline([level + easel.between(-0.06, 0.06) for _ in range(3)], 0.01)
    grain = easel.noise(20, 10, 3)
    sand = easel.vary(easel.pick(((214, 190, 148), (196, 178, 150), (226, 208, 172))), 10)
    foam, wet = easel.between(0.015, 0.04), easel.between(0.02, 0.05)
    easel.paint(easel.rows >= line - foam, grain, easel.tone((214, 224, 226)), easel.tone((252, 252, 250)))
    damp = mix(sand, (80, 70, 60), 0.45)
    easel.paint(easel.rows >= line, grain, easel.tone(damp), easel.tone(mix(damp, sand, 0.2)))
    shade, light = mix(sand, (90, 70, 50), 0.25), mix(sand, (255, 250, 235), 0.2)
    easel.paint(easel.rows >= line + wet, grain, easel.tone(shade), easel.tone(light))
    for _ in range(easel.pick((0, 0, 1, 2))):
        paint_person(easel, (easel.between(0.1, 0.9), min(0.97, level + easel.between(0.05, 0.1))), 0.09)


def paint_boat(easel: Easel, horizon: float) -> None:
    """A sailing boat on the water."""
    size = easel.between(0.04, 0.1)
    x, y = easel.between(0.1, 0.9), horizon + size * easel.between(0.1, 1.0)
    depth = 0.5

    def patch(colour: Colour, *corners: Point) -> None:
        easel.polygon([(x + size * across, y - size * up) for across, up in corners], easel.tone(colour, depth))

    hull = easel.pick(((120, 52, 44), (60, 62, 74), (228, 226, 220)))
    patch(hull, (-0.55, 0.18), (0.55, 0.18), (0.4, 0), (-0.4, 0))
    patch(SAIL, (-0.05, 0.24), (-0.05, 1.5), (-0.5, 0.24))
    patch(SAIL, (0.05, 0.24), (0.05, 1.3), (0.45, 0.24))
