from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats
from tensorflow.python.framework.config import disable_op_determinism

from scenebook.core.errors import SettingsError
from scenebook.network.augmentation import (
    ViewParameters,
    affine_matrix,
    build_augmentation,
    draw_colours,
    draw_parameters,
    make_view_seed,
    recolour,
    warp,
)

EVERYTHING: dict[str, Any] = {
    "rotation_range": 20,
    "width_shift_range": 0.1,
    "height_shift_range": 0.1,
    "shear_range": 5,
    "zoom_range": 0.1,
    "horizontal_flip": True,
    "vertical_flip": True,
    "random_crop": 0.4,
}
COLOURS: dict[str, Any] = {"brightness": 0.4, "contrast": 0.5, "saturation": 0.6}
PAPER: dict[str, Any] = {
    "rotation_range": 90,
    "width_shift_range": 0.2,
    "height_shift_range": 0.2,
    "shear_range": 0.2,
    "zoom_range": 0.2,
    "horizontal_flip": True,
}
LARGE: dict[str, Any] = {
    "rotation_range": 180,
    "width_shift_range": 0.5,
    "height_shift_range": 0.4,
    "shear_range": 45,
    "zoom_range": 0.6,
    "horizontal_flip": True,
}

# Keras 3.15's legacy class still uses a name that SciPy has moved; only the oracle does, not the package.
legacy_scipy_name = pytest.mark.filterwarnings("ignore:Please import .affine_transform.:DeprecationWarning")


