"""Likely wrong labels, on features of which it is known what they are."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from scenebook.data.audit.labels import ISSUE_COLUMNS, assign_folds, find_label_issues
from scenebook.data.audit.shortcuts import FOLDS
from scenebook.notebook.prose.data import caption_label_issue, tell_label_issues

NAMES = ["1", "NA", "sea"]


def make_splits(per_class: int = 60, *, seed: int = 0, distance: float = 4.0) -> tuple[pd.DataFrame, np.ndarray]:
    """Three clouds of points; every fifth image is a test image, every tenth a validation image."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(len(NAMES)), per_class)
    centres = rng.normal(size=(len(NAMES), 16))
    vectors = distance * centres[labels] + rng.normal(size=(len(labels), 16))
    split = np.array(["train", "test", "train", "train", "train", "validation", "test", "train", "train", "train"])
    table = pd.DataFrame(
        {
            "path": [f"{number}.jpg" for number in range(len(labels))],
            "label": [NAMES[label] for label in labels],
            "split": split[np.arange(len(labels)) % 10],
            "row": np.arange(len(labels)) + 100,
        }
    )
    return table, vectors.astype(np.float32)


def swap(table: pd.DataFrame, positions: list[int]) -> pd.DataFrame:
    """Gives images the next class's label."""
    swapped = table.copy()
    for position in positions:
        swapped.loc[position, "label"] = NAMES[(NAMES.index(table["label"][position]) + 1) % len(NAMES)]
    return swapped


def test_wrong_labels_in_every_split_are_found_and_the_right_class_suggested() -> None:
    table, vectors = make_splits()
    wrong = [0, 1, 5, 70, 71, 75, 130, 131, 135]  # train, test and validation of each class
    issues = find_label_issues(swap(table, wrong), vectors)
    assert sorted(issues.table["row"]) == [position + 100 for position in wrong]
    by_row = issues.table.set_index("row")["suggested"]
    assert [by_row[position + 100] for position in wrong] == [table["label"][position] for position in wrong]
    assert issues.facts == {
        "judged": 180,
        "found": 9,
        "in_test": 3,
        "left_out": [],
        "agreement": pytest.approx(0.95, abs=0.01),
    }


def test_the_most_suspicious_comes_first_and_the_score_is_half_the_margin() -> None:
    table, vectors = make_splits()
    found = find_label_issues(swap(table, [0, 1, 5, 70, 71]), vectors).table
    assert list(found.columns) == ISSUE_COLUMNS
    np.testing.assert_allclose(found["score"], (found["p_label"] - found["p_suggested"] + 1) / 2)
    assert found["score"].is_monotonic_increasing
    assert (found["p_suggested"] > found["p_label"]).all()


def test_right_labels_are_left_in_peace() -> None:
    assert len(find_label_issues(*make_splits()).table) == 0


def test_a_copy_with_the_same_wrong_label_does_not_answer_for_a_image() -> None:
    table, vectors = make_splits(40)
    # A dozen copies of one image, all with the wrong label: whoever sees the others calls the label right.
    copies = pd.concat([table.iloc[[0]].assign(path=f"copy{n}.jpg", row=1000 + n) for n in range(12)])
    both = pd.concat([table, copies], ignore_index=True)
    wrong = swap(both, [0, *range(len(table), len(both))])
    points = np.concatenate([vectors, np.repeat(vectors[:1], 12, axis=0)])
    groups = np.where((wrong.index >= len(table)) | (wrong.index == 0), 0, -1)
    apart = find_label_issues(wrong, points).table
    together = find_label_issues(wrong.assign(group=groups), points).table
    assert 100 not in set(apart["row"])
    assert 100 in set(together["row"])


def test_images_that_stand_alone_are_no_group_of_copies() -> None:
    table, vectors = make_splits()
    wrong = swap(table, [0, 70])
    pd.testing.assert_frame_equal(
        find_label_issues(wrong.assign(group=-1), vectors).table, find_label_issues(wrong, vectors).table
    )


def test_a_copy_in_training_does_not_answer_for_a_test_image() -> None:
    table, vectors = make_splits(40)
    copies = pd.concat([table.iloc[[0]].assign(path=f"copy{n}.jpg", row=1000 + n) for n in range(12)])
    both = pd.concat([table, copies], ignore_index=True)
    wrong = swap(both, [0, *range(len(table), len(both))])
    wrong.loc[0, "split"] = "test"
    points = np.concatenate([vectors, np.repeat(vectors[:1], 12, axis=0)])
    groups = np.where((wrong.index >= len(table)) | (wrong.index == 0), 0, -1)
    assert 100 not in set(find_label_issues(wrong, points).table["row"])
    assert 100 in set(find_label_issues(wrong.assign(group=groups), points).table["row"])


