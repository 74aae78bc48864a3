"""Two runs side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from rich.console import Console
from statsmodels.stats.contingency_tables import mcnemar

from scenebook.core.errors import InputError
from scenebook.core.run_directory import RunDirectory
from scenebook.evaluation.metrics.intervals import compute_difference
from scenebook.pipeline.compare.differ import NOT_THERE, Change, diff_runs, diff_scores, list_differing, pair_scores
from scenebook.pipeline.compare.print import print_diff
from tests.unit.pipeline.compare.runs import (
    HOSTILE,
    make_predictions,
    make_run,
    make_splits,
    write_manifest,
    write_settings,
)


def print_plain(console: Console, diff: object) -> str:
    print_diff(console, diff)  # type: ignore[arg-type]
    return console.export_text()


def test_equal_runs_differ_in_nothing(tmp_path: Path, run: RunDirectory, console: Console) -> None:
    diff = diff_runs(run, make_run(tmp_path / "two" / "pets"))
    assert (diff.settings, diff.made_with, diff.notes) == ([], [], [])
    assert diff.images is not None
    assert (diff.images.facts, diff.images.counts, diff.images.common) == ([], [], 26)
    assert not any(diff.images.sets.values())
    assert "settings: no difference" in print_plain(console, diff)


def test_settings_that_differ_are_told_and_so_is_one_that_only_one_version_knows(
    tmp_path: Path, run: RunDirectory
) -> None:
    other = make_run(tmp_path / "other", settings={"epochs": 7})
    values = {"epochs": 7, "rotation_range": 20, "from_the_future": True}
    write_settings(other, values)
    changes = {change.name: change for change in diff_runs(run, other).settings or []}
    assert changes["epochs"] == Change("epochs", 8, 7)
    assert changes["from_the_future"] == Change("from_the_future", NOT_THERE, True)
    assert changes["seed"].second == NOT_THERE
    assert "rotation_range" not in changes, "20.0 and 20 are the same number"


def test_one_and_true_are_not_the_same() -> None:
    assert list_differing({"a": 1}, {"a": True}) == [Change("a", 1, True)]
    assert list_differing({"a": 1}, {"a": 1.0}) == []


def test_images_are_found_by_their_bytes_wherever_they_lie(tmp_path: Path, run: RunDirectory) -> None:
    splits = make_splits()
    splits.loc[0, "path"] = "train/cat/renamed.png"
    splits.loc[1, "split"] = "test"
    splits.loc[2, "label"] = "dog"
    splits.loc[3, "sha256"] = "0" * 64  # another image under the old name
    splits = splits.drop(index=25)
    diff = diff_runs(run, make_run(tmp_path / "other", splits=splits)).images
    assert diff is not None
    assert diff.common == 24
    paths = list(make_splits()["path"])
    assert diff.sets == {
        "only in A": [paths[3], paths[25]],
        "only in B": [paths[3]],
        "of these, the same path with other bytes": [paths[3]],
        "under another path": [paths[0]],
        "in another split": [paths[1]],
        "under another label": [paths[2]],
    }
    # The image of another label was a cat in train; the one of another split a dog.
    assert ("train", "cat", 2, 1) in diff.counts
    assert ("test", "dog", 10, 10) not in diff.counts, "only what differs is listed"
    assert [change.name for change in diff.facts] == ["digest"]


def test_a_second_copy_of_a_image_is_a_image_of_its_own(tmp_path: Path, run: RunDirectory) -> None:
    splits = make_splits()
    copy = splits.iloc[[0]].assign(path="train/cat/copy.png")
    diff = diff_runs(run, make_run(tmp_path / "other", splits=pd.concat([splits, copy], ignore_index=True))).images
    assert diff is not None
    assert (diff.common, diff.sets["only in A"], diff.sets["only in B"]) == (26, [], ["train/cat/copy.png"])


def test_images_that_lie_in_their_run_lie_at_no_other_place(tmp_path: Path) -> None:
    runs = [make_run(tmp_path / name / "drawn") for name in ("one", "two")]
    for run_dir in runs:
        facts = run_dir.read_json("data/classes.json")
        run_dir.write_json("data/classes.json", {**facts, "root": str(run_dir.path("data/scenes"))})
    images = diff_runs(*runs).images
    assert images is not None
    assert images.facts == []


def test_of_two_copies_the_one_that_kept_its_path_is_the_same(tmp_path: Path) -> None:
    splits = make_splits()
    both = pd.concat([splits, splits.iloc[[0]].assign(path="train/a/copy.png")], ignore_index=True)
    diff = diff_runs(make_run(tmp_path / "one", splits=both), make_run(tmp_path / "two", splits=splits)).images
    assert diff is not None
    assert (diff.sets["only in A"], diff.sets["under another path"]) == (["train/a/copy.png"], [])


def test_code_that_differs_is_told_by_stage(tmp_path: Path) -> None:
    keys = [
        {
            "modules": {"scenebook.audit": "a", "scenebook.old": "x"},
            "cells": {"1": "p", "2": "q"},
            "settings": {"s": 1},
        },
        {
            "modules": {"scenebook.audit": "b", "scenebook.new": "y"},
            "cells": {"1": "p", "2": "r"},
            "settings": {"s": 2},
        },
    ]
    runs = [
        make_run(
            tmp_path / f"{number}",
            stages={"data": {"status": "done", "key": key}, "training": {"status": "done"}},
            commit=f"commit {number}",
            versions={"keras": f"3.{number}", "numpy": "2"},
        )
        for number, key in enumerate(keys)
    ]
    diff = diff_runs(*runs)
    assert diff.made_with == [Change("commit", "commit 0", "commit 1"), Change("keras", "3.0", "3.1")]
    assert diff.code == [
        ("data", "modules", ["scenebook.audit"], "differ"),
        ("data", "modules", ["scenebook.old"], "only in A"),
        ("data", "modules", ["scenebook.new"], "only in B"),
        ("data", "cells", ["2"], "differ"),
    ]
    assert diff.unknown == ["training"], "an older manifest has no key"


def test_a_run_that_was_not_evaluated_is_told_and_the_rest_is_compared(
    tmp_path: Path, run: RunDirectory, console: Console
) -> None:
    other = make_run(tmp_path / "other", settings={"epochs": 2})
    for path in other.path("evaluation").iterdir():
        path.unlink()
    write_manifest(other, stages={"evaluation": {"status": "failed"}})
    diff = diff_runs(run, other)
    assert diff.scores is None
    assert diff.paired is None
    assert diff.settings == [Change("epochs", 8, 2)]
    assert "B (other) has no evaluation/metrics.json. Its stage evaluation: failed." in diff.notes
    assert "note: B (other) has no evaluation/predictions.csv" in print_plain(console, diff)


def test_files_that_cannot_be_read_are_told(tmp_path: Path, run: RunDirectory) -> None:
    other = make_run(tmp_path / "other")
    other.path("settings.yaml").write_text("a: [1", encoding="utf-8")
    other.path("evaluation/metrics.json").write_text("{", encoding="utf-8")
    other.path("data/splits.csv").write_text("path,label\n", encoding="utf-8")
    diff = diff_runs(run, other)
    assert (diff.settings, diff.images, diff.scores, diff.paired) == (None, None, None, None)
    told = "\n".join(diff.notes)
    assert "settings in YAML" in told
    assert "Expected a evaluation/metrics.json" not in told
    assert "evaluation/metrics.json to be readable" in told
    assert "Expected the columns path, label, split, sha256" in told


def test_what_is_no_run_is_an_error(tmp_path: Path, run: RunDirectory) -> None:
    with pytest.raises(InputError, match="run that was started before"):
        diff_runs(run, RunDirectory(tmp_path / "nothing"))
    run.write_json("manifest.json", {"files": [1]})
    with pytest.raises(InputError, match="Expected a manifest as scenebook writes it"):
        diff_runs(run, run)
    run.write_json("manifest.json", {"format": "one"})
    with pytest.raises(InputError, match="Expected a manifest as scenebook writes it"):
        diff_runs(run, run)


def test_hostile_names_are_printed_as_they_are_and_move_no_cursor(tmp_path: Path, console: Console) -> None:
    classes = (HOSTILE, "dog\x1b[2J")
    one = make_run(tmp_path / "one", classes=classes, wrong=1)
    other = make_run(tmp_path / "other", classes=classes, splits=make_splits(18, classes))
    write_settings(other, {"dataset": "[bold]/images[/bold]\x1b]0;title\x07"})
    printed = print_plain(console, diff_runs(one, other))
    assert HOSTILE in printed
    assert "[bold]/images[/bold]" in printed
    assert "\x1b" not in printed
    assert "dog\ufffd[2J" in printed


def test_differences_are_the_second_run_less_the_first(tmp_path: Path, run: RunDirectory) -> None:
    better = make_run(tmp_path / "better", wrong=1)
    paired = pair_scores(run, better)
    assert (paired.n, paired.n_first, paired.n_second, paired.other_label) == (20, 20, 20, 0)
    assert paired.right is not None
    assert (paired.right["only_first"], paired.right["only_second"]) == (3, 0), "the second run gets them right"
    assert paired.right["difference"] == compute_difference(3, 0, 20)
    assert paired.right["difference"]["value"] == pytest.approx(3 / 20)
    assert paired.right["p"] == pytest.approx(mcnemar([[16, 0], [3, 1]], exact=True).pvalue)
    first, second = (make_predictions(make_splits(), wrong) for wrong in (4, 1))
    losses = [-np.log([row[f"p_{row.label}"] for _, row in table.iterrows()]) for table in (first, second)]
    assert paired.log_loss is not None
    assert paired.log_loss["value"] == pytest.approx((losses[1] - losses[0]).mean())
    assert paired.log_loss["low"] <= paired.log_loss["value"] <= paired.log_loss["high"] <= 0
    assert pair_scores(run, better) == paired, "the bootstrap has a seed"


def test_images_are_matched_by_bytes_and_label_in_any_order_and_under_any_name(
    tmp_path: Path, run: RunDirectory
) -> None:
    splits = make_splits().iloc[::-1].reset_index(drop=True)
    splits["path"] = [f"moved/{number}.png" for number in range(len(splits))]
    splits.loc[splits["sha256"] == make_splits()["sha256"][25], "label"] = "cat"
    splits = splits[splits["sha256"] != make_splits()["sha256"][24]]
    other = make_run(tmp_path / "other", splits=splits, wrong=0)
    paired = pair_scores(run, other)
    assert (paired.n, paired.n_first, paired.n_second, paired.other_label) == (18, 20, 19, 1)
    assert paired.right is not None
    assert (paired.right["only_first"], paired.right["only_second"]) == (4, 0)


def test_runs_without_a_common_test_image_cannot_be_paired(tmp_path: Path, run: RunDirectory, console: Console) -> None:
    other = make_run(tmp_path / "other", splits=make_splits(start=100))
    diff = diff_runs(run, other)
    assert diff.paired is not None
    assert (diff.paired.n, diff.paired.right, diff.paired.log_loss) == (0, None, None)
    print_diff(console, diff)
    assert "share no image with the same label: nothing can be compared" in console.export_text()


def test_a_image_that_is_for_training_in_one_run_is_not_compared(tmp_path: Path, run: RunDirectory) -> None:
    splits = make_splits()
    splits.loc[6, "split"] = "train"
    assert pair_scores(run, make_run(tmp_path / "other", splits=splits)).n == 19


def test_scores_stand_side_by_side_and_one_that_a_run_lacks_is_none(tmp_path: Path, run: RunDirectory) -> None:
    other = make_run(tmp_path / "other", classes=("cat", "dog", "bird"))
    rows = {name: (first, second) for name, first, second in diff_scores(run, other)}
    assert rows["accuracy"][0]["value"] == pytest.approx(0.8)
    assert rows["top2_accuracy"][0] is None, "of two classes there is no such score"


@pytest.mark.parametrize(
    ("column", "value", "match"),
    [
        ("label", "bird", "a probability for each class"),
        ("p_cat", -1, "lies outside 0 to 1"),
        ("p_cat", "much", "a probability for each class"),
        ("path", "elsewhere.png", "the test images of data/splits.csv, each once"),
    ],
)
def test_predictions_that_cannot_be_used_are_an_error(run: RunDirectory, column: str, value: Any, match: str) -> None:
    table = run.read_csv("evaluation/predictions.csv").astype({column: object})
    table.loc[table["label"] == "cat", column] = value
    run.write_csv("evaluation/predictions.csv", table)
    with pytest.raises(InputError, match=match):
        pair_scores(run, run)
    assert any("Expected" in note for note in diff_runs(run, run).notes)


def test_the_printed_difference_says_how_it_was_made(tmp_path: Path, run: RunDirectory, console: Console) -> None:
    print_diff(console, diff_runs(run, make_run(tmp_path / "better", wrong=1)))
    printed = console.export_text()
    assert "on the 20 test images that both runs have" in printed
    assert "+0.150" in printed
    assert "McNemar's test, exact" in printed
    assert "paired bootstrap over images, 10,000 resamples, seed 0" in printed
