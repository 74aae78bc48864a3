from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from scenebook.data.audit.shortcuts import find_giveaways

N = 80


@pytest.fixture
def table() -> pd.DataFrame:
    """Four classes that neither colour nor size tells apart."""
    rng = np.random.default_rng(0)
    colours = pd.DataFrame(rng.uniform(0.2, 0.8, (4 * N, 3)), columns=["red", "green", "blue"])
    sizes = pd.DataFrame(rng.choice([200, 300, 400], (4 * N, 2)), columns=["width", "height"])
    return pd.concat([colours, sizes], axis=1).assign(label=np.repeat(list("abcd"), N), split="train")


def named(splits: pd.DataFrame) -> dict[str, list[str]]:
    return {giveaway["feature"]: list(giveaway["classes"]) for giveaway in find_giveaways(splits, seed=0)}


def test_nothing_is_given_away_where_nothing_differs(table: pd.DataFrame) -> None:
    assert named(table) == {"colour": [], "size": []}
    (colour, _) = find_giveaways(table, seed=0)
    assert colour["chance"] == 0.25
    assert colour["balanced_accuracy"] == pytest.approx(0.25, abs=0.08)


def test_a_class_of_its_own_colour_is_named(table: pd.DataFrame) -> None:
    table.loc[table["label"] == "b", "green"] += 0.5
    assert named(table) == {"colour": ["b"], "size": []}


def test_a_class_whose_colour_is_only_a_little_different_is_not(table: pd.DataFrame) -> None:
    table.loc[table["label"] == "b", "green"] += 0.15
    assert named(table)["colour"] == []


def test_a_class_from_another_camera_is_named_by_its_size(table: pd.DataFrame) -> None:
    table.loc[table["label"] == "c", ["width", "height"]] = (640, 480)
    assert named(table)["size"] == ["c"]


def test_images_of_one_size_have_no_size_to_be_told_by(table: pd.DataFrame) -> None:
    assert list(named(table.assign(width=150, height=150))) == ["colour"]


def test_test_images_and_small_classes_do_not_count(table: pd.DataFrame) -> None:
    table.loc[table["label"] == "b", "green"] += 0.5
    assert named(table.assign(split=np.where(table["label"] == "b", "test", "train")))["colour"] == []
    assert find_giveaways(table.groupby("label").head(5), seed=0) == []


def test_copies_do_not_give_their_class_away(table: pd.DataFrame) -> None:
    few = table.groupby("label").head(20).assign(group=range(80), width=150)
    assert named(pd.concat([few] * 8, ignore_index=True)) == named(few)


def test_large_data_are_sampled_and_every_class_stays(table: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scenebook.data.audit.shortcuts.MOST_IMAGES", 120)
    table.loc[table["label"] == "b", ["width", "height"]] = (640, 480)
    assert named(table)["size"] == ["b"]
