"""Images of other shapes than the network takes, and the size that is chosen where none is set."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scenebook.core.run_directory import RunDirectory
from scenebook.data.audit.report import measure_shapes
from scenebook.data.decoding import read_size, resize
from scenebook.data.finding import find_images
from scenebook.data.sizing import choose_size, find_largest
from scenebook.data.storing import decode_images
from scenebook.notebook.prose.folder import tell_shapes, tell_size


def gradient(width: int, height: int) -> np.ndarray:
    """Returns an image whose red grows to the right and whose green grows downwards; blue is 255."""
    x, y = np.meshgrid(np.linspace(0, 255, width), np.linspace(0, 255, height))
    return np.stack([x, y, np.full_like(x, 255)], axis=-1).round().astype(np.uint8)


def save(root: Path, sizes: list[tuple[int, int]], split: str = "") -> Path:
    for number, (width, height) in enumerate(sizes):
        folder = root / split / ("cat" if number % 2 else "dog")
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(gradient(width, height)).save(folder / f"{number}.png")
    return root


def test_squashing_is_what_resizing_always_was() -> None:
    for shape in ((60, 30), (31, 47), (32, 32)):
        image = gradient(*shape)
        expected = np.asarray(Image.fromarray(image).resize((32, 32), Image.Resampling.BILINEAR))
        np.testing.assert_array_equal(resize(image, (32, 32)), expected)


@pytest.mark.parametrize("fit", ["squash", "crop", "pad"])
@pytest.mark.parametrize("side", [20, 32, 90])
def test_square_images_are_the_same_however_they_are_made_to_fit(fit: str, side: int) -> None:
    image = gradient(side, side)
    np.testing.assert_array_equal(resize(image, (32, 32), fit), resize(image, (32, 32)))


@pytest.mark.parametrize(("width", "height", "axis"), [(120, 40, 1), (40, 120, 0)])
def test_a_crop_is_the_middle_square(width: int, height: int, axis: int) -> None:
    cropped = resize(gradient(width, height), (20, 20), "crop")
    long, short = (cropped[..., 0], cropped[..., 1]) if axis else (cropped[..., 1].T, cropped[..., 0].T)
    # A third of the length in the middle, all of the other side.
    assert abs(int(long[:, 0].mean()) - 87) < 3
    assert abs(int(long[:, -1].mean()) - 168) < 3
    assert short[0].max() < 8
    assert short[-1].min() > 247


@pytest.mark.parametrize(("width", "height", "axis"), [(120, 40, 0), (40, 120, 1), (1000, 1, 0)])
def test_padding_keeps_the_whole_image_between_black_stripes(width: int, height: int, axis: int) -> None:
    padded = resize(gradient(width, height), (32, 32), "pad")
    is_image = padded[..., 2] == 255
    lines = is_image.all(axis=1 - axis)
    np.testing.assert_array_equal(is_image.any(axis=1 - axis), lines)
    assert lines.sum() == max(1, round(32 * min(width, height) / max(width, height)))
    assert abs(int(lines.argmax()) - int(lines[::-1].argmax())) <= 1
    assert not padded[~is_image].any()
    long = padded[is_image][:, 0 if width > height else 1]
    assert long.max() - long.min() > 230


def test_other_than_square_targets_are_met_too() -> None:
    image = gradient(80, 40)
    for fit in ("squash", "crop", "pad"):
        np.testing.assert_array_equal(resize(image, (20, 40), fit), resize(image, (20, 40)))


def test_the_size_is_the_median_shorter_side_but_no_more_than_the_backbones_own(tmp_path: Path) -> None:
    sizes = [(150, 200), (160, 150), (140, 300), (150, 150)]
    found = find_images(save(tmp_path / "small", sizes))
    assert choose_size("auto", "efficientnet-lite0", found).pixels == 150
    assert choose_size(64, "efficientnet-lite0", found) == (64, 224, None)
    large = find_images(save(tmp_path / "large", [(400, 300), (500, 600)] * 2))
    assert choose_size("auto", "efficientnet-lite0", large).pixels == 224
    tiny = find_images(save(tmp_path / "tiny", [(20, 30), (28, 28)] * 2))
    assert choose_size("auto", "InceptionV3", tiny) == (75, 299, 24)
    assert (find_largest("auto", "efficientnet-lite0"), find_largest(150, "efficientnet-lite0")) == (224, 150)


def test_test_images_and_what_cannot_be_read_do_not_decide_the_size(tmp_path: Path) -> None:
    save(tmp_path, [(100, 100)] * 4, "train")
    save(tmp_path, [(40, 40)] * 20, "test")
    (tmp_path / "train" / "cat" / "broken.png").write_bytes(b"no image")
    (tmp_path / "train" / "cat" / "short.jpg").write_bytes(b"\xff\xd8\xff\xe0")
    assert choose_size("auto", "ResNet50", find_images(tmp_path)).pixels == 100


def test_the_size_is_the_same_before_and_after_the_images_are_known(tmp_path: Path, run_dir: RunDirectory) -> None:
    root = save(tmp_path / "turned", [(60, 90), (70, 50), (80, 64)])
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(gradient(90, 61)).save(root / "cat" / "turned.jpg", exif=exif)
    found = find_images(root)
    before = choose_size("auto", "efficientnet-lite0", found)
    decode_images(found, run_dir, image_size=before.pixels)
    assert choose_size("auto", "efficientnet-lite0", found) == before
    assert read_size(root / "cat" / "turned.jpg") == (90, 61)


def read(sentences: object) -> str:
    return " ".join(text.format(**values) for text, values in sentences)  # type: ignore[attr-defined]


def test_a_warning_is_given_where_shapes_cost_much(tmp_path: Path, run_dir: RunDirectory) -> None:
    table = decode_images(
        find_images(save(tmp_path / "wide", [(90, 45)] * 3 + [(45, 45)] * 2)), run_dir, image_size=16
    ).table
    found = {fit: {"images": 5, "shapes": measure_shapes(table, fit)} for fit in ("squash", "crop", "pad")}
    assert found["crop"]["shapes"] == {"fit": "crop", "not_square": 3, "oblong": 3, "median": 0.5}
    assert "50%" in read(tell_shapes(found["crop"]))
    assert "50%" in read(tell_shapes(found["pad"]))
    assert "3 images" in read(tell_shapes(found["squash"]))
    square = measure_shapes(table[table["width"] == 45], "crop")
    assert not read(tell_shapes({"images": 2, "shapes": square}))
    assert not read(tell_size(choose_size(96, "efficientnet-lite0", find_images(tmp_path / "wide")), square))
    chosen = choose_size("auto", "efficientnet-lite0", find_images(tmp_path / "wide"))
    assert "45" in read(tell_size(chosen, square))
