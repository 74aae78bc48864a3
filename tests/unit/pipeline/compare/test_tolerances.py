"""Results of a run against those of its repetition."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from scenebook.core.run_directory import RunDirectory
from scenebook.pipeline.compare.tolerances import ResultRow, compare_results
from tests.unit.pipeline.compare.runs import make_predictions, make_run, make_splits, write_results

Change = Callable[[pd.DataFrame], None]
SAME, OTHER = True, False
PROBS = "training/test_predictions.csv: probabilities"
HISTORY = "training/history.csv"


@pytest.fixture
def again(tmp_path: Path) -> RunDirectory:
    """What repeating `run` gives."""
    return make_run(tmp_path / "again" / "pets")


def compare(run: RunDirectory, again: RunDirectory, same: bool) -> dict[str, ResultRow]:
    return {row.what: row for row in compare_results(run, again, same_machine=same)}


def find_unequal(run: RunDirectory, again: RunDirectory, same: bool) -> dict[str, str]:
    return {what: row.status for what, row in compare(run, again, same).items() if row.status != "equal"}


def change(run_dir: RunDirectory, relative: str, edit: Change) -> None:
    table = run_dir.read_csv(relative)
    edit(table)
    run_dir.write_csv(relative, table)


def set_value(row: int, column: str, value: Any) -> Change:
    def edit(table: pd.DataFrame) -> None:
        table.loc[row, column] = value

    return edit


@pytest.mark.parametrize("same", [SAME, OTHER])
def test_equal_results_are_equal_row_by_row(run: RunDirectory, again: RunDirectory, same: bool) -> None:
    rows = compare(run, again, same)
    assert {row.status for row in rows.values()} == {"equal"}
    files = {row.what.split(":")[0] for row in rows.values()}
    compared = {"data/classes.json", "data/splits.csv", HISTORY, "training/test_predictions.csv"}
    assert files == compared | {path.relative_to(run.root).as_posix() for path in run.path("evaluation").iterdir()}
    assert {row.what for row in rows.values() if row.what.startswith(HISTORY)} == {
        f"{HISTORY}: {name}" for name in ("loss", "accuracy", "val_loss", "val_accuracy", "learning_rate")
    }


def test_the_seconds_of_a_training_do_not_count(run: RunDirectory, again: RunDirectory) -> None:
    change(again, HISTORY, set_value(0, "seconds", 99.0))
    assert find_unequal(run, again, SAME) == {}


def test_a_changed_probability_is_different_on_the_same_machine_and_within_on_another(
    run: RunDirectory, again: RunDirectory
) -> None:
    change(run, "training/test_predictions.csv", set_value(3, "p_cat", 0.28))
    assert find_unequal(run, again, SAME) == {PROBS: "different"}
    assert find_unequal(run, again, OTHER) == {PROBS: "within"}
    row = compare(run, again, SAME)[PROBS]
    assert row.tolerance == "none"
    assert "on average" in row.found


def test_the_smallest_change_that_a_file_can_hold_is_different_on_the_same_machine(
    run: RunDirectory, again: RunDirectory
) -> None:
    change(again, "training/test_predictions.csv", set_value(3, "confidence", 0.730000001))
    assert find_unequal(run, again, SAME) == {PROBS: "different"}


def test_probabilities_that_moved_far_are_different_on_any_machine(run: RunDirectory, again: RunDirectory) -> None:
    def soften(table: pd.DataFrame) -> None:
        table[["p_cat", "p_dog"]] = 0.9 * table[["p_cat", "p_dog"]] + 0.05

    change(again, "training/test_predictions.csv", soften)
    assert find_unequal(run, again, OTHER) == {PROBS: "different"}


@pytest.mark.parametrize(("wrong", "status"), [(5, "within"), (6, "within"), (7, "different")])
def test_on_another_machine_two_images_of_a_few_may_be_predicted_otherwise(
    run: RunDirectory, again: RunDirectory, wrong: int, status: str
) -> None:
    splits = make_splits()
    write_results(again, splits, make_predictions(splits, wrong))
    unequal = find_unequal(run, again, OTHER)
    for name in ("training/test_predictions.csv", "evaluation/predictions.csv"):
        assert unequal[f"{name}: predicted"] == status
    assert unequal["evaluation/metrics.json: accuracy"] == status
    assert all(value in ("within", "different") for value in unequal.values())
    assert find_unequal(run, again, SAME)["evaluation/metrics.json: accuracy"] == "different"


def test_each_epoch_counts_and_each_loss_has_its_own_tolerance(run: RunDirectory, again: RunDirectory) -> None:
    change(again, HISTORY, set_value(0, "loss", 0.9 * 1.049))
    assert find_unequal(run, again, OTHER) == {f"{HISTORY}: loss": "within"}
    change(again, HISTORY, set_value(0, "loss", 0.9 * 1.051))
    assert find_unequal(run, again, OTHER) == {f"{HISTORY}: loss": "different"}
    assert "in epoch 1 of 2" in compare(run, again, OTHER)[f"{HISTORY}: loss"].found


def test_a_loss_near_zero_may_differ_by_a_hundredth(run: RunDirectory, again: RunDirectory) -> None:
    change(run, HISTORY, set_value(1, "loss", 0.001))
    change(again, HISTORY, set_value(1, "loss", 0.009))
    assert find_unequal(run, again, OTHER) == {f"{HISTORY}: loss": "within"}


def test_a_learning_rate_is_computed_and_has_to_be_the_same_anywhere(run: RunDirectory, again: RunDirectory) -> None:
    change(again, HISTORY, set_value(1, "learning_rate", 0.000901))
    assert find_unequal(run, again, OTHER) == {f"{HISTORY}: learning_rate": "different"}


def test_a_loss_that_is_no_number_equals_only_another_one(run: RunDirectory, again: RunDirectory) -> None:
    change(run, HISTORY, set_value(1, "val_loss", np.nan))
    assert find_unequal(run, again, OTHER) == {f"{HISTORY}: val_loss": "different"}
    change(again, HISTORY, set_value(1, "val_loss", np.nan))
    assert find_unequal(run, again, SAME) == {}


def test_an_epoch_less_is_different(run: RunDirectory, again: RunDirectory) -> None:
    again.write_csv(HISTORY, again.read_csv(HISTORY).iloc[:1])
    assert find_unequal(run, again, OTHER) == {HISTORY: "different"}


@pytest.mark.parametrize("same", [SAME, OTHER])
def test_other_images_are_different_on_any_machine(run: RunDirectory, again: RunDirectory, same: bool) -> None:
    splits = make_splits()
    splits.loc[7, "sha256"] = "0" * 64
    write_results(again, splits, make_predictions(splits))
    assert find_unequal(run, again, same) == {
        "data/classes.json: digest": "different",
        "data/splits.csv": "different",
    }
    assert "1 lines only in the run, 1 only in its repetition" in compare(run, again, same)["data/splits.csv"].found


def test_a_count_has_to_be_equal_anywhere(run: RunDirectory, again: RunDirectory) -> None:
    run.write_json("evaluation/metrics.json", {**run.read_json("evaluation/metrics.json"), "n": 21})
    assert find_unequal(run, again, OTHER) == {"evaluation/metrics.json: n": "different"}


def test_a_score_that_shows_the_same_says_how_far_it_is_off(run: RunDirectory, again: RunDirectory) -> None:
    scores = run.read_json("evaluation/metrics.json")
    scores["ece"]["high"] += 1e-9
    run.write_json("evaluation/metrics.json", scores)
    assert find_unequal(run, again, SAME) == {"evaluation/metrics.json: ece": "different"}
    assert "off by 1e-09" in compare(run, again, SAME)["evaluation/metrics.json: ece"].found


def test_other_tables_are_compared_row_by_row(run: RunDirectory, again: RunDirectory) -> None:
    file = "evaluation/reliability.csv"
    change(again, file, set_value(1, "accuracy", 0.88))
    assert find_unequal(run, again, SAME) == {file: "different"}
    assert find_unequal(run, again, OTHER) == {file: "within"}
    change(again, file, set_value(1, "accuracy", 0.8))
    assert find_unequal(run, again, OTHER) == {file: "different"}


def test_rows_with_a_path_are_matched_by_it(run: RunDirectory, again: RunDirectory) -> None:
    file = "evaluation/baseline_predictions.csv"
    table = make_predictions(make_splits())[["path", "label", "predicted"]]
    run.write_csv(file, table)
    again.write_csv(file, table.iloc[::-1])
    assert find_unequal(run, again, SAME) == {file: "different"}
    assert find_unequal(run, again, OTHER) == {}
    again.write_csv(file, table.iloc[3:])
    assert find_unequal(run, again, OTHER) == {file: "different"}


def test_the_report_of_classes_follows_from_the_predictions(run: RunDirectory, again: RunDirectory) -> None:
    file = "evaluation/classification_report.csv"
    change(again, file, set_value(0, "f1", run.read_csv(file)["f1"][0] - 0.19))
    assert find_unequal(run, again, OTHER) == {file: "within"}
    assert find_unequal(run, again, SAME) == {file: "different"}
    assert "off by 0.19" in compare(run, again, OTHER)[file].found


@pytest.mark.parametrize("where", ["run", "again"])
def test_a_file_that_one_of_them_lacks_is_missing(run: RunDirectory, again: RunDirectory, where: str) -> None:
    for file in (HISTORY, "evaluation/metrics.json"):
        {"run": run, "again": again}[where].path(file).unlink()
    assert find_unequal(run, again, OTHER) == {HISTORY: "missing", "evaluation/metrics.json": "missing"}


def test_a_score_that_one_of_them_lacks_is_missing(run: RunDirectory, again: RunDirectory) -> None:
    scores = run.read_json("evaluation/metrics.json")
    del scores["ece"]
    run.write_json("evaluation/metrics.json", scores | {"older": 1})
    names = {"evaluation/metrics.json: ece": "missing", "evaluation/metrics.json: older": "missing"}
    assert find_unequal(run, again, OTHER) == names


@pytest.mark.parametrize("text", ["", "path\n1,2,3\n", "{", '"'])
def test_what_cannot_be_read_is_different(run: RunDirectory, again: RunDirectory, text: str) -> None:
    files = [
        *(HISTORY, "training/test_predictions.csv", "evaluation/metrics.json", "evaluation/predictions.csv"),
        *("evaluation/confusion_matrix.csv", "evaluation/classification_report.csv", "data/classes.json"),
    ]
    for file in files:
        run.path(file).write_text(text, encoding="utf-8")
    unequal = find_unequal(run, again, OTHER)
    assert {what.split(":")[0] for what in unequal} == set(files)
    assert set(unequal.values()) == {"different"}


def test_tables_of_other_classes_are_different(run: RunDirectory, again: RunDirectory) -> None:
    names = ("cat", "wolf")
    splits = make_splits(classes=names)
    write_results(again, splits, make_predictions(splits, classes=names), names)
    unequal = find_unequal(run, again, OTHER)
    assert unequal["evaluation/confusion_matrix.csv"] == "different"
    assert unequal["training/test_predictions.csv: images"] == "different"
