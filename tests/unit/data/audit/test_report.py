from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageEnhance, ImageFilter

from scenebook.data.audit.report import (
    QualityFindings,
    compute_imbalance,
    count_images,
    find_odd_images,
    select_odd_images,
    tabulate_folders,
    tabulate_odd_images,
)
from scenebook.data.finding import find_images
from scenebook.data.measuring import measure
from scenebook.data.scenes.drawing import CLASS_NAMES, draw_scene
from scenebook.notebook.prose.data import caption_odd_images
from tests.conftest import MakeFolder
from tests.unit.data.audit.images import make_photograph, save_jpeg

SPLITS = pd.DataFrame(
    [
        ("cat/1", "cat", "train", "a"),
        ("cat/2", "cat", "train", "b"),
        ("cat/3", "cat", "test", "b"),
        ("dog/1", "dog", "train", "c"),
        ("dog/2", "dog", "validation", "a"),
    ],
    columns=["path", "label", "split", "sha256"],
)


def test_counts_name_every_split_also_an_empty_one() -> None:
    counts = count_images(SPLITS[SPLITS["split"] != "validation"])
    assert counts.loc["cat"].to_dict() == {"train": 2, "validation": 0, "test": 1}
    assert compute_imbalance(counts) == 2.0


def test_folders_are_listed_with_what_follows_from_their_names(make_folder: MakeFolder) -> None:
    table = tabulate_folders(find_images(make_folder({"train/cat": 3, "train/dog": 2, "test/cat": 1, "test/dog": 1})))
    assert table.to_dict("list") == {
        "folder": ["test/cat", "test/dog", "train/cat", "train/dog"],
        "class": ["cat", "dog", "cat", "dog"],
        "split": ["test", "test", "train", "train"],
        "images": [1, 1, 3, 2],
    }


FAULTS: dict[str, Callable[[Image.Image], Image.Image]] = {
    "dark": lambda image: ImageEnhance.Brightness(image).enhance(0.25),
    "light": lambda image: image.point(lambda value: int(200 + value * 0.2)),
    "blurry": lambda image: image.filter(ImageFilter.GaussianBlur(2)),
    "grey": lambda image: save_jpeg(image.convert("L").convert("RGB"), 70),
    "odd shape": lambda image: image.resize((288, 96)),
}


@pytest.fixture(scope="module")
def drawn() -> list[Image.Image]:
    return [Image.fromarray(draw_scene(CLASS_NAMES[number % 6], seed=3, index=number)) for number in range(48)]


def make_table(images: list[Image.Image]) -> pd.DataFrame:
    rows = [{"width": image.width, "height": image.height, **measure(np.asarray(image))} for image in images]
    table = pd.DataFrame(rows).assign(label="sea", split="train")
    return table.assign(path=[f"{number}.png" for number in range(len(table))])


def test_clean_images_raise_no_alarm(drawn: list[Image.Image]) -> None:
    splits = make_table(drawn + [make_photograph(seed) for seed in range(20)])
    odd = find_odd_images(splits)
    assert not (odd.oddness > 0).any(axis=None)
    assert odd.common == []
    assert tabulate_odd_images(splits, odd).empty
    assert select_odd_images(splits, odd, each=3).empty


@pytest.mark.parametrize("fault", FAULTS)
def test_planted_faults_are_found_and_only_they(drawn: list[Image.Image], fault: str) -> None:
    bad = [FAULTS[fault](image) for image in drawn[:20]]
    splits = make_table(bad + drawn[20:])
    flagged = find_odd_images(splits).oddness[fault] > 0
    assert flagged[:20].mean() >= 0.95
    assert not flagged[20:].any()


def test_an_empty_image_is_called_empty_and_not_blurry(drawn: list[Image.Image]) -> None:
    splits = make_table([Image.new("RGB", (96, 96), (128, 128, 140)), *drawn])
    odd = find_odd_images(splits)
    chosen = select_odd_images(splits, odd, each=3)
    assert chosen["what"].tolist() == ["nearly empty"]
    assert caption_odd_images(chosen) == ["nearly empty: 0.png (sea, train)"]


def test_what_most_images_have_in_common_is_not_odd(drawn: list[Image.Image]) -> None:
    grey = [image.convert("L").convert("RGB") for image in drawn[:40]]
    odd = find_odd_images(make_table(grey + drawn[40:]))
    assert odd.common == ["grey"]
    assert "grey" not in odd.oddness


def list_odd_sizes(sizes: list[tuple[int, int]]) -> list[int]:
    table = pd.DataFrame(sizes, columns=["width", "height"])
    usual = {"brightness_p05": 0.1, "brightness_p99": 0.9, "blur": 0.2, "colour": 0.5, "entropy": 7.0}
    return list(np.flatnonzero(find_odd_images(table.assign(**usual)).oddness["odd size"]))


def test_a_size_is_odd_where_most_share_another_or_where_it_is_far_from_all() -> None:
    assert list_odd_sizes([(100, 100)] * 4 + [(90, 100)]) == [4]
    various = [(800 + 10 * number, 600) for number in range(20)]
    assert list_odd_sizes(various) == []
    assert list_odd_sizes([*various, (60, 40)]) == [20]


def test_of_many_classes_the_table_sums_up_the_rest() -> None:
    labels = [f"class {number:02d}" for number in range(30)]
    splits = pd.DataFrame({"label": labels * 2 + ["class 07"]})
    odd = pd.DataFrame({"dark": np.ones(61), "grey": np.zeros(61)})
    table = tabulate_odd_images(splits, QualityFindings(odd, []), most=5)
    assert table.columns.tolist() == ["class", "dark"]
    assert len(table) == 5
    assert table["dark"].sum() == 61
    assert "class 07" in set(table["class"])
    assert table["class"].iloc[-1] == "26 other classes"
