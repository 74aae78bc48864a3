from __future__ import annotations

import pandas as pd

from scenebook.data.audit.duplicates import find_exact_duplicates
from scenebook.data.audit.report import compute_imbalance, count_images, tabulate_folders
from scenebook.data.finding import find_images
from tests.conftest import MakeFolder

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


def test_equal_files_are_found_across_splits_and_classes() -> None:
    groups = {tuple(group["paths"]): group for group in find_exact_duplicates(SPLITS)}
    assert groups[("cat/2", "cat/3")] == {"paths": ["cat/2", "cat/3"], "across_splits": True, "across_classes": False}
    assert groups[("cat/1", "dog/2")]["across_classes"]
    assert len(groups) == 2


def test_folders_are_listed_with_what_follows_from_their_names(make_folder: MakeFolder) -> None:
    table = tabulate_folders(find_images(make_folder({"train/cat": 3, "train/dog": 2, "test/cat": 1, "test/dog": 1})))
    assert table.to_dict("list") == {
        "folder": ["test/cat", "test/dog", "train/cat", "train/dog"],
        "class": ["cat", "dog", "cat", "dog"],
        "split": ["test", "test", "train", "train"],
        "images": [1, 1, 3, 2],
    }
