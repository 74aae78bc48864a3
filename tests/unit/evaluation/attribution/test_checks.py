from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from scenebook.core.sentences import fill
from scenebook.evaluation.attribution.checks import (
    OVERLAY_SIDE,
    blur,
    check_maps,
    compute_rank_correlations,
    compute_spread,
    list_explained,
    overlay,
    soften,
    tabulate_checks,
)
from scenebook.notebook.figures.style import contrast
from scenebook.notebook.prose.samples import (
    MAP_TITLES,
    name_place,
    tell_choice,
    tell_map_checks,
    tell_map_choice,
    tell_map_places,
    tell_maps,
)


def spot(row: int, column: int, size: int = 5) -> np.ndarray:
    heatmap = np.zeros((size, size), np.float32)
    heatmap[row, column] = 2
    return heatmap


def predictions(*pairs: tuple[str, str]) -> pd.DataFrame:
    return pd.DataFrame(pairs, columns=["label", "predicted"])


def plain(sentence: str, values: dict[str, Any]) -> str:
    return "".join(sign for sign in fill(sentence, (values,)).markdown if not "\ufdd0" <= sign <= "\ufddb")


@pytest.mark.parametrize(
    ("heatmap", "words"),
    [
        (spot(0, 0), "upper left"),
        (spot(2, 2), "middle"),
        (spot(2, 4), "middle right"),
        (spot(4, 2), "lower middle"),
        (spot(1, 0, 2), "lower left"),
        (np.zeros((5, 5)), "nowhere"),
    ],
)
def test_where_a_map_is_strongest_is_said_in_words(heatmap: np.ndarray, words: str) -> None:
    assert name_place(heatmap) == words


def test_spread_is_the_share_of_places_with_half_of_the_evidence() -> None:
    half = np.zeros((4, 4), np.float32)
    half[:2] = 1
    maps = np.stack([np.ones((4, 4)), half, spot(1, 1, 4), np.zeros((4, 4))])
    np.testing.assert_allclose(compute_spread(maps), [0.5, 0.25, 0.5 / 16])
    assert len(compute_spread(maps[3:])) == 0


def test_rank_correlation_is_scipys_and_leaves_out_maps_that_do_not_vary() -> None:
    rng = np.random.default_rng(0)
    one, other = rng.normal(size=(2, 6, 4, 4)).clip(0).astype(np.float32)
    expected = [spearmanr(a.ravel(), b.ravel()).statistic for a, b in zip(one, other, strict=True)]
    np.testing.assert_allclose(compute_rank_correlations(one, other), expected)
    other[2] = 0
    assert len(compute_rank_correlations(one, other)) == 5
    assert len(compute_rank_correlations(one * 0, other)) == 0


def test_a_quarter_of_the_image_is_blurred_where_the_map_says() -> None:
    images = np.random.default_rng(0).integers(0, 256, (1, 60, 60, 3), dtype=np.uint8)
    corner = np.zeros((1, 2, 2), np.float32)
    corner[0, 0, 1] = 1
    strongest, weakest = blur(images, corner, soften(images))
    changed = (strongest != images).any(axis=3)[0]
    assert changed[:20, 40:].mean() > 0.95
    assert changed[40:, :20].sum() == 0
    assert strongest[0, :20, 40:].std() < images[0, :20, 40:].std() / 4
    assert (weakest != images).any(axis=3)[0, 40:, :20].mean() > 0.5


def sharpness(images: np.ndarray) -> np.ndarray:
    """A network that looks at the upper left quarter, and is the surer of class 1 the sharper it is."""
    sure = np.abs(np.diff(images[:, :20, :20].astype(float), axis=1)).mean(axis=(1, 2, 3)) / 255
    return np.stack([1 - sure, sure], axis=1)


def check(maps: np.ndarray, random: np.ndarray, **more: np.ndarray) -> dict[str, Any]:
    images = np.random.default_rng(0).integers(0, 256, (len(maps), 48, 48, 3), dtype=np.uint8)
    classes = np.ones(len(maps), dtype=int)
    unlearned = {"hirescam": random, "grad_cam": random}
    return check_maps(images, classes, {"hirescam": maps, **more}, unlearned, sharpness, seed=0)


