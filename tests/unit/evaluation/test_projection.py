"""The map of the test images: where they are put, and what is said of it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from scenebook.core.sentences import fill, without_marks
from scenebook.evaluation import projection
from scenebook.notebook.prose.baselines import tell_projection, tell_projection_caption


def make_splits(names: list[str], train: int = 20, test: int = 8) -> pd.DataFrame:
    rows = [
        (f"{split}/{name}/{number}.png", name, split)
        for split, count in (("train", train), ("validation", 2), ("test", test))
        for name in names
        for number in range(count)
    ]
    return pd.DataFrame(rows, columns=["path", "label", "split"])


def make_vectors(splits: pd.DataFrame, distance: float = 6.0, d: int = 80) -> np.ndarray:
    names = sorted(set(splits["label"]))
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(len(names), d)) * distance / np.sqrt(d)
    return (centres[splits["label"].map(names.index)] + rng.normal(size=(len(splits), d))).astype(np.float32)


def predict(splits: pd.DataFrame, wrong: int = 0) -> pd.DataFrame:
    """Predictions in an order of their own; the first `wrong` are given the next class."""
    table = splits.loc[splits["split"] == "test", ["path", "label"]].iloc[::-1].reset_index(drop=True)
    names = sorted(set(splits["label"]))
    following = {name: names[(index + 1) % len(names)] for index, name in enumerate(names)}
    predicted = table["label"].where(table.index >= wrong, table["label"].map(following))
    return table.assign(predicted=predicted)


def tell(facts: Mapping[str, object]) -> str:
    return without_marks(fill(tell_projection(facts), [facts]).markdown)


def test_classes_that_features_tell_apart_lie_apart() -> None:
    splits = make_splits(["a", "b", "c"])
    found = projection.project(splits, make_vectors(splits, 12.0), predict(splits), seed=0)
    assert list(found.table) == ["path", "label", "predicted", "x", "y", "nearest"]
    assert list(found.table["path"]) == list(predict(splits)["path"])
    assert (found.table["nearest"] == found.table["label"]).mean() > 0.9
    assert found.share == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize(("k", "train"), [(2, 8), (3, 5), (3, 40)])
def test_up_to_three_classes_are_shown_whole_however_few_images_there_are(k: int, train: int) -> None:
    splits = make_splits([f"class {number}" for number in range(k)], train=train)
    found = projection.project(splits, make_vectors(splits, 1.0, d=40), predict(splits), seed=0)
    assert found.share == pytest.approx(1)


def test_of_many_images_the_map_is_scikit_learns() -> None:
    splits = make_splits([f"class {number}" for number in range(5)], train=800)
    points = np.random.default_rng(0).normal(size=(len(splits), 6)) @ np.random.default_rng(1).normal(size=(6, 6))
    points += np.random.default_rng(2).normal(size=(5, 6))[pd.factorize(splits["label"])[0]]
    found = projection.project(splits, points.astype(np.float32), predict(splits), seed=0)
    train = (splits["split"] == "train").to_numpy()
    model = LinearDiscriminantAnalysis().fit(points[train], splits["label"][train])
    assert found.share == pytest.approx(model.explained_variance_ratio_[:2].sum(), abs=0.01)
    where = splits["path"].isin(found.table["path"]).to_numpy()
    expected = pd.DataFrame(model.transform(points[where])[:, :2], index=splits["path"][where])
    for column, axis in zip(("x", "y"), expected, strict=True):
        found_axis = found.table.set_index("path")[column].loc[expected.index]
        assert abs(np.corrcoef(found_axis, expected[axis])[0, 1]) > 0.99


def test_images_of_a_class_may_be_all_alike() -> None:
    splits = make_splits(["a", "b", "c"])
    vectors = np.eye(3, dtype=np.float32)[pd.factorize(splits["label"])[0]]
    found = projection.project(splits, vectors, predict(splits), seed=0)
    assert np.isfinite(found.table[["x", "y"]].to_numpy()).all()
    assert (found.table["nearest"] == found.table["label"]).all()


def test_test_images_have_no_part_in_the_map() -> None:
    splits = make_splits(["a", "b", "c"])
    vectors = make_vectors(splits)
    other = vectors.copy()
    last = np.flatnonzero(splits["split"] == "test")[-1]
    other[last] += 100
    first, again = (projection.project(splits, points, predict(splits), seed=0).table for points in (vectors, other))
    same = first["path"] != splits["path"][last]
    # An axis may point the other way.
    np.testing.assert_allclose(first[same][["x", "y"]].abs(), again[same][["x", "y"]].abs(), atol=1e-9)


def test_the_same_features_give_the_same_map() -> None:
    splits = make_splits(["a", "b", "c"], train=60)
    vectors = make_vectors(splits, d=500)
    first, again = (projection.project(splits, vectors, predict(splits), seed=3).table for _ in range(2))
    pd.testing.assert_frame_equal(first, again)


def test_two_classes_have_a_second_axis_that_is_none_of_the_first() -> None:
    splits = make_splits(["a", "b"])
    found = projection.project(splits, make_vectors(splits), predict(splits), seed=0)
    assert found.table[["x", "y"]].std().min() > 0.1
    assert found.share == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize(
    ("names", "train", "distance", "d"),
    [(["a", "b"], 1, 3.0, 5), ([f"class {n}" for n in range(60)], 4, 3.0, 20), (["a", "b"], 20, 3.0, 1)],
    ids=["one training image a class", "sixty classes", "one feature"],
)
def test_degenerate_data_give_a_map(names: list[str], train: int, distance: float, d: int) -> None:
    splits = make_splits(names, train=train, test=1)
    found = projection.project(splits, make_vectors(splits, distance, d), predict(splits, wrong=1), seed=0)
    assert np.isfinite(found.table[["x", "y"]].to_numpy()).all()
    assert tell(found.facts)


def test_features_that_are_all_alike_put_all_images_in_one_place() -> None:
    splits = make_splits(["a", "b"])
    found = projection.project(splits, np.ones((len(splits), 4), np.float32), predict(splits), seed=0)
    assert (found.table[["x", "y"]] == 0).all(axis=None)
    assert found.share is None
    assert "differ most" in tell_projection_caption(found.facts)


def test_sentences_follow_the_numbers() -> None:
    facts = {"n": 40, "wrong": 20, "right": 20, "wrong_astray": 15, "right_astray": 5, "share": 0.61}
    facts |= {"wrong_share": 0.75, "right_share": 0.25}
    assert "75% of the 20 misclassified images" in tell(facts)
    assert "errors are more frequent where the classes meet" in tell(facts)
    assert "61%" in tell(facts)
    assert "It is not shown that errors" in tell({**facts, "wrong_astray": 6, "wrong_share": 0.3})
    assert "these images correctly" in tell({**facts, "wrong": 0, "right": 40, "wrong_astray": 0, "wrong_share": None})
    assert tell({**facts, "wrong": 40, "right": 0, "right_share": None, "share": None}).endswith("of their own.")
    assert "8 of 40, chosen at random, are left out" in tell_projection_caption(facts, left_out=8)
    assert "most errors are coloured" in tell_projection_caption(facts, others=52)


def test_facts_count_wrong_and_right_ones_that_lie_nearer_to_another_class() -> None:
    rows = [("1", "a", "b", 0.0, 0.0, "b"), ("2", "a", "a", 0.0, 0.0, "a"), ("3", "b", "b", 0.0, 0.0, "a")]
    table = pd.DataFrame(rows, columns=["path", "label", "predicted", "x", "y", "nearest"])
    facts = projection.Projection(table, None).facts
    assert (facts["wrong"], facts["wrong_astray"], facts["wrong_share"]) == (1, 1, 1.0)
    assert (facts["right"], facts["right_astray"], facts["right_share"]) == (2, 1, 0.5)
    assert projection.Projection(table.iloc[:1], None).facts["right_share"] is None
