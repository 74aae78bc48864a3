"""`python -m scenebook predict` on a finished run, and what the features of that run say about planted wrong labels."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from scenebook.cli import main
from scenebook.core.run_directory import RunDirectory
from scenebook.data.audit.labels import find_label_issues
from scenebook.inference.prediction import choose_target
from scenebook.network.features import load_features
from tests.processes import Finished, run_command

NEEDED = ("training/model.keras", "training/summary.json", "training/features.npz", "training/pretrained.npz")
ODD_NAME = '<b>$x^2$ "quoted" 海.png'


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory, sample: Finished) -> Path:
    """The run's own test images, an image of noise, a damaged one and a text."""
    folder = tmp_path_factory.mktemp("predict") / "my images; rm *"
    shutil.copytree(sample.run_dir.path("data/scenes/test"), folder)
    noise = np.random.default_rng(0).integers(0, 256, (96, 96, 3), dtype=np.uint8)
    Image.fromarray(noise).save(folder / ODD_NAME)
    (folder / "damaged.png").write_bytes((folder / ODD_NAME).read_bytes()[:500])
    (folder / "notes.txt").write_text("no image")
    return folder


@pytest.fixture(scope="session")
def predicted(folder: Path, sample: Finished) -> Finished:
    """The command, on a copy of the run: the run itself stays as the report left it."""
    for name in (*NEEDED, "data/classes.json"):
        copy = folder.parent / "runs" / "sample" / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(sample.run_dir.require(name), copy)
    finished = run_command(folder.parent, "sample", "predict", "--images", str(folder), "--run", "sample")
    assert finished.returncode == 0, finished.output
    return finished


@pytest.fixture(scope="session")
def outcome(predicted: Finished) -> RunDirectory:
    folders = list(predicted.run_dir.path("predictions").iterdir())
    assert [path.name for path in folders] == ["my-images-rm"]
    return RunDirectory(folders[0])


def test_the_runs_own_test_images_get_the_predictions_of_the_training_notebook(
    outcome: RunDirectory, sample: Finished
) -> None:
    expected = sample.run_dir.read_csv("training/test_predictions.csv")
    expected["path"] = expected["path"].str.removeprefix("test/")
    both = expected.merge(outcome.read_csv("predictions.csv"), on="path", suffixes=("", "_now"), validate="1:1")
    assert len(both) == len(expected)
    assert (both["class"] == both["predicted"]).mean() > 0.99  # two equal probabilities may change places
    for name in ["confidence", *(column for column in expected.columns if column.startswith("p_"))]:
        np.testing.assert_allclose(both[f"{name}_now"], both[name], atol=1e-5)


def test_noise_is_unlike_the_training_images_and_nearly_no_test_image_is(
    outcome: RunDirectory, predicted: Finished
) -> None:
    table = outcome.read_csv("predictions.csv").set_index("path")
    assert table.loc[ODD_NAME, "unlike_training"] == "yes"
    assert (table.drop(index=ODD_NAME)["unlike_training"] == "yes").mean() < 0.1
    facts = json.loads(outcome.path("predictions.json").read_text())
    assert ((table["distance"] > facts["threshold"]) == (table["unlike_training"] == "yes")).all()
    assert facts["unlike_training"] == (table["unlike_training"] == "yes").sum()
    assert f"warning: {facts['unlike_training']} of 301 images" in predicted.output


def test_the_same_folder_is_predicted_into_the_same_place(
    folder: Path, outcome: RunDirectory, predicted: Finished
) -> None:
    assert predicted.run_dir.path(choose_target(predicted.run_dir, folder.resolve())) == outcome.root


def test_what_is_no_image_is_set_aside_and_counted(outcome: RunDirectory, predicted: Finished) -> None:
    assert sorted(outcome.read_csv("set-aside.csv")["path"]) == ["damaged.png", "notes.txt"]
    assert "2 files were set aside" in predicted.output


def test_there_are_contact_sheets_and_nothing_half_written(outcome: RunDirectory) -> None:
    names = {path.name for path in outcome.root.iterdir()}
    sheets = {"contact-sheet.jpg", "contact-sheet-least-sure.jpg", "contact-sheet-unlike.jpg"}
    assert names == {"predictions.csv", "predictions.json", "set-aside.csv", "shards", *sheets}
    for sheet in sheets:
        with Image.open(outcome.path(sheet)) as page:
            page.load()


def test_the_terminal_hears_nothing_of_tensorflow(predicted: Finished) -> None:
    assert "cpu_feature_guard" not in predicted.output
    assert "oneDNN" not in predicted.output


@pytest.mark.parametrize(
    "run, images, message",
    [
        ("sample", None, "IMAGES=folder"),
        ("sample", "nowhere", "There is no such folder"),
        ("sample", "empty", "count=0"),
        ("none", "empty", "Runs with a trained model: sample"),
        ("half", "empty", "missing=.*model.keras"),
        ("../sample", "empty", "a run's name"),
    ],
)
def test_wrong_input_exits_2_and_says_what_is_wrong(
    predicted: Finished,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    run: str,
    images: str | None,
    message: str,
) -> None:
    root = predicted.run_dir.root.parents[1]
    for name in ("empty", "runs/half/data"):
        (root / name).mkdir(parents=True, exist_ok=True)
    monkeypatch.setenv("SCENEBOOK_RUNS", str(root / "runs"))
    monkeypatch.delenv("SCENEBOOK_IMAGES", raising=False)
    arguments = ["--images", str(root / images)] if images else []
    assert main(["predict", "--run", run, *arguments]) == 2
    error = capsys.readouterr().err.replace("\n", " ")
    assert re.search(message, error), error


def test_features_are_kept_of_every_image_of_every_split(sample: Finished) -> None:
    splits = sample.run_dir.read_csv("data/splits.csv")
    features = load_features(sample.run_dir)
    assert features.align(splits["row"]).shape == (len(splits), 1280)
    order = pd.Series(features.splits, index=features.rows)
    assert (order.loc[splits["row"]].to_numpy() == splits["split"].to_numpy()).all()
    assert {"training/features.npz", "evaluation/label_issues.csv"} <= set(
        sample.run_dir.read_json("manifest.json")["files"]
    )


def test_of_labels_that_were_swapped_on_purpose_most_are_found(sample: Finished) -> None:
    splits = sample.run_dir.read_csv("data/splits.csv")
    vectors = load_features(sample.run_dir).align(splits["row"])
    names = sorted(set(splits["label"]))
    recalls, precisions = [], []
    for seed in range(5):
        rng = np.random.default_rng(seed)
        swapped = splits.copy()
        wrong = rng.choice(len(splits), len(splits) // 20, replace=False)
        for row in wrong:
            swapped.loc[row, "label"] = rng.choice([name for name in names if name != splits["label"][row]])
        found = find_label_issues(swapped, vectors).table
        hits = found[found["row"].isin(splits["row"][wrong])]
        recalls.append(len(hits) / len(wrong))
        precisions.append(len(hits) / len(found))
        truth = splits.set_index("row")["label"].loc[hits["row"]].to_numpy()
        assert (hits["suggested"].to_numpy() == truth).mean() > 0.8
    # Measured: 0.79 and 0.66 over ten draws. What else is named is mostly ambiguous: on the labels as they are,
    # 21 of 720 are.
    assert np.mean(recalls) >= 0.7
    assert np.mean(precisions) >= 0.5
