"""Glacier and mountain: one painter, and one number that tells them apart."""

from __future__ import annotations

import numpy as np

from scenebook.data.scenes.canvas import (
    Canvas,
    Colour,
    Field,
    Grey,
    centred,
    mix,
    paint_birds,
    paint_conifer,
    paint_hut,
    paint_sky,
    paint_stones,
    stretch,
)

SNOW: Colour = (247, 250, 252)
SNOW_SHADE: Colour = (128, 156, 194)
ICE_BLUES: tuple[Colour, ...] = ((96, 160, 204), (84, 148, 186), (124, 166, 198))
ROCKS: tuple[Colour, ...] = ((134, 126, 122), (118, 122, 130), (142, 128, 112), (112, 110, 118))
GROUNDS: tuple[Colour, ...] = ((120, 158, 70), (102, 142, 66), (138, 156, 78), (150, 146, 96))
DARK: Colour = (26, 28, 40)


def paint_alpine(canvas: Canvas, ice: float) -> None:
    """Peaks above a valley, of which `ice` tells how much is under snow and ice.

    0 is a bare peak over a green valley, 1 a white one over a valley filled with ice. Everything that differs between
    glacier and mountain follows from it.
    """
    foot = canvas.between(0.58, 0.74)
    paint_sky(canvas, foot)
    rock = canvas.vary(canvas.pick(ROCKS), 12)
    grain = canvas.noise(9, 9, 3)
    if canvas.chance(0.6):
        paint_range(canvas, foot, canvas.between(0.24, 0.36), rock, ice, grain, depth=0.9)
    line = paint_range(canvas, foot, canvas.between(0.08, 0.2), rock, ice, grain, depth=0.3)
    paint_valley(canvas, foot, rock, ice)
    if ice > 0.4:
        paint_tongue(canvas, foot, line, ice)
    if ice > 0.65 and canvas.chance(0.3):
        paint_ice_front(canvas, canvas.between(0.8, 0.92))
    else:
        paint_foreground(canvas, foot, ice)
    if canvas.chance(0.2):
        paint_birds(canvas, 0.3)


def paint_range(canvas: Canvas, foot: float, top: float, rock: Colour, ice: float, grain: Grey, depth: float) -> Field:
    """One range of peaks from `top` down to `foot`, snow above a line that `ice` lowers. Returns its outline."""
    line = summits(canvas, foot, top)
    mask = canvas.rows >= line
    grey = faces(canvas, line, grain, foot - top)
    light = mix(rock, (255, 244, 226), 0.3)
    canvas.paint(mask, grey, canvas.tone(mix(rock, DARK, 0.6), depth), canvas.tone(light, depth))
    # Snow holds longest on high ground and in the shade.
    fall = (canvas.rows - top) / (foot - top) + centred(grain) * 1.1 + centred(grey) * 0.2
    snow = mask & (fall < 1.35 * ice + canvas.between(-0.15, 0.1))
    canvas.paint(snow, stretch(grey, 40, 190), canvas.tone(SNOW_SHADE, depth), canvas.tone(SNOW, depth))
    return line


def summits(canvas: Canvas, foot: float, top: float) -> Field:
    """Outline of two to four pointed peaks, the highest at `top`, one before the other."""
    height = np.full(canvas.side, 0.12 * (foot - top), dtype=np.float32)
    across = canvas.columns[0]
    for peak in range(canvas.pick((2, 3, 4))):
        tall = (foot - top) * (1.0 if peak == 0 else canvas.between(0.5, 0.95))
        middle = canvas.between(0.1, 0.9) if peak == 0 else canvas.between(-0.05, 1.05)
        away = across - middle
        slope = np.where(away < 0, -1 / canvas.between(0.6, 1.3), 1 / canvas.between(0.6, 1.3))
        height = np.maximum(height, tall - away * slope)
    return foot - height + canvas.outline([0.0] * 5, canvas.between(0.015, 0.04))


