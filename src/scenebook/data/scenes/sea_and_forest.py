"""Sea and forest: each has a painter to itself."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageChops

from scenebook.data.scenes.canvas import (
    Canvas,
    Colour,
    Point,
    centred,
    mix,
    paint_birds,
    paint_conifer,
    paint_person,
    paint_round_tree,
    paint_sky,
    paint_stones,
    stretch,
)

WATERS: tuple[Colour, ...] = ((30, 92, 150), (30, 116, 144), (44, 102, 128), (24, 74, 130), (56, 112, 140))
SAIL: Colour = (246, 242, 232)
LEAVES: tuple[Colour, ...] = ((74, 112, 48), (56, 96, 50), (96, 122, 54), (52, 88, 62), (176, 120, 46), (168, 92, 44))
BARKS: tuple[Colour, ...] = ((88, 68, 54), (70, 58, 50), (108, 92, 78), (206, 202, 192))


def paint_sea(canvas: Canvas, shore: float) -> None:
    """Open water under a level horizon; at `shore` below 0.4 there is only water, at 1 a wide strip of sand."""
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
    size = canvas.between(0.04, 0.1)
    x, y = canvas.between(0.1, 0.9), horizon + size * canvas.between(0.1, 1.0)

    def patch(colour: Colour, *corners: Point) -> None:
        canvas.polygon([(x + size * across, y - size * up) for across, up in corners], canvas.tone(colour, 0.5))

    hull = canvas.pick(((120, 52, 44), (60, 62, 74), (228, 226, 220)))
    patch(hull, (-0.55, 0.18), (0.55, 0.18), (0.4, 0), (-0.4, 0))
    patch(SAIL, (-0.05, 0.24), (-0.05, 1.5), (-0.5, 0.24))
    patch(SAIL, (0.05, 0.24), (0.05, 1.3), (0.45, 0.24))


def paint_forest(canvas: Canvas, inside: float) -> None:
    """Trees from side to side, `inside` 0 before the edge of the forest, with sky above it, and 1 among the trunks."""
    leaf = canvas.vary(canvas.pick(LEAVES), 12)
    paint_sky(canvas, 0.6)
    sky = canvas.image.copy()
    ground = canvas.between(0.74, 0.9)
    paint_foliage(canvas, leaf, inside)
    if inside < 0.5:
        paint_rows(canvas, leaf, ground, inside)
        paint_leaves(canvas, sky)
        paint_floor(canvas, leaf, ground + 0.06)
    else:
        paint_floor(canvas, leaf, ground)
        paint_trunks(canvas, ground, leaf)
    if canvas.chance(0.25):
        paint_stones(canvas, 0.95)


def paint_foliage(canvas: Canvas, leaf: Colour, inside: float) -> None:
    """Wall of leaves with gaps of light; the more inside, the higher it reaches."""
    top = 0.4 - 0.62 * inside
    line = canvas.outline([top + canvas.between(-0.08, 0.08) for _ in range(6)], 0.06)
    mask = canvas.rows >= line
    clumps = canvas.noise(16, 16, 3)
    shade, light = mix(leaf, (8, 18, 22), 0.7), mix(leaf, (236, 240, 170), 0.25)
    canvas.paint(mask, stretch(clumps, 80, 180), canvas.tone(shade, 0.6), canvas.tone(light, 0.7))
    if inside >= 0.5:
        gaps = stretch(canvas.noise(7, 7, 3), 165, 215)
        canvas.paint(gaps, clumps, mix(canvas.mood.sky_low, leaf, 0.35), mix(canvas.mood.sky_low, (255, 255, 220), 0.3))


def paint_rows(canvas: Canvas, leaf: Colour, ground: float, inside: float) -> None:
    conifers = canvas.chance(0.6)
    for near in (0, 0.5, 1):
        height = canvas.between(0.42, 0.54) * (0.7 + 0.6 * near) * (1 + 0.4 * inside)
        count = int(11 - 3 * near)
        for step in range(count):
            x = (step + canvas.between(0.1, 0.9)) / count
            base = (x, ground - 0.1 * (1 - near) + canvas.between(-0.02, 0.06))
            paint = paint_conifer if conifers != canvas.chance(0.12) else paint_round_tree
            colour = None if paint is paint_conifer else mix(leaf, (20, 44, 40), 0.2)
            paint(canvas, base, height * canvas.between(0.75, 1.15), 0.75 * (1 - near), colour)


def paint_leaves(canvas: Canvas, sky: Image.Image) -> None:
    """Light and shade of single leaves, over all that has been painted on the sky."""
    painted = ImageChops.difference(canvas.image, sky).convert("L").point([0] + [1] * 255)
    there = np.asarray(painted)
    specks = canvas.noise(64, 64, 1)
    canvas.paint(there * (stretch(specks, 150, 215) // 3), specks, (8, 20, 16), (8, 20, 16))
    pale = canvas.tone((230, 232, 170))
    canvas.paint(there * (stretch(255 - specks, 150, 215) // 5), specks, pale, pale)


def paint_floor(canvas: Canvas, leaf: Colour, level: float) -> None:
    """Forest floor: moss, litter, patches of light."""
    line = canvas.outline([level + canvas.between(-0.03, 0.03) for _ in range(4)], 0.015)
    colour = mix(leaf, canvas.pick(((120, 96, 60), (86, 110, 54), (96, 82, 62))), 0.6)
    grain = canvas.noise(30, 12, 3)
    shade, light = mix(colour, (14, 18, 16), 0.6), mix(colour, (232, 224, 160), 0.25)
    canvas.paint(canvas.rows >= line, stretch(grain, 50, 205), canvas.tone(shade), canvas.tone(light))


def paint_trunks(canvas: Canvas, ground: float, leaf: Colour) -> None:
    """Trunks from thin and pale to thick and dark, and the branches of the nearest."""
    bark = canvas.vary(canvas.pick(BARKS), 10)
    count = canvas.pick((10, 13, 16))
    for position in range(count):
        paint_trunk(canvas, ground, bark, (position / count) ** 2)
    canopy = canvas.outline([canvas.between(0.05, 0.3) for _ in range(5)], 0.08)
    leaves = canvas.noise(12, 12, 3)
    veil = ((canvas.rows < canopy) & (leaves > 105)).astype(np.uint8) * 235
    shade, light = mix(leaf, (10, 24, 22), 0.55), mix(leaf, (240, 240, 170), 0.25)
    canvas.paint(veil, stretch(leaves, 100, 210), canvas.tone(shade, 0.2), canvas.tone(light, 0.2))


def paint_trunk(canvas: Canvas, ground: float, bark: Colour, near: float) -> None:
    """One trunk that leaves the image at the top, its left side lit; `near` runs from 0 to 1."""
    x, half = canvas.between(0, 1), 0.006 + 0.035 * near * canvas.between(0.7, 1.3)
    base, top = ground + 0.02 + 0.24 * near, x + canvas.between(-0.05, 0.05)
    shade, lit = mix(bark, (20, 18, 20), 0.5), mix(bark, (240, 220, 180), 0.12)
    for left, right, colour in ((-1.4, 1.4, shade), (-1.2, -0.2, lit)):
        corners = [
            (x + half * left, base),
            (top + half * left / 2, -0.1),
            (top + half * right / 2, -0.1),
            (x + half * right, base),
        ]
        canvas.polygon(corners, canvas.tone(colour, 1 - near))
