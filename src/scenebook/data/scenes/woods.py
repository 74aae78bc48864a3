"""Forest: from its edge to its inside."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageChops

from scenebook.data.scenes.canvas import Canvas, Colour, mix, stretch
from scenebook.data.scenes.objects import paint_conifer, paint_round_tree, paint_stones
from scenebook.data.scenes.sky import paint_sky

LEAVES: tuple[Colour, ...] = ((74, 112, 48), (56, 96, 50), (96, 122, 54), (52, 88, 62), (176, 120, 46), (168, 92, 44))
BARKS: tuple[Colour, ...] = ((88, 68, 54), (70, 58, 50), (108, 92, 78), (206, 202, 192))


def paint_forest(canvas: Canvas, inside: float) -> None:
    """Trees from one side of the image to the other.

    Args:
        canvas: What is painted on, with its light and random numbers.
        inside: Where the painter stands: 0 before the edge of the forest, with sky above it; 1 among the trunks.
    """
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
    """Rows of whole trees, the far ones first."""
    conifers = canvas.chance(0.6)
    rows = 3
    for row in range(rows):
        near = row / (rows - 1)
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
