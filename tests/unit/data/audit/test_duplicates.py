from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from scenebook.data.audit.duplicates import DuplicateGroups, find_seen_in_training, list_groups, select_pairs
from scenebook.data.audit.similarity import MOST_PARTNERS, find_candidates
from scenebook.data.scenes.drawing import CLASS_NAMES, draw_scene
from scenebook.notebook.prose.data import caption_pairs
from tests.unit.data.audit.images import CHANGES, find, make_photograph, pair_set, save_jpeg

NUMBER = 40


@pytest.fixture(scope="module")
def originals() -> dict[str, list[Image.Image]]:
    drawn = [Image.fromarray(draw_scene(CLASS_NAMES[number % 6], seed=5, index=number)) for number in range(NUMBER)]
    return {"photographs": [make_photograph(number) for number in range(NUMBER)], "scenes": drawn}


OF_SCENES = ("saved at quality 40", "cut", "mirrored and cut", "brighter")


@pytest.mark.parametrize(
    ("kind", "change"),
    [*(("photographs", one) for one in CHANGES), *(("scenes", one) for one in OF_SCENES)],
)
def test_changed_copies_are_found_and_nothing_else(
    originals: dict[str, list[Image.Image]], kind: str, change: str
) -> None:
    rng = np.random.default_rng(0)
    copies = [CHANGES[change](image, rng) for image in originals[kind]]
    _, found = find(originals[kind] + copies)
    planted = {(number, number + NUMBER) for number in range(NUMBER)}
    assert len(pair_set(found) & planted) >= 0.95 * NUMBER
    assert pair_set(found) <= planted
    mirrored = found.pairs["mirrored"]
    assert mirrored.all() if change.startswith("mirrored") else not mirrored.any()


def test_a_million_pairs_of_different_images_hold_no_false_one() -> None:
    _, found = find([make_photograph(seed, size=64) for seed in range(1450)], size=64)
    assert len(found.pairs) <= 1


def test_images_that_agree_only_in_their_large_areas_are_different() -> None:
    images = [make_photograph(seed, like=99) for seed in range(40)]
    table, found = find(images)
    assert len(find_candidates(table)) > 100
    assert found.pairs.empty


def test_plain_images_are_duplicates_only_where_their_bytes_are_equal() -> None:
    shades = [Image.new("RGB", (96, 96), (shade, shade, shade)) for shade in range(0, 200, 2)]
    noisy = [save_jpeg(image, 50) for image in shades]
    _, found = find([*shades, *noisy, shades[3]])
    exact = found.pairs[found.pairs["exact"]]
    assert (3, 200) in set(zip(exact["first"], exact["second"], strict=True))
    assert found.pairs["exact"].all()
    assert not found.large


def test_gradients_without_detail_are_not_compared() -> None:
    ramp = 120 + 28 * np.sin(np.linspace(0, 2 * np.pi, 96))[:, None].repeat(96, axis=1)
    grey = np.stack([ramp] * 3, axis=2)
    bluish = np.stack([ramp * 0.8, ramp * 1.02, ramp * 1.38], axis=2)
    _, found = find([Image.fromarray(pixels.astype(np.uint8)) for pixels in (grey, bluish)])
    assert found.pairs.empty


def hash_table(*hashes: np.ndarray) -> pd.DataFrame:
    names = ("phash", "phash_mirrored", "phash_inner", "phash_inner_mirrored")
    return pd.DataFrame(
        {name: [f"{value:016x}" for value in column] for name, column in zip(names, hashes, strict=True)}
    )


def test_the_search_by_hashes_is_exact() -> None:
    rng = np.random.default_rng(0)
    whole = rng.integers(0, 2**63, 300, dtype=np.uint64)
    whole[150:] = whole[:150] ^ np.uint64(0b1011) ^ (np.uint64(1) << rng.integers(10, 60, 150, dtype=np.uint64))
    mirrored, inner, inner_mirrored = (rng.permutation(whole) for _ in range(3))

    def near(one: np.ndarray, other: np.ndarray, radius: int) -> set[tuple[int, int]]:
        pairs = itertools.combinations(range(300), 2)
        return {(first, second) for first, second in pairs if (one[first] ^ other[second]).bit_count() <= radius}

    plain = near(whole, whole, 14) | near(inner, whole, 12) | near(whole, inner, 12)
    turned = near(whole, mirrored, 14) | near(inner, mirrored, 12) | near(whole, inner_mirrored, 12)
    expected = {(*pair, False) for pair in plain} | {(*pair, True) for pair in turned}
    found = find_candidates(hash_table(whole, mirrored, inner, inner_mirrored))
    assert set(found[["first", "second", "mirrored"]].itertuples(index=False, name=None)) == expected
    assert len(found) == len(expected)


