from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageFilter

from scenebook.data.measuring import measure
from tests.unit.data.audit.images import make_photograph


def hamming(first: object, second: object) -> int:
    return (int(str(first), 16) ^ int(str(second), 16)).bit_count()


@pytest.mark.parametrize("shape", [(1, 1), (1, 5000), (3000, 2), (7, 9)])
def test_the_smallest_and_the_longest_images_can_be_measured(shape: tuple[int, int]) -> None:
    measured = measure(np.full((*shape, 3), 255, dtype=np.uint8))
    assert measured["brightness_p05"] == measured["brightness_p99"] == pytest.approx(1)
    assert measured["entropy"] == 0
    assert 0 <= float(measured["blur"]) <= 1


def test_the_mirrored_hash_is_that_of_the_mirror_image() -> None:
    pixels = np.asarray(make_photograph(1))
    plain, turned = measure(pixels), measure(pixels[:, ::-1])
    assert hamming(plain["phash_mirrored"], turned["phash"]) <= 2
    assert hamming(plain["phash"], turned["phash"]) > 14


def test_blur_grows_with_blurring_and_not_with_contrast() -> None:
    image = make_photograph(2, size=150)
    blurred = [
        float(measure(np.asarray(image.filter(ImageFilter.GaussianBlur(radius))))["blur"]) for radius in (0, 1, 2, 4)
    ]
    assert blurred == sorted(blurred)
    faint = image.point(lambda value: 100 + value // 4)
    assert float(measure(np.asarray(faint))["blur"]) == pytest.approx(blurred[0], abs=0.1)


def test_a_photograph_of_many_pixels_is_measured_as_its_reduced_copy() -> None:
    image = make_photograph(3, size=256)
    large = image.resize((2048, 2048), Image.Resampling.BICUBIC)
    small, reduced = measure(np.asarray(image)), measure(np.asarray(large))
    assert hamming(small["phash"], reduced["phash"]) <= 2
    assert float(reduced["blur"]) == pytest.approx(float(small["blur"]), abs=0.1)
