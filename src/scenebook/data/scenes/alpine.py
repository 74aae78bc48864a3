"""Glacier and mountain: one painter, and one number that tells them apart."""

from __future__ import annotations

import numpy as np

from scenebook.data.scenes.easel import Colour, Easel, Field, Grey, centred, mix, stretch
from scenebook.data.scenes.sky import paint_sky
from scenebook.data.scenes.things import paint_birds, paint_conifer, paint_hut, paint_stones

SNOW: Colour = (247, 250, 252)
SNOW_SHADE: Colour = (128, 156, 194)
ICE_BLUES: tuple[Colour, ...] = ((96, 160, 204), (84, 148, 186), (124, 166, 198))
ROCKS: tuple[Colour, ...] = ((134, 126, 122), (118, 122, 130), (142, 128, 112), (112, 110, 118))
GROUNDS: tuple[Colour, ...] = ((120, 158, 70), (102, 142, 66), (138, 156, 78), (150, 146, 96))
DARK: Colour = (26, 28, 40)


def paint_alpine(easel: Easel, ice: float) -> None:
    """Peaks above a valley.

    Args:
        easel: The canvas.
        ice: How much of the land is under snow and ice: 0 is a bare peak over a green valley, 1 a white one over a
            valley filled with ice. Everything that differs between glacier and mountain follows from it.
    """
    foot = easel.between(0.58, 0.74)
    paint_sky(easel, foot)
    rock = easel.vary(easel.pick(ROCKS), 12)
    grain = easel.noise(9, 9, 3)
    if easel.chance(0.6):
        paint_range(easel, foot, easel.between(0.24, 0.36), rock, ice, grain, depth=0.9)
    line = paint_range(easel, foot, easel.between(0.08, 0.2), rock, ice, grain, depth=0.3)
    paint_valley(easel, foot, rock, ice)
    if ice > 0.4:
        paint_tongue(easel, foot, line, ice)
    if ice > 0.65 and easel.chance(0.3):
        paint_ice_front(easel, easel.between(0.8, 0.92))
    else:
        paint_foreground(easel, foot, ice)
    if easel.chance(0.2):
        paint_birds(easel, 0.3)


def paint_range(easel: Easel, foot: float, top: float, rock: Colour, ice: float, grain: Grey, depth: float) -> Field:
    """One range of peaks from `top` down to `foot`, snow above a snow line that `ice` lowers.

    Returns:
        Its outline, float32 `(side,)`.
    """
    line = summits(easel, foot, top)
    mask = easel.rows >= line
    grey = faces(easel, line, grain, foot - top)
    light = mix(rock, (255, 244, 226), 0.3)
    easel.paint(mask, grey, easel.tone(mix(rock, DARK, 0.6), depth), easel.tone(light, depth))
    # Snow holds longest on high ground and in the shade.
    fall = (easel.rows - top) / (foot - top) + centred(grain) * 1.1 + centred(grey) * 0.2
    snow = mask & (fall < 1.35 * ice + easel.between(-0.15, 0.1))
    easel.paint(snow, stretch(grey, 40, 190), easel.tone(SNOW_SHADE, depth), easel.tone(SNOW, depth))
    return line


def summits(easel: Easel, foot: float, top: float) -> Field:
    """Outline of two to four pointed peaks, the highest at `top`, one before the other."""
    height = np.full(easel.side, 0.12 * (foot - top), dtype=np.float32)
    across = easel.columns[0]
    for peak in range(easel.pick((2, 3, 4))):
        tall = (foot - top) * (1.0 if peak == 0 else easel.between(0.5, 0.95))
        middle = easel.between(0.1, 0.9) if peak == 0 else easel.between(-0.05, 1.05)
        away = across - middle
        slope = np.where(away < 0, -1 / easel.between(0.6, 1.3), 1 / easel.between(0.6, 1.3))
        height = np.maximum(height, tall - away * slope)
    return foot - height + easel.outline([0.0] * 5, easel.between(0.015, 0.04))


