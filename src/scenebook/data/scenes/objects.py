"""Small objects that stand in the foreground of any scene, whatever its class."""

from __future__ import annotations

from scenebook.data.scenes.canvas import Canvas, Colour, Point, mix

GREENS: tuple[Colour, ...] = ((38, 72, 44), (52, 84, 40), (30, 62, 50), (70, 92, 44))


def paint_conifer(canvas: Canvas, base: Point, height: float, depth: float = 0.0, colour: Colour | None = None) -> None:
    """A fir of three to five tiers, lighter on one side."""
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
    """A few boulders about a height of the image."""
    for _ in range(canvas.pick((2, 3, 4, 6))):
        x, y, size = canvas.between(0, 1), level + canvas.between(-0.05, 0.05), canvas.between(0.02, 0.07)
        grey = canvas.vary((112, 108, 106), 16)
        left, right = (x - size * 0.6, y - size * 0.8), (x + size * 0.3, y - size)
        sides = [(x - size, y), left, right, (x + size, y - size * 0.3), (x + size, y)]
        canvas.polygon(sides, canvas.tone(mix(grey, (20, 20, 30), 0.35)))
        canvas.polygon([left, right, (x, y - size * 0.4)], canvas.tone(grey))


def paint_hut(canvas: Canvas, base: Point) -> None:
    """A small gabled house."""
    x, y = base
    size = canvas.between(0.035, 0.06)
    wall = canvas.vary(canvas.pick(((150, 110, 80), (190, 176, 150), (130, 70, 60))), 12)
    canvas.box(x - size, y - size, x + size, y, canvas.tone(wall))
    roof = [(x - size * 1.2, y - size), (x, y - size * 1.8), (x + size * 1.2, y - size)]
    canvas.polygon(roof, canvas.tone((92, 58, 50)))
    canvas.box(x - size * 0.3, y - size * 0.6, x + size * 0.2, y, canvas.tone((60, 44, 40)))


def paint_birds(canvas: Canvas, lowest: float) -> None:
    """A few birds, each two strokes."""
    for _ in range(canvas.pick((2, 3, 5))):
        x, y, span = canvas.between(0.1, 0.9), canvas.between(0.06, lowest), canvas.between(0.012, 0.028)
        points = [canvas.pixel(p) for p in ((x - span, y - span * 0.5), (x, y), (x + span, y - span * 0.6))]
        canvas.pen.line(points, fill=canvas.tone((50, 50, 60), 0.3), width=max(1, canvas.side // 100))


def paint_person(canvas: Canvas, feet: Point, height: float) -> None:
    """A walker: legs, coat and head."""
    x, y = feet
    coat = canvas.vary(canvas.pick(((160, 60, 50), (60, 80, 130), (70, 70, 70), (190, 160, 80))), 16)
    canvas.box(x - height * 0.1, y - height * 0.45, x + height * 0.1, y, canvas.tone((48, 46, 54)))
    canvas.box(x - height * 0.16, y - height * 0.82, x + height * 0.16, y - height * 0.4, canvas.tone(coat))
    canvas.disc((x, y - height * 0.9), height * 0.1, canvas.tone((206, 170, 146)))
