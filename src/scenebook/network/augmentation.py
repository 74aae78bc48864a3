"""Random views of an image: whatever moves it as one affine map, sampled once; then brightness, contrast, saturation.

Rotation, shift, shear, zoom and flip, their order and their distributions are those of Keras' legacy
`ImageDataGenerator`, so that a recipe written for it keeps its meaning. On square images both give the same result for
the same drawn values. Where they differ:

- The legacy class moves an image sideways by `height_shift_range` and up or down by `width_shift_range`. Here the
  settings do what their names say. With two equal ranges, as in the paper, nobody could tell.
- Its `rotation_range=90` draws angles from -90 to 90 degrees, and so does ours; a table that prints "0 to 90" gives the
  range of the setting, not of the angles.
- Its `shear_range` is an angle in *degrees*, and so is ours: the paper's 0.2 leans an image of 150 rows by half a
  pixel, which is nothing that one could see.
- It takes half the *height* for the horizontal centre, and half the width for the vertical one, so an image that is
  not square turns about a point off its middle. Here every image turns about its true centre.
- It draws from NumPy's global state, so that a view depends on all that was drawn before it. Here a view depends on
  its seed alone.

Zoom factors say how much of the image is in view: 0.8 shows 80 % of the height, enlarged; 1.2 shows the whole image
with its border pixels drawn out around it. What a view shows beyond the image's edge repeats the nearest pixel.

The other operations are as in torchvision. A random crop comes first: a window of the image is enlarged to the whole,
and moved by the rest. Between the operations on colour nothing is cut off at black and white, only at the end.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import cv2
import numpy as np
import tensorflow as tf

from scenebook.core.errors import SettingsError


class ViewParameters(NamedTuple):
    """What makes views: drawn values, floats `(batch,)` each; or one view: a scalar each.

    Rotation is in degrees, counter-clockwise as one sees it; shifts are pixels down and to the right; shear is in
    degrees, by which columns lean; zoom is the share of the image's height and width that is in view; flips are 1.0 or
    0.0. A crop is the window that is enlarged to the whole: shares of the image's height and width, and how many pixels
    its centre is below and right of the image's.
    """

    rotation: Any = 0.0
    height_shift: Any = 0.0
    width_shift: Any = 0.0
    shear: Any = 0.0
    zoom_height: Any = 1.0
    zoom_width: Any = 1.0
    flip: Any = 0.0
    vertical_flip: Any = 0.0
    crop_height: Any = 1.0
    crop_width: Any = 1.0
    crop_down: Any = 0.0
    crop_right: Any = 0.0


_GREY = np.array([0.299, 0.587, 0.114])  # red, green and blue in what one sees as brightness
_DRAWS = 15  # random numbers of a view; a new one comes last, so that the others stay as they are


def make_view_seed(augmentation_seed: int, image: Any, epoch: Any) -> tf.Tensor:
    """Returns the seed of an image's view in one epoch, int64 `(2,)`, or of a batch of them, `(batch, 2)`.

    It is another one for every other setting, image and epoch. Images are told apart by an int in `[0, 2**32)`, epochs
    by their index in `[0, 2**31)`.
    """
    view = tf.cast(epoch, tf.int64) * 2**32 + tf.cast(image, tf.int64)
    return tf.stack([tf.fill(tf.shape(view), tf.cast(augmentation_seed, tf.int64)), view], axis=-1)


def draw_parameters(*, seeds: np.ndarray, height: int, width: int, rotation_range: float = 0.0,
                    width_shift_range: float = 0.0, height_shift_range: float = 0.0, shear_range: float = 0.0,
                    zoom_range: float = 0.0, horizontal_flip: bool = False, vertical_flip: bool = False,
                    random_crop: float = 0.0) -> ViewParameters:  # fmt: skip
    """Draws views. Every value has its own random number, so changing one range leaves the other values as they are.

    With the ranges of `build_augmentation`, angles and shifts are uniform in `[-range, range)`, and zoom factors in
    `[1 - range, 1 + range)`, another one for each axis. The window of a crop lies anywhere within the image; its area
    is uniform in `(1 - random_crop, 1]` of the image's, and the logarithm of its width by its height, as shares of the
    image's, is uniform in what that area leaves room for, at most 3:4 to 4:3.

    Seeds are int64 `(batch, 2)`, as from `make_view_seed`: the same seed draws the same values, float64, in any batch.
    Shifts are shares of the images' height and width, in pixels.
    """
    draws = _draw(seeds)
    signed = 2.0 * draws - 1.0
    area = 1.0 - random_crop * draws[8]
    shape = np.exp(0.5 * signed[9] * np.minimum(math.log(4 / 3), -np.log(area)))
    crop_height, crop_width = np.sqrt(area) / shape, np.sqrt(area) * shape
    return ViewParameters(
        rotation=rotation_range * signed[0],
        height_shift=height_shift_range * height * signed[1],
        width_shift=width_shift_range * width * signed[2],
        shear=shear_range * signed[3],
        zoom_height=1.0 + zoom_range * signed[4],
        zoom_width=1.0 + zoom_range * signed[5],
        flip=(draws[6] < 0.5) * float(horizontal_flip),
        vertical_flip=(draws[7] < 0.5) * float(vertical_flip),
        crop_height=crop_height,
        crop_width=crop_width,
        crop_down=0.5 * (1.0 - crop_height) * height * signed[10],
        crop_right=0.5 * (1.0 - crop_width) * width * signed[11],
    )


def _draw(seeds: np.ndarray) -> np.ndarray:
    """Returns the random numbers of views, uniform in `[0, 1)`: float64 `(_DRAWS, batch)`."""
    # The generator by name: NumPy's default may become another one.
    draws = [np.random.Generator(np.random.PCG64(seed)).random(_DRAWS) for seed in seeds]
    return np.array(draws).reshape(-1, _DRAWS).T


def draw_colours(*, seeds: np.ndarray, brightness: float = 0.0, contrast: float = 0.0,
                 saturation: float = 0.0) -> np.ndarray:  # fmt: skip
    """Draws factors of brightness, contrast and saturation, uniform in `[1 - change, 1 + change)`.

    They are float64 `(batch, 3)`; seeds are as for `draw_parameters`.
    """
    return 1.0 + (2.0 * _draw(seeds)[12:] - 1.0).T * [brightness, contrast, saturation]


def recolour(image: np.ndarray, factors: np.ndarray) -> np.ndarray:
    """Changes brightness, then contrast about the image's mean grey, then saturation about each pixel's grey.

    The image is float32 `(height, width, 3)`, cut off at 0 and 255 in the end; factors are those of `draw_colours`.
    """
    brightness, contrast, saturation = factors
    mean = float(np.dot(cv2.mean(image)[:3], _GREY))
    kept = saturation * np.eye(3) + (1.0 - saturation) * _GREY
    offset = np.full((3, 1), (1.0 - contrast) * brightness * mean)
    changed = cv2.transform(image, np.hstack([contrast * brightness * kept, offset]))
    return np.clip(changed, 0.0, 255.0, out=changed)


def affine_matrix(parameters: ViewParameters, height: int, width: int) -> np.ndarray:
    """Composes the operations to one map from a pixel of the view to the point of the image that it shows.

    In coordinates (x right, y down) about the image's centre, the legacy class multiplies rotation R, shift T,
    shear S and zoom Z as `R T S Z`, and flips what comes out; this is that product, multiplied out, of the image that
    a crop leaves. Height and width are in pixels.

    Returns:
        float64 `(batch, 2, 3)`, or `(2, 3)` of scalars, for columns `(x, y, 1)` in pixels from the top left pixel's
        centre. Exactly the identity when nothing is to be done.
    """
    view = ViewParameters(*np.broadcast_arrays(*parameters))
    turn, lean = np.radians(view.rotation), np.radians(view.rotation + view.shear)
    cos, sin = np.cos(turn), np.sin(turn)
    across = view.zoom_width * (1.0 - 2.0 * view.flip)
    down = view.zoom_height * (1.0 - 2.0 * view.vertical_flip)
    xx, yx = cos * across, sin * across
    xy, yy = -np.sin(lean) * down, np.cos(lean) * down
    centre_x, centre_y = (width - 1.0) / 2.0, (height - 1.0) / 2.0
    # The map goes from the view back to the image: content that moves down comes from further up.
    x0 = centre_x - (xx * centre_x + xy * centre_y) - cos * view.width_shift + sin * view.height_shift
    y0 = centre_y - (yx * centre_x + yy * centre_y) - sin * view.width_shift - cos * view.height_shift
    x0 = view.crop_width * x0 + (1.0 - view.crop_width) * centre_x + view.crop_right
    y0 = view.crop_height * y0 + (1.0 - view.crop_height) * centre_y + view.crop_down
    across_row = np.stack([view.crop_width * xx, view.crop_width * xy, x0], axis=-1)
    down_row = np.stack([view.crop_height * yx, view.crop_height * yy, y0], axis=-1)
    return np.stack([across_row, down_row], axis=-2)


def warp(image: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Shows an image through an affine map, sampled bilinearly once; beyond its edge an image repeats its border.

    It is uint8, and then rounded to whole grey levels, or float32 `(height, width, 3)` in `[0, 255]`.
    """
    height, width = image.shape[:2]
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    # Accurate: OpenCV has a faster way that moves every point to the next 32nd of a pixel.
    return cv2.warpAffine(
        image, matrix, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE, hint=cv2.ALGO_HINT_ACCURATE
    )


