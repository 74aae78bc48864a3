"""Features on disk: written whole, without pickles, and found again by row."""

from __future__ import annotations

import numpy as np
import pytest

from scenebook.core.errors import MissingArtifactError, ScenebookError
from scenebook.core.run_directory import RunDirectory
from scenebook.core.run_files import FEATURES
from scenebook.network.features import load_features, save_features


def save_some(run_dir: RunDirectory) -> None:
    vectors = {"train": np.arange(6.0).reshape(3, 2), "validation": np.array([[9.0, 9.0]]), "test": np.zeros((1, 2))}
    save_features(run_dir, vectors, {"train": np.array([4, 0, 7]), "validation": np.array([2]), "test": np.array([5])})


def test_features_come_back_as_they_were_written(run_dir: RunDirectory) -> None:
    save_some(run_dir)
    features = load_features(run_dir)
    assert features.vectors.dtype == np.float32
    assert features.rows.dtype == np.int64
    assert features.rows.tolist() == [0, 2, 4, 5, 7]
    assert list(features.splits) == ["train", "validation", "train", "test", "train"]
    np.testing.assert_array_equal(features.of("validation"), [[9, 9]])


def test_vectors_are_found_by_the_row_of_their_image(run_dir: RunDirectory) -> None:
    save_some(run_dir)
    np.testing.assert_array_equal(load_features(run_dir).align([7, 4, 2]), [[4, 5], [0, 1], [9, 9]])


@pytest.mark.parametrize("row", [1, 99])
def test_a_row_without_features_is_an_error(run_dir: RunDirectory, row: int) -> None:
    save_some(run_dir)
    with pytest.raises(ScenebookError, match=r"features=5. Run notebook 02 again"):
        load_features(run_dir).align([4, row])


def test_missing_features_name_the_notebook_that_writes_them(run_dir: RunDirectory) -> None:
    with pytest.raises(MissingArtifactError, match="02-training"):
        load_features(run_dir)


def test_the_same_features_are_the_same_bytes_and_no_pickle_is_needed(run_dir: RunDirectory) -> None:
    save_some(run_dir)
    first = run_dir.path(FEATURES).read_bytes()
    save_some(run_dir)
    assert run_dir.path(FEATURES).read_bytes() == first
    with np.load(run_dir.path(FEATURES), allow_pickle=False) as stored:
        assert {name: stored[name].dtype.kind for name in stored.files} == {"features": "f", "row": "i", "split": "U"}
