"""Contact sheets: what is on them, and names as text."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from scenebook.inference.contact_sheet import MOST_TILES, Extremes, Sample, draw_sheet, make_tile


def image(value: int = 0) -> np.ndarray:
    return np.full((20, 30, 3), value % 256, dtype=np.uint8)


@pytest.mark.parametrize("classes", [2, 7, 200])
def test_the_sample_shows_every_class_equally_often_and_at_most_a_page(classes: int) -> None:
    names = [f"class {number}" for number in range(classes)]
    sample = Sample(names)
    for number in range(classes * 40):
        sample.offer(names[number % classes], image(), names[number % classes])
    shown = [tile.lines[0] for tile in sample.tiles()]
    assert len(shown) == min(classes, MOST_TILES) * max(1, MOST_TILES // classes)
    assert len(set(shown)) == min(classes, MOST_TILES)


def test_the_sample_is_drawn_from_all_images_not_from_the_first() -> None:
    sample = Sample(["a"])
    for number in range(6000):
        sample.offer("a", image(), str(number))
    mean = np.mean([int(tile.lines[0]) for tile in sample.tiles()])
    assert 2000 < mean < 4000
    assert sample.counts == {"a": 6000}


def test_the_largest_values_are_kept_the_largest_first() -> None:
    extremes = Extremes()
    for value in np.random.default_rng(0).permutation(500):
        extremes.offer(float(value), image(), str(value))
    assert [int(tile.lines[0]) for tile in extremes.tiles()] == list(range(499, 499 - MOST_TILES, -1))


def test_equal_values_are_no_error() -> None:
    extremes = Extremes()
    for number in range(2 * MOST_TILES):
        extremes.offer(0.5, image(), str(number))
    assert [int(tile.lines[0]) for tile in extremes.tiles()] == list(range(MOST_TILES))


@pytest.mark.parametrize(
    "name", ["a\nb.jpg", "$\\frac{1}{0$", "<script>", "海" * 200, "א", "\udcff.jpg", "", "x" * 255]
)
def test_any_name_can_be_drawn(name: str) -> None:
    page = Image.open(io.BytesIO(draw_sheet(name, [make_tile(image(), name, "class")])))
    assert page.format == "JPEG"


def test_names_do_not_run_into_the_next_image() -> None:
    white = [make_tile(image(255), "W" * 255, "") for _ in range(2)]
    page = np.asarray(Image.open(io.BytesIO(draw_sheet("", white))).convert("L"))
    between = page[:, 171:179]  # the gap after the first tile, 10 + 160 pixels from the left
    assert between.min() > 200
    assert page[:, 10:170].min() < 100


def test_a_full_page_has_six_rows_of_ten() -> None:
    page = Image.open(io.BytesIO(draw_sheet("title", [make_tile(image(), "a", "b", "c")] * MOST_TILES)))
    assert page.width == 10 * 170 + 10
    assert page.height < 1500