def build_augmentation(*, rotation_range: float = 0.0, width_shift_range: float = 0.0, height_shift_range: float = 0.0,
                       shear_range: float = 0.0, zoom_range: float = 0.0, horizontal_flip: bool = False,
                       vertical_flip: bool = False, random_crop: float = 0.0, brightness: float = 0.0,
                       contrast: float = 0.0, saturation: float = 0.0,
                       ) -> Callable[[Any, Any], tf.Tensor]:  # fmt: skip
    """Returns the function that makes a view of every image it is given, for `Dataset.map`.

    Example:
        ```python
        augment = build_augmentation(rotation_range=90, width_shift_range=0.2, horizontal_flip=True)
        views = augment(images, make_view_seed(augmentation_seed, images, epoch))
        ```

    Args:
        rotation_range: Largest rotation either way, degrees in `[0, 180]`.
        width_shift_range: Largest shift to the left or right, as a share of the width.
        height_shift_range: Largest shift up or down, as a share of the height.
        shear_range: Largest shear angle either way, degrees in `[0, 80]`.
        zoom_range: Zoom factors lie between `1 - zoom_range` and `1 + zoom_range`; in `[0, 1)`.
        horizontal_flip: Whether half of the images are mirrored.
        vertical_flip: Whether half of the images are turned upside down, as a mirror on the ground does it.
        random_crop: Largest share of the image's area that is cut away; in `[0, 0.95]`.
        brightness: Factors of brightness lie between `1 - brightness` and `1 + brightness`; in `[0, 1]`.
        contrast: The same of contrast.
        saturation: The same of saturation: 0 makes an image grey.

    Returns:
        A function of images `(batch, height, width, 3)` in `[0, 255]`, uint8 (twice as fast) or float32, and their
        seeds, int64 `(batch, 2)`; or of one image and its seed. It returns float32 in `[0, 255]` of the same shape:
        the images' values, when all ranges are zero and nothing is flipped.

    Raises:
        SettingsError: A range is out of bounds.
    """
    ranges: dict[str, Any] = {
        "rotation_range": rotation_range,
        "width_shift_range": width_shift_range,
        "height_shift_range": height_shift_range,
        "shear_range": shear_range,
        "zoom_range": zoom_range,
        "random_crop": random_crop,
    }
    flips = {"horizontal_flip": horizontal_flip, "vertical_flip": vertical_flip}
    colours = {"brightness": brightness, "contrast": contrast, "saturation": saturation}
    _check_ranges({**ranges, **colours})
    if not any({**ranges, **flips, **colours}.values()):
        return lambda images, seeds: tf.cast(images, tf.float32)

    def make_views(images: np.ndarray, seeds: np.ndarray) -> np.ndarray:
        height, width, channels = images.shape[-3:]
        seeds = seeds.reshape(-1, 2)
        drawn = draw_parameters(seeds=seeds, height=height, width=width, **flips, **ranges)
        factors = draw_colours(seeds=seeds, **colours) if any(colours.values()) else ()
        views = np.empty((len(seeds), height, width, channels), np.float32)
        pairs = zip(images.reshape(views.shape), affine_matrix(drawn, height, width), strict=True)
        for place, (image, matrix) in enumerate(pairs):
            views[place] = warp(image, matrix)
        for place, changes in enumerate(factors):
            views[place] = recolour(views[place], changes)
        return views.reshape(images.shape)

    def augment(images: Any, seeds: Any) -> tf.Tensor:
        # Not stateful: without this, deterministic TensorFlow would run the map one batch at a time.
        views = tf.numpy_function(make_views, [images, seeds], tf.float32, stateful=False)
        return tf.ensure_shape(views, images.shape)

    return augment


def _check_ranges(ranges: dict[str, float]) -> None:
    # A zoom factor of 0 and a shear of 90 degrees flatten the image to a line.
    limits = {"rotation_range": 180.0, "shear_range": 80.0, "zoom_range": math.nextafter(1.0, 0.0), "random_crop": 0.95}
    for name, value in ranges.items():
        highest = limits.get(name, 1.0)
        if not 0 <= value <= highest:
            raise SettingsError(
                f"Expected {name} between 0 and {'less than 1' if name == 'zoom_range' else f'{highest:g}'}.",
                received={name: value},
                advice="0 leaves this operation out.",
            )
