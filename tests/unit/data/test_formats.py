"""Every format is read in the same way for training, for predictions and for sample images; others are named."""

from __future__ import annotations

import io
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from scenebook.core.run_directory import RunDirectory
from scenebook.data.decoding import Decoder, decode, load_decoder, read_size
from scenebook.data.finding import find_images
from scenebook.data.formats import reads_heif
from scenebook.data.splitting import split_images, write_classes
from scenebook.data.storing import decode_images
from scenebook.evaluation.samples import load_samples
from scenebook.inference.shards import read_images

SUFFIXES = (".jpg", ".png", ".webp", ".bmp", ".tif", ".gif", ".avif", *([".heic"] if reads_heif() else []))
FITS = ("squash", "crop", "pad")


def save(path: Path, seed: int) -> Path:
    """Writes an image that lies on its side, and says so in its EXIF data where the format has some."""
    path.parent.mkdir(parents=True, exist_ok=True)
    coarse = np.random.default_rng(seed).integers(0, 255, (5, 7, 3), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6
    options: dict[str, Any] = {} if path.suffix in (".bmp", ".gif") else {"exif": exif}
    Image.fromarray(coarse).resize((90, 60), Image.Resampling.BICUBIC).save(path, **options)
    return path


@pytest.mark.parametrize("fit", FITS)
def test_the_pixels_of_every_format_are_the_same_wherever_they_are_used(
    tmp_path: Path, run_dir: RunDirectory, fit: str
) -> None:
    root, samples = tmp_path / "images", tmp_path / "samples"
    for number, suffix in enumerate(SUFFIXES):
        for label in ("cat", "dog", "emu"):
            save(root / label / f"{number}{suffix}", 10 * number + len(label))
        save(samples / f"class {suffix}" / f"1{suffix}", number)
    found = find_images(root)
    decoded = decode_images(found, run_dir, image_size=32, fit=fit)
    assert not decoded.set_aside
    splits = split_images(decoded.table, validation_fraction=0.2, test_fraction=0.2, seed=0)
    decoder = Decoder((32, 32), fit)
    write_classes(run_dir, found, splits, name="mine", kind="images", decoder=decoder)
    assert load_decoder(run_dir) == decoder
    stored = dict(zip(decoded.table["path"], decoded.pixels, strict=True))
    predicted = dict(read_images(root, list(stored), load_decoder(run_dir)))
    for path, pixels in stored.items():
        np.testing.assert_array_equal(pixels, predicted[path], err_msg=path)
    names = [f"class {suffix}" for suffix in SUFFIXES]
    chosen, images = load_samples(run_dir, str(samples), names, seed=0)
    used = dict(read_images(samples, list(chosen["path"]), load_decoder(run_dir)))
    for path, image in zip(chosen["path"], images, strict=True):
        np.testing.assert_array_equal(decoder.resize(image), used[path], err_msg=path)


def test_the_limit_of_a_run_holds_for_its_predictions_and_samples(tmp_path: Path, run_dir: RunDirectory) -> None:
    for label in ("cat", "dog"):
        for number in range(4):
            save(tmp_path / "images" / label / f"{number}.png", number + len(label))
        Image.new("RGB", (1100, 1000)).save(tmp_path / "images" / label / "0-large.png")
    found = find_images(tmp_path / "images")
    decoded = decode_images(found, run_dir, image_size=32, max_megapixels=1)
    assert [path for path, _ in decoded.set_aside] == ["cat/0-large.png", "dog/0-large.png"]
    splits = split_images(decoded.table, validation_fraction=0.2, test_fraction=0.2, seed=0)
    write_classes(run_dir, found, splits, name="mine", kind="images", decoder=Decoder((32, 32), max_megapixels=1))
    paths = [f"{label}/{name}.png" for label in ("cat", "dog") for name in ("0", "0-large")]
    read = dict(read_images(tmp_path / "images", paths, load_decoder(run_dir)))
    assert [path for path, content in read.items() if isinstance(content, OSError)] == paths[1::2]
    chosen, _ = load_samples(run_dir, str(tmp_path / "images"), ["cat", "dog"], seed=0)
    assert list(chosen["path"]) == ["cat/0.png", "dog/0.png"]


@pytest.mark.parametrize("after", [False, True], ids=["before the pixels", "after them"])
def test_any_amount_of_text_in_a_png_changes_nothing(tmp_path: Path, after: bool) -> None:
    path = save(tmp_path / "plain.png", 1)
    texts = PngImagePlugin.PngInfo()
    for number in range(3):
        texts.add_text(f"note {number}", "x" * 2_000_000, zip=True)
    texts.add(b"iCCP", b"profile\0\0" + zlib.compress(b"y" * 2_000_000), after_idat=False)
    if after:
        texts.chunks = [(*chunk[:2], True) for chunk in texts.chunks if chunk[0] != b"iCCP"]
    buffer = io.BytesIO()
    with Image.open(path) as image:
        image.save(buffer, "PNG", pnginfo=texts, exif=image.getexif())
    (tmp_path / "told.png").write_bytes(buffer.getvalue())
    np.testing.assert_array_equal(decode(buffer.getvalue()), decode(path))
    assert read_size(tmp_path / "told.png") == (90, 60)


@pytest.mark.parametrize("suffix", [".NEF", ".cr2", ".dng", ".arw", ".orf"])
def test_raw_files_are_set_aside_by_name_although_a_tiff_reader_finds_a_thumbnail(tmp_path: Path, suffix: str) -> None:
    for label in ("cat", "dog"):
        save(tmp_path / label / "1.png", len(label))
        thumbnail = save(tmp_path / label / "2.tif", 2)
        thumbnail.rename(thumbnail.with_suffix(suffix))
    found = find_images(tmp_path)
    assert [path for path, _ in found.set_aside] == [f"cat/2{suffix}", f"dog/2{suffix}"]
    assert all(reason.startswith(f"a camera RAW file ({suffix[1:].upper()})") for _, reason in found.set_aside)


def test_a_raw_file_with_another_ending_is_known_by_its_thumbnail(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "x.tif", tiffinfo={0x00FE: 1})
    with pytest.raises(OSError, match="RAW"):
        decode(tmp_path / "x.tif")


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("x.ppm", b"P6 1 1 255 abc", "Netpbm"),
        ("x.jp2", b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000"),
        ("x.svg", b"<svg/>", "SVG"),
        ("x.jpg.txt", b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        ("x", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "" if reads_heif() else "make setup-heif"),
    ],
)
def test_what_is_no_image_here_is_named(tmp_path: Path, name: str, content: bytes, reason: str) -> None:
    for label in ("cat", "dog"):
        save(tmp_path / label / "1.png", len(label))
    (tmp_path / "cat" / name).write_bytes(content)
    assert reason in dict(find_images(tmp_path).set_aside).get(f"cat/{name}", "")


def test_a_pointer_with_the_ending_of_an_image_is_named_when_it_is_decoded() -> None:
    with pytest.raises(OSError, match="git lfs pull"):
        decode(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n")
