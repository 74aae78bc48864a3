"""Contact sheets: what is on them, and names as text."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from scenebook.inference.contact_sheet import MOST_TILES, TILE_SIDE, Largest, Sample, draw_sheet


def image(value: int = 0) -> np.ndarray:
    return np.full((TILE_SIDE, TILE_SIDE, 3), value % 256, dtype=np.uint8)


@pytest.mark.parametrize("classes", [2, 7, 200])
def test_the_sample_shows_every_class_equally_often_and_at_most_a_page(classes: int) -> None:
    names = [f"class {number}" for number in range(classes)]
    sample = Sample(names)
    for number in range(classes * 40):
        sample.offer(names[number % classes], str(number), names[number % classes])
    shown = [chosen.lines[0] for chosen in sample.list_chosen()]
    assert len(shown) == min(classes, MOST_TILES) * max(1, MOST_TILES // classes)
    assert len(set(shown)) == min(classes, MOST_TILES)


def test_the_sample_is_drawn_from_all_images_and_the_same_in_whatever_order_they_come() -> None:
    samples = []
    for order in (range(6000), range(5999, -1, -1)):
        sample = Sample(["a"])
        for number in order:
            sample.offer("a", str(number))
        samples.append(sample.list_chosen())
    assert 2000 < np.mean([int(chosen.path) for chosen in samples[0]]) < 4000
    assert samples[0] == samples[1]
    assert sample.counts == {"a": 6000}


def test_the_largest_values_are_kept_the_largest_first_and_of_equal_ones_the_first() -> None:
    largest, equal = Largest(), Largest()
    for value in np.random.default_rng(0).permutation(500):
        largest.offer(float(value), str(value))
    assert [int(chosen.path) for chosen in largest.list_chosen()] == list(range(499, 499 - MOST_TILES, -1))
    for number in range(2 * MOST_TILES):
        equal.offer(0.5, str(number))
    assert [int(chosen.path) for chosen in equal.list_chosen()] == list(range(MOST_TILES))


@pytest.mark.parametrize(
    "name", ["a\nb.jpg", "$\\frac{1}{0$", "<script>", "海" * 200, "א", "\udcff.jpg", "", "x" * 255]
)
def test_any_name_can_be_drawn(name: str) -> None:
    page = Image.open(io.BytesIO(draw_sheet(name, [(image(), (name, "class"))])))
    assert page.format == "JPEG"


def test_names_do_not_run_into_the_next_image() -> None:
    white = [(image(255), ("W" * 255, "")) for _ in range(2)]
    page = np.asarray(Image.open(io.BytesIO(draw_sheet("", white))).convert("L"))
    between = page[:, 171:179]  # the gap after the first tile, 10 + 160 pixels from the left
    assert between.min() > 200
    assert page[:, 10:170].min() < 100


def test_a_full_page_has_six_rows_of_ten() -> None:
    page = Image.open(io.BytesIO(draw_sheet("title", [(image(), ("a", "b", "c"))] * MOST_TILES)))
    assert page.width == 10 * 170 + 10
    assert page.height < 1500