def faces(canvas: Canvas, line: Field, grain: Grey, tall: float) -> Grey:
    """Light and dark faces of a range: the slope of its outline, carried down along crooked ribs."""
    width = max(2, canvas.side // 40)
    padded = np.concatenate([line[:1].repeat(width), line, line[-1:].repeat(width)])
    slope = (padded[2 * width :] - padded[: -2 * width]) * (canvas.side / (2 * width))
    light = np.clip(128 + slope * (110 if canvas.chance(0.5) else -110), 16, 240).astype(np.float32)
    drift = centred(canvas.noise(5, 6)) * np.clip((canvas.rows - line) / tall, 0, 1) * (canvas.side / 2)
    carried = light.take((np.arange(canvas.side, dtype=np.float32) + drift).astype(np.intp), mode="clip")
    return np.clip(carried + centred(grain) * 150, 0, 255).astype(np.uint8)


def paint_valley(canvas: Canvas, foot: float, rock: Colour, ice: float) -> None:
    """Foothills and valley floor: grass or scree, with more and more snow on it."""
    line = canvas.outline([foot + canvas.between(-0.07, 0.05) for _ in range(4)], 0.02)
    mask = canvas.rows >= line
    ground = canvas.vary(canvas.pick(GROUNDS), 14)
    grain = canvas.noise(30, 4)
    colour = mix(ground, rock, min(1.0, 1.4 * ice))
    light = mix(colour, (244, 238, 196), 0.3)
    canvas.paint(mask, stretch(grain, 20, 235), canvas.tone(mix(colour, DARK, 0.22), 0.3), canvas.tone(light, 0.1))
    level = int(250 - 380 * max(0.0, ice - 0.25) - canvas.between(0, 30))
    snow = mask & (canvas.noise(14, 5) > level)
    canvas.paint(snow, grain, canvas.tone(SNOW_SHADE, 0.2), canvas.tone(SNOW, 0.1))


def paint_tongue(canvas: Canvas, foot: float, line: Field, ice: float) -> None:
    """River of ice from the lowest saddle of the range: the more ice, the wider it is and the further down it comes."""
    inner = slice(canvas.side // 5, canvas.side - canvas.side // 5)
    saddle = float(canvas.columns[0, inner][int(np.argmax(line[inner]))])
    top = min(foot, float(line[inner].max()) + 0.04)
    fall = np.clip((canvas.rows - top) / (1 - top), 0, 1)
    snout = np.clip((3 * (ice - 0.36) - fall) / 0.12, 0, 1)
    centre = saddle + canvas.between(-0.9, 0.9) * fall * (1 - fall) + (canvas.between(0.3, 0.7) - saddle) * fall
    edge = centred(canvas.noise(10, 2)) * 0.08
    half = (0.03 + 0.1 * ice + fall * ice * ice * canvas.between(0.65, 1.1) + edge) * snout * (2 - snout) + 1e-6
    across = (canvas.columns - centre) / half
    mask = (np.abs(across) < 1) & (canvas.rows > top)
    # The ice is streaked along its way down, and cracked across it: cracks bow downhill in the middle.
    streaks = canvas.moved(canvas.noise(3, 12), fall, 0.5 + 0.42 * across)
    bowed = fall * (2 - fall) * 0.9 + 0.03 * np.minimum(across * across, 1)
    cracks = canvas.moved(canvas.noise(30, 4), bowed, canvas.columns)
    grey = np.minimum(stretch(streaks, 60, 180), stretch(cracks, 30, 95))
    canvas.paint(mask, grey, canvas.tone(canvas.pick(ICE_BLUES), 0.15), canvas.tone(SNOW, 0.1))
    dirt = mask & (streaks < canvas.between(60, 95))
    canvas.paint(dirt, cracks, canvas.tone((104, 106, 112), 0.2), canvas.tone((178, 182, 188), 0.2))


def paint_ice_front(canvas: Canvas, level: float) -> None:
    """Wall of ice with upright cracks, where a glacier ends in a lake, and what broke off it."""
    crest = canvas.outline([level - canvas.between(0.1, 0.2) for _ in range(7)], 0.03)
    blue = canvas.pick(ICE_BLUES)
    cracks = canvas.noise(4, 14, 3)
    wall = (canvas.rows >= crest) & (canvas.rows < level)
    canvas.paint(wall, stretch(cracks, 70, 180), canvas.tone(mix(blue, (30, 70, 120), 0.3)), canvas.tone(SNOW))
    water = (canvas.rows >= level) & (canvas.columns >= 0)
    lake = canvas.vary((62, 104, 120), 12)
    canvas.paint(water, canvas.noise(40, 4, 2), canvas.tone(mix(lake, DARK, 0.3)), canvas.tone(mix(lake, SNOW, 0.35)))
    for _ in range(canvas.pick((2, 4, 6))):
        x, y, size = canvas.between(0, 1), canvas.between(level + 0.02, 1.0), canvas.between(0.015, 0.05)
        tip, right = (x - size * 0.4, y - size * 0.7), (x + size, y)
        canvas.polygon([(x - size, y), tip, right], canvas.tone(SNOW))
        canvas.polygon([tip, (x + size * 0.6, y - size * 0.4), right], canvas.tone(blue))


def paint_tarn(canvas: Canvas, level: float) -> None:
    middle, half, thick = canvas.between(0.2, 0.8), canvas.between(0.2, 0.5), canvas.between(0.03, 0.08)
    away = (canvas.columns - middle) / half
    down = (canvas.rows - level) / thick
    mask = away * away + down * down < 1 + centred(canvas.noise(6, 6)) * 0.9
    water = mix(canvas.mood.sky_top, canvas.mood.sky_low, 0.35)
    shade, light = mix(canvas.tone((60, 96, 120)), water, 0.5), mix(water, (255, 255, 255), 0.15)
    canvas.paint(mask, canvas.noise(40, 4, 1), shade, light)


def paint_foreground(canvas: Canvas, foot: float, ice: float) -> None:
    """A tarn, trees, stones or a hut: the first two where there is little ice."""
    if ice < 0.5 and canvas.chance(0.3):
        paint_tarn(canvas, canvas.between(foot + 0.08, 0.9))
    trees = int(canvas.between(0, 9) * max(0.0, 0.75 - ice))
    for base in sorted(canvas.between(foot + 0.05, 1.08) for _ in range(trees)):
        paint_conifer(canvas, (canvas.between(0, 1), base), 0.05 + 0.34 * (base - foot), depth=1 - base)
    if canvas.chance(0.4):
        paint_stones(canvas, canvas.between(0.9, 0.98))
    if canvas.chance(0.2):
        paint_hut(canvas, (canvas.between(0.15, 0.85), canvas.between(foot + 0.08, 0.9)))
