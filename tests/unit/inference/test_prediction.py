"""Predictions of a folder: what is kept, what is made again, and what may be missing in a run."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import polars as pl
import pytest

from scenebook.core.errors import InputError
from scenebook.core.run_directory import RunDirectory
from scenebook.core.run_files import MODEL
from scenebook.data.finding import find_images
from scenebook.data.storing import decode_images
from scenebook.inference.listing import SHARD
from scenebook.inference.loading import check_run
from scenebook.inference.prediction import PredictionSummary, choose_target, predict_images
from scenebook.inference.serving.answering import Answerer
from tests.unit.data.test_formats import SUFFIXES, save
from tests.unit.inference.small_run import NAMES, SIDE, make_run, write_many

COUNT = SHARD + 40


@pytest.fixture(scope="module")
def predicted(tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    """A run that has predicted a folder: one full shard and another."""
    folder = tmp_path_factory.mktemp("predicted")
    run_dir = make_run(folder / "runs" / "tiny")
    summary = predict(run_dir, write_many(folder / "photos", COUNT))
    assert (summary.images, summary.made, summary.set_aside) == (COUNT, COUNT, 0)
    return run_dir


@pytest.fixture
def copied(predicted: RunDirectory, tmp_path: Path) -> tuple[RunDirectory, Path]:
    """A copy of the run, and a folder of few images that it has predicted."""
    shutil.copytree(predicted.path("training"), tmp_path / "runs" / "tiny" / "training")
    shutil.copytree(predicted.path("data"), tmp_path / "runs" / "tiny" / "data")
    run_dir, photos = RunDirectory(tmp_path / "runs" / "tiny"), write_many(tmp_path / "photos", 6)
    predict(run_dir, photos)
    return run_dir, photos


def predict(run_dir: RunDirectory, images: Path) -> PredictionSummary:
    return predict_images(run_dir, images, report=lambda done, total: None)


def read_all(run_dir: RunDirectory) -> dict[str, bytes]:
    folder = run_dir.path("predictions/photos")
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_shards_are_one_table_which_is_that_of_the_csv_file(predicted: RunDirectory) -> None:
    table = predicted.read_csv("predictions/photos/predictions.csv")
    shards = pl.read_parquet(predicted.path("predictions/photos/shards"))
    assert shards["path"].to_list() == table["path"].tolist() == [f"{number:07d}.png" for number in range(COUNT)]
    assert shards["class"].to_list() == table["class"].tolist()
    for name in ("confidence", *(f"p_{name}" for name in NAMES)):
        np.testing.assert_allclose(shards[name].to_numpy(), table[name], rtol=1e-7)


def test_a_second_call_makes_only_what_is_missing_or_damaged_and_the_result_is_the_same(
    predicted: RunDirectory,
) -> None:
    before = read_all(predicted)
    photos = predicted.root.parents[1] / "photos"
    assert predict(predicted, photos).made == 0
    shards = predicted.path("predictions/photos/shards")
    (shards / "00000.parquet").write_bytes(before["shards/00000.parquet"][:-8])
    (shards / "00009.parquet").write_bytes(b"of a longer list")
    told: list[tuple[int, int]] = []
    predict_images(predicted, photos, report=lambda done, total: told.append((done, total)))
    assert (told[0], told[-1]) == ((40, COUNT), (COUNT, COUNT))
    assert read_all(predicted) == before


def test_an_image_of_any_format_has_the_same_probabilities_from_stored_pixels_a_prediction_and_the_page(
    tmp_path: Path,
) -> None:
    run_dir, photos = make_run(tmp_path / "runs" / "tiny"), tmp_path / "photos"
    files = [save(photos / label / f"1{suffix}", 5) for label in "ab" for suffix in SUFFIXES]
    stored = decode_images(find_images(photos), run_dir, image_size=SIDE)
    model, preprocess = keras.models.load_model(run_dir.path(MODEL)), keras.applications.mobilenet_v2.preprocess_input
    probs = model.predict(preprocess(stored.pixels.astype(np.float32)), verbose=0)
    predict(run_dir, photos)
    table = run_dir.read_csv("predictions/photos/predictions.csv").set_index("path")
    answer = Answerer(run_dir)
    for path, expected in zip(stored.table["path"], probs, strict=True):
        np.testing.assert_allclose(table.loc[path, [f"p_{name}" for name in NAMES]].tolist(), expected, rtol=1e-6)
        told = {one["name"]: one["probability"] for one in answer((photos / path).read_bytes())["classes"]}
        np.testing.assert_allclose([told[name] for name in NAMES], expected, rtol=1e-6, err_msg=path)
    assert len(stored.table) == len(files)


def test_another_network_or_another_image_is_never_answered_with_what_is_kept(
    copied: tuple[RunDirectory, Path],
) -> None:
    run_dir, photos = copied
    before = read_all(run_dir)
    assert predict(run_dir, photos).made == 0
    make_run(run_dir.root, seed=1)
    assert predict(run_dir, photos).made == 6
    assert read_all(run_dir)["predictions.csv"] != before["predictions.csv"]
    first = (photos / "0000000.png").stat()
    shutil.copyfile(photos / "0000001.png", photos / "0000000.png")
    os.utime(photos / "0000000.png", ns=(first.st_atime_ns, first.st_mtime_ns))
    assert predict(run_dir, photos).made == 6
    first_row, second_row, *_ = run_dir.read_csv("predictions/photos/predictions.csv").drop(columns="path").to_numpy()
    assert first_row[:5].tolist() == second_row[:5].tolist()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such names")
def test_what_cannot_be_read_is_set_aside_and_names_keep_their_bytes(copied: tuple[RunDirectory, Path]) -> None:
    run_dir, photos = copied
    odd = os.fsdecode(b"a\xff\n.png")
    (photos / "0000000.png").rename(photos / odd)
    (photos / "0000001.png").write_bytes((photos / "0000001.png").read_bytes()[:60])
    (photos / "notes.txt").write_text("no image")
    summary = predict(run_dir, photos)
    assert (summary.images, summary.set_aside) == (5, 2)
    assert odd in run_dir.read_csv("predictions/photos/predictions.csv")["path"].tolist()
    aside = run_dir.read_csv("predictions/photos/set-aside.csv")
    assert aside["path"].tolist() == ["notes.txt", "0000001.png"]
    assert json.loads(run_dir.path("predictions/photos/predictions.json").read_text())["set_aside"] == 2
    assert predict(run_dir, photos).made == 0


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
