"""The whole sample report, as `make report` makes it."""

from __future__ import annotations

import hashlib
import math
import os
import re
import shutil
import zipfile
from pathlib import Path

import nbformat
import numpy as np
import pytest
from bs4 import BeautifulSoup
from pypdf import PdfReader

from scenebook.core.settings import make_settings
from scenebook.core.stages import STAGES, find_needed
from scenebook.pipeline.manifest import load_manifest
from tests.processes import Finished, find_isolation, run_command

ARTIFACTS = [
    "settings.yaml",
    "data/splits.csv",
    "data/classes.json",
    "data/audit.json",
    "training/model.keras",
    "training/history.csv",
    "training/summary.json",
    "training/test_predictions.csv",
    "training/validation_predictions.csv",
    "training/features.npz",
    "training/random_features.npz",
    "evaluation/predictions.csv",
    "evaluation/metrics.json",
    "evaluation/confusion_matrix.csv",
    "evaluation/classification_report.csv",
    "evaluation/baselines.json",
    "evaluation/calibration.json",
    "evaluation/label_issues.csv",
    "samples/selection.csv",
    "samples/rows.csv",
    "samples/maps.npz",
    "samples/map_checks.json",
    "conclusion/claims.json",
    "conclusion/fields.json",
]


def pdf_text(finished: Finished) -> str:
    return "\n".join(page.extract_text() for page in PdfReader(finished.build_dir / "report.pdf").pages)


def test_it_says_what_it_does_and_where_the_files_are(sample: Finished) -> None:
    for number, stage in enumerate(STAGES, start=1):
        assert f"[{number}/{len(STAGES)}] {stage}: done in " in sample.output
    epochs = make_settings({}).epochs
    ended = re.findall(rf"epoch \d+/{epochs}: .*accuracy \d\.\d+.*loss \d.*val_accuracy", sample.output)
    assert len(ended) == epochs
    assert re.search(r"report\.html .*MB", sample.output)
    assert re.search(r"report\.pdf .*MB", sample.output)
    assert (sample.build_dir / "report.html").stat().st_size < 5_000_000
    assert (sample.build_dir / "report.pdf").stat().st_size < 3_000_000


def test_every_artifact_is_there_and_in_the_manifest(sample: Finished) -> None:
    manifest = load_manifest(sample.run_dir)
    for name in ARTIFACTS:
        entry = manifest["files"][name]
        content = sample.run_dir.path(name).read_bytes()
        assert (entry["sha256"], entry["bytes"]) == (hashlib.sha256(content).hexdigest(), len(content)), name
    on_disk = {path.relative_to(sample.run_dir.root).as_posix() for path in sample.run_dir.root.rglob("*.*")}
    files = {name for name in on_disk if sample.run_dir.path(name).is_file()}
    assert files - {"manifest.json"} == set(manifest["files"])
    assert all(entry["status"] == "done" and entry["memory_mb"] > 0 for entry in manifest["stages"].values())


def test_each_stage_waits_for_those_whose_files_its_notebook_reads_and_for_no_other(sample: Finished) -> None:
    manifest = load_manifest(sample.run_dir)
    read = {
        stage: {manifest["files"][name]["stage"] for name in entry["key"]["inputs"] if name in manifest["files"]}
        for stage, entry in manifest["stages"].items()
    }
    for stage, row in STAGES.items():
        assert read[stage] - {"settings"} <= find_needed(stage), stage
        assert {*(row.needs or ())} <= read[stage], f"{stage} waits for what it does not read"


def test_its_accuracy_is_neither_chance_nor_perfect(sample: Finished) -> None:
    metrics = sample.run_dir.read_json("evaluation/metrics.json")
    assert metrics["n"] == 300
    assert 0.80 <= metrics["accuracy"]["value"] <= 0.98
    assert metrics["accuracy"]["low"] < metrics["accuracy"]["value"] < metrics["accuracy"]["high"]


def test_no_two_drawn_images_are_taken_for_the_same(sample: Finished) -> None:
    findings = sample.run_dir.read_json("data/audit.json")
    assert findings["images"] == 720
    assert findings["duplicate_groups"] == []
    assert {name: record["images"] for name, record in findings["odd_images"].items() if record["images"]} == {}
    assert "n_without_duplicates" not in sample.run_dir.read_json("evaluation/metrics.json")


