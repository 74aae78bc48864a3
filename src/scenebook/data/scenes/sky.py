"""Light and sky: noon, dusk, overcast and fog, and everything between them."""

from __future__ import annotations

import numpy as np

from scenebook.data.scenes.canvas import Canvas, Mood, mix, stretch, vary

MOODS = (
    Mood((62, 124, 200), (188, 216, 236), (1.0, 1.0, 0.97), haze=0.30, clouds=0.35, lamps=0.02),
    Mood((84, 82, 140), (246, 176, 120), (0.94, 0.77, 0.70), haze=0.40, clouds=0.45, lamps=0.35),
    Mood((132, 142, 156), (204, 208, 210), (0.84, 0.87, 0.90), haze=0.42, clouds=0.75, lamps=0.12),
    Mood((178, 186, 194), (214, 216, 214), (0.88, 0.90, 0.90), haze=0.66, clouds=0.30, lamps=0.12),
)


def draw_mood(rng: np.random.Generator) -> Mood:
    """Light of one image: one of the four moods, drawn some way towards another."""
    first, second = (MOODS[int(position)] for position in rng.integers(len(MOODS), size=2))
    share = 0.45 * float(rng.random())

    def between(low: float, high: float) -> float:
        return low + (high - low) * share

    red, green, blue = (between(a, b) for a, b in zip(first.light, second.light, strict=True))
    return Mood(
        vary(rng, mix(first.sky_top, second.sky_top, share), 16),
        vary(rng, mix(first.sky_low, second.sky_low, share), 16),
        (red, green, blue),
        haze=between(first.haze, second.haze) * (0.6 + 0.5 * float(rng.random())),
        clouds=between(first.clouds, second.clouds) * (0.3 + 1.2 * float(rng.random())),
        lamps=between(first.lamps, second.lamps),
    )


def paint_sky(canvas: Canvas, horizon: float) -> None:
    """Fill the canvas with sky: a gradient down to the horizon, perhaps a sun, and clouds.

    Args:
        canvas: What is painted on, with its light and random numbers.
        horizon: Height at which the sky has its low colour, as a fraction of the side.
    """
    mood = canvas.mood
    fall = np.clip(canvas.rows / horizon, 0, 1) + 0 * canvas.columns
    wash = (canvas.noise(2, 3, 1).astype(np.int16) - 128) // 10
    everywhere = np.full((canvas.side, canvas.side), 255, dtype=np.uint8)
    canvas.paint(everywhere, np.clip(fall * 255 + wash, 0, 255).astype(np.uint8), mood.sky_top, mood.sky_low)
    if mood.haze < 0.5 and canvas.chance(0.4):
        paint_sun(canvas, horizon)
    level = int(200 - 120 * min(1.0, mood.clouds))
    billows = canvas.noise(5, 2, 3)
    cloud = (stretch(billows, level, min(255, level + 60)).astype(np.uint16) * 5 // 6).astype(np.uint8)
    bright = mix(mood.sky_low, (255, 255, 255), 0.6)
    canvas.paint(cloud, billows, bright, mix(mood.sky_low, mood.sky_top, 0.35))


def paint_sun(canvas: Canvas, horizon: float) -> None:
    """A pale disc with a halo, anywhere above the horizon."""
    height = canvas.between(0.2, 0.85)
    centre, radius = (canvas.between(0.1, 0.9), horizon * height), canvas.between(0.03, 0.055)
    behind = mix(canvas.mood.sky_top, canvas.mood.sky_low, height)
    glow = mix(canvas.mood.sky_low, (255, 236, 190), 0.5)
    for ring, share in ((2.6, 0.35), (1.8, 0.6)):
        canvas.disc(centre, radius * ring, mix(behind, glow, share))
    canvas.disc(centre, radius, mix((255, 244, 210), canvas.mood.sky_low, 0.25))
