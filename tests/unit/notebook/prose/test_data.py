from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from scenebook.core.sentences import fill, without_marks
from scenebook.data.audit.duplicates import DuplicateGroups
from scenebook.data.audit.report import audit_images, find_odd_images
from scenebook.data.audit.shortcuts import find_giveaways
from scenebook.notebook.prose.data import (
    list_audit_warnings,
    tell_duplicates,
    tell_giveaways,
    tell_odd_images,
    tell_origin,
)
from tests.unit.data.audit.images import find, make_photograph, save_jpeg


def told(dataset: str, sizes: list[tuple[int, int]]) -> str:
    text, values = tell_origin(dataset, pd.DataFrame(sizes, columns=["width", "height"]))
    return without_marks(fill(text, [values]).markdown).replace("&nbsp;", " ")


@pytest.mark.parametrize(
    ("dataset", "said"),
    [
        ("scenes", "drawn by the program"),
        ("intel", "photographs of landscapes and towns"),
        ("my images", "Nothing was recorded"),
    ],
)
def test_what_is_known_of_the_origin_is_said(dataset: str, said: str) -> None:
    assert said in told(dataset, [(150, 150)] * 3)


@pytest.mark.parametrize(
    ("sizes", "said"),
    [
        ([(150, 100)] * 3, "All are 150 by 100 pixels in size."),
        ([(150, 150)] * 3 + [(10, 20)], "Most are 150 by 150 pixels in size."),
        ([(40, 30), (30, 50), (640, 480)], "Their longer sides measure 40 to 640 pixels."),
    ],
)
def test_sizes_are_told_as_they_are(sizes: list[tuple[int, int]], said: str) -> None:
    assert told("folder", sizes).endswith(said)


def collect(splits: pd.DataFrame, duplicates: DuplicateGroups, **more: Any) -> dict[str, Any]:
    return audit_images(
        splits,
        more.get("set_aside", []),
        more.get("ignored_folders", []),
        duplicates=duplicates,
        odd=find_odd_images(splits),
        giveaways=find_giveaways(splits, seed=0),
    )


def read(sentences: Iterable[tuple[str, dict[str, Any]]]) -> str:
    return " ".join(sentence.format(**values) for sentence, values in sentences)


@pytest.fixture(scope="module")
def clean() -> tuple[pd.DataFrame, DuplicateGroups]:
    return find([make_photograph(seed) for seed in range(12)], labels=["cat", "dog"] * 6)


@pytest.fixture(scope="module")
def troubled() -> tuple[pd.DataFrame, DuplicateGroups]:
    """A label conflict, two copies of training images in test, a blank image."""
    images = [make_photograph(seed) for seed in range(12)]
    images += [save_jpeg(images[0], 60), save_jpeg(images[1], 60), images[2], Image.new("RGB", (96, 96), "white")]
    table, found = find(images, labels=[*["cat", "dog"] * 6, "dog", "dog", "cat", "cat"])
    return table.assign(split=np.where(table["row"].isin([13, 14]), "test", "train")), found


def test_a_clean_data_set_gets_one_sentence_a_check(clean: tuple[pd.DataFrame, DuplicateGroups]) -> None:
    findings = collect(*clean)
    assert read(tell_duplicates(findings)).startswith("No image occurs twice")
    assert read(tell_odd_images(findings)).startswith("No image is dark, light,")
    assert findings["duplicate_groups"] == []
    assert findings["seen_in_training"] == []


def test_findings_are_counted_and_survive_json(troubled: tuple[pd.DataFrame, DuplicateGroups]) -> None:
    findings = collect(*troubled)
    assert json.loads(json.dumps(findings, allow_nan=False)) == findings
    assert [group["paths"] for group in findings["duplicate_groups"]] == [
        ["0000.png", "0012.png"],
        ["0001.png", "0013.png"],
        ["0002.png", "0014.png"],
    ]
    assert [group["across_classes"] for group in findings["duplicate_groups"]] == [True, False, False]
    assert findings["seen_in_training"] == ["0013.png", "0014.png"]
    assert findings["odd_images"]["nearly empty"] == {"images": 1, "counts": {"cat": 1}, "paths": ["0015.png"]}


def test_the_sentences_say_what_was_found_and_done(troubled: tuple[pd.DataFrame, DuplicateGroups]) -> None:
    findings = collect(*troubled)
    text = read(tell_duplicates(findings))
    assert "6 images of 16 occur more than once, in 3 groups: one of identical files, 2 of" in text
    assert "1 group holds more than one class" in text
    assert "2 test images have a copy in training or validation" in text
    assert "1 nearly empty (with few grey levels)" in read(tell_odd_images(findings))


def test_groups_within_a_split_are_said_to_be_kept_together(troubled: tuple[pd.DataFrame, DuplicateGroups]) -> None:
    splits, found = troubled
    text = read(tell_duplicates(collect(splits.assign(split="train"), found)))
    assert "Every group was kept in one split" in text
    assert "test images" not in text


def test_a_giveaway_is_a_warning_and_none_is_a_plain_sentence() -> None:
    record = {"balanced_accuracy": 0.5, "chance": 0.25}
    size = {"feature": "size", **record, "classes": {"cat": 0.98}}
    colour = {"feature": "colour", **record, "classes": {}}
    (warning, plain) = tell_giveaways({"giveaways": [colour, size]})
    assert warning[0].startswith("**Warning:** The width and height of a file is enough")
    assert warning[1]["classes"] == "cat (0.98)"
    assert "does not identify any class" in plain[0]
    assert not list(tell_giveaways({"giveaways": []}))


def test_the_audit_says_what_is_missing_and_what_was_set_aside(clean: tuple[pd.DataFrame, DuplicateGroups]) -> None:
    splits, found = clean
    splits = splits.assign(split=["test" if row == 0 else "train" for row in splits["row"]])
    findings = collect(splits, found, set_aside=[("x.txt", "not an image")], ignored_folders=["seg_pred"])
    assert findings["classes_missing_in_test"] == ["dog"]
    assert findings["set_aside"] == [{"path": "x.txt", "reason": "not an image"}]
    assert findings["counts"]["cat"] == {"train": 5, "validation": 0, "test": 1}
    assert findings["ignored_folders"] == ["seg_pred"]


def test_what_can_spoil_the_results_is_listed_for_the_terminal(
    clean: tuple[pd.DataFrame, DuplicateGroups], troubled: tuple[pd.DataFrame, DuplicateGroups]
) -> None:
    assert list_audit_warnings(collect(*clean)) == []
    lines = list_audit_warnings(collect(*troubled, set_aside=[("a.txt", "not an image")]))
    assert "check: 1 file cannot be used" in lines
    assert any("of these groups ha" in line for line in lines)
    assert any("have a duplicate among the training images" in line for line in lines)
