"""What the audit needs to know of an image, measured once while it is decoded. Safe to call from several threads."""

from __future__ import annotations

import imagehash
import numpy as np
from PIL import Image, ImageOps

MEASURES_VERSION = 2  # goes up with every change of a measure, so that kept ones are not mixed with new ones

_LONGEST_SIDE = 256
_SMALL_SIDE = 64
_HASH_SIDE = 32
_CUT = 0.05
_BLUR_WIDTH = 9


def measure(rgb: np.ndarray) -> dict[str, float | str]:
    """Measures an image.

    Brightness is the perceived one of cleanvision, `sqrt(0.241 r^2 + 0.691 g^2 + 0.068 b^2)`; the hashes are the 64-bit
    perceptual hash of imagehash. A large image is reduced to 256 pixels first: blur that no network will see at its
    input size is none.

    Args:
        rgb: uint8 `(height, width, 3)` in `[0, 255]`, upright, of the file's own size.

    Returns:
        Numbers with 5 decimals and texts, by name:

        - brightness_p05, brightness_p99: percentiles of the brightness of the image's parts, in `[0, 1]`.
        - red, green, blue: averages, in `[0, 1]`.
        - colour: 99th percentile of the difference between the strongest and the weakest channel, in `[0, 1]`.
        - entropy: of the histogram of grey levels, 0 to 8 bits.
        - blur: 0 (sharp) to 1 (nothing is lost by blurring it once more).
        - phash, phash_mirrored: 16 hexadecimal digits, of the image and of its mirror image.
        - phash_inner, phash_inner_mirrored: likewise, of what is left where 5 % are cut on each side.
    """
    image = Image.fromarray(rgb)
    scale = max(image.size) / _LONGEST_SIDE
    if scale > 1:
        size = (max(1, round(image.width / scale)), max(1, round(image.height / scale)))
        image = image.resize(size, Image.Resampling.BOX)
    grey = image.convert("L")
    small = image.resize((_SMALL_SIDE, _SMALL_SIDE), Image.Resampling.BILINEAR)
    red, green, blue = (np.asarray(channel, dtype=np.float32) / 255 for channel in small.split())
    brightness = np.sort(np.sqrt(0.241 * red**2 + 0.691 * green**2 + 0.068 * blue**2), axis=None)
    colour = np.maximum(np.maximum(red, green), blue) - np.minimum(np.minimum(red, green), blue)
    small_grey, cut = small.convert("L"), _SMALL_SIDE * _CUT
    inner_box = (cut, cut, _SMALL_SIDE - cut, _SMALL_SIDE - cut)
    whole, inner = (
        small_grey.resize((_HASH_SIDE, _HASH_SIDE), Image.Resampling.BILINEAR, box=box) for box in (None, inner_box)
    )
    values = {
        "brightness_p05": brightness[len(brightness) * 5 // 100],
        "brightness_p99": brightness[len(brightness) * 99 // 100],
        "red": red.mean(),
        "green": green.mean(),
        "blue": blue.mean(),
        "colour": np.sort(colour, axis=None)[colour.size * 99 // 100],
        "entropy": abs(grey.entropy()),
        "blur": compute_blur(np.asarray(grey, dtype=np.float32)),
    }
    return {
        **{name: round(float(value), 5) for name, value in values.items()},
        "phash": str(imagehash.phash(whole)),
        "phash_mirrored": str(imagehash.phash(ImageOps.mirror(whole))),
        "phash_inner": str(imagehash.phash(inner)),
        "phash_inner_mirrored": str(imagehash.phash(ImageOps.mirror(inner))),
    }


def compute_blur(grey: np.ndarray) -> float:
    """Returns how little an image, float32 `(height, width)`, changes when it is blurred once more: 0 to 1.

    The differences between neighbouring pixels of a sharp image mostly vanish in a moving average, those of a blurred
    one stay. Their ratio does not depend on the contrast, as the variance of the Laplacian does (Crete, Dolmiere,
    Ladret and Nicolas, 2007, The blur effect, Proceedings of SPIE 6492). The blurrier of both directions counts.
    """
    return max(_blur_down(grey), _blur_down(grey.T))


def _blur_down(grey: np.ndarray) -> float:
    width = min(_BLUR_WIDTH, len(grey) - 1)
    if width < 2:
        return 1.0
    steps = np.abs(np.diff(grey, axis=0))
    # The difference of two neighbouring averages is that of the pixel which enters and the one which leaves.
    blurred = np.abs(grey[width:] - grey[:-width]) / width
    first = (width - 1) // 2
    steps = steps[first : first + len(blurred)]
    total = float(steps.sum())
    return 1.0 - float(np.maximum(steps - blurred, 0).sum()) / total if total else 1.0