def test_the_network_misses_what_a_right_map_points_at() -> None:
    right, wrong = np.stack([spot(0, 0)] * 12), np.stack([spot(4, 4)] * 12)
    checks = check(right, random=wrong)
    assert checks["n"] == 12
    assert checks["hirescam_strongest"] < checks["hirescam_weakest"] == pytest.approx(checks["unblurred"])
    assert checks["hirescam_loss"]["low"] > 0.1
    assert checks["random_loss"]["high"] < checks["hirescam_loss"]["low"]
    assert checks["hirescam_agreement"] == 1
    # All images have their subject at one place: another image's map finds it as well.
    assert checks["gain"] == {"value": 0, "low": 0, "high": 0}
    assert "cannot be told from zero" in plain(tell_map_checks(checks), checks)


def test_the_kind_that_the_network_misses_most_is_shown_and_said_to_be() -> None:
    right, wrong = np.stack([spot(0, 0)] * 12), np.stack([spot(4, 4)] * 12)
    checks = check(wrong, random=wrong, grad_cam=right)
    assert checks["chosen"] == "grad_cam"
    assert (checks["grad_cam_agreement"], checks["other_loss"]) == (1, checks["grad_cam_loss"])
    said = plain(tell_map_choice(checks), checks)
    assert said.startswith("The maps shown are those of Grad-CAM: blurring")
    assert "it is not shown that these point at what the network uses" in said
    few = check(wrong[:3], random=wrong[:3], grad_cam=right[:3])
    assert few["chosen"] == "hirescam"
    assert "too few test images" in plain(tell_map_choice(few), few)
    assert tabulate_checks(checks, MAP_TITLES)["map"].tolist()[2:] == [
        "Grad-CAM of another image",
        "Grad-CAM, random weights",
    ]


def test_of_places_without_evidence_the_farthest_are_the_weakest() -> None:
    images = np.random.default_rng(0).integers(0, 256, (1, 60, 60, 3), dtype=np.uint8)
    changed = (blur(images, spot(0, 0)[None], soften(images))[1] != images).any(axis=3)[0]
    assert changed[45:, 45:].mean() > 0.95
    assert changed[:15, :15].sum() == 0


def test_one_image_and_maps_without_evidence_are_checked_without_a_warning() -> None:
    checks = check(np.zeros((1, 4, 4), np.float32), random=np.zeros((1, 4, 4), np.float32))
    assert checks["random_agreement"] is None
    said = plain(tell_map_checks(checks), checks)
    assert said.startswith("Only 1 test image was checked, too few")
    said = plain(tell_map_checks({**checks, "n": 10}), {**checks, "n": 10})
    assert "no map varies" in said
    table = tabulate_checks(checks, {"hirescam": "HiResCAM"})
    assert table["agreement"].isna().all()


@pytest.mark.parametrize(
    ("bounds", "verdict"),
    [
        ((0.01, 0.2), "above zero: the maps point"),
        ((-0.2, -0.01), "below zero: maps of other"),
        ((-0.1, 0.1), "not shown"),
    ],
)
def test_the_sentence_on_checks_follows_the_interval(bounds: tuple[float, float], verdict: str) -> None:
    score = {"value": -0.0001, "low": bounds[0], "high": bounds[1]}
    checks = {
        "n": 48,
        "chosen": "hirescam",
        "hirescam_loss": score,
        "other_loss": score,
        "gain": score,
        "random_agreement": 0.1,
    }
    said = plain(tell_map_checks(checks), checks)
    assert verdict in said
    assert "between the two, 0.000 (95%" in said
    assert "they depend on what was learned" in said
    assert "more than on what was learned" in plain(
        tell_map_checks({**checks, "random_agreement": 0.8}), {**checks, "random_agreement": 0.8}
    )


def test_a_wrong_image_is_explained_for_both_classes_the_true_one_first() -> None:
    table = list_explained(predictions(("sea", "sea"), ("{a}", "*b*"), ("c", "c")), most=2)
    assert table["image"].tolist() == [0, 1, 1]
    assert table["class"].tolist() == ["sea", "{a}", "*b*"]
    assert table["caption"].tolist() == ["for sea", "for {a} (true)", "for *b* (predicted)"]
    assert tell_choice(table, 3).startswith("The first 2 of 3 images. Where the network is wrong")
    assert tell_choice(table[:1], 1) == "Each map is for the predicted class, which is the true one."


