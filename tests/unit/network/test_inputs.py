from __future__ import annotations

import numpy as np

from scenebook.data.splitting import SplitImages
from scenebook.network import inputs


def test_images_come_in_their_order_as_float_with_one_hot_labels() -> None:
    stored = np.arange(5 * 2 * 2 * 3, dtype=np.uint8).reshape(5, 2, 2, 3)
    split = SplitImages(stored, np.array([4, 0, 2]), np.array([1, 0, 1]), ["a", "b", "c"])
    batches = list(inputs.make_ds(split, num_classes=3, batch_size=2, preprocess_input=lambda images: images / 2))
    images = np.concatenate([np.asarray(batch) for batch, _ in batches])
    assert [len(batch) for batch, _ in batches] == [2, 1]
    np.testing.assert_array_equal(images, stored[[4, 0, 2]].astype("float32") / 2)
    np.testing.assert_array_equal(np.concatenate([labels for _, labels in batches]), np.eye(3)[[1, 0, 1]])


def test_a_float_image_is_rounded_to_be_looked_at() -> None:
    shown = inputs.to_uint8(np.array([[[-3.0, 0.6, 254.6]]]))
    np.testing.assert_array_equal(shown, np.array([[[0, 1, 255]]], np.uint8))