def smooth_image(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Returns float32 `(height, width, 3)` in [0, 255]: waves of at most four periods, other ones a channel."""
    generator = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width] / max(height, width)
    waves = generator.uniform(-4, 4, (5, 2, 1, 1, 3))
    image = np.cos(2 * np.pi * (waves[:, 0] * y[..., None] + waves[:, 1] * x[..., None] + waves[:, 1])).sum(axis=0)
    return (255 * (image - image.min()) / np.ptp(image)).astype(np.float32)


def legacy_view(image: np.ndarray, parameters: ViewParameters) -> np.ndarray:
    view = ViewParameters(*(float(value) for value in parameters))
    generator = tf.keras.preprocessing.image.ImageDataGenerator(fill_mode="nearest", interpolation_order=1)
    return generator.apply_transform(
        image,
        {
            "theta": view.rotation,
            "tx": -view.width_shift,
            "ty": -view.height_shift,
            "shear": view.shear,
            "zx": view.zoom_width,
            "zy": view.zoom_height,
            "flip_horizontal": bool(view.flip),
        },
    )


def view_of(image: np.ndarray, **values: float) -> np.ndarray:
    return warp(image, affine_matrix(ViewParameters(**values), *image.shape[:2]))


def draw_many(count: int, height: int = 100, width: int = 200, **ranges: Any) -> ViewParameters:
    seeds = make_view_seed(7, tf.range(count), 0).numpy()
    return draw_parameters(seeds=seeds, height=height, width=width, **ranges)


def draw_one(seed: tf.Tensor, **ranges: Any) -> ViewParameters:
    drawn = draw_parameters(seeds=seed.numpy()[np.newaxis], **ranges)
    return ViewParameters(*(values[0] for values in drawn))


@pytest.fixture
def op_determinism() -> Iterator[None]:
    tf.config.experimental.enable_op_determinism()
    yield
    disable_op_determinism()


@legacy_scipy_name
@pytest.mark.parametrize("ranges", [PAPER, LARGE], ids=["paper", "large"])
def test_views_equal_the_legacy_class_for_the_same_drawn_values(ranges: dict[str, Any]) -> None:
    differences = []
    for position in range(60):
        image = smooth_image(96, 96, seed=position)
        parameters = draw_one(make_view_seed(0, position, 0), height=96, width=96, **ranges)
        ours = warp(image, affine_matrix(parameters, 96, 96))
        differences.append(np.abs(ours - legacy_view(image, parameters)).mean())
    assert max(differences) < 0.01, "the rule asks for 2 grey levels; float32 against float64 leaves far less"


@legacy_scipy_name
@pytest.mark.parametrize(
    "values",
    [
        {"rotation": 30.0},
        {"height_shift": 7.5},
        {"width_shift": -12.0},
        {"shear": 25.0},
        {"zoom_height": 0.7},
        {"zoom_width": 1.4},
        {"flip": 1.0},
        {"flip": 1.0, "rotation": 30.0, "width_shift": 9.0, "shear": 10.0, "zoom_width": 0.8},
    ],
    ids=lambda values: "-".join(values),
)
def test_each_operation_alone_equals_the_legacy_class_even_on_noise(values: dict[str, float]) -> None:
    image = np.random.default_rng(0).uniform(0, 255, (64, 64, 3)).astype(np.float32)
    difference = np.abs(view_of(image, **values) - legacy_view(image, ViewParameters(**values)))
    assert difference.max() < 0.05


@legacy_scipy_name
def test_legacy_class_swaps_the_names_of_the_two_shifts() -> None:
    image = smooth_image(40, 40)
    legacy = tf.keras.preprocessing.image.ImageDataGenerator(height_shift_range=0.25)
    values = legacy.get_random_transform(image.shape, seed=1)
    assert values["tx"] != 0
    assert values["ty"] == 0
    moved = legacy.apply_transform(image, values)
    assert np.abs(moved - view_of(image, width_shift=-values["tx"])).max() < 0.05
    assert np.abs(moved - view_of(image, height_shift=-values["tx"])).mean() > 5


@legacy_scipy_name
def test_legacy_class_turns_other_than_square_images_off_their_centre() -> None:
    image = smooth_image(40, 80)
    turned = image[::-1, ::-1]
    legacy = legacy_view(image, ViewParameters(rotation=180.0))
    assert np.abs(legacy - turned).mean() > 5
    assert np.abs(view_of(image, rotation=180.0) - turned).max() < 0.05


@pytest.mark.parametrize("shape", [(40, 80), (81, 30), (33, 33), (1, 9)])
def test_half_a_turn_equals_both_flips_on_any_shape(shape: tuple[int, int]) -> None:
    image = smooth_image(*shape)
    assert np.abs(view_of(image, rotation=180.0) - image[::-1, ::-1]).max() < 0.05


@pytest.mark.parametrize("shape", [(40, 80), (33, 32)])
def test_flip_mirrors_exactly(shape: tuple[int, int]) -> None:
    image = smooth_image(*shape)
    np.testing.assert_array_equal(view_of(image, flip=1.0), image[:, ::-1])


def test_rotation_is_counter_clockwise() -> None:
    image = smooth_image(50, 50)
    assert np.abs(view_of(image, rotation=90.0) - np.rot90(image)).max() < 0.05


def test_shifts_move_down_and_to_the_right_and_repeat_the_border() -> None:
    image = smooth_image(30, 40)
    down = view_of(image, height_shift=4.0)
    right = view_of(image, width_shift=3.0)
    np.testing.assert_array_equal(down[4:], image[:-4])
    np.testing.assert_array_equal(down[:4], np.repeat(image[:1], 4, axis=0))
    np.testing.assert_array_equal(right[:, 3:], image[:, :-3])
    np.testing.assert_array_equal(right[:, :3], np.repeat(image[:, :1], 3, axis=1))


def test_zoom_says_how_much_of_the_image_is_in_view() -> None:
    ramp = np.tile(np.arange(101, dtype=np.float32)[:, None, None], (1, 101, 3))
    column = view_of(ramp, zoom_height=0.5)[:, 0, 0]
    assert column[0] == pytest.approx(25)
    assert column[-1] == pytest.approx(75)
    assert view_of(ramp, zoom_width=0.5)[:, 0, 0] == pytest.approx(ramp[:, 0, 0])


def test_shear_of_the_paper_is_nothing_that_one_could_see() -> None:
    matrix = affine_matrix(ViewParameters(shear=0.2), 150, 150)
    assert np.abs(matrix @ [0.0, 0.0, 1.0]).max() < 0.3


@pytest.mark.parametrize("shape", [(32, 32), (31, 48)])
def test_zero_ranges_are_the_identity_exactly(shape: tuple[int, int]) -> None:
    image = smooth_image(*shape)
    seed = make_view_seed(3, 5, 1)
    matrix = affine_matrix(draw_one(seed, height=shape[0], width=shape[1]), *shape)
    np.testing.assert_array_equal(matrix, np.eye(2, 3))
    np.testing.assert_array_equal(warp(image, matrix), image)
    np.testing.assert_array_equal(build_augmentation()(image, seed), image)


def test_images_of_bytes_give_the_same_views_to_half_a_grey_level() -> None:
    augment = build_augmentation(**LARGE)
    images = np.stack([smooth_image(40, 30, seed).astype(np.uint8) for seed in range(8)])
    seeds = make_view_seed(0, tf.range(8), 0)
    rounded, exact = augment(images, seeds).numpy(), augment(images.astype(np.float32), seeds).numpy()
    np.testing.assert_array_equal(rounded, rounded.round())
    assert np.abs(rounded - exact).max() < 0.51


def test_a_image_has_the_same_view_alone_and_in_a_batch() -> None:
    augment = build_augmentation(**PAPER)
    images = np.stack([smooth_image(24, 36, seed).astype(np.uint8) for seed in range(5)])
    views = augment(images, make_view_seed(3, [7, 8, 9, 10, 11], 2))
    for position, image in enumerate(images):
        np.testing.assert_array_equal(augment(image, make_view_seed(3, 7 + position, 2)), views[position])


def test_views_stay_in_the_range_of_images_and_are_float32() -> None:
    image = np.uint8(np.random.default_rng(1).integers(0, 256, (32, 40, 3)))
    augment = build_augmentation(**LARGE)
    for position in range(20):
        view = augment(image, make_view_seed(0, position, 0))
        assert view.dtype == tf.float32
        assert view.shape == (32, 40, 3)
        assert view.numpy().min() >= 0
        assert view.numpy().max() <= 255


def test_drawn_values_are_uniform_in_their_ranges() -> None:
    drawn = draw_many(1500, height=100, width=200, **PAPER)
    for value, centre, reach in [
        (drawn.rotation, 0, 90),
        (drawn.height_shift, 0, 0.2 * 100),
        (drawn.width_shift, 0, 0.2 * 200),
        (drawn.shear, 0, 0.2),
        (drawn.zoom_height, 1, 0.2),
        (drawn.zoom_width, 1, 0.2),
    ]:
        assert stats.kstest((value - centre + reach) / (2 * reach), "uniform").pvalue > 0.001
    assert set(drawn.flip) == {0.0, 1.0}
    assert abs(drawn.flip.mean() - 0.5) < 0.05


def test_drawn_values_do_not_depend_on_each_other() -> None:
    views = draw_many(1500, **EVERYTHING)
    # Height and width of a crop both follow from its area.
    geometry = [value for name, value in views._asdict().items() if name != "crop_height"]
    colours = draw_colours(seeds=make_view_seed(7, tf.range(1500), 0).numpy(), **COLOURS)
    drawn = np.stack([*geometry, *colours.T])
    correlation = np.corrcoef(drawn) - np.eye(len(drawn))
    assert np.abs(correlation).max() < 0.1


def test_what_is_newer_leaves_the_views_of_the_six_older_operations_as_they_were() -> None:
    """A view is in caches and in results: its random numbers are the first seven of its seed."""
    seed = make_view_seed(7, [3], 2).numpy()
    alone, among = (draw_parameters(seeds=seed, height=100, width=200, **ranges) for ranges in (PAPER, EVERYTHING))
    angle = 2 * np.random.Generator(np.random.PCG64(seed[0])).random(7)[0] - 1
    assert (alone.rotation, among.rotation) == (90 * angle, 20 * angle)
    expected = [
        [-0.65194589856564, -0.79986505265196, 201.07080087537],
        [-0.97014802812594, 0.53717403053666, 148.93084360677],
    ]
    np.testing.assert_allclose(affine_matrix(alone, 100, 200), [expected], rtol=1e-9)


def test_a_crop_cuts_away_no_more_than_its_share_and_shows_nothing_beyond_the_edge() -> None:
    drawn = draw_many(1500, height=100, width=200, random_crop=0.4)
    area = drawn.crop_height * drawn.crop_width
    assert stats.kstest((area - 0.6) / 0.4, "uniform").pvalue > 0.001
    aspect = drawn.crop_width / drawn.crop_height
    assert 3 / 4 < aspect.min() < 0.78
    assert 1.28 < aspect.max() < 4 / 3
    corners = affine_matrix(drawn, 100, 200) @ np.array([[-0.5, 199.5], [-0.5, 99.5], [1, 1]])
    assert corners[:, 0].min() > -0.5 - 1e-9
    assert corners[:, 0].max() < 199.5 + 1e-9
    assert corners[:, 1].min() > -0.5 - 1e-9
    assert corners[:, 1].max() < 99.5 + 1e-9
    # Anywhere: as often near the left edge as near the right one.
    room = (1 - drawn.crop_width) * 200 / 2
    assert stats.kstest((drawn.crop_right / room + 1) / 2, "uniform").pvalue > 0.001


def test_a_crop_enlarges_its_window_before_the_other_operations() -> None:
    image = smooth_image(60, 80)
    window = view_of(image, crop_height=0.5, crop_width=0.75, crop_down=6.0, crop_right=-4.0)
    later = {"rotation": 10.0, "vertical_flip": 1.0, "zoom_width": 0.9}
    at_once = view_of(image, crop_height=0.5, crop_width=0.75, crop_down=6.0, crop_right=-4.0, **later)
    # Away from the edge, where the window's border would be repeated and the image has more to show.
    assert np.abs(at_once - view_of(window, **later))[10:-10, 12:-12].max() < 3
    ramp = np.tile(np.arange(101, dtype=np.float32)[:, None, None], (1, 101, 3))
    column = view_of(ramp, crop_height=0.5, crop_down=10.0)[:, 0, 0]
    assert (column[0], column[-1]) == pytest.approx((35, 85))


def test_vertical_flip_mirrors_exactly() -> None:
    image = smooth_image(40, 30)
    np.testing.assert_array_equal(view_of(image, vertical_flip=1.0), image[::-1])
    np.testing.assert_array_equal(view_of(image, vertical_flip=1.0, flip=1.0), image[::-1, ::-1])


def test_colours_change_as_torchvision_has_it() -> None:
    """One after the other, nothing cut off in between."""
    image = 0.5 * smooth_image(20, 30) + 60
    grey = image @ [0.299, 0.587, 0.114]
    np.testing.assert_allclose(recolour(image, np.array([1.2, 1, 1])), 1.2 * image, rtol=1e-5)
    np.testing.assert_allclose(recolour(image, np.array([1, 0.7, 1])), 0.7 * image + 0.3 * grey.mean(), rtol=1e-5)
    dull = recolour(image, np.array([1, 1, 0.25]))
    np.testing.assert_allclose(dull, 0.25 * image + 0.75 * grey[..., None], rtol=1e-5)
    steps = image
    for number, factor in enumerate((0.9, 1.1, 0.8)):
        steps = recolour(steps, np.where(np.arange(3) == number, factor, 1.0))
    np.testing.assert_allclose(recolour(image, np.array([0.9, 1.1, 0.8])), steps, rtol=1e-4)
    assert recolour(image, np.array([3, 1, 1])).max() == 255


def test_colours_change_within_their_bounds_and_not_the_geometry() -> None:
    images = np.stack([smooth_image(24, 24, seed).astype(np.uint8) for seed in range(6)])
    seeds = make_view_seed(0, tf.range(6), 0)
    factors = draw_colours(seeds=seeds.numpy(), **COLOURS)
    assert (np.abs(factors - 1) < [0.4, 0.5, 0.6]).all()
    views = build_augmentation(**EVERYTHING, **COLOURS)(images, seeds).numpy()
    moved = build_augmentation(**EVERYTHING)(images, seeds).numpy()
    for view, image, changes in zip(views, moved, factors, strict=True):
        np.testing.assert_array_equal(view, recolour(image, changes))
    assert (views.min(), views.max()) == (0, 255)


def test_changing_one_range_leaves_the_other_values_as_they_are() -> None:
    whole = draw_many(5, **PAPER)
    less = draw_many(5, **{**PAPER, "rotation_range": 0, "horizontal_flip": False})
    assert not less.rotation.any()
    assert not less.flip.any()
    np.testing.assert_array_equal(whole.width_shift, less.width_shift)
    np.testing.assert_array_equal(whole.zoom_height, less.zoom_height)


def test_every_seed_image_and_epoch_has_a_view_of_its_own() -> None:
    combinations = [(seed, image, epoch) for seed in (0, 1) for image in (0, 1, 2**31) for epoch in (0, 1, 9)]
    seeds = [make_view_seed(*combination) for combination in combinations]
    angles = [float(draw_one(seed, height=9, width=9, rotation_range=90).rotation) for seed in seeds]
    assert len({tuple(seed.numpy()) for seed in seeds}) == len(set(angles)) == len(combinations)


def test_neighbouring_images_have_unrelated_views() -> None:
    angles = draw_many(1500, rotation_range=90).rotation
    assert abs(np.corrcoef(angles[1:], angles[:-1])[0, 1]) < 0.1


@pytest.mark.usefixtures("op_determinism")
def test_views_inside_tf_data_equal_the_eager_ones_in_any_order() -> None:
    images = np.stack([smooth_image(32, 24, seed) for seed in range(12)])
    augment = build_augmentation(**PAPER)

    def make_view(position: tf.Tensor, epoch: int) -> tf.Tensor:
        return augment(tf.gather(images, position), make_view_seed(11, position, epoch))

    def views(epoch: int) -> np.ndarray:
        ds = tf.data.Dataset.range(12).map(lambda position: make_view(position, epoch), num_parallel_calls=2)
        assert ds.element_spec == tf.TensorSpec((32, 24, 3), tf.float32)
        return np.stack(list(ds.as_numpy_iterator()))

    eager = np.stack([make_view(position, 0) for position in reversed(range(12))])[::-1]
    np.testing.assert_array_equal(views(0), views(0))
    np.testing.assert_allclose(views(0), eager, atol=0.01)
    assert np.abs(views(0) - views(1)).mean(axis=(1, 2, 3)).min() > 1


def test_images_of_unknown_shape_can_be_augmented_too() -> None:
    augment = build_augmentation(**PAPER)
    image = smooth_image(20, 30)

    @tf.function(input_signature=[tf.TensorSpec((None, None, 3), tf.uint8)])
    def view(image: tf.Tensor) -> tf.Tensor:
        return augment(image, make_view_seed(0, 0, 0))

    assert view(np.uint8(image)).shape == (20, 30, 3)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("rotation_range", -1),
        ("zoom_range", 1.0),
        ("shear_range", 90),
        ("width_shift_range", float("nan")),
        ("random_crop", 0.99),
        ("contrast", 1.5),
    ],
)
def test_range_out_of_bounds_is_an_error_that_names_it(name: str, value: float) -> None:
    with pytest.raises(SettingsError, match=rf"Expected {name} between 0 and .*Received: {name}="):
        build_augmentation(**{name: value})  # type: ignore[arg-type]