def faces(easel: Easel, line: Field, grain: Grey, tall: float) -> Grey:
    """Light and dark faces of a range: the slope of its outline, carried down along crooked ribs."""
    width = max(2, easel.side // 40)
    padded = np.concatenate([line[:1].repeat(width), line, line[-1:].repeat(width)])
    slope = (padded[2 * width :] - padded[: -2 * width]) * (easel.side / (2 * width))
    light = np.clip(128 + slope * (110 if easel.chance(0.5) else -110), 16, 240).astype(np.float32)
    drift = centred(easel.noise(5, 6)) * np.clip((easel.rows - line) / tall, 0, 1) * (easel.side / 2)
    carried = light.take((np.arange(easel.side, dtype=np.float32) + drift).astype(np.intp), mode="clip")
    return np.clip(carried + centred(grain) * 150, 0, 255).astype(np.uint8)


def paint_valley(easel: Easel, foot: float, rock: Colour, ice: float) -> None:
    """Foothills and valley floor: grass or scree, with more and more snow on it."""
    line = easel.outline([foot + easel.between(-0.07, 0.05) for _ in range(4)], 0.02)
    mask = easel.rows >= line
    ground = easel.vary(easel.pick(GROUNDS), 14)
    grain = easel.noise(30, 4)
    colour = mix(ground, rock, min(1.0, 1.4 * ice))
    light = mix(colour, (244, 238, 196), 0.3)
    easel.paint(mask, stretch(grain, 20, 235), easel.tone(mix(colour, DARK, 0.22), 0.3), easel.tone(light, 0.1))
    level = int(250 - 380 * max(0.0, ice - 0.25) - easel.between(0, 30))
    snow = mask & (easel.noise(14, 5) > level)
    easel.paint(snow, grain, easel.tone(SNOW_SHADE, 0.2), easel.tone(SNOW, 0.1))


def paint_tongue(easel: Easel, foot: float, line: Field, ice: float) -> None:
    """River of ice from the lowest saddle of the range: the more ice, the wider it is and the further down it comes."""
    inner = slice(easel.side // 5, easel.side - easel.side // 5)
    saddle = float(easel.columns[0, inner][int(np.argmax(line[inner]))])
    top = min(foot, float(line[inner].max()) + 0.04)
    fall = np.clip((easel.rows - top) / (1 - top), 0, 1)
    snout = np.clip((3 * (ice - 0.36) - fall) / 0.12, 0, 1)
    centre = saddle + easel.between(-0.9, 0.9) * fall * (1 - fall) + (easel.between(0.3, 0.7) - saddle) * fall
    edge = centred(easel.noise(10, 2)) * 0.08
    half = (0.03 + 0.1 * ice + fall * ice * ice * easel.between(0.65, 1.1) + edge) * snout * (2 - snout) + 1e-6
    across = (easel.columns - centre) / half
    mask = (np.abs(across) < 1) & (easel.rows > top)
    # The ice is streaked along its way down, and cracked across it: cracks bow downhill in the middle.
    streaks = easel.moved(easel.noise(3, 12), fall, 0.5 + 0.42 * across)
    bowed = fall * (2 - fall) * 0.9 + 0.03 * np.minimum(across * across, 1)
    cracks = easel.moved(easel.noise(30, 4), bowed, easel.columns)
    grey = np.minimum(stretch(streaks, 60, 180), stretch(cracks, 30, 95))
    easel.paint(mask, grey, easel.tone(easel.pick(ICE_BLUES), 0.15), easel.tone(SNOW, 0.1))
    dirt = mask & (streaks < easel.between(60, 95))
    easel.paint(dirt, cracks, easel.tone((104, 106, 112), 0.2), easel.tone((178, 182, 188), 0.2))


def paint_ice_front(easel: Easel, level: float) -> None:
    """Wall of ice with upright cracks, where a glacier ends in a lake, and what broke off it."""
    crest = easel.outline([level - easel.between(0.1, 0.2) for _ in range(7)], 0.03)
    blue = easel.pick(ICE_BLUES)
    cracks = easel.noise(4, 14, 3)
    wall = (easel.rows >= crest) & (easel.rows < level)
    easel.paint(wall, stretch(cracks, 70, 180), easel.tone(mix(blue, (30, 70, 120), 0.3)), easel.tone(SNOW))
    water = (easel.rows >= level) & (easel.columns >= 0)
    lake = easel.vary((62, 104, 120), 12)
    easel.paint(water, easel.noise(40, 4, 2), easel.tone(mix(lake, DARK, 0.3)), easel.tone(mix(lake, SNOW, 0.35)))
    for _ in range(easel.pick((2, 4, 6))):
        x, y, size = easel.between(0, 1), easel.between(level + 0.02, 1.0), easel.between(0.015, 0.05)
        tip, right = (x - size * 0.4, y - size * 0.7), (x + size, y)
        easel.polygon([(x - size, y), tip, right], easel.tone(SNOW))
        easel.polygon([tip, (x + size * 0.6, y - size * 0.4), right], easel.tone(blue))


def paint_tarn(easel: Easel, level: float) -> None:
    """A small lake that mirrors the sky."""
    middle, half, thick = easel.between(0.2, 0.8), easel.between(0.2, 0.5), easel.between(0.03, 0.08)
    away = (easel.columns - middle) / half
    down = (easel.rows - level) / thick
    mask = away * away + down * down < 1 + centred(easel.noise(6, 6)) * 0.9
    water = mix(easel.mood.sky_top, easel.mood.sky_low, 0.35)
    shade, light = mix(easel.tone((60, 96, 120)), water, 0.5), mix(water, (255, 255, 255), 0.15)
    easel.paint(mask, easel.noise(40, 4, 1), shade, light)


def paint_foreground(easel: Easel, foot: float, ice: float) -> None:
    """A tarn, trees, stones or a hut: the first two where there is little ice."""
    if ice < 0.5 and easel.chance(0.3):
        paint_tarn(easel, easel.between(foot + 0.08, 0.9))
    trees = int(easel.between(0, 9) * max(0.0, 0.75 - ice))
    for base in sorted(easel.between(foot + 0.05, 1.08) for _ in range(trees)):
        paint_conifer(easel, (easel.between(0, 1), base), 0.05 + 0.34 * (base - foot), depth=1 - base)
    if easel.chance(0.4):
        paint_stones(easel, easel.between(0.9, 0.98))
    if easel.chance(0.2):
        paint_hut(easel, (easel.between(0.15, 0.85), easel.between(foot + 0.08, 0.9)))
