from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from scenebook.core.errors import DatasetError
from scenebook.core.provenance import sha256_file
from scenebook.core.run_directory import RunDirectory
from scenebook.core.sentences import fill, without_marks
from scenebook.data.decoding import Decoder, ImagesOnDemand, decode
from scenebook.evaluation.samples import (
    count_rows,
    find_samples,
    load_samples,
    name_copies,
    select_cases,
    select_one_per_class,
    select_per_class,
)
from scenebook.notebook.grids import Bar, bars_of, tile
from scenebook.notebook.prose.samples import (
    tell_cases,
    tell_error_maps,
    tell_prediction,
    tell_selection,
)
from tests.conftest import MakeFolder

DECODER = Decoder((8, 8))
IMAGES = pd.DataFrame({"path": [f"{name}/{i}.png" for name in "abc" for i in range(9)], "label": list("abc" * 9)})
IMAGES["label"] = IMAGES["path"].str[0]


def test_one_image_of_each_class_is_drawn_from_the_seed() -> None:
    first, again = (select_one_per_class(IMAGES, ["a", "b", "c"], seed=3) for _ in range(2))
    assert list(first["label"]) == ["a", "b", "c"]
    assert first.equals(again)
    draws = {tuple(select_one_per_class(IMAGES, ["a", "b", "c"], seed=seed)["path"]) for seed in range(9)}
    assert len(draws) > 5


def test_the_draw_of_a_class_does_not_depend_on_the_others() -> None:
    without = IMAGES[IMAGES["label"] != "a"]
    chosen = select_one_per_class(without, ["a", "b", "c"], seed=3)
    assert list(chosen["label"]) == ["b", "c"]
    assert list(chosen["path"]) == list(select_one_per_class(IMAGES, ["a", "b", "c"], seed=3)["path"][1:])


def test_samples_are_those_that_are_given_or_else_test_images_as_they_were_split(
    run_dir: RunDirectory, make_folder: MakeFolder
) -> None:
    root = make_folder({"cat": 2, "dog": 1})
    paths = ["cat/000.png", "cat/001.png", "dog/000.png"]
    table = pd.DataFrame({"path": paths, "label": [path[:3] for path in paths]})
    digests = [sha256_file(root / path) for path in paths]
    run_dir.write_json("data/classes.json", {"root": run_dir.shorten(root), "classes": ["cat", "dog"]})
    run_dir.write_csv("data/splits.csv", table.assign(split="test", sha256=digests))
    run_dir.write_csv("training/test_predictions.csv", table)
    for given, first in ((str(root), {"cat/000.png"}), (None, {"cat/000.png", "cat/001.png"})):
        chosen, images = load_samples(run_dir, given, ["cat", "dog"], seed=0)
        assert list(chosen["label"]) == ["cat", "dog"]
        assert chosen["path"][0] in first
        for path, image in zip(chosen["path"], images, strict=True):
            np.testing.assert_array_equal(image, decode(root / path))
    (root / "dog/000.png").write_bytes(b"another image")
    with pytest.raises(DatasetError, match=r"dog/000\.png"):
        load_samples(run_dir, None, ["cat", "dog"], seed=0)


def test_of_many_large_images_memory_holds_few() -> None:
    asked = []

    def decode_large(path: Path) -> np.ndarray:
        asked.append(path.name)
        return np.broadcast_to(np.uint8(0), (9000, 9000, 3))  # 243 MB, of which one fits

    images = ImagesOnDemand(map(Path, "abcd"), decode_large)
    assert [image.shape[2] for image in images] == [3] * 4
    assert len(list(images[:2])) == 2
    assert "".join(asked) == "abcdb"


def test_given_samples_are_the_first_of_each_class_folder(make_folder: MakeFolder) -> None:
    found = find_samples(make_folder({"cat": 2, "dog": 1}), ["cat", "dog"], DECODER)
    assert found.to_dict("records") == [
        {"path": "cat/000.png", "label": "cat"},
        {"path": "dog/000.png", "label": "dog"},
    ]


def test_a_given_sample_that_cannot_be_read_is_passed_over(make_folder: MakeFolder) -> None:
    root = make_folder({"cat": 2, "dog": 1})
    (root / "cat" / "000.png").write_bytes(b"no image")
    assert list(find_samples(root, ["cat", "dog"], DECODER)["path"]) == ["cat/001.png", "dog/000.png"]


def test_a_given_sample_may_not_be_a_link_out_of_the_folder(make_folder: MakeFolder, tmp_path: Path) -> None:
    root = make_folder({"cat": 2, "dog": 1})
    (root / "cat" / "000.png").rename(tmp_path / "secret.png")
    (root / "cat" / "000.png").symlink_to(tmp_path / "secret.png")
    assert list(find_samples(root, ["cat", "dog"], DECODER)["path"]) == ["cat/001.png", "dog/000.png"]


