"""What may be missing in a run, and tables that are written piece by piece."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd
import pytest

from scenebook.core.errors import InputError
from scenebook.core.run_directory import RunDirectory
from scenebook.inference.prediction import check_run, choose_target


def test_an_unknown_run_is_an_error_that_names_the_known_ones(tmp_path: Path) -> None:
    (tmp_path / "real" / "training").mkdir(parents=True)
    (tmp_path / "real" / "training" / "model.keras").touch()
    with pytest.raises(InputError, match=r"run='reel'. Runs with a trained model: real"):
        check_run(RunDirectory(tmp_path / "reel"))


def test_without_any_run_the_error_says_what_makes_one(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="`make report` makes one"):
        check_run(RunDirectory(tmp_path / "reel"))


def test_a_run_without_a_model_is_an_error(run_dir: RunDirectory) -> None:
    run_dir.write_json("data/classes.json", {})
    with pytest.raises(InputError, match=r"model\.keras"):
        check_run(run_dir)


def test_predictions_of_another_folder_of_the_same_name_stay(run_dir: RunDirectory, tmp_path: Path) -> None:
    first, second = tmp_path / "a" / "photos", tmp_path / "b" / "photos"
    assert choose_target(run_dir, first) == "predictions/photos"
    run_dir.write_json("predictions/photos/predictions.json", {"folder": str(first)})
    assert choose_target(run_dir, first) == "predictions/photos"
    assert choose_target(run_dir, second).startswith("predictions/photos-")


def test_a_table_written_in_pieces_is_the_table_written_at_once(run_dir: RunDirectory) -> None:
    table = pd.DataFrame({"path": ["a\nb.jpg", os.fsdecode(b"\xff.jpg"), '"NA"'], "p_1": [1 / 3, 1e-12, 1.0]})
    run_dir.write_csv("whole.csv", table)
    with run_dir.writing_csv("pieces.csv") as add:
        for start in range(3):
            add(table[start : start + 1])
        assert not run_dir.path("pieces.csv").exists()
    assert run_dir.path("pieces.csv").read_bytes() == run_dir.path("whole.csv").read_bytes()


def test_a_table_that_was_broken_off_leaves_nothing(run_dir: RunDirectory) -> None:
    def write() -> None:
        with run_dir.writing_csv("folder/pieces.csv") as add:
            add(pd.DataFrame({"path": ["a"]}))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write()
    assert list(run_dir.path("folder").iterdir()) == []
