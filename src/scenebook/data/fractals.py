"""Coloured fractals from formulas: images to pretrain a backbone on, with no photograph behind them.

A class is one iterated function system: two to six contractions of the plane, drawn at random. Its attractor is the
shape that a network has to know again. An image of the class is that attractor with slightly other contractions, seen
from somewhere else, in other colours, on another background. The idea is that of Kataoka et al., "Pre-training without
Natural Images" (Asian Conference on Computer Vision, 2020); the code is our own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

CHAINS = 512
STEPS = 72
BURN_IN = 12
"""The chaos game of one image: so many points move at once, so many times; the first steps are not drawn."""

FILTER_SIZE = 32
FILL_RANGE = (0.18, 0.75)
"""A class is kept when its attractor touches this share of the cells of a grid of `FILTER_SIZE` squared."""

JITTER = 0.04
"""How far the maps of an image stray from those of its class, relatively."""

RECOLOUR = 0.4
"""How far the colours of an image stray from those of its class: 0 not at all, 1 as far as there are colours."""

TURN, STRETCH, SHIFT = 0.4, 1.15, 0.2
ZOOM = (0.75, 1.4)
"""Views of an attractor: largest turn (radians), stretch of a side and shift (half frames), and range of sizes."""

COARSEST, FINEST = 2, 24
"""Backgrounds are random grids between so many cells a side, smoothly enlarged."""


@dataclass(frozen=True)
class FractalSystem:
    """An iterated function system: maps `x -> matrix @ x + offset`, each chosen with its probability.

    Attributes:
        matrices: float64 `(maps, 2, 2)`, all contractions.
        offsets: float64 `(maps, 2)`.
        probabilities: float64 `(maps,)`, adding up to 1.
        palette: float32 `(maps, 3)` in `[0, 1]`, a colour for each map.
    """

    matrices: np.ndarray
    offsets: np.ndarray
    probabilities: np.ndarray
    palette: np.ndarray


def make_fractals(
    fractal_classes: int, images_per_class: int, *, size: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Draws labelled images of as many fractal classes as wanted.

    The same arguments give the same images. A class doesn't depend on how many other classes there are.

    Returns:
        images: uint8 `(classes * images, size, size, 3)` in `[0, 255]`, one class after the other.
        labels: int64 `(classes * images,)` in `[0, classes)`.
    """
    images = np.empty((fractal_classes, images_per_class, size, size, 3), np.uint8)
    for position in range(fractal_classes):
        rng = np.random.default_rng([seed, position])
        images[position] = draw_fractals(make_system(rng), images_per_class, size=size, rng=rng)
    labels = np.repeat(np.arange(fractal_classes), images_per_class)
    return images.reshape(-1, size, size, 3), labels


def make_system(rng: np.random.Generator) -> FractalSystem:
    """Draws random systems until the attractor of one touches a share of its frame within `FILL_RANGE`."""
    while True:
        system = _propose_system(rng)
        points, _ = play(system, count=1, rng=rng)
        if FILL_RANGE[0] <= compute_fill(to_unit_square(points)[0]) <= FILL_RANGE[1]:
            return system


def _propose_system(rng: np.random.Generator) -> FractalSystem:
    """Draws maps as rotation, scaling, rotation, so that the scaling alone decides how much each contracts."""
    maps = int(rng.integers(2, 7))
    scales = np.sort(rng.uniform(0.15, 0.95, (maps, 2)), axis=1)[:, ::-1] * rng.choice([-1.0, 1.0], (maps, 2))
    first, second = _rotations(rng.uniform(0, 2 * np.pi, (2, maps)))
    matrices = first @ (scales[:, :, None] * second)
    # Points should lie about equally dense everywhere: a map is chosen by the area that it leaves.
    areas = np.abs(np.linalg.det(matrices)) + 0.02
    offsets, palette = rng.uniform(-1, 1, (maps, 2)), rng.random((maps, 3), np.float32)
    return FractalSystem(matrices, offsets, areas / areas.sum(), palette)