def test_a_class_without_a_given_sample_is_an_error(make_folder: MakeFolder) -> None:
    with pytest.raises(DatasetError, match=r"every class in samples_dir.*class='emu'"):
        find_samples(make_folder({"cat": 2, "dog": 1}), ["cat", "dog", "emu"], DECODER)


def test_copies_of_odd_class_names_stay_inside_their_folder() -> None:
    names = name_copies(pd.DataFrame({"label": ["../../etc", "a/b", "", "x" * 300]}))
    assert len(set(names)) == 4
    for name in names:
        assert name.startswith("samples/pictures/")
        assert name.count("/") == 2
        assert len(name) < 120


def test_a_caption_says_whether_a_sample_is_right() -> None:
    row = {"label": "sea", "predicted": "mountain", "confidence": 0.514}
    assert tell_prediction(row) == "true sea, predicted mountain (51%)"
    assert tell_prediction({**row, "predicted": "sea"}) == "true sea, predicted sea (51%)"


def test_some_images_of_each_class_are_drawn_and_tiled() -> None:
    table = pd.DataFrame({"path": [f"{number}.jpg" for number in range(9)], "label": ["cat"] * 6 + ["dog"] * 3})
    shown = select_per_class(table, ["dog", "cat", "owl"], each=4, seed=0)
    assert shown["label"].tolist() == ["dog"] * 3 + ["cat"] * 4
    assert not shown["path"].duplicated().any()
    images = [np.full((5, 5, 3), number, dtype=np.uint8) for number in range(7)]
    tiles = tile(images, shown["label"].tolist(), columns=2)
    assert list(tiles) == ["dog", "cat"]
    assert {tile.shape for tile in tiles.values()} == {(12, 12, 3)}
    assert [tiles["dog"][at][0] for at in ((0, 0), (0, 11), (11, 0), (11, 11), (5, 5))] == [0, 1, 2, 255, 255]
    assert tiles["cat"][11, 11, 0] == 6


@pytest.mark.parametrize(
    ("right", "n", "said"),
    [
        (6, 6, "All {n:,} images"),
        (0, 6, "None of the {n:,} images"),
        (2, 6, "Of the {n:,} images"),
        (1, 1, "The one image in [@fig:samples] is classified correctly."),
        (0, 1, "is not classified correctly."),
    ],
)
def test_how_many_samples_are_right_is_said_in_each_case(right: int, n: int, said: str) -> None:
    assert said in tell_selection(right, n, n)


@pytest.mark.parametrize("right", [0, 2, 300])
def test_of_many_samples_the_figure_shows_the_first(right: int) -> None:
    assert "shows the first {shown}," in tell_selection(right, 300, 30)


NAMES = ["cat", "dog", "owl"]


def table_of(labels: Sequence[str], probs: Sequence[Sequence[float]], names: Sequence[str] = NAMES) -> pd.DataFrame:
    """A table of predictions, as `training.make_predictions` makes it."""
    matrix = np.array(probs, dtype=float).reshape(len(labels), len(names))
    chosen = matrix.argmax(axis=1)
    table = {
        "path": [f"{number:03d}.jpg" for number in range(len(labels))],
        "label": list(labels),
        "predicted": [names[position] for position in chosen],
        "confidence": matrix.max(axis=1),
    }
    return pd.DataFrame({**table, **{f"p_{name}": matrix[:, at] for at, name in enumerate(names)}})


MIXED = table_of(
    ["cat", "cat", "dog", "dog", "owl", "owl", "cat", "dog"],
    [
        [0.90, 0.05, 0.05],
        [0.95, 0.03, 0.02],
        [0.20, 0.70, 0.10],
        [0.25, 0.40, 0.35],
        [0.10, 0.30, 0.60],
        [0.80, 0.15, 0.05],
        [0.01, 0.90, 0.09],
        [0.45, 0.44, 0.11],
    ],
)


def read(table: pd.DataFrame) -> str:
    sentence, values = tell_cases(select_cases(table), len(table))
    return without_marks(fill(sentence, [values]).markdown)


