"""Small things that stand in the foreground of any scene, whatever its class."""

from __future__ import annotations

from scenebook.data.scenes.easel import Colour, Easel, Point, mix

GREENS: tuple[Colour, ...] = ((38, 72, 44), (52, 84, 40), (30, 62, 50), (70, 92, 44))


def paint_conifer(easel: Easel, base: Point, height: float, depth: float = 0.0, colour: Colour | None = None) -> None:
    """A fir of three to five tiers, lighter on one side."""
    x, y = base
    green = easel.vary(colour or easel.pick(GREENS), 8)
    shade = easel.tone(mix(green, (10, 16, 24), 0.35), depth)
    lit = easel.tone(mix(green, (220, 225, 160), 0.14), depth)
    easel.box(x - height * 0.03, y - height * 0.12, x + height * 0.03, y, easel.tone((72, 54, 42), depth))
    tiers = easel.pick((3, 4, 5))
    for tier in range(tiers):
        bottom = y - height * (0.08 + 0.72 * tier / tiers)
        tip = bottom - height * (0.92 / tiers + 0.16)
        half = height * 0.26 * (1 - 0.8 * tier / tiers)
        easel.polygon([(x - half, bottom), (x, tip), (x + half, bottom)], shade)
        easel.polygon([(x - half, bottom), (x, tip), (x + half * 0.1, bottom)], lit)


def paint_round_tree(
    easel: Easel, base: Point, height: float, depth: float = 0.0, colour: Colour | None = None
) -> None:
    """A broad-leaved tree: a trunk and a crown of overlapping discs."""
    x, y = base
    green = easel.vary(colour or (82, 116, 52), 12)
    easel.box(x - height * 0.035, y - height * 0.5, x + height * 0.035, y, easel.tone((78, 60, 46), depth))
    for share in (0.0, 0.0, 0.1, 0.2, 0.3):
        spot = (x + height * easel.between(-0.2, 0.2), y - height * easel.between(0.48, 0.82))
        easel.disc(spot, height * easel.between(0.15, 0.23), easel.tone(mix(green, (230, 230, 150), share), depth))


def paint_stones(easel: Easel, level: float) -> None:
    """A few boulders about a height of the image."""
    for _ in range(easel.pick((2, 3, 4, 6))):
        x, y, size = easel.between(0, 1), level + easel.between(-0.05, 0.05), easel.between(0.02, 0.07)
        grey = easel.vary((112, 108, 106), 16)
        left, right = (x - size * 0.6, y - size * 0.8), (x + size * 0.3, y - size)
        sides = [(x - size, y), left, right, (x + size, y - size * 0.3), (x + size, y)]
        easel.polygon(sides, easel.tone(mix(grey, (20, 20, 30), 0.35)))
        easel.polygon([left, right, (x, y - size * 0.4)], easel.tone(grey))


def paint_hut(easel: Easel, base: Point) -> None:
    """A small gabled house."""
    x, y = base
    size = easel.between(0.035, 0.06)
    wall = easel.vary(easel.pick(((150, 110, 80), (190, 176, 150), (130, 70, 60))), 12)
    easel.box(x - size, y - size, x + size, y, easel.tone(wall))
    roof = [(x - size * 1.2, y - size), (x, y - size * 1.8), (x + size * 1.2, y - size)]
    easel.polygon(roof, easel.tone((92, 58, 50)))
    easel.box(x - size * 0.3, y - size * 0.6, x + size * 0.2, y, easel.tone((60, 44, 40)))


def paint_birds(easel: Easel, lowest: float) -> None:
    """A few birds, each two strokes."""
    for _ in range(easel.pick((2, 3, 5))):
        x, y, span = easel.between(0.1, 0.9), easel.between(0.06, lowest), easel.between(0.012, 0.028)
        points = [easel.pixel(p) for p in ((x - span, y - span * 0.5), (x, y), (x + span, y - span * 0.6))]
        easel.pen.line(points, fill=easel.tone((50, 50, 60), 0.3), width=max(1, easel.side // 100))


def paint_person(easel: Easel, feet: Point, height: float) -> None:
    """A walker: legs, coat and head."""
    x, y = feet
    coat = easel.vary(easel.pick(((160, 60, 50), (60, 80, 130), (70, 70, 70), (190, 160, 80))), 16)
    easel.box(x - height * 0.1, y - height * 0.45, x + height * 0.1, y, easel.tone((48, 46, 54)))
    easel.box(x - height * 0.16, y - height * 0.82, x + height * 0.16, y - height * 0.4, easel.tone(coat))
    easel.disc((x, y - height * 0.9), height * 0.1, easel.tone((206, 170, 146)))