@pytest.mark.parametrize("copied", [NAMES, NAMES[:1]])
def test_a_test_split_of_copies_of_the_training_images_is_judged_all_the_same(copied: list[str]) -> None:
    table, vectors = make_splits(40)
    table["split"] = "train"
    tested = table[table["label"].isin(copied)]
    tested = tested.assign(split="test", row=tested["row"] + 1000, path="test/" + tested["path"])
    both = pd.concat([table.assign(group=table.index), tested.assign(group=tested.index)], ignore_index=True)
    points = np.concatenate([vectors, vectors[table["label"].isin(copied)]])
    issues = find_label_issues(both, points)
    assert issues.agreement == 1
    assert issues.table.empty
    wrong = swap(both, [0, len(table)])
    assert sorted(find_label_issues(wrong, points).table["row"]) == [100, 1100]


def test_a_class_with_too_few_images_is_left_out_and_the_others_are_judged() -> None:
    table, vectors = make_splits()
    tiny = table["label"].eq("NA") & table.index.isin(table.index[table["label"].eq("NA")][FOLDS - 2 :])
    issues = find_label_issues(swap(table[~tiny], [0]).reset_index(drop=True), vectors[~tiny.to_numpy()])
    assert issues.left_out == ["NA"]
    assert issues.judged == 119  # the one swapped into NA is left out with it
    table_of_two, points = table[table["label"] != "NA"].reset_index(drop=True), vectors[(table["label"] != "NA")]
    table_of_two.loc[0, "label"] = "sea"
    assert list(find_label_issues(table_of_two, points).table["row"]) == [100]


@pytest.mark.parametrize("labels", [["1"], []])
def test_without_two_classes_nothing_is_judged(labels: list[str]) -> None:
    table, vectors = make_splits()
    kept = table["label"].isin(labels).to_numpy()
    issues = find_label_issues(table[kept], vectors[kept])
    assert issues.judged == 0
    assert list(issues.table.columns) == ISSUE_COLUMNS
    assert tell_label_issues(issues.facts).startswith("No label could be judged")


@pytest.mark.parametrize("spread", [0, 1], ids=["constant", "noise"])
def test_features_that_say_nothing_contradict_nobody(spread: float) -> None:
    table, _ = make_splits()
    vectors = spread * np.random.default_rng(0).normal(size=(len(table), 300)).astype(np.float32)
    issues = find_label_issues(table, vectors)
    assert issues.judged == len(issues.table) == 0
    assert "the features hold too little" in tell_label_issues(issues.facts)


def test_many_features_are_reduced_first_and_the_result_is_the_same_twice() -> None:
    table, vectors = make_splits(90, distance=8)
    wide = np.concatenate([vectors, np.random.default_rng(1).normal(size=(len(table), 400))], axis=1)
    wrong = swap(table, [0, 100, 200])
    first, second = (find_label_issues(wrong, wide.astype(np.float32), seed=3).table for _ in range(2))
    pd.testing.assert_frame_equal(first, second, check_exact=True)
    assert {100, 200, 300} <= set(first["row"])


def test_folds_keep_groups_together_and_hold_every_class() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 4, 200)
    groups = labels * 100 + rng.integers(0, 12, 200)
    folds = assign_folds(labels, groups, seed=1)
    assert set(folds) == set(range(FOLDS))
    assert all(len(set(folds[groups == group])) == 1 for group in set(groups))
    assert all(set(folds[labels == label]) == set(range(FOLDS)) for label in range(4))


def test_the_caption_names_the_file_its_label_and_what_it_looks_like() -> None:
    issue = {"path": "test/sea/9.jpg", "label": "sea", "suggested": "$x$", "p_suggested": 0.987, "split": "test"}
    assert caption_label_issue(issue) == "9.jpg (test): labelled sea, looks like $x$ (99%)"


def test_the_sentence_names_the_classes_that_were_not_judged() -> None:
    facts = {"judged": 10, "found": 0, "in_test": 0, "left_out": ["a"], "agreement": 0.9}
    assert "{too_small}" in tell_label_issues(facts)
    assert "{too_small}" not in tell_label_issues({**facts, "left_out": []})
    assert "[@fig:label-issues]" in tell_label_issues({**facts, "found": 1})
