"""Whole runs on a folder with odd names, through make and through the command line."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import yaml
from bs4 import BeautifulSoup
from PIL import Image

from scenebook.core.project import project_root
from scenebook.core.run_directory import RunDirectory
from scenebook.data.scenes.drawing import write_scenes
from scenebook.inference.serving.answering import Answerer
from scenebook.network.backbones import build_backbone
from tests.processes import run_command
from tests.unit.data.test_formats import SUFFIXES, save

QUICK = "epochs=1 image_size=32 head_units=4 batch_size=8"
COPY = "<i>*copy*.jpg"
HOSTILE = 'it\'s "mine" $(touch x) `touch y`'


@pytest.fixture
def hostile_folder(tmp_path: Path) -> Path:
    """Drawn images of two classes in a folder whose name a shell would act on; so does a class's.

    Among the test images is one of each format.
    """
    folder = tmp_path / HOSTILE
    names = {"sea": "sea", "forest": "<b>#panic()</b> $x$ [@fig:x]"}
    drawn = tmp_path / "drawn"
    write_scenes(drawn, train_per_class=6, test_per_class=2, seed=0, size=32)
    for split in ("train", "test"):
        for scene, name in names.items():
            target = folder / split / name.replace("/", "∕")
            target.parent.mkdir(parents=True, exist_ok=True)
            (drawn / split / scene).rename(target)
    for number, suffix in enumerate(SUFFIXES):
        save(folder / "test" / "sea" / f"format {number}{suffix}", number)
    # An image of the training set is in the test set too, saved anew and under the other name.
    with Image.open(folder / "train" / "sea" / "0001.png") as image:
        image.save(folder / "test" / names["forest"].replace("/", "∕") / COPY, quality=90)
    return folder


def test_make_report_takes_a_folder_whose_name_a_shell_would_run(hostile_folder: Path, tmp_path: Path) -> None:
    samples = tmp_path / "samples"
    for label in ("sea", next(path.name for path in (hostile_folder / "test").iterdir() if path.name != "sea")):
        (samples / label).mkdir(parents=True)
        file = next((hostile_folder / "test" / "sea").glob(f"*{'.avif' if label == 'sea' else '.webp'}"))
        (samples / label / file.name).symlink_to(file)
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("SCENEBOOK_")},
        "SCENEBOOK_RUNS": str(tmp_path / "runs"),
        "SCENEBOOK_BUILD": str(tmp_path / "build"),
        "SCENEBOOK_CACHE": str(tmp_path / "cache"),
    }
    command = [
        "make", "report",
        # What runs this test is installed already; make must not install it again.
        "-o", f"{sys.prefix}/.installed", f"VENV={sys.prefix}",
        f"DATA={hostile_folder}", "PROFILE=sample",
        f"SET={QUICK} seeds=2 fit=crop follow_links=true samples_dir={samples}",
    ]  # fmt: skip
    done = subprocess.run(command, cwd=project_root(), env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (run_root,) = (tmp_path / "runs").iterdir()
    run_dir = RunDirectory(run_root)
    assert run_dir.read_json("data/classes.json")["root"] == str(hostile_folder.resolve())
    assert (tmp_path / "build" / run_root.name / "report.pdf").is_file()
    page = (tmp_path / "build" / run_root.name / "report.html").read_text(encoding="utf-8")
    assert "<b>#panic()" not in page
    assert "&lt;b&gt;#panic()" in page
    (group,) = run_dir.read_json("data/audit.json")["duplicate_groups"]
    assert group["across_classes"]
    assert group["across_splits"]
    metrics = run_dir.read_json("evaluation/metrics.json")
    assert (metrics["n"], metrics["n_without_duplicates"]) == (5 + len(SUFFIXES), 4 + len(SUFFIXES))
    assert "accuracy_without_duplicates" in metrics
    seeds = run_dir.read_csv("training/seeds.csv")
    assert seeds["seed"].tolist() == [0, 1]
    assert seeds["test_accuracy"][0] == pytest.approx(metrics["accuracy"]["value"], abs=1e-8)
    text = " ".join(BeautifulSoup(page, "html.parser").get_text().split())
    assert "Trained from 2 seeds" in text
    assert "1 has a duplicate among" in text
    assert "<i>*copy*" not in page
    assert "&lt;i&gt;*copy*.jpg" in page
    bundle = run_command(tmp_path, run_root.name, "bundle", "--run", run_root.name)
    assert bundle.returncode == 0, bundle.output
    with zipfile.ZipFile(bundle.build_dir / "bundle.zip") as archive:
        _, head, body = archive.read("model-card.md").decode().split("---\n", 2)
    (result,) = yaml.safe_load(head)["model-index"][0]["results"]
    assert result["dataset"]["name"] == HOSTILE
    assert re.search(r"(?<!\\)[<$]", body) is None
    for made in ("x", "y"):
        assert not (project_root() / made).exists()
        assert not (hostile_folder.parent / made).exists()
    check_probabilities(run_dir, hostile_folder / "test", tmp_path)


def check_probabilities(run_dir: RunDirectory, test: Path, tmp_path: Path) -> None:
    """Compares what a run, its sample images, `predict` and `serve` say of the same images, whatever their format."""
    done = run_command(tmp_path, run_dir.name, "predict", "--images", str(test), "--run", run_dir.name)
    assert done.returncode == 0, done.output
    run, new, samples = (
        run_dir.read_csv(file).assign(path=lambda table: table["path"].str.rpartition("/")[2]).set_index("path")
        for file in ("training/test_predictions.csv", "predictions/test/predictions.csv", "samples/selection.csv")
    )
    names = [f"format {number}{suffix}" for number, suffix in enumerate(SUFFIXES)]
    columns = [name for name in run.columns if name.startswith("p_")]
    expected = run.loc[names, columns].to_numpy()
    np.testing.assert_allclose(new.loc[names, columns], expected, rtol=0, atol=1e-6)
    np.testing.assert_allclose(samples[columns], run.loc[samples.index, columns], rtol=0, atol=1e-6)
    answer = Answerer(run_dir)
    for name, probs in zip(names, expected, strict=True):
        told = {one["name"]: one["probability"] for one in answer((test / "sea" / name).read_bytes())["classes"]}
        np.testing.assert_allclose([told[column[2:]] for column in columns], probs, rtol=0, atol=1e-6)


@pytest.mark.usefixtures("clean_keras")
def test_wrong_input_found_by_a_notebook_exits_2_and_leaves_a_report_that_says_what_is_missing(
    hostile_folder: Path, tmp_path: Path
) -> None:
    broken = build_backbone("efficientnet-lite0", image_size=32, weights="random")
    broken.set_weights([weights * np.nan for weights in broken.get_weights()])
    broken.save_weights(tmp_path / "broken.weights.h5")
    done = run_command(
        tmp_path, "broken", "report", "--profile", "sample", "--dataset", str(hostile_folder), "--run", "broken",
        "--weights", "broken.weights.h5", "--set", QUICK,
    )  # fmt: skip
    assert done.returncode == 2, done.output
    assert "Traceback" not in done.output
    assert "Stage 'training' failed in cell" in done.output
    assert "Expected weights that are finite numbers. Received: weights=" in done.output
    assert done.run_dir.path("notebooks/02-training.ipynb").is_file()
    assert done.run_dir.path("log/training.txt").is_file()
    page = (done.build_dir / "report.html").read_text(encoding="utf-8")
    assert "failed" in page
    for stage in ("training", "evaluation", "samples", "conclusion"):
        assert stage in page
