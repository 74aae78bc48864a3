"""The network of the sample report in other programs, its model card, and the page that asks it."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import urllib.request
import zipfile
from pathlib import Path

import numpy as np
import pytest
import yaml

from scenebook.core.run_files import EXPORT_FORMATS
from scenebook.data.audit.report import count_images
from scenebook.inference.export.formats import EXPORTED_AS
from tests.processes import HEARS_CTRL_C, Finished, run_command

TESTED = [name for name in EXPORT_FORMATS if all(map(importlib.util.find_spec, EXPORTED_AS[name].needs))]


@pytest.fixture(scope="session")
def exported(sample: Finished, tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """All formats whose converters are installed, of a copy of the run."""
    folder = tmp_path_factory.mktemp("export")
    shutil.copytree(sample.run_dir.root, folder / "runs" / "sample")
    done = run_command(folder, "sample", "export", "--run", "sample", "--formats", " ".join(TESTED))
    assert done.returncode == 0, done.output
    return done


@pytest.mark.parametrize("name", TESTED)
def test_an_exported_network_has_the_runs_probabilities_and_what_goes_with_it(name: str, exported: Finished) -> None:
    folder = exported.run_dir.path(f"export/{name}")
    record = json.loads((folder / "export.json").read_text())
    assert record["checked"] == 10
    assert 0 < record["largest_difference"] <= record["tolerance"] == 1e-4
    assert list(folder.glob("model*"))
    assert {"classes.json", "predict.py", "model-card.md"} <= {path.name for path in folder.iterdir()}
    assert [path.name for path in folder.parent.iterdir() if path.name.startswith(".")] == []


def test_smaller_variants_are_measured_on_all_test_images(exported: Finished) -> None:
    record = json.loads(exported.run_dir.path("export/tflite/export.json").read_text())
    whole, half, quarter = (record["files"][f"model{kind}.tflite"] for kind in ("", "-float16", "-int8"))
    assert 0.4 * whole < half < 0.6 * whole
    assert 0.2 * whole < quarter < 0.35 * whole
    scores = exported.run_dir.read_json("evaluation/metrics.json")
    for name, facts in record["variants"].items():
        assert facts["n"] == scores["n"]
        accuracy = facts["accuracy"]
        assert accuracy["low"] <= scores["accuracy"]["value"] <= accuracy["high"], name
        assert f"{name}: accuracy {accuracy['value']:.1%}" in exported.output


def test_the_model_card_is_what_hugging_face_reads_and_its_numbers_are_the_runs(
    exported: Finished, sample: Finished
) -> None:
    card = exported.run_dir.path(f"export/{TESTED[0]}/model-card.md").read_text(encoding="utf-8")
    _, head, body = card.split("---\n", 2)
    values = yaml.safe_load(head)
    assert (values["license"], values["pipeline_tag"]) == ("unknown", "image-classification")
    (result,) = values["model-index"][0]["results"]
    scores = sample.run_dir.read_json("evaluation/metrics.json")
    assert result["metrics"][0]["value"] == scores["accuracy"]["value"]
    assert {metric["type"] for metric in result["metrics"]} == set(values["metrics"])
    headings = re.findall(r"(?m)^## (.*)$", body)
    assert len(headings) == 8
    for name, row in count_images(sample.run_dir.read_csv("data/splits.csv")).iterrows():
        assert f"| {name} | {row['train']} | {row['validation']} | {row['test']} |" in body
    assert "[@" not in body
    assert "{" not in body
    bundle = run_command(sample.run_dir.root.parents[1], "sample", "bundle", "--run", "sample")
    assert bundle.returncode == 0, bundle.output
    with zipfile.ZipFile(sample.build_dir / "bundle.zip") as archive:
        assert archive.read("model-card.md").decode() == card


def test_the_page_answers_as_the_run_predicted_and_closes_with_the_command(sample: Finished) -> None:
    environment = {**os.environ, "SCENEBOOK_RUNS": str(sample.run_dir.root.parent), "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", "scenebook", "serve", "--run", "sample", "--port", "0"]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, preexec_fn=HEARS_CTRL_C
    ) as process:
        assert process.stdout is not None
        said = process.stdout.readline()
        (address,) = re.findall(r"http://127\.0\.0\.1:\d+/", said)
        table = sample.run_dir.read_csv("training/test_predictions.csv")
        for row in table.iloc[[0, -1]].to_dict("records"):
            content = Path(sample.run_dir.path("data/scenes"), row["path"]).read_bytes()
            with urllib.request.urlopen(urllib.request.Request(f"{address}classify", content), timeout=30) as response:
                answer = json.load(response)
            assert answer["classes"][0]["name"] == row["predicted"]
            np.testing.assert_allclose(answer["classes"][0]["probability"], row["confidence"], atol=1e-5)
            assert answer["map"].startswith("data:image/jpeg;base64,")
            known = sample.run_dir.read_csv("data/splits.csv").set_index("path")
            assert {known.loc[image["path"], "split"] for image in answer["nearest"]} == {"train"}
            apart = [image["distance"] for image in answer["nearest"]]
            assert apart == sorted(apart)
            assert len(apart) == 6
        process.send_signal(signal.SIGINT)
        rest = process.communicate(timeout=20)[0]
    assert (process.returncode, rest.strip()) == (0, "Closed."), said + rest


@pytest.mark.skipif(importlib.util.find_spec("tf2onnx") is not None, reason="the converter is installed")
def test_a_format_whose_converter_is_missing_is_refused_with_the_command_that_adds_it(sample: Finished) -> None:
    done = run_command(sample.run_dir.root.parents[1], "sample", "export", "--run", "sample", "--formats", "keras onnx")
    assert done.returncode == 2
    assert "make setup-onnx" in done.output
    assert not sample.run_dir.path("export").exists()