def test_cases_are_the_surest_the_least_sure_and_the_largest_losses() -> None:
    cases = select_cases(MIXED, each=2)
    assert {kind: list(part["path"]) for kind, part in cases.groupby("row", sort=False)} == {
        "right and sure": ["001.jpg", "002.jpg"],  # the surest cat, and of the surer half a dog: not another cat
        "right and unsure": ["003.jpg", "004.jpg"],
        "wrong and sure": ["006.jpg", "005.jpg"],
    }
    assert cases["loss"].tolist()[-2:] == pytest.approx([-np.log(0.01), -np.log(0.05)])
    assert count_rows(cases) == [
        ("Correct, with the highest confidence", 2), ("Correct, with the lowest confidence", 2),
        ("Misclassified, largest loss first", 2),
    ]  # fmt: skip


def test_no_image_stands_in_two_rows() -> None:
    cases = select_cases(MIXED)
    assert not cases["path"].duplicated().any()
    assert cases["row"].value_counts().to_dict() == {"right and sure": 3, "wrong and sure": 3, "right and unsure": 2}


def test_the_order_of_the_table_changes_nothing() -> None:
    tied = table_of(["cat"] * 9, [[0.9, 0.1, 0.0]] * 9)
    shuffled = tied.sample(frac=1, random_state=3)
    pd.testing.assert_frame_equal(select_cases(tied, each=2), select_cases(shuffled, each=2))


def test_a_probability_of_zero_has_a_finite_loss() -> None:
    cases = select_cases(table_of(["cat"], [[0.0, 1.0, 0.0]]))
    assert np.isfinite(cases["loss"]).all()


def test_the_sentences_read_what_is_shown() -> None:
    told = read(MIXED)
    for said in ("70% to 95%", "40% to 60%", "The 3 errors", "45% to 90%", "image of cat, classified as dog with 90%"):
        assert said in told


@pytest.mark.parametrize(
    ("labels", "probs", "said"),
    [
        (["cat"], [[0.0, 1.0, 0.0]], "No test image is classified correctly. The one error is an image of cat"),
        (
            ["cat"],
            [[0.996, 0.0, 0.004]],
            "The one test image is classified correctly, with a probability of more than 99%. No test image is",
        ),
        (
            ["cat", "cat"],
            [[0.9, 0.1, 0.0], [0.2, 0.8, 0.0]],
            "Of 2 test images, one is classified correctly, with a probability of 90%. The one error is",
        ),
        (
            ["cat", "dog"],
            [[1, 0, 0], [0, 0.95, 0.05]],
            "even its least confident correct prediction has a probability of 95%. No test image is misclassified",
        ),
    ],
    ids=["all wrong", "one right", "one of two right", "all sure"],
)
def test_degenerate_results_are_said(labels: list[str], probs: list[list[float]], said: str) -> None:
    assert said in read(table_of(labels, probs))


def test_class_names_never_become_fields_or_markup() -> None:
    names = ["{n}", '*"🏔"*']
    text = read(table_of(["{n}", '*"🏔"*'], [[0.1, 0.9], [0.3, 0.7]], names))
    assert r"an image of \{n\}, classified as \*\"🏔\"\* with a probability of 90%" in text


def test_bars_are_the_likeliest_classes_and_always_the_true_one() -> None:
    many = [f"c{number}" for number in range(60)]
    probs = np.full((1, 60), 0.001)
    probs[0, [7, 8, 9]] = 0.5, 0.3, 0.1
    (bars,) = bars_of(table_of(["c3"], probs.tolist(), many), many)
    assert bars == [Bar("c7", 0.5), Bar("c8", 0.3), Bar("c3", 0.001, True)]
    (two,) = bars_of(table_of(["dog"], [[0.4, 0.6]], ["cat", "dog"]), ["cat", "dog"])
    assert two == [Bar("dog", 0.6, True), Bar("cat", 0.4)]


UPPER_LEFT, LOWER_RIGHT = np.diag([1.0, 0.0, 0.0]), np.diag([0.0, 0.0, 1.0])


@pytest.mark.parametrize(
    ("true", "said"),
    [
        ([UPPER_LEFT, UPPER_LEFT], "Where .* for both classes, it is strongest in the same ninth of the image"),
        ([LOWER_RIGHT, LOWER_RIGHT], "in one place for the predicted class and in another"),
        ([UPPER_LEFT, LOWER_RIGHT], "same ninth of the image in 1 of 2"),
        ([UPPER_LEFT, 0 * UPPER_LEFT], "found in 1 of the 2 images of .*: it is strongest in the same"),
        ([0 * UPPER_LEFT] * 2, "In no image of"),
    ],
    ids=["same", "different", "mixed", "one silent", "silent"],
)
def test_maps_of_errors_are_read_both_ways(true: list[np.ndarray], said: str) -> None:
    sentence, values = tell_error_maps(np.array([UPPER_LEFT] * 2), np.array(true))
    assert re.search(said, without_marks(fill(sentence, [values]).markdown))
