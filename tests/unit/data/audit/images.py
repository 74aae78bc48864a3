"""Images that are like photographs in what matters to a search for duplicates, and copies of them."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from PIL import Image, ImageOps

from scenebook.core.provenance import sha256_bytes
from scenebook.data.audit.duplicates import DuplicateGroups, find_duplicates
from scenebook.data.measuring import measure

Change = Callable[[Image.Image, np.random.Generator], Image.Image]


def make_photograph(seed: int, size: int = 96, like: int | None = None) -> Image.Image:
    """Noise whose spectrum falls as that of photographs does (Field, 1987), in two colours.

    Args:
        seed: The image.
        size: Height and width.
        like: Seed of the image whose large areas it has.
    """
    rng = np.random.default_rng(seed)
    frequency = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None]) * size
    phases = np.exp(2j * np.pi * rng.random(frequency.shape))
    if like is not None:
        large = np.exp(2j * np.pi * np.random.default_rng(like).random(frequency.shape))
        phases = np.where(frequency < 6, large, phases)
    noise = np.fft.irfft2(phases / np.maximum(frequency, 1) ** 1.2, s=(size, size))
    level = (0.5 + noise / noise.std() * 0.2).clip(0, 1)[..., None]
    dark, light = rng.uniform(0, 100, 3), rng.uniform(150, 255, 3)
    return Image.fromarray((dark + level * (light - dark)).astype(np.uint8))


def save_jpeg(image: Image.Image, quality: int) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return Image.open(buffer).convert("RGB")


def scale(image: Image.Image, factor: float) -> Image.Image:
    size = (round(image.width * factor), round(image.height * factor))
    return image.resize(size, Image.Resampling.BICUBIC)


def crop(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Cuts up to 5 % off each side."""
    left, top, right, bottom = rng.uniform(0, 0.05, 4)
    width, height = image.size
    box = (left * width, top * height, (1 - right) * width, (1 - bottom) * height)
    return image.crop(tuple(round(side) for side in box))


def cut_all_sides(image: Image.Image) -> Image.Image:
    """Cuts 5 % off each side."""
    across, down = round(0.05 * image.width), round(0.05 * image.height)
    return image.crop((across, down, image.width - across, image.height - down))


CHANGES: dict[str, Change] = {
    "saved at quality 40": lambda image, rng: save_jpeg(image, 40),
    "saved at any quality": lambda image, rng: save_jpeg(image, int(rng.integers(40, 91))),
    "at half the size": lambda image, rng: scale(image, 0.5),
    "at twice the size": lambda image, rng: scale(image, 2),
    "at any size": lambda image, rng: save_jpeg(scale(image, rng.uniform(0.5, 2)), int(rng.integers(40, 91))),
    "cut": crop,
    "cut on all sides": lambda image, rng: cut_all_sides(image),
    "mirrored": lambda image, rng: save_jpeg(ImageOps.mirror(image), 85),
    "mirrored and cut": lambda image, rng: crop(ImageOps.mirror(image), rng),
    "mirrored and cut on all sides": lambda image, rng: cut_all_sides(ImageOps.mirror(image)),
    "brighter": lambda image, rng: image.point(lambda value: min(255, int(value * 1.15))),
}


def find(
    images: Sequence[Image.Image], labels: Sequence[str] | None = None, size: int = 96
) -> tuple[pd.DataFrame, DuplicateGroups]:
    """Searches images for duplicates, as notebook 01 does; returns the table, all of it training, too."""
    rows = [
        {
            "path": f"{number:04d}.png",
            "split": "train",
            "row": number,
            "width": image.width,
            "height": image.height,
            "sha256": sha256_bytes(image.tobytes()),
            **measure(np.asarray(image)),
        }
        for number, image in enumerate(images)
    ]
    table = pd.DataFrame(rows).assign(label=list(labels) if labels else "thing")
    stored = np.stack([np.asarray(image.resize((size, size), Image.Resampling.BILINEAR)) for image in images])
    found = find_duplicates(table, stored)
    return table.assign(group=found.group), found


def pair_set(found: DuplicateGroups) -> set[tuple[int, int]]:
    return set(zip(found.pairs["first"].tolist(), found.pairs["second"].tolist(), strict=True))
