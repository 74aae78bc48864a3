from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from scenebook.core.errors import InputError, MissingArtifactError
from scenebook.core.run_directory import RunDirectory, check_run_name, replacing, run_name_for


def test_a_write_that_fails_keeps_the_old_file_and_leaves_nothing_behind(run_dir: RunDirectory) -> None:
    run_dir.write_json("data/audit.json", {"n": 1})
    path = run_dir.path("data/audit.json")

    def fail_half_way() -> None:
        with replacing(path) as temporary:
            temporary.write_text("half", encoding="utf-8")
            raise RuntimeError("half way")

    with pytest.raises(RuntimeError, match="half way"):
        fail_half_way()
    assert run_dir.read_json("data/audit.json") == {"n": 1}
    assert [file.name for file in path.parent.iterdir()] == ["audit.json"]


def test_a_path_outside_the_run_is_refused(run_dir: RunDirectory) -> None:
    with pytest.raises(InputError, match="inside the run directory"):
        run_dir.path("../other/manifest.json")


def test_a_missing_file_names_the_notebook_that_writes_it(run_dir: RunDirectory) -> None:
    with pytest.raises(MissingArtifactError, match=r"Run notebooks/02-training\.ipynb first"):
        run_dir.read_csv("training/test_predictions.csv")
    with pytest.raises(MissingArtifactError, match=r"Run notebooks/appendix-trust\.ipynb first"):
        run_dir.read_json("evaluation/calibration.json")


def test_classes_called_na_1_and_true_stay_text(run_dir: RunDirectory) -> None:
    names = ["NA", "1", "true", "", 'a "quoted", one', "two\nlines", "a\rb", "中文"]
    run_dir.write_csv("data/splits.csv", pd.DataFrame({"label": names, "row": range(8)}))
    assert list(run_dir.read_csv("data/splits.csv")["label"]) == names


@pytest.mark.parametrize("odd", ["path", "label", "class", "split", "NA", "", "a\rb", "two\nlines", "1"])
def test_a_matrix_keeps_names_that_tables_use_themselves(run_dir: RunDirectory, odd: str) -> None:
    names = ["x", odd]
    run_dir.write_matrix("evaluation/confusion_matrix.csv", pd.DataFrame([[3, 1], [0, 4]], index=names, columns=names))
    matrix = run_dir.read_matrix("evaluation/confusion_matrix.csv")
    assert list(matrix.columns) == list(matrix.index) == names
    assert matrix.to_numpy().tolist() == [[3, 1], [0, 4]]


def test_a_file_name_that_is_not_utf8_keeps_its_bytes(run_dir: RunDirectory) -> None:
    name = b"caf\xe9.png".decode("utf-8", "surrogateescape")
    run_dir.write_csv("data/splits.csv", pd.DataFrame({"path": [name]}))
    assert list(run_dir.read_csv("data/splits.csv")["path"]) == [name]


def test_missing_numbers_come_back_as_missing(run_dir: RunDirectory) -> None:
    run_dir.write_csv("evaluation/classification_report.csv", pd.DataFrame({"class": ["a", "b"], "f1": [0.5, None]}))
    assert run_dir.read_csv("evaluation/classification_report.csv")["f1"].isna().tolist() == [False, True]


@pytest.mark.parametrize("name", ["../x", "a/b", "", ".", "-x", "a\n", "x" * 101, "文" * 84, "$(touch x)", "x."])
def test_a_run_name_that_is_no_plain_name_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="a run's name"):
        check_run_name(name)


@pytest.mark.parametrize(
    "text", ["my images", "it's $(touch x)", "../..", "  ", "a" * 300, "中文", "文" * 84, "é" * 300, "\udce9"]
)
def test_any_folder_name_gives_a_valid_run_name(text: str, tmp_path: Path) -> None:
    name = run_name_for(text)
    check_run_name(name)
    (tmp_path / f".{name}.lock").touch()  # a file system's limit is in bytes


def test_the_same_arrays_give_the_same_bytes(run_dir: RunDirectory) -> None:
    for file in ("samples/one.npz", "samples/two.npz"):
        run_dir.write_arrays(file, maps=np.ones((2, 3, 3), "float32"), image=np.array([0, 4]))
    assert run_dir.path("samples/one.npz").read_bytes() == run_dir.path("samples/two.npz").read_bytes()
    with np.load(run_dir.path("samples/one.npz"), allow_pickle=False) as stored:
        assert stored["image"].tolist() == [0, 4]