def test_thousands_of_equal_hashes_do_not_make_millions_of_pairs() -> None:
    equal = np.zeros(3000, dtype=np.uint64)
    found = find_candidates(hash_table(equal, equal, equal, equal))
    assert len(found) <= 3000 * MOST_PARTNERS


def test_a_group_that_is_too_large_is_reported_and_not_kept_together() -> None:
    image = make_photograph(1)
    frames = [image.crop((0, 0, 96 - number % 5, 96 - number // 5)) for number in range(24)]
    others = [make_photograph(seed) for seed in range(100, 110)]
    table, found = find([*frames, frames[0], *others])
    assert [len(members) for members in found.large] == [25]
    assert found.group[[0, 24]].tolist() == [0, 0]
    assert (found.group[1:24] == -1).all()
    (large,) = [group for group in list_groups(table, found) if group["large"]]
    assert len(large["paths"]) == 25


def make_found(pairs: list[tuple[int, int, bool]], count: int) -> DuplicateGroups:
    table = pd.DataFrame(pairs, columns=["first", "second", "exact"]).assign(mirrored=False, similarity=0.9)
    group = np.full(count, -1)
    for first, second, _ in pairs:
        group[[first, second]] = first if group[first] < 0 else group[first]
    return DuplicateGroups(group, table, [])


def make_splits(found: DuplicateGroups, splits: str, labels: str, rows: list[int]) -> pd.DataFrame:
    names = {"t": "train", "v": "validation", "x": "test"}
    table = pd.DataFrame({"row": rows, "split": [names[sign] for sign in splits], "label": list(labels)})
    return table.assign(path=[f"{row}.jpg" for row in rows], sha256=[str(row) for row in rows], group=found.group[rows])


def test_test_images_that_were_seen_in_training_are_named() -> None:
    found = make_found([(0, 1, False), (2, 3, True), (2, 4, False), (5, 6, False)], 8)
    splits = make_splits(found, "txxxvxxx", "aaaaaaaa", list(range(8)))
    assert find_seen_in_training(splits, found) == ["1.jpg", "2.jpg", "3.jpg"]


def test_equal_files_count_even_where_the_first_of_them_is_not_used() -> None:
    found = make_found([(0, 1, True), (0, 2, False)], 4)
    splits = make_splits(found, "xtt", "aaa", [1, 2, 3])
    assert find_seen_in_training(splits, found) == ["1.jpg"]
    assert select_pairs(splits, found, most=5)[["first", "second"]].to_numpy().tolist() == [[0, 1]]


def test_of_a_group_that_is_partly_trained_on_and_too_large_to_be_compared_all_were_seen() -> None:
    found = make_found([(0, 1, False), (1, 2, False)], 4)
    large = DuplicateGroups(np.full(4, -1), found.pairs, [np.array([0, 1, 2])])
    assert find_seen_in_training(make_splits(large, "xxtx", "aaaa", [0, 1, 2, 3]), large) == ["0.jpg", "1.jpg"]
    assert find_seen_in_training(make_splits(large, "xxxt", "aaaa", [0, 1, 2, 3]), large) == []


def test_label_conflicts_are_shown_first_and_a_group_once() -> None:
    found = make_found([(0, 1, False), (1, 2, False), (3, 4, False), (5, 6, False)], 7)
    splits = make_splits(found, "tttxttt", "aaabbbc", list(range(7)))
    pairs = select_pairs(splits, found, most=9)
    assert pairs[["first", "second"]].to_numpy().tolist() == [[5, 6], [3, 4], [0, 1]]
    assert next(group["paths"] for group in list_groups(splits, found)) == ["5.jpg", "6.jpg"]
    captions = caption_pairs(splits, pairs)
    assert captions[:2] == ["1a: 5.jpg (b, train)", "1b: 6.jpg (c, train)"]


def test_a_clean_data_set_has_no_groups() -> None:
    table, found = find([make_photograph(seed) for seed in range(5)])
    assert (found.group == -1).all()
    assert list_groups(table, found) == []
    assert select_pairs(table, found, most=3).empty
    assert find_seen_in_training(table, found) == []
