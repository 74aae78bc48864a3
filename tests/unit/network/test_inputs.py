from __future__ import annotations

import numpy as np

from scenebook.core.settings import make_settings
from scenebook.data.splitting import SplitImages
from scenebook.network import inputs

STORED = np.arange(5 * 2 * 2 * 3, dtype=np.uint8).reshape(5, 2, 2, 3)
DIGESTS = [letter * 64 for letter in "abcde"]


def make_split(*rows: int) -> SplitImages:
    return SplitImages(
        STORED, np.array(rows), np.zeros(len(rows)), list(map(str, rows)), [DIGESTS[row] for row in rows]
    )


def read(split: SplitImages, epoch: int = 0, **changes: int) -> tuple[np.ndarray, np.ndarray, list[int]]:
    settings = make_settings({"batch_size": 2, **changes})
    batches = [tuple(map(np.asarray, batch)) for batch in inputs.make_batches(split, settings, epoch=epoch)]
    images, seeds = (np.concatenate(part) for part in zip(*batches, strict=True))
    return images, seeds, [len(batch) for batch, _ in batches]


def test_images_come_in_their_order_each_with_its_seed() -> None:
    images, seeds, sizes = read(make_split(4, 0, 2))
    assert sizes == [2, 1]
    assert images.dtype == np.uint8
    np.testing.assert_array_equal(images, STORED[[4, 0, 2]])
    assert (seeds.dtype, seeds.shape) == (np.dtype(np.int64), (3, 2))
    assert len(np.unique(seeds, axis=0)) == 3


def test_a_seed_depends_on_the_image_and_the_epoch_and_on_nothing_else() -> None:
    _, seeds, _ = read(make_split(4, 0, 2))
    np.testing.assert_array_equal(read(make_split(1, 4), batch_size=1)[1][1], seeds[0])
    for other in (read(make_split(4, 0, 2), epoch=1), read(make_split(4, 0, 2), augmentation_seed=1)):
        assert not (other[1] == seeds).all(axis=1).any()


def test_keys_are_the_first_31_bits_of_the_digest() -> None:
    assert inputs.make_keys(["ffffffff" + "0" * 56, "00000002" + "f" * 56]).tolist() == [2**31 - 1, 1]


def test_a_float_image_is_rounded_to_be_looked_at() -> None:
    shown = inputs.to_uint8(np.array([[[-3.0, 0.6, 254.6]]]))
    np.testing.assert_array_equal(shown, np.array([[[0, 1, 255]]], np.uint8))
