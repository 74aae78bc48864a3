"""A study through the command line: real kernels, a real dask cluster, real trainings, on a few drawn images.

`make cluster` runs it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from bs4 import BeautifulSoup

from scenebook.cli.loading import load_settings
from scenebook.core.stages import STAGES
from scenebook.network.training import HISTORY_COLUMNS
from scenebook.pipeline.manifest import load_manifest
from scenebook.pipeline.running import run_pipeline
from tests.processes import Finished, run_command
from tests.unit.pipeline.test_running import Heard

pytestmark = pytest.mark.slow

PLAN = """
variants:
  - {name: hot, title: learning rate ×10, change: {learning_rate: {times: 10}}, claim: learning-rate, seeds: 2}
  - {name: impossible, title: "<b>more</b> layers than there are", change: {trainable_base_layers: 9999}}
  - {name: average, title: averaged, change: {head_pooling: average}}
"""
SETTINGS = "epochs=2 scenes_train_per_class=12 scenes_test_per_class=5 ablations=full"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("study")
    (folder / "plan.yaml").write_text(PLAN, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def study(folder: Path) -> Finished:
    """`report` with a study in it: everything from the images on."""
    finished = run_command(folder, "study", "report", "--run", "study", "--set", f"{SETTINGS} ablation_plan=plan.yaml")
    assert finished.returncode == 0, finished.output
    return finished


@pytest.fixture(scope="module")
def again(folder: Path, study: Finished) -> Finished:
    """The command for a study, on a run whose study is done."""
    finished = run_command(folder, "study", "ablations", "--run", "study")
    assert finished.returncode == 0, finished.output
    return finished


def read_results(finished: Finished) -> pd.DataFrame:
    return pd.read_csv(finished.run_dir.path("ablations/results.csv"), keep_default_na=False).set_index("variant")


def test_it_tells_what_it_will_take_and_how_far_it_is(study: Finished) -> None:
    assert "ablations: measuring how fast 3 networks can be trained" in study.output
    assert "that takes about " in study.output
    assert "the feature cache takes up to " in study.output
    # Of six trainings one cannot be built, which is known before the others start.
    assert "ablations: 6 of 6 rows done" in study.output


def test_every_variant_is_a_row_and_one_that_fails_has_its_error(study: Finished) -> None:
    results = read_results(study)
    assert results.index.tolist() == ["base", "hot", "impossible", "average"]
    assert results["status"].tolist() == ["done", "done", "failed", "done"]
    assert "trainable_base_layers=9999" in results["error"]["impossible"]
    assert results["seeds"].tolist() == [2, 2, 0, 1]


def test_the_base_variants_training_is_the_runs_own(study: Finished) -> None:
    record = study.run_dir.read_json("ablations/runs/base-0.json")
    mine, own = pd.DataFrame(record["history"]), study.run_dir.read_csv("training/history.csv")
    columns = [name for name in HISTORY_COLUMNS if name != "seconds"]
    # Another number of threads adds up in another order; all else is the same.
    np.testing.assert_allclose(mine[columns], own[columns], rtol=1e-4)


def test_the_report_shows_what_came_out(study: Finished) -> None:
    page = BeautifulSoup((study.build_dir / "report.html").read_text(encoding="utf-8"), "html.parser")
    text = page.get_text(" ", strip=True)
    assert "<b>more</b> layers than there are" in text
    captions = [caption.get_text(" ", strip=True) for caption in page.find_all(["figcaption", "caption"])]
    assert any("The variants:" in caption for caption in captions)
    assert any("Accuracy of each variant by epoch" in caption for caption in captions)
    judged = {claim["id"]: claim for claim in study.run_dir.read_json("conclusion/claims.json")}
    verdicts = study.run_dir.read_json("ablations/verdicts.json")
    assert judged["learning-rate"]["verdict"] == verdicts["learning-rate"]["verdict"]
    assert verdicts["learning-rate"]["verdict"] != "not tested in this run"
    assert judged["epochs"]["verdict"] == "not tested in this run"


def test_what_is_done_is_not_done_again_but_for_what_failed(study: Finished, again: Finished) -> None:
    assert again.output.count(": unchanged") == len(STAGES) - 1
    assert "[6/7] ablations: done" in again.output
    assert "ablations: 0 trainings to do, 6 done" in again.output
    assert "epoch" not in again.output
    assert read_results(again).drop(columns="seconds").equals(read_results(study).drop(columns="seconds"))


def test_a_report_without_a_study_shows_the_one_that_is_there(again: Finished) -> None:
    run_dir = again.run_dir
    before = {path.name: path.read_bytes() for path in run_dir.path("ablations/runs").iterdir()}
    settings = load_settings(run_dir).updated({"ablations": "none"})
    heard = Heard()
    run_pipeline(settings, run_dir, profile="sample", listener=heard, force=["ablations"])
    assert heard.lines == [
        *(f"skip {stage}" for stage in ("data", "training", "evaluation", "samples", "trust")),
        "start ablations 6/7",
        "done ablations",
        # It tells with which settings the report is made again.
        "start conclusion 7/7",
        "done conclusion",
    ]
    assert read_results(again)["status"].tolist() == ["done", "done", "failed", "done"]
    assert {path.name: path.read_bytes() for path in run_dir.path("ablations/runs").iterdir()} == before
    manifest = load_manifest(run_dir)
    assert set(manifest["files"]) >= {f"ablations/runs/{name}" for name in before}
    assert {name: entry["status"] for name, entry in manifest["stages"].items()} == dict.fromkeys(STAGES, "done")
