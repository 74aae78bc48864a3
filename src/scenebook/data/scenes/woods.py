"""Forest: from its edge to its inside."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageChops

from scenebook.data.scenes.easel import Colour, Easel, mix, stretch
from scenebook.data.scenes.sky import paint_sky
from scenebook.data.scenes.things import paint_conifer, paint_round_tree, paint_stones

LEAVES: tuple[Colour, ...] = ((74, 112, 48), (56, 96, 50), (96, 122, 54), (52, 88, 62), (176, 120, 46), (168, 92, 44))
BARKS: tuple[Colour, ...] = ((88, 68, 54), (70, 58, 50), (108, 92, 78), (206, 202, 192))


def paint_forest(easel: Easel, inside: float) -> None:
    """Trees from one side of the image to the other.

    Args:
        easel: The canvas.
        inside: Where the painter stands: 0 before the edge of the forest, with sky above it; 1 among the trunks.
    """
    leaf = easel.vary(easel.pick(LEAVES), 12)
    paint_sky(easel, 0.6)
    sky = easel.image.copy()
    ground = easel.between(0.74, 0.9)
    paint_foliage(easel, leaf, inside)
    if inside < 0.5:
        paint_rows(easel, leaf, ground, inside)
        paint_leaves(easel, sky)
        paint_floor(easel, leaf, ground + 0.06)
    else:
        paint_floor(easel, leaf, ground)
        paint_trunks(easel, ground, leaf)
    if easel.chance(0.25):
        paint_stones(easel, 0.95)


def paint_foliage(easel: Easel, leaf: Colour, inside: float) -> None:
    """Wall of leaves with gaps of light; the more inside, the higher it reaches."""
    top = 0.4 - 0.62 * inside
    line = easel.outline([top + easel.between(-0.08, 0.08) for _ in range(6)], 0.06)
    mask = easel.rows >= line
    clumps = easel.noise(16, 16, 3)
    shade, light = mix(leaf, (8, 18, 22), 0.7), mix(leaf, (236, 240, 170), 0.25)
    easel.paint(mask, stretch(clumps, 80, 180), easel.tone(shade, 0.6), easel.tone(light, 0.7))
    if inside >= 0.5:
        gaps = stretch(easel.noise(7, 7, 3), 165, 215)
        easel.paint(gaps, clumps, mix(easel.mood.sky_low, leaf, 0.35), mix(easel.mood.sky_low, (255, 255, 220), 0.3))


def paint_rows(easel: Easel, leaf: Colour, ground: float, inside: float) -> None:
    """Rows of whole trees, the far ones first."""
    conifers = easel.chance(0.6)
    rows = 3
    for row in range(rows):
        near = row / (rows - 1)
        height = easel.between(0.42, 0.54) * (0.7 + 0.6 * near) * (1 + 0.4 * inside)
        count = int(11 - 3 * near)
        for step in range(count):
            x = (step + easel.between(0.1, 0.9)) / count
            base = (x, ground - 0.1 * (1 - near) + easel.between(-0.02, 0.06))
            paint = paint_conifer if conifers != easel.chance(0.12) else paint_round_tree
            colour = None if paint is paint_conifer else mix(leaf, (20, 44, 40), 0.2)
            paint(easel, base, height * easel.between(0.75, 1.15), 0.75 * (1 - near), colour)


def paint_leaves(easel: Easel, sky: Image.Image) -> None:
    """Light and shade of single leaves, over all that has been painted on the sky."""
    painted = ImageChops.difference(easel.image, sky).convert("L").point([0] + [1] * 255)
    there = np.asarray(painted)
    specks = easel.noise(64, 64, 1)
    easel.paint(there * (stretch(specks, 150, 215) // 3), specks, (8, 20, 16), (8, 20, 16))
    pale = easel.tone((230, 232, 170))
    easel.paint(there * (stretch(255 - specks, 150, 215) // 5), specks, pale, pale)


def paint_floor(easel: Easel, leaf: Colour, level: float) -> None:
    """Forest floor: moss, litter, patches of light."""
    line = easel.outline([level + easel.between(-0.03, 0.03) for _ in range(4)], 0.015)
    colour = mix(leaf, easel.pick(((120, 96, 60), (86, 110, 54), (96, 82, 62))), 0.6)
    grain = easel.noise(30, 12, 3)
    shade, light = mix(colour, (14, 18, 16), 0.6), mix(colour, (232, 224, 160), 0.25)
    easel.paint(easel.rows >= line, stretch(grain, 50, 205), easel.tone(shade), easel.tone(light))


def paint_trunks(easel: Easel, ground: float, leaf: Colour) -> None:
    """Trunks from thin and pale to thick and dark, and the branches of the nearest."""
    bark = easel.vary(easel.pick(BARKS), 10)
    count = easel.pick((10, 13, 16))
    for position in range(count):
        paint_trunk(easel, ground, bark, (position / count) ** 2)
    canopy = easel.outline([easel.between(0.05, 0.3) for _ in range(5)], 0.08)
    leaves = easel.noise(12, 12, 3)
    veil = ((easel.rows < canopy) & (leaves > 105)).astype(np.uint8) * 235
    shade, light = mix(leaf, (10, 24, 22), 0.55), mix(leaf, (240, 240, 170), 0.25)
    easel.paint(veil, stretch(leaves, 100, 210), easel.tone(shade, 0.2), easel.tone(light, 0.2))


def paint_trunk(easel: Easel, ground: float, bark: Colour, near: float) -> None:
    """One trunk that leaves the image at the top, its left side lit; `near` runs from 0 to 1."""
    x, half = easel.between(0, 1), 0.006 + 0.035 * near * easel.between(0.7, 1.3)
    base, top = ground + 0.02 + 0.24 * near, x + easel.between(-0.05, 0.05)
    shade, lit = mix(bark, (20, 18, 20), 0.5), mix(bark, (240, 220, 180), 0.12)
    for left, right, colour in ((-1.4, 1.4, shade), (-1.2, -0.2, lit)):
        corners = [
            (x + half * left, base),
            (top + half * left / 2, -0.1),
            (top + half * right / 2, -0.1),
            (x + half * right, base),
        ]
        easel.polygon(corners, easel.tone(colour, 1 - near))
