from __future__ import annotations

import numpy as np
import pytest

from scenebook.evaluation.attribution.checks import OVERLAY_SIDE, overlay
from scenebook.notebook.figures.style import contrast


def image(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def bare_overlay(image: np.ndarray, heatmap: np.ndarray) -> np.ndarray:
    """An overlay without the strip that shows its colours."""
    return overlay(image, heatmap)[:, : -(OVERLAY_SIDE // 60 + OVERLAY_SIDE // 30)]


@pytest.mark.parametrize(("height", "width"), [(96, 96), (400, 1200), (1200, 3)])
def test_an_overlay_keeps_the_shape_of_its_image_at_a_size_for_print(height: int, width: int) -> None:
    made = bare_overlay(image(height, width), np.ones((5, 5), np.float32))
    assert made.dtype == np.uint8
    assert made.shape == (
        round(height * OVERLAY_SIDE / max(height, width)),
        round(width * OVERLAY_SIDE / max(height, width)),
        3,
    )


def test_where_there_is_no_evidence_the_image_is_grey() -> None:
    made = bare_overlay(image(60, 60), np.zeros((3, 3), np.float32)).astype(int)
    assert np.ptp(made, axis=2).max() == 0


def test_only_where_the_evidence_lies_there_is_colour_and_the_scale_of_the_map_does_not_matter() -> None:
    heatmap = np.zeros((6, 6), np.float32)
    heatmap[0, 0] = 1e-6
    grey = np.full((60, 60, 3), 128, np.uint8)
    made = bare_overlay(grey, heatmap)
    np.testing.assert_array_equal(made, bare_overlay(grey, heatmap * 1e9))
    assert np.ptp(made[10, 10].astype(int)) > 50
    assert np.ptp(made[-60:, -60:].astype(int)) == 0


def test_a_strip_shows_the_scale_with_the_maximum_on_top() -> None:
    made = overlay(image(90, 90), np.ones((3, 3), np.float32))
    strip = made[:, -1] / 255
    assert contrast(strip[0], strip[-1]) > 1.5, "apart without colour, too"
    assert np.ptp(strip[-1]) == 0
    assert strip[0].argmin() == 2, "yellow"
