"""The one decoder of images, for training, audit and figures alike."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image, PngImagePlugin, UnidentifiedImageError

from scenebook.core.provenance import sha256_bytes
from scenebook.core.run_directory import RunDirectory
from scenebook.core.run_files import CLASSES
from scenebook.data.files import MAX_IMAGE_BYTES, open_regular, read_regular
from scenebook.data.formats import name_other_format, reads_heif
from scenebook.data.images import raise_changed

DECODER_VERSION = 2
"""Goes up with every change that gives other pixels for the same file, so that kept pixels are not mixed."""

FORMATS = ["JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "AVIF"]
if reads_heif():
    import pillow_heif

    pillow_heif.register_heif_opener()
    FORMATS.append("HEIF")
MAX_MEGAPIXELS = 64
_KEPT_BYTES = 256 * 2**20
SQUASH = "squash"
SAMPLING = Image.Resampling.BILINEAR

# The limit below is ours, adjustable, and checked at the header; Pillow's own would only print a warning.
Image.MAX_IMAGE_PIXELS = None
# Of a PNG file's texts, which nobody reads here, Pillow allows a megabyte each; programs for pictures write more.
PngImagePlugin.MAX_TEXT_CHUNK, PngImagePlugin.MAX_TEXT_MEMORY = 2**26, 2**28

_ORIENTATION = 0x0112
_SUBFILE_TYPE, _DNG_VERSION = 0x00FE, 0xC612
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
        source: A JPEG, PNG, WebP, BMP, TIFF, GIF or AVIF file, whatever its name ends with, or its bytes; HEIC where
            pillow-heif is installed. Of an animation, the first frame.
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
        rgb = _decode_bytes(content, max_megapixels)
    except UnidentifiedImageError:
        raise OSError(name_other_format(content) or "not a JPEG, PNG, WebP, BMP, TIFF, GIF or AVIF image") from None
    except (OSError, MemoryError):
        raise
    except Exception as error:  # a damaged file can raise nearly anything in a decoder, struct.error for one
        raise OSError(str(error) or type(error).__name__) from error
    return resize(rgb, size, fit)


def _decode_bytes(content: bytes, max_megapixels: int | None) -> np.ndarray:
    with Image.open(io.BytesIO(content), formats=FORMATS) as image:
        if max_megapixels is not None and image.width * image.height > max_megapixels * 1_000_000:
            raise OSError(f"{image.width:,} x {image.height:,} pixels are more than max_megapixels={max_megapixels}")
        tags = getattr(image, "tag_v2", {})
        if _DNG_VERSION in tags or tags.get(_SUBFILE_TYPE, 0) & 1:
            raise OSError("a camera RAW file, or a TIFF that begins with a thumbnail: export it as JPEG or PNG")
        image.load()
        try:
            turn = _UPRIGHT.get(image.getexif().get(_ORIENTATION, 1))
        except Exception:  # damaged EXIF data say nothing; the pixels may still be whole
            turn = None
        return np.asarray(_to_rgb(image if turn is None else image.transpose(turn)))


def read_size(path: Path) -> tuple[int, int] | None:
    """Returns width and height of an image as its header has them, before it is turned upright; `None`: no image."""
    try:
        with open_regular(path) as file:
            return Image.open(file, formats=FORMATS).size
    except Exception:  # a damaged file can raise nearly anything
        return None


@dataclass(frozen=True)
class Decoder:
    """From a file, or its bytes, to what a network of this `(height, width)` is given: the same for every command.

    `fit` is as for `resize`, `max_megapixels` as for `decode`.
    """

    size: tuple[int, int]
    fit: str = SQUASH
    max_megapixels: int | None = MAX_MEGAPIXELS

    def decode(self, source: Path | bytes) -> np.ndarray:
        """Returns an image of its own size, uint8 `(height, width, 3)`; raises `OSError` as `decode` does."""
        return decode(source, max_megapixels=self.max_megapixels)

    def resize(self, image: np.ndarray) -> np.ndarray:
        """Returns such an image at the size of the network."""
        return resize(image, self.size, self.fit)


class ImagesOnDemand(Sequence[np.ndarray]):
    """Images of files, uint8 `(height, width, 3)`, decoded when asked for: memory does not hold all large ones."""

    def __init__(
        self, paths: Iterable[Path], decode: Callable[[Path], np.ndarray], kept: dict[Path, np.ndarray] | None = None
    ) -> None:
        self._paths, self._decode = list(paths), decode
        self._kept: dict[Path, np.ndarray] = {} if kept is None else kept

    def __len__(self) -> int:
        return len(self._paths)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return ImagesOnDemand(self._paths[index], self._decode, self._kept)
        path = self._paths[index]
        image = self._kept[path] if path in self._kept else self._decode(path)
        if sum(one.nbytes for one in self._kept.values()) + image.nbytes <= _KEPT_BYTES:
            self._kept[path] = image
        return image


def load_decoder(run_dir: RunDirectory) -> Decoder:
    """Returns the decoder of a run's images; earlier versions kept less of its settings."""
    settings = run_dir.read_json(CLASSES).get("settings", {})
    size = int(settings.get("image_size", 0))
    limit = settings.get("max_megapixels", MAX_MEGAPIXELS)
    return Decoder((size, size), str(settings.get("fit", SQUASH)), limit)


def resize(image: np.ndarray, size: tuple[int, int] | None, fit: str = SQUASH) -> np.ndarray:
    """Returns an image, uint8 `(height, width, 3)`, with another height and width, if any; antialiased, if it changes.

    Args:
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
) -> ImagesOnDemand:
    """Decodes images below `root` once more, for figures, and makes sure that they have the digests in `splits`.

    Raises:
        DatasetError: A file has changed since it was first decoded, or is gone; the error names all that have.
    """
    digests = dict(zip(splits["path"], splits["sha256"], strict=True))
    paths, changed, removed = list(paths), [], []
    for path in paths:
        try:
            if sha256_bytes(read_regular(root / path, MAX_IMAGE_BYTES)) != digests[path]:
                changed.append(path)
        except OSError:
            removed.append(path)
    raise_changed(changed=changed, removed=removed)
    # What the run's limit lets through was found out when it was first decoded.
    return ImagesOnDemand((root / path for path in paths), lambda path: decode(path, size, fit, max_megapixels=None))


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