def _rotations(angles: np.ndarray) -> np.ndarray:
    """Turns angles `(...)` in radians into rotation matrices `(..., 2, 2)`."""
    cosine, sine = np.cos(angles), np.sin(angles)
    return np.stack([np.stack([cosine, -sine], -1), np.stack([sine, cosine], -1)], -2)


def play(
    system: FractalSystem, *, count: int, rng: np.random.Generator, jitter: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """Plays the chaos game for `count` variants of a system at once, its maps changed by about `jitter` in each.

    Returns:
        points: float32 `(count, points, 2)`.
        colours: float32 `(count, points, 3)` in `[0, 1]`: each map has a colour, and a point's colour is the mean of
            the maps that led to it, the last one counting most.
    """
    maps = len(system.probabilities)
    matrices = system.matrices * (1 + jitter * rng.uniform(-1, 1, (count, maps, 1, 1)))
    matrices = (_rotations(jitter * rng.uniform(-1, 1, (count, maps))) @ matrices).astype(np.float32)
    offsets = (system.offsets + jitter * rng.uniform(-1, 1, (count, maps, 2))).astype(np.float32)
    palette = (1 - RECOLOUR) * system.palette + RECOLOUR * rng.random((count, maps, 3), np.float32)
    rows = np.arange(count)[:, None]
    point: np.ndarray = rng.uniform(-1, 1, (count, CHAINS, 2)).astype(np.float32)
    colour: np.ndarray = np.full((count, CHAINS, 3), 0.5, np.float32)
    points = np.empty((STEPS, count, CHAINS, 2), np.float32)
    colours = np.empty((STEPS, count, CHAINS, 3), np.float32)
    bounds = np.cumsum(system.probabilities)[:-1]
    for step in range(-BURN_IN, STEPS):
        chosen = np.searchsorted(bounds, rng.random((count, CHAINS)))
        point = np.einsum("pcij,pcj->pci", matrices[rows, chosen], point) + offsets[rows, chosen]
        colour = 0.4 * colour + 0.6 * palette[rows, chosen]
        if step >= 0:
            points[step], colours[step] = point, colour
    return points.swapaxes(0, 1).reshape(count, -1, 2), colours.swapaxes(0, 1).reshape(count, -1, 3)


def to_unit_square(points: np.ndarray) -> np.ndarray:
    """Moves and scales each variant's points `(count, points, 2)` so that nearly all lie in `[-1, 1]` squared."""
    sample = points[:, ::7]
    low, high = np.quantile(sample, 0.01, axis=1), np.quantile(sample, 0.99, axis=1)
    half = np.maximum((high - low).max(axis=1) / 2, 1e-6)
    return (points - ((low + high) / 2)[:, None]) / half[:, None, None]


def compute_fill(points: np.ndarray) -> float:
    """Returns the share of the filter grid's cells that hold at least one of the points `(points, 2)`."""
    cells = np.floor((points + 1) / 2 * FILTER_SIZE).astype(np.int64)
    cells = cells[((cells >= 0) & (cells < FILTER_SIZE)).all(axis=1)]
    return len(np.unique(cells[:, 0] * FILTER_SIZE + cells[:, 1])) / FILTER_SIZE**2


def draw_fractals(system: FractalSystem, count: int, *, size: int, rng: np.random.Generator) -> np.ndarray:
    """Draws images of one class, uint8 `(count, size, size, 3)`: its attractor from random views in random colours."""
    images = np.empty((count, size, size, 3), np.uint8)
    for start in range(0, count, 32):  # bounds the memory
        part = slice(start, min(start + 32, count))
        images[part] = _draw(system, part.stop - part.start, size, rng)
    return images


def _draw(system: FractalSystem, count: int, size: int, rng: np.random.Generator) -> np.ndarray:
    points, colours = play(system, count=count, rng=rng, jitter=JITTER)
    density, colour = _splat(_view(to_unit_square(points), rng), colours, size)
    # Dense parts are opaque, thin ones let the background through; how soon is another thing that varies.
    gain = rng.uniform(0.7, 3.0, (count, 1, 1, 1)).astype(np.float32)
    opacity = 1 - np.exp(-gain * density)
    shade = 0.55 + 0.45 * np.minimum(1, density / 4) ** rng.uniform(0.3, 1.2, (count, 1, 1, 1)).astype(np.float32)
    painted = opacity * colour * shade + (1 - opacity) * make_backgrounds(count, size, rng)
    noise = rng.normal(0, 1, painted.shape).astype(np.float32)
    noise *= rng.uniform(0, 0.03, (count, 1, 1, 1)).astype(np.float32)
    return (255 * (painted + noise)).clip(0, 255).astype(np.uint8)


def _view(points: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Turns, mirrors, stretches and shifts each variant's points `(count, points, 2)`."""
    count = len(points)
    scales = rng.uniform(*ZOOM, (count, 1, 1)) * rng.uniform(1 / STRETCH, STRETCH, (count, 2, 1))
    scales[:, 1] *= rng.choice([-1.0, 1.0], (count, 1))
    matrices = (_rotations(rng.uniform(-TURN, TURN, count)) * scales).astype(np.float32)
    return np.einsum("pij,pnj->pni", matrices, points) + rng.uniform(-SHIFT, SHIFT, (count, 1, 2)).astype(np.float32)


def _splat(points: np.ndarray, colours: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Counts points, `(count, size, size, 1)`, and averages their colours, `(count, size, size, 3)`, in each pixel."""
    count, total = len(points), len(points) * size * size
    cells = np.floor((points + 1) * (size / 2)).astype(np.int64)
    inside = ((cells >= 0) & (cells < size)).all(axis=2)
    flat = ((np.arange(count)[:, None] * size + cells[..., 0]) * size + cells[..., 1])[inside]
    density = np.bincount(flat, minlength=total).astype(np.float32)
    sums = [np.bincount(flat, weights=colours[..., channel][inside], minlength=total) for channel in range(3)]
    colour = np.stack(sums, axis=-1).astype(np.float32) / np.maximum(density, 1)[:, None]
    return density.reshape(count, size, size, 1), colour.reshape(count, size, size, 3)


def make_backgrounds(count: int, size: int, rng: np.random.Generator) -> np.ndarray:
    """Draws soft random backgrounds, float32 `(count, size, size, 3)` in `[0, 1]`.

    Each is coarse and fine cloud between two colours, on a gradient.
    """
    grid = np.linspace(-1, 1, size, dtype=np.float32)
    direction = rng.normal(0, 1, (count, 2)).astype(np.float32)
    mixture = direction[:, 0, None, None] * grid[:, None] + direction[:, 1, None, None] * grid
    for cells in (COARSEST, 3 * COARSEST, FINEST):
        strength = rng.uniform(0, 1.5, (count, 1, 1)).astype(np.float32)
        mixture += strength * _cloud(count, size, cells, rng)
    weight = 1 / (1 + np.exp(-mixture[..., None]))
    first, second = rng.random((2, count, 1, 1, 3), np.float32)
    return weight * first + (1 - weight) * second


def _cloud(count: int, size: int, cells: int, rng: np.random.Generator) -> np.ndarray:
    """Enlarges random grids `(count, cells + 1, cells + 1)` to `(count, size, size)`, linearly."""
    position = np.linspace(0, cells, size, endpoint=False)
    distance = np.abs(position[:, None] - np.arange(cells + 1))
    enlarge = np.maximum(0, 1 - distance).astype(np.float32)
    return enlarge @ rng.normal(0, 1, (count, cells + 1, cells + 1)).astype(np.float32) @ enlarge.T
