"""Random views of a picture: rotation, shift, shear, zoom and flip as one affine map, sampled once.

The operations, their order and their distributions are those of Keras' legacy `ImageDataGenerator`, so that a recipe
written for it keeps its meaning. On square pictures both give the same result for the same drawn values. Where they
differ:

- The legacy class moves a picture sideways by `height_shift_range` and up or down by `width_shift_range`. Here the
  settings do what their names say. With two equal ranges, as in the paper, nobody could tell.
- Its `rotation_range=90` draws angles from -90 to 90 degrees, and so does ours; a table that prints "0 to 90" gives the
  range of the setting, not of the angles.
- Its `shear_range` is an angle in *degrees*, and so is ours: the paper's 0.2 leans a picture of 150 rows by half a
  pixel, which is nothing that one could see.
- It takes half the *height* for the horizontal centre, and half the width for the vertical one, so a picture that is
  not square turns about a point off its middle. Here every picture turns about its true centre.
- It draws from NumPy's global state, so that a view depends on all that was drawn before it. Here a view depends on
  its seed alone.

Zoom factors say how much of the picture is in view: 0.8 shows 80 % of the height, enlarged; 1.2 shows the whole picture
with its border pixels drawn out around it. What a view shows beyond the picture's edge repeats the nearest pixel.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf

from scenebook.errors import SettingsError

_DEGREE = math.pi / 180


class ViewParameters(NamedTuple):
    """What makes one view: drawn values, float32 scalars; or many views: float32 `(batch,)` each.

    Attributes:
        rotation: Degrees, counter-clockwise as one sees it.
        height_shift: Pixels down.
        width_shift: Pixels to the right.
        shear: Degrees by which columns lean; rows stay level.
        zoom_height: Share of the picture's height that is in view.
        zoom_width: Share of the picture's width that is in view.
        flip: 1.0 to mirror left and right, else 0.0.
    """

    rotation: Any = 0.0
    height_shift: Any = 0.0
    width_shift: Any = 0.0
    shear: Any = 0.0
    zoom_height: Any = 1.0
    zoom_width: Any = 1.0
    flip: Any = 0.0


def make_view_seed(augmentation_seed: int, picture: Any, epoch: Any) -> tf.Tensor:
    """Returns the seed of one picture's view in one epoch.

    Args:
        augmentation_seed: The setting of that name.
        picture: Index of the picture in its split, int scalar in `[0, 2**32)`.
        epoch: Index of the epoch, int scalar in `[0, 2**31)`.

    Returns:
        int64 `(2,)`, another one for every other (augmentation_seed, picture, epoch).
    """
    view = tf.cast(epoch, tf.int64) * 2**32 + tf.cast(picture, tf.int64)
    return tf.stack([tf.cast(augmentation_seed, tf.int64), view])


def draw_parameters(*, seed: Any, height: Any, width: Any, rotation_range: float = 0.0, width_shift_range: float = 0.0,
                    height_shift_range: float = 0.0, shear_range: float = 0.0, zoom_range: float = 0.0,
                    horizontal_flip: bool = False) -> ViewParameters:  # fmt: skip
    """Draws a view. Every value has its own random number, so changing one range leaves the other values as they are.

    Args:
        seed: Int `(2,)`, as from `make_view_seed`: the same seed draws the same values, eagerly and inside `tf.data`.
        height: Height of the picture in pixels.
        width: Width of the picture in pixels.
        rotation_range: Angles are uniform in `[-rotation_range, rotation_range)` degrees.
        width_shift_range: Shifts are uniform in `[-width_shift_range, width_shift_range)` widths.
        height_shift_range: Shifts are uniform in `[-height_shift_range, height_shift_range)` heights.
        shear_range: Angles are uniform in `[-shear_range, shear_range)` degrees.
        zoom_range: Factors are uniform in `[1 - zoom_range, 1 + zoom_range)`, another one for each axis.
        horizontal_flip: Whether half of the pictures are mirrored.

    Returns:
        The drawn values, float32 scalars.
    """
    # Philox by name: the default may pick another generator on another device.
    draws = tf.unstack(tf.random.stateless_uniform((7,), seed, alg="philox"))
    signed = [2.0 * draw - 1.0 for draw in draws]
    return ViewParameters(
        rotation=rotation_range * signed[0],
        height_shift=height_shift_range * tf.cast(height, tf.float32) * signed[1],
        width_shift=width_shift_range * tf.cast(width, tf.float32) * signed[2],
        shear=shear_range * signed[3],
        zoom_height=1.0 + zoom_range * signed[4],
        zoom_width=1.0 + zoom_range * signed[5],
        flip=tf.cast(draws[6] < 0.5, tf.float32) * float(horizontal_flip),
    )


def affine_matrix(parameters: ViewParameters, height: Any, width: Any) -> tf.Tensor:
    """Composes the operations to one map from a pixel of the view to the point of the picture that it shows.

    In coordinates (x right, y down) about the picture's centre, the legacy class multiplies rotation R, shift T,
    shear S and zoom Z as `R T S Z`, and flips what comes out; this is that product, multiplied out.

    Args:
        parameters: Float scalars, or all of them floats `(batch,)` for many views at once.
        height: Height of the picture in pixels.
        width: Width of the picture in pixels.

    Returns:
        float32 `(3, 3)`, or `(batch, 3, 3)`, for columns `(x, y, 1)` in pixels from the top left pixel's centre.
        Exactly the identity when nothing is to be done.
    """
    view = ViewParameters(*(tf.cast(value, tf.float32) for value in parameters))
    turn, lean = view.rotation * _DEGREE, (view.rotation + view.shear) * _DEGREE
    cos, sin = tf.cos(turn), tf.sin(turn)
    across = view.zoom_width * (1.0 - 2.0 * view.flip)
    xx, yx = cos * across, sin * across
    xy, yy = -tf.sin(lean) * view.zoom_height, tf.cos(lean) * view.zoom_height
    centre_x = (tf.cast(width, tf.float32) - 1.0) / 2.0
    centre_y = (tf.cast(height, tf.float32) - 1.0) / 2.0
    # The map goes from the view back to the picture: content that moves down comes from further up.
    x0 = centre_x - (xx * centre_x + xy * centre_y) - cos * view.width_shift + sin * view.height_shift
    y0 = centre_y - (yx * centre_x + yy * centre_y) - sin * view.width_shift - cos * view.height_shift
    zero, one = tf.zeros_like(x0), tf.ones_like(x0)
    entries = tf.stack([xx, xy, x0, yx, yy, y0, zero, zero, one], axis=-1)
    return tf.reshape(entries, tf.concat([tf.shape(x0), (3, 3)], axis=0))


def warp(images: Any, matrix: Any) -> tf.Tensor:
    """Shows pictures through affine maps, sampled bilinearly once; beyond its edge a picture repeats its border.

    Args:
        images: `(batch, height, width, channels)` or one picture `(height, width, channels)`, in `[0, 255]`.
        matrix: As from `affine_matrix`: float32 `(batch, 3, 3)` or `(3, 3)`; one map serves for a whole batch too.

    Returns:
        float32 of the shape of `images`, in the range of `images`.
    """
    images = tf.cast(images, tf.float32)
    batch = images if images.shape.rank == 4 else images[tf.newaxis]
    transforms = tf.reshape(tf.cast(matrix, tf.float32), (-1, 9))[:, :8]
    views = tf.raw_ops.ImageProjectiveTransformV3(
        images=batch, transforms=transforms, output_shape=tf.shape(batch)[1:3], fill_value=0.0,
        interpolation="BILINEAR", fill_mode="NEAREST",
    )  # fmt: skip
    return tf.ensure_shape(tf.reshape(views, tf.shape(images)), images.shape)


def build_augmentation(*, rotation_range: float = 0.0, width_shift_range: float = 0.0, height_shift_range: float = 0.0,
                       shear_range: float = 0.0, zoom_range: float = 0.0, horizontal_flip: bool = False,
                       ) -> Callable[[Any, Any], tf.Tensor]:  # fmt: skip
    """Returns the function that makes one view of one picture, for `Dataset.map`.

    Example:
        ```python
        augment = build_augmentation(rotation_range=90, width_shift_range=0.2, horizontal_flip=True)
        view = augment(image, make_view_seed(augmentation_seed, picture, epoch))
        ```

    Args:
        rotation_range: Largest rotation either way, degrees in `[0, 180]`.
        width_shift_range: Largest shift to the left or right, as a share of the width.
        height_shift_range: Largest shift up or down, as a share of the height.
        shear_range: Largest shear angle either way, degrees in `[0, 80]`.
        zoom_range: Zoom factors lie between `1 - zoom_range` and `1 + zoom_range`; in `[0, 1)`.
        horizontal_flip: Whether half of the pictures are mirrored.

    Returns:
        A function of a picture `(height, width, channels)` in `[0, 255]` and a seed, int `(2,)`, to float32
        `(height, width, channels)` in `[0, 255]`. With all ranges zero and no flip it returns the picture's values.

    Raises:
        SettingsError: A range is out of bounds.
    """
    ranges = {
        "rotation_range": rotation_range,
        "width_shift_range": width_shift_range,
        "height_shift_range": height_shift_range,
        "shear_range": shear_range,
        "zoom_range": zoom_range,
    }
    _check_ranges(ranges)
    if not any(ranges.values()) and not horizontal_flip:
        return lambda image, seed: tf.cast(image, tf.float32)

    def augment(image: Any, seed: Any) -> tf.Tensor:
        height, width = tf.shape(image)[0], tf.shape(image)[1]
        parameters = draw_parameters(seed=seed, height=height, width=width, horizontal_flip=horizontal_flip, **ranges)
        return warp(image, affine_matrix(parameters, height, width))

    return augment


def _check_ranges(ranges: dict[str, float]) -> None:
    # A zoom factor of 0 and a shear of 90 degrees flatten the picture to a line.
    limits = {"rotation_range": 180.0, "shear_range": 80.0, "zoom_range": math.nextafter(1.0, 0.0)}
    for name, value in ranges.items():
        highest = limits.get(name, 1.0)
        if not 0 <= value <= highest:
            raise SettingsError(
                f"Expected {name} between 0 and {'less than 1' if name == 'zoom_range' else f'{highest:g}'}.",
                received={name: value},
                advice="0 leaves this operation out.",
            )
