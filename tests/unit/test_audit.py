from __future__ import annotations

import pandas as pd

from scenebook import audit


def make_splits(rows: list[tuple[str, str, str, str, int]]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["path", "label", "split", "sha256", "width"])
    return table.assign(height=100)


SPLITS = make_splits(
    [
        ("cat/1", "cat", "train", "a", 100),
        ("cat/2", "cat", "train", "b", 100),
        ("cat/3", "cat", "test", "b", 100),
        ("dog/1", "dog", "train", "c", 100),
        ("dog/2", "dog", "validation", "a", 90),
    ]
)


def test_counts_name_every_split_also_an_empty_one() -> None:
    counts = audit.count_pictures(SPLITS[SPLITS["split"] != "validation"])
    assert counts.loc["cat"].to_dict() == {"train": 2, "validation": 0, "test": 1}
    assert audit.compute_imbalance(counts) == 2.0


def test_equal_files_are_found_across_splits_and_classes() -> None:
    groups = {tuple(group["paths"]): group for group in audit.find_exact_duplicates(SPLITS)}
    assert groups[("cat/2", "cat/3")] == {"paths": ["cat/2", "cat/3"], "across_splits": True, "across_classes": False}
    assert groups[("cat/1", "dog/2")]["across_classes"]
    assert len(groups) == 2


def test_a_size_is_odd_only_where_there_is_a_common_one() -> None:
    assert audit.find_odd_sizes(SPLITS)["path"].tolist() == ["dog/2"]
    each_its_own = SPLITS.assign(width=range(5))
    assert audit.find_odd_sizes(each_its_own).empty


def test_the_audit_says_what_is_missing_and_what_was_set_aside() -> None:
    findings = audit.audit_pictures(SPLITS, [("x.txt", "not a picture")], ["seg_pred"])
    assert findings["classes_missing_in_test"] == ["dog"]
    assert findings["set_aside"] == [{"path": "x.txt", "reason": "not a picture"}]
    assert findings["counts"]["cat"] == {"train": 2, "validation": 0, "test": 1}
    assert findings["ignored_folders"] == ["seg_pred"]