def test_predictions_hold_together(sample: Finished) -> None:
    classes = sample.run_dir.read_json("data/classes.json")["classes"]
    splits = sample.run_dir.read_csv("data/splits.csv").set_index("path")
    for name, split in (("test", "test"), ("validation", "validation")):
        table = sample.run_dir.read_csv(f"training/{name}_predictions.csv")
        assert list(table.columns) == ["path", "label", "predicted", "confidence", *(f"p_{label}" for label in classes)]
        probs = table.iloc[:, 4:].to_numpy()
        np.testing.assert_allclose(probs.sum(axis=1), 1, atol=1e-5)
        np.testing.assert_allclose(probs.max(axis=1), table["confidence"], rtol=1e-8)
        assert [classes[index] for index in probs.argmax(axis=1)] == list(table["predicted"])
        assert set(table["path"]) == set(splits.index[splits["split"] == split])


def test_the_history_has_a_row_an_epoch_and_the_decayed_learning_rate(sample: Finished) -> None:
    history = sample.run_dir.read_csv("training/history.csv")
    assert list(history.columns) == [
        "epoch", "loss", "accuracy", "val_loss", "val_accuracy", "learning_rate", "seconds",
    ]  # fmt: skip
    assert list(history["epoch"]) == list(range(1, 9))
    steps = 12 * 8  # 378 training images in batches of 32
    assert history["learning_rate"].iloc[-1] == pytest.approx(0.001 / (1 + 1e-7 * steps), rel=1e-6)
    assert history["loss"].iloc[-1] < history["loss"].iloc[0]


def test_both_files_hold_the_report(sample: Finished) -> None:
    page = (sample.build_dir / "report.html").read_text(encoding="utf-8")
    text = pdf_text(sample)
    accuracy = f"{sample.run_dir.read_json('evaluation/metrics.json')['accuracy']['value']:.1%}"
    for section in ("Introduction", "Methodology", "Results", "Discussion", "Conclusion", "Repository"):
        assert section.lower() in page.lower()
        assert section.lower() in text.lower()
    for number in range(1, 10):
        assert f"Fig. {number}" in text
    for shown in (page, text):
        assert accuracy in shown
        assert "are drawn by the program" in " ".join(shown.split())
        assert "claims of the paper" not in shown, "its images are not the paper's"
        assert str(sample.run_dir.root) not in shown
    assert "<script" not in page
    assert not re.search(r'src="(?!data:)', page)
    # Of other pages it names only, in the list of references, the works: the repository is a placeholder.
    links = BeautifulSoup(page, "html.parser").select('a[href^="http"]')
    outside = {str(link["href"]) for link in links if link.find_parent(id=re.compile("^ref:")) is None}
    assert outside == set()


def test_the_short_report_has_the_length_of_an_assignment_and_letters_that_can_be_read(sample: Finished) -> None:
    pages = PdfReader(sample.build_dir / "report.pdf").pages
    assert len(pages) <= 8, "four to six of text, an appendix of one or two with the references"
    sizes: list[float] = []

    def note(text: str, cm: list[float], tm: list[float], font: object, size: float) -> None:
        if text.strip() and font is not None:
            sizes.append(size * math.hypot(tm[0], tm[1]) * math.hypot(cm[0], cm[1]))

    for page in pages:
        page.extract_text(visitor_text=note)
    assert min(sizes) >= 6.95, "points, in figures as well"


def test_both_files_list_the_works_that_the_notebooks_cite(sample: Finished) -> None:
    page = (sample.build_dir / "report.html").read_text(encoding="utf-8")
    listed = pdf_text(sample).split("References")[-1]
    keys = re.findall(r'<li id="ref:([^"]+)">', page)  # but for those that only the supplement cites
    assert {"he2016", "deng2009", "wilson1927"} <= set(keys)
    assert [f"[{number}]" in listed for number in range(1, len(keys) + 1)] == [True] * len(keys)
    assert {key: f'href="#ref:{key}"' in page for key in keys} == dict.fromkeys(keys, True)


def test_every_value_of_the_abstract_names_a_file_of_the_run(sample: Finished) -> None:
    page = BeautifulSoup((sample.build_dir / "report.html").read_text(encoding="utf-8"), "html.parser")
    titles = [str(tag["title"]) for tag in page.select(".abstract span.value")]
    assert "evaluation/metrics.json: accuracy.low" in titles
    assert [title for title in titles if not sample.run_dir.path(title.partition(":")[0]).is_file()] == []
    rows = [
        [cell.get_text() for cell in row.select("td, th")] for row in page.select("main > section")[-1].select("tr")
    ]
    scores = sample.run_dir.read_json("evaluation/metrics.json")
    row = next(row for row in rows if row[1] == "evaluation/metrics.json: accuracy (low and high)")
    numbers = ", ".join(f"{scores['accuracy'][name]:.1%}" for name in ("value", "low", "high"))
    assert row[0] == numbers
    assert row[2].startswith("Abstract; Results: Accuracy")
    assert "report.html also has" in " ".join(pdf_text(sample).split())


