"""The one decoder of images, for training, audit and figures alike."""

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image, UnidentifiedImageError

from scenebook.core.provenance import sha256_bytes
from scenebook.data.files import MAX_IMAGE_BYTES, name_other_format, open_regular, read_regular
from scenebook.data.images import raise_changed

DECODER_VERSION = 2
"""Goes up with every change that gives other pixels for the same file, so that kept pixels are not mixed."""

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF")
MAX_MEGAPIXELS = 64
SQUASH = "squash"
SAMPLING = Image.Resampling.BILINEAR

# The limit below is ours, adjustable, and checked at the header; Pillow's own would only print a warning.
Image.MAX_IMAGE_PIXELS = None

_ORIENTATION = 0x0112
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def decode(
    source: Path | bytes,
    size: tuple[int, int] | None = None,
    fit: str = SQUASH,
    *,
    max_megapixels: int | None = MAX_MEGAPIXELS,
) -> np.ndarray:
    """Decodes an image: upright as its EXIF says, 8-bit RGB, resized with antialiasing.

    What is transparent becomes white. Of 16 bits a channel the upper 8 are kept. Colour profiles are not applied: what
    trained the networks that we start from did not apply them either, and a common loader that does is hard to find.

    Args:
        source: A JPEG, PNG, WebP, BMP, TIFF or GIF file, whatever its name ends with, or its bytes. Of an animation,
            the first frame.
        size: `(height, width)`, or `None` for the image's own size.
        fit: As for `resize`.
        max_megapixels: An image whose header says that it is larger is not decoded; `None`: there is no limit.

    Returns:
        uint8 `(height, width, 3)` in `[0, 255]`.

    Raises:
        OSError: The file is no such image, is truncated, or has too many pixels.
    """
    content = source if isinstance(source, bytes) else read_regular(source, MAX_IMAGE_BYTES)
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            if max_megapixels is not None and image.width * image.height > max_megapixels * 1_000_000:
                raise OSError(
                    f"{image.width:,} x {image.height:,} pixels are more than max_megapixels={max_megapixels}"
                )
            image.load()
            try:
                turn = _UPRIGHT.get(image.getexif().get(_ORIENTATION, 1))
            except Exception:  # damaged EXIF data say nothing; the pixels may still be whole
                turn = None
            rgb = _to_rgb(image if turn is None else image.transpose(turn))
    except UnidentifiedImageError:
        raise OSError(name_other_format(content) or "not a JPEG, PNG, WebP, BMP, TIFF or GIF image") from None
    except (OSError, MemoryError):
        raise
    except Exception as error:  # a damaged file can raise nearly anything in a decoder, struct.error for one
        raise OSError(str(error) or type(error).__name__) from error
    return resize(np.asarray(rgb), size, fit)


def read_size(path: Path) -> tuple[int, int] | None:
    """Returns width and height of an image as its header has them, before it is turned upright; `None`: no image."""
    try:
        with open_regular(path) as file, Image.open(file, formats=FORMATS) as image:
            return image.size
    except Exception:  # a damaged file can raise nearly anything
        return None


def resize(image: np.ndarray, size: tuple[int, int] | None, fit: str = SQUASH) -> np.ndarray:
    """Returns an image with another height and width; antialiased, if it changes.

    Args:
        image: uint8 `(height, width, 3)`.
        size: `(height, width)`, or `None` for the image's own size.
        fit: What is done to an image of another shape: `squash` scales height and width by themselves, `crop` takes
            the largest part of that shape in its middle, `pad` keeps all of it between black stripes.
    """
    if size is None or image.shape[:2] == size:
        return image
    (height, width), (rows, columns) = size, image.shape[:2]
    whole = Image.fromarray(image)
    if fit == "crop":
        scale = max(height / rows, width / columns)
        across, down = (columns - width / scale) / 2, (rows - height / scale) / 2
        return np.asarray(whole.resize((width, height), SAMPLING, box=(across, down, columns - across, rows - down)))
    if fit == "pad":
        scale = min(height / rows, width / columns)
        inner = (max(1, round(columns * scale)), max(1, round(rows * scale)))
        padded = Image.new("RGB", (width, height))
        padded.paste(whole.resize(inner, SAMPLING), ((width - inner[0]) // 2, (height - inner[1]) // 2))
        return np.asarray(padded)
    return np.asarray(whole.resize((width, height), SAMPLING))


def decode_unchanged(
    root: Path, paths: Iterable[str], splits: pd.DataFrame, size: tuple[int, int] | None = None, fit: str = SQUASH
) -> list[np.ndarray]:
    """Decodes images below `root` once more, for figures, and makes sure that they have the digests in `splits`.

    Raises:
        DatasetError: A file has changed since it was first decoded, or is gone; the error names all that have.
    """
    digests = dict(zip(splits["path"], splits["sha256"], strict=True))
    decoded: list[np.ndarray] = []
    changed: list[str] = []
    removed: list[str] = []
    for path in paths:
        try:
            content = read_regular(root / path, MAX_IMAGE_BYTES)
        except OSError:
            removed.append(path)
            continue
        if sha256_bytes(content) != digests[path]:
            changed.append(path)
        elif not changed and not removed:
            # What the run's limit lets through was found out when it was first decoded.
            decoded.append(decode(content, size, fit, max_megapixels=None))
    raise_changed(changed=changed, removed=removed)
    return decoded


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):
        # Pillow clips 16-bit grey to white; the upper byte is what an 8-bit image would hold.
        grey = np.asarray(image)
        if grey.size and int(grey.max()) > 0xFFFF:
            raise OSError("32 bits a pixel: which of them are the image cannot be known")
        return Image.fromarray((grey.clip(0, None) >> 8).astype(np.uint8)).convert("RGB")
    if image.mode == "F":
        raise OSError("floating-point pixels: which of them are black and white cannot be known")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        flat = Image.new("RGBA", image.size, "white")
        flat.alpha_composite(image)
        return flat.convert("RGB")
    return image.convert("RGB")
