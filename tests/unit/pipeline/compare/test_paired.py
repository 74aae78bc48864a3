"""Scores image by image, on the test images that two runs share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console
from statsmodels.stats.contingency_tables import mcnemar

from scenebook.core.errors import InputError
from scenebook.core.run_directory import RunDirectory
from scenebook.evaluation.metrics.intervals import compute_difference
from scenebook.pipeline.compare.differ import diff_runs, diff_scores, pair_scores
from scenebook.pipeline.compare.print import print_diff
from tests.unit.pipeline.compare.runs import make_predictions, make_run, make_splits


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