def test_maps_are_described_to_readers_who_cannot_see_them() -> None:
    table = list_explained(predictions(("sea", "sea"), ("a", "b")), most=9)
    maps = np.stack([spot(0, 0), spot(2, 2), spot(0, 2) * 0])
    assert tell_map_places(table, maps) == (
        "Where the evidence is strongest, for sea: upper left; for a (true): middle; for b (predicted): nowhere."
    )


def read(maps: np.ndarray, *pairs: tuple[str, str]) -> str:
    return plain(*tell_maps(maps, list_explained(predictions(*pairs), most=9)))


def test_the_sentence_on_maps_says_how_coarse_and_how_narrow_they_are() -> None:
    said = read(np.stack([spot(0, 0), spot(1, 1)]), ("sea", "sea"), ("b", "b"))
    assert "5 × 5 places" in said
    assert "lies in 2% of the places" in said
    assert "wrongly" not in said


def test_the_sentence_on_maps_says_where_evidence_for_a_wrong_image_lies() -> None:
    said = read(np.stack([spot(0, 0), spot(2, 2)]), ("a", "{b}"))
    assert said.endswith("the evidence is strongest in the upper left for a and middle for \\{b\\}.")
    said = read(np.stack([spot(0, 0), spot(2, 2), spot(1, 1), spot(1, 1)]), ("a", "b"), ("b", "a"))
    assert "Of the 2 images that are called wrongly, 1 have" not in said
    assert "in one of the 2 misclassified images" in said.lower()


def test_maps_without_any_evidence_are_counted() -> None:
    assert "1 is empty" in read(np.stack([spot(0, 0), spot(0, 0) * 0]), ("a", "a"), ("b", "b"))
    said = read(np.zeros((2, 5, 5), np.float32), ("a", "a"), ("b", "b"))
    assert "2 are empty" in said
    assert "Half of the" not in said


def image(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def bare_overlay(image: np.ndarray, heatmap: np.ndarray) -> np.ndarray:
    """An overlay without the strip that shows its colours."""
    return overlay(image, heatmap)[:, : -(OVERLAY_SIDE // 60 + OVERLAY_SIDE // 30)]


@pytest.mark.parametrize(("height", "width"), [(96, 96), (400, 1200), (1200, 3)])
def test_an_overlay_keeps_the_shape_of_its_image_at_a_size_for_print(height: int, width: int) -> None:
    made = bare_overlay(image(height, width), np.ones((5, 5), np.float32))
    assert made.dtype == np.uint8
    assert made.shape == (
        round(height * OVERLAY_SIDE / max(height, width)),
        round(width * OVERLAY_SIDE / max(height, width)),
        3,
    )


def test_where_there_is_no_evidence_the_image_is_grey() -> None:
    made = bare_overlay(image(60, 60), np.zeros((3, 3), np.float32)).astype(int)
    assert np.ptp(made, axis=2).max() == 0


def test_only_where_the_evidence_lies_there_is_colour_and_the_scale_of_the_map_does_not_matter() -> None:
    heatmap = np.zeros((6, 6), np.float32)
    heatmap[0, 0] = 1e-6
    grey = np.full((60, 60, 3), 128, np.uint8)
    made = bare_overlay(grey, heatmap)
    np.testing.assert_array_equal(made, bare_overlay(grey, heatmap * 1e9))
    assert np.ptp(made[10, 10].astype(int)) > 50
    assert np.ptp(made[-60:, -60:].astype(int)) == 0


def test_a_strip_shows_the_scale_with_the_maximum_on_top() -> None:
    made = overlay(image(90, 90), np.ones((3, 3), np.float32))
    strip = made[:, -1] / 255
    assert contrast(strip[0], strip[-1]) > 1.5, "apart without colour, too"
    assert np.ptp(strip[-1]) == 0
    assert strip[0].argmin() == 2, "yellow"