def test_the_page_is_small_and_shows_each_result_with_its_origin(sample: Finished) -> None:
    text = (sample.build_dir / "report.html").read_text(encoding="utf-8")
    assert len(text.encode()) < 5_000_000
    page = BeautifulSoup(text, "html.parser")
    digest = sample.run_dir.read_json("data/classes.json")["digest"][:12]
    boxes = [figure.select("details.made") for figure in page.select("main > section figure[id]")]
    assert all(len(box) == 1 for box in boxes[:-1]), "one each, but for the table of sources"
    for (box,) in boxes[:-1]:
        assert {"none, all as in the profile sample", digest} <= {tag.get_text() for tag in box.select("dd")}


def test_the_page_names_weights_and_images_with_their_digests_and_the_short_pdf_where_they_are(
    sample: Finished,
) -> None:
    page = (sample.build_dir / "report.html").read_text(encoding="utf-8")
    text = "".join(BeautifulSoup(page, "html.parser").get_text().split())
    assert "of the supplement" in " ".join(pdf_text(sample).split())
    selection = sample.run_dir.read_csv("samples/selection.csv")
    assert len(selection) == 6
    for name in ("training/model.keras", *selection["image"]):
        assert hashlib.sha256(sample.run_dir.path(name).read_bytes()).hexdigest() in text, name


def test_rendering_again_gives_the_same_bytes(sample: Finished) -> None:
    names = ("report.html", "report.pdf")
    before = [(sample.build_dir / name).read_bytes() for name in names]
    again = run_command(sample.run_dir.root.parents[1], "sample", "render", "--run", "sample")
    assert again.returncode == 0, again.output
    assert [(sample.build_dir / name).read_bytes() for name in names] == before


def test_the_saved_model_loads_safely_and_has_no_optimizer(sample: Finished, clean_keras: None) -> None:
    import keras

    model = keras.models.load_model(sample.run_dir.path("training/model.keras"), safe_mode=True)
    summary = sample.run_dir.read_json("training/summary.json")
    assert model.count_params() == summary["total_params"]
    with zipfile.ZipFile(sample.run_dir.path("training/model.keras")) as archive:
        assert "date_saved" not in archive.read("metadata.json").decode()
    assert getattr(model, "optimizer", None) is None


def test_the_bundle_holds_report_weights_and_images(sample: Finished) -> None:
    os.utime(sample.run_dir.path("evaluation/metrics.json"), (0, 0))  # of a clock that stood still
    done = run_command(sample.run_dir.root.parents[1], "sample", "bundle", "--run", "sample")
    assert done.returncode == 0, done.output
    with zipfile.ZipFile(sample.build_dir / "bundle.zip") as archive:
        assert archive.testzip() is None
        names = set(archive.namelist())
    images = set(sample.run_dir.read_csv("samples/selection.csv")["image"])
    assert {"report.html", "report.pdf", "training/model.keras", "manifest.json"} | images <= names


def test_the_whole_report_is_made_without_a_network(sample: Finished) -> None:
    isolation, reason = find_isolation()
    if not isolation:
        pytest.skip(f"network namespaces are refused here: {reason}")
    assert sample.returncode == 0


def test_an_unchanged_report_starts_no_kernel_and_writes_nothing(sample: Finished) -> None:
    def list_times() -> dict[str, int]:
        roots = (sample.run_dir.root, sample.build_dir)
        return {str(path): path.stat().st_mtime_ns for root in roots for path in root.rglob("*") if path.is_file()}

    before = list_times()
    again = run_command(sample.run_dir.root.parents[1], "sample", "report")
    assert again.returncode == 0
    assert again.output.count(": unchanged") == len(STAGES)
    assert "The report is unchanged." in again.output
    assert list_times() == before


def test_a_run_of_somebody_else_is_rendered_without_running_any_of_its_code(sample: Finished, tmp_path: Path) -> None:
    marker = tmp_path / "was-run"
    shutil.copytree(sample.run_dir.root, tmp_path / "runs" / "theirs")
    for path in sorted((tmp_path / "runs" / "theirs" / "notebooks").glob("*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        code = f"import pathlib; pathlib.Path({str(marker)!r}).touch()"
        notebook.cells.insert(3, nbformat.v4.new_code_cell(code, execution_count=1))
        nbformat.write(notebook, path)
    # What holds weights would be opened by whoever loads the network.
    (tmp_path / "runs" / "theirs" / "training" / "model.keras").write_bytes(b"no network")
    done = run_command(tmp_path, "theirs", "render", "--run", "theirs")
    assert done.returncode == 0, done.output
    assert "was-run" in (done.build_dir / "report.html").read_text(encoding="utf-8")
    assert not marker.exists()
