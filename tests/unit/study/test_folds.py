"""Which images each seed holds out."""

from __future__ import annotations

import numpy as np
import pandas as pd

from scenebook.data.folds import divide_into_folds, make_folds


def make_splits(per_class: int = 30, classes: int = 3, validation: int = 3) -> pd.DataFrame:
    """Images of each class: some for validation, as many for test, the rest for training."""
    rows = [
        {"path": f"{label}/{n}.png", "label": f"c{label}", "sha256": f"{label:02d}{n:062d}", "group": -1, "row": n,
         "split": "validation" if n < validation else "test" if n < 2 * validation else "train"}
        for label in range(classes) for n in range(per_class)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def test_the_first_fold_is_the_runs_own_in_its_order() -> None:
    splits = make_splits()
    first = make_folds(splits, 3, seed=0)[0]
    assert first.train.tolist() == np.flatnonzero(splits["split"] == "train").tolist()
    assert first.validation.tolist() == np.flatnonzero(splits["split"] == "validation").tolist()


def test_folds_hold_out_disjoint_stratified_parts_and_never_test_images() -> None:
    splits = make_splits()
    folds = make_folds(splits, 5, seed=0)
    assert len(folds) == 5
    held_out = np.concatenate([fold.validation for fold in folds])
    assert len(set(held_out.tolist())) == len(held_out)
    for fold in folds:
        assert not set(fold.train) & set(fold.validation)
        assert sorted([*fold.train, *fold.validation]) == np.flatnonzero(splits["split"] != "test").tolist()
        assert splits["label"].iloc[fold.validation].value_counts().tolist() == [3, 3, 3]


def test_copies_of_a_image_are_held_out_together() -> None:
    splits = make_splits()
    train = np.flatnonzero(splits["split"] == "train")
    groups = splits["group"].to_numpy().copy()
    groups[train] = np.arange(len(train)) // 4  # across classes too
    splits["group"] = groups
    for fold in make_folds(splits, 5, seed=0)[1:]:
        mine, theirs = (set(groups[rows]) - {-1} for rows in (fold.validation, fold.train))
        assert not mine & theirs


def test_the_same_seed_gives_the_same_folds_whatever_their_number() -> None:
    splits = make_splits()
    few, many = make_folds(splits, 2, seed=7), make_folds(splits, 30, seed=7)
    assert [fold.digest for fold in few] == [fold.digest for fold in many[:2]]
    assert len(many) == 30  # more than there are parts: some images are then held out twice
    assert make_folds(splits, 2, seed=8)[1].digest != few[1].digest


def test_a_class_with_fewer_images_than_parts_is_no_error() -> None:
    splits = make_splits()
    few = splits[(splits["label"] != "c0") | (splits["split"] != "train") | (splits["row"] < 8)].reset_index(drop=True)
    folds = make_folds(few, 4, seed=0)
    assert len(folds) == 4
    assert all(set(few["label"].iloc[fold.train]) == {"c0", "c1", "c2"} for fold in folds)


def test_the_digest_changes_with_a_label() -> None:
    splits = make_splits()
    changed = splits.assign(label=["c1", *splits["label"][1:]])
    assert make_folds(splits, 1, seed=0)[0].digest != make_folds(changed, 1, seed=0)[0].digest


def test_with_one_training_image_a_class_there_is_the_runs_own_division_alone() -> None:
    (only,) = make_folds(make_splits(per_class=3, validation=1), 3, seed=0)
    assert (len(only.train), len(only.validation)) == (3, 3)
    assert len(make_folds(make_splits(per_class=4, validation=1), 3, seed=0)) == 3


def test_a_cross_validation_holds_each_image_out_once_with_its_copies_and_group() -> None:
    splits = make_splits()
    others = np.flatnonzero(splits["split"] != "test")
    groups = splits["group"].to_numpy().copy()
    groups[others] = np.arange(len(others)) // 4
    splits["group"] = groups
    folds = divide_into_folds(splits, 5, seed=0)
    assert len(folds) == 5
    assert sorted(np.concatenate([fold.validation for fold in folds])) == others.tolist()
    for fold in folds:
        assert sorted([*fold.train, *fold.validation]) == others.tolist()
        assert not set(groups[fold.train]) & set(groups[fold.validation])
    splits["group"] = np.where(splits["split"] == "test", -1, splits["row"] % 3)
    assert len(divide_into_folds(splits, 5, seed=0)) == 3  # as many as there are groups
