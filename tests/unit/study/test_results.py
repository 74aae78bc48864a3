from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from scenebook.core.run_directory import RunDirectory
from scenebook.study.results import format_changes, tabulate, tabulate_shown
from scenebook.study.summaries import Summary, summarize_variants
from tests.unit.study.study import (
    DIVERGED,
    HOSTILE,
    make_base,
    make_failed,
    make_record,
    make_records,
    make_variant,
)


@pytest.fixture(scope="module")
def summaries() -> list[Summary]:
    """A base, a variant that is done, one with a missing seed, one of one seed, one that failed and one not run."""
    plan = [make_base(), *(make_variant(name) for name in ("done", "missing")), make_variant("single", seeds=1)]
    plan += [make_variant("failed", title=HOSTILE, seeds=1), make_variant("unrun")]
    records = [make_record("done", seed, validation=0.8 + 0.02 * seed, draw=1) for seed in range(3)]
    records += [*make_records("base"), *make_records("missing", seeds=2), make_record("single"), make_failed("failed")]
    return summarize_variants(plan, records)


@pytest.fixture(scope="module")
def numbers(summaries: list[Summary]) -> pd.DataFrame:
    return tabulate(summaries).set_index("variant")


@pytest.fixture(scope="module")
def shown(summaries: list[Summary]) -> pd.DataFrame:
    return tabulate_shown(summaries).set_index("variant")


def test_numbers_are_means_over_the_seeds_with_their_spread(numbers: pd.DataFrame) -> None:
    row = numbers.loc["done"]
    accuracies = [0.8, 0.82, 0.84]
    assert row["val_accuracy"] == pytest.approx(np.mean(accuracies))
    assert row["val_accuracy_sd"] == pytest.approx(np.std(accuracies, ddof=1))
    assert (row["val_accuracy_min"], row["val_accuracy_max"]) == pytest.approx((0.8, 0.84))
    assert row["gap"] == pytest.approx(0.95 - 0.82, abs=1e-3)
    assert row["difference"] == pytest.approx(0.82 - 0.85, abs=0.004)
    assert row["difference_low"] < row["difference"] < row["difference_high"]
    assert row["gap_difference_low"] < row["gap_difference"] < row["gap_difference_high"]
    assert (row["seeds"], row["images"], row["trainable_params"]) == (3, 450, 52_440_070)
    assert row["seconds"] == pytest.approx(93.4)


def test_the_base_has_no_difference_and_one_seed_no_spread(numbers: pd.DataFrame) -> None:
    assert numbers.loc["base", ["difference", "p", "gap_difference"]].isna().all()
    assert numbers.loc["base", "images"] == 450
    assert numbers.loc[["single"], "val_accuracy_sd"].isna().all()
    assert numbers.loc["single", "images"] == 150


def test_every_variant_of_the_plan_has_a_row_and_says_how_it_ended(numbers: pd.DataFrame) -> None:
    expected = {"done": "done", "missing": "incomplete", "single": "done", "failed": "failed", "unrun": "not run"}
    assert numbers["status"].drop("base").to_dict() == expected
    assert numbers.loc["failed", "error"] == f"seed 0: {DIVERGED}"
    assert numbers.loc[["failed", "unrun"], "val_accuracy"].isna().all()


def test_a_run_keeps_the_numbers(summaries: list[Summary], run_dir: RunDirectory) -> None:
    run_dir.write_csv("ablations/results.csv", tabulate(summaries))
    kept = run_dir.read_csv("ablations/results.csv")
    assert list(kept) == list(tabulate(summaries))
    assert kept["title"][4] == HOSTILE
    np.testing.assert_allclose(kept["difference"], tabulate(summaries)["difference"], rtol=1e-8)


def test_the_short_table_never_passes_some_seeds_off_as_all(shown: pd.DataFrame) -> None:
    cells = shown["validation accuracy (%)"]
    assert cells["done"] == "82.0 ± 2.0 (3 seeds)"
    assert cells["missing"] == "85.3 ± 0.0 (2 of 3 seeds)"
    assert cells["single"] == "85.3 (1 seed)"


def test_a_failed_variant_is_a_row_with_its_error_and_one_that_was_not_run_is_none(shown: pd.DataFrame) -> None:
    row = shown.loc[HOSTILE]
    assert row["validation accuracy (%)"].startswith("failed: DivergedError: Expected a finite")
    assert set(row[["gap (points)", "against the base (points)", "seconds", "trained parameters"]]) == {"–"}
    assert "unrun" not in shown.index


def test_differences_are_points_with_their_interval(shown: pd.DataFrame, numbers: pd.DataFrame) -> None:
    row = numbers.loc["done"]
    expected = "{:+.1f} ({:+.1f} to {:+.1f})".format(*(100 * row[["difference", "difference_low", "difference_high"]]))
    assert shown.loc["done", "against the base (points)"] == expected.replace("-", "−")
    assert shown.loc["as the run (base)", "against the base (points)"] == "–"
    assert shown.loc["done", "gap (points)"] == "13.1"


def test_numbers_that_no_row_lacks_stay_numbers(summaries: list[Summary]) -> None:
    table = tabulate_shown(summaries[:4])
    assert table["trained parameters"].tolist() == [52_440_070] * 4
    assert table["seconds"].tolist() == [93] * 4


def test_of_many_changed_settings_the_short_table_gives_some() -> None:
    change = {"rotation_range": 0, "zoom_range": 0.25, "horizontal_flip": False, "shear_range": 0}
    assert format_changes(change, 3) == "rotation_range 0, zoom_range 0.25, 2 more"
    assert format_changes(change).endswith("horizontal_flip False, shear_range 0")
    assert format_changes({}) == ""
