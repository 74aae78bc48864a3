"""Drawn scenes: six classes of small naive landscapes, from a seed and nothing else.

They are the sample profile's images: with them a whole report can be made without any photograph. An image is painted
from one number, which its class draws evenly from a range of its own (see `RANGES`); light, colours, shapes and what
stands in the foreground are drawn alike for all classes of a painter. Two pairs of classes share a painter, and their
ranges overlap:

- glacier and mountain are the same land, under more or less ice;
- buildings and street are the same street, closed by a front of houses that is near or far.

An image drawn where two ranges overlap could be of either class, and nothing in it says which. So even a perfect
classifier is wrong about one image in fourteen of these four classes, as people are with photographs of snowy peaks
or of streets between high houses. Forest and sea have painters to themselves.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from scenebook.core.errors import InputError
from scenebook.core.run_directory import replacing_folder
from scenebook.data.pools import open_pool
from scenebook.data.scenes.alpine import paint_alpine
from scenebook.data.scenes.canvas import Canvas, draw_mood
from scenebook.data.scenes.sea_and_forest import paint_forest, paint_sea
from scenebook.data.scenes.town import paint_town

Painter = Callable[[Canvas, float], None]

# Painter of each class, and the range from which it draws its number evenly.
RANGES: dict[str, tuple[Painter, float, float]] = {
    "buildings": (paint_town, 0.0, 0.5),
    "forest": (paint_forest, 0.0, 1.0),
    "glacier": (paint_alpine, 0.46, 1.0),
    "mountain": (paint_alpine, 0.0, 0.54),
    "sea": (paint_sea, 0.0, 1.0),
    "street": (paint_town, 0.42, 1.0),
}
CLASS_NAMES: tuple[str, ...] = tuple(RANGES)

# Test images continue the same endless series, far behind any training image.
FIRST_INDEX: dict[str, int] = {"train": 0, "test": 1_000_000}
SUPERSAMPLING = 2
_WORTH_PROCESSES = 200  # so many images take longer to draw than processes take to start


def draw_scene(class_name: str, *, seed: int, index: int, size: int = 96) -> NDArray[np.uint8]:
    """Paint the image with this index, 0 or more, of a class: uint8 `(size, size, 3)`, RGB in `[0, 255]`."""
    rng = np.random.default_rng(np.random.SeedSequence([seed, CLASS_NAMES.index(class_name), index]))
    paint, low, high = RANGES[class_name]
    margin = size // 24 + 1
    canvas = Canvas(rng, SUPERSAMPLING * (size + 2 * margin), draw_mood(rng))
    paint(canvas, canvas.between(low, high))
    return finish(canvas, size)


def finish(canvas: Canvas, size: int) -> NDArray[np.uint8]:
    """Tilt the camera a little, cut off the margin, average down to `size`, and add grain."""
    side, target = canvas.side, SUPERSAMPLING * size
    margin = (side - target) // 2
    slope = canvas.between(-0.07, 0.07)
    steps = np.arange(target)
    shift = np.floor((steps - target / 2) * slope + 0.5).astype(np.int64)
    rows = np.clip(steps[:, None] + shift[None, :] + margin, 0, side - 1)
    columns = np.clip(steps[None, :] - shift[:, None] + margin, 0, side - 1)
    turned = np.asarray(canvas.image).reshape(-1, 3).take(rows * side + columns, axis=0)
    small = np.asarray(Image.fromarray(turned).reduce(SUPERSAMPLING))
    strength = canvas.pick((1, 2, 3, 4))
    grain = canvas.rng.integers(-strength, strength + 1, size=(size, size, 1), dtype=np.int16)
    colour_grain = canvas.rng.integers(-2, 3, size=(size, size, 3), dtype=np.int16)
    light = canvas.between(0.84, 1.1)
    pixels = np.floor(small * light).astype(np.int16)
    return np.clip(pixels + grain + colour_grain, 0, 255).astype(np.uint8)


def write_scenes(folder: Path, *, train_per_class: int, test_per_class: int, seed: int, size: int) -> None:
    """Write a folder of drawn scenes: `train/<class>/0001.png` and so on, and `test/<class>/...`.

    The folder appears whole or not at all. Drawn scenes that are there already are replaced.

    Raises:
        InputError: There is something in the folder that is not drawn scenes.
    """
    if folder.exists() and not (folder.is_dir() and all(entry.name in FIRST_INDEX for entry in folder.iterdir())):
        raise InputError(
            "Expected a new folder for the drawn scenes, or one that holds nothing but train and test.",
            received={"folder": str(folder)},
            advice="Name another folder, or empty this one.",
        )
    counts = {"train": train_per_class, "test": test_per_class}
    scenes = [(split, name, position) for split in counts for name in CLASS_NAMES for position in range(counts[split])]
    with replacing_folder(folder) as unfinished, open_pool(len(scenes), worth_processes=_WORTH_PROCESSES) as (pool, _):
        for split in counts:
            for name in CLASS_NAMES:
                (unfinished / split / name).mkdir(parents=True)
        list(pool.map(partial(_write_scene, unfinished, seed, size), scenes, chunksize=24))


def _write_scene(folder: Path, seed: int, size: int, scene: tuple[str, str, int]) -> None:
    split, name, position = scene
    image = draw_scene(name, seed=seed, index=FIRST_INDEX[split] + position, size=size)
    Image.fromarray(image).save(folder / split / name / f"{position + 1:04d}.png", compress_level=1)
