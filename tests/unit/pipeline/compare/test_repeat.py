"""A run is checked and made again, by real kernels from notebooks that copy what a folder holds."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook
from rich.console import Console

from scenebook.core.errors import InputError
from scenebook.core.run_directory import RunDirectory
from scenebook.core.stages import STAGES
from scenebook.pipeline.compare.differ import Change
from scenebook.pipeline.compare.print import print_verification, write_verdict
from scenebook.pipeline.compare.repeat import Verification, check_files, verify_run
from scenebook.pipeline.compare.tolerances import ResultRow
from tests.unit.pipeline.compare.runs import HOSTILE, make_run, write_manifest, write_settings

COPY = "shutil.copytree({source!r}, Path(os.environ['SCENEBOOK_RUNS'], run, {stage!r}))"
KERNEL = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
ROW = ResultRow("evaluation/metrics.json: accuracy", "0.9", "0.9", "none", "equal")


class Silent:
    """A listener that keeps the names of the stages that ended."""

    def __init__(self) -> None:
        self.ended: list[str] = []

    def stage_started(self, *facts: Any) -> None:
        return None

    def stage_skipped(self, *facts: Any) -> None:
        return None

    def progress(self, stage: str, text: str) -> None:
        return None

    def stage_ended(self, outcome: Any) -> None:
        self.ended.append(outcome.name)

    def time_left(self, seconds: float | None) -> None: ...


@pytest.fixture
def make_notebooks(tmp_path: Path) -> Callable[..., Path]:
    """Makes a notebooks folder in which each stage copies its part of a run; `fails` names one that raises."""

    def make(source: RunDirectory, fails: str = "") -> Path:
        kept, folder = tmp_path / "kept", tmp_path / "notebooks"
        shutil.copytree(source.root, kept)
        folder.mkdir()
        for stage, name in [(row.name, row.notebook) for row in STAGES.values()]:
            cells = [
                new_code_cell('run = "by-hand"\nepochs = 1', metadata={"tags": ["parameters"]}),
                new_code_cell("import os, shutil\nfrom pathlib import Path"),
            ]
            if stage == fails:
                cells.append(new_code_cell('raise ValueError("[red]no[/red]")'))
            elif (kept / stage).is_dir():
                cells.append(new_code_cell(COPY.format(source=str(kept / stage), stage=stage)))
            nbformat.write(new_notebook(cells=cells, metadata=KERNEL), folder / f"{name}.ipynb")
        return folder

    return make


def test_a_run_that_gives_the_same_again_passes_and_one_changed_number_is_found(
    run: RunDirectory, make_notebooks: Callable[..., Path], tmp_path: Path, console: Console
) -> None:
    heard = Silent()
    write_settings(run, {"ablations": "full", "epochs": 3, "ablation_plan": "/not/here.yaml"})
    write_manifest(run)
    notebooks = make_notebooks(run)
    options = {"trust": False, "listener": heard, "notebooks_dir": notebooks}
    verification = verify_run(run, workspace=tmp_path / "work", **options)  # type: ignore[arg-type]
    assert sorted(heard.ended) == sorted(STAGES)  # some run side by side
    assert (verification.problems, verification.failed_rows, verification.failure) == ({}, [], "")
    assert not verification.machine
    assert verification.passed
    again = RunDirectory(tmp_path / "work" / "pets")
    assert verification.repetition == again.root
    assert "ablations: none" in again.path("settings.yaml").read_text(encoding="utf-8")
    told = "\n".join(verification.notes)
    assert "variants were not trained again" in told
    assert "this version's defaults were taken: dataset=scenes" in told
    assert "made at commit c0ffee" in told
    print_verification(console, verification)
    assert "Passed: every file is as it was written" in console.export_text()

    with pytest.raises(InputError, match="repetition that is not there yet"):
        verify_run(run, workspace=tmp_path / "work", **options)  # type: ignore[arg-type]


def test_a_stage_that_fails_is_told_with_what_could_be_compared(
    run: RunDirectory, make_notebooks: Callable[..., Path], tmp_path: Path, console: Console
) -> None:
    notebooks = make_notebooks(run, fails="training")
    machine = {"system": "Plan9 mips", "cpus": "1"}
    write_manifest(run, machine=machine)
    run.path("data/splits.csv").write_bytes(run.path("data/splits.csv").read_bytes() + b" ")
    verification = verify_run(run, trust=False, listener=Silent(), workspace=tmp_path / "work", notebooks_dir=notebooks)
    assert not verification.passed
    assert "Stage 'training' failed in cell" in verification.failure
    assert list(verification.problems) == ["data/splits.csv"]
    assert verification.machine[0].first == "Plan9 mips"
    statuses = {row.what: row.status for row in verification.rows}
    assert statuses["data/classes.json: digest"] == "equal"
    assert statuses["data/splits.csv"] == "different"
    assert statuses["evaluation/metrics.json"] == "missing"
    print_verification(console, verification)
    printed = console.export_text()
    assert "[red]no[/red]" in printed
    assert "Not passed: 1 file is not as written, the repetition did not end and" in printed
    assert "on another machine or with other versions: system Plan9 mips there," in printed


def test_weights_that_could_hold_code_are_refused_before_anything_runs(run: RunDirectory, tmp_path: Path) -> None:
    (tmp_path / "w.keras").write_bytes(b"")
    write_settings(run, {"backbone": "ResNet50", "weights": str(tmp_path / "w.keras")})
    with pytest.raises(InputError, match="--trust"):
        verify_run(run, trust=False, listener=Silent(), workspace=tmp_path / "work")
    assert not (tmp_path / "work").exists()


def make_verification(**changes: Any) -> Verification:
    facts: dict[str, Any] = {"run": "pets", "repetition": Path("work/pets"), "problems": {}, "rows": [ROW]}
    return Verification(**facts | changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"problems": {"data/splits.csv": "is missing"}},
        {"failure": "Stage 'data' failed"},
        {"rows": [ROW, ResultRow("data/splits.csv", "1", "2", "none", "different")]},
        {"rows": [ResultRow("data/splits.csv", "there", "missing", "none", "missing")]},
        {"rows": []},
    ],
)
def test_whatever_is_wrong_a_run_does_not_pass(changes: dict[str, Any]) -> None:
    assert make_verification().passed
    verification = make_verification(**changes)
    assert not verification.passed
    assert write_verdict(verification).startswith("Not passed: ")


def test_the_closing_sentence_names_the_rule_and_why() -> None:
    same = make_verification()
    assert write_verdict(same).endswith("all had to be equal, as the machine and all versions are those of the run.")
    near = ResultRow("training/history.csv: loss", "1", "1.01", "5%", "within")
    machine = [Change("keras", "3.14", "3.15")]
    other = make_verification(rows=[ROW, near], machine=machine)
    assert other.passed
    assert write_verdict(other) == (
        "Passed: every file is as it was written, 1 comparison is equal, 1 within the tolerance; a tolerance applied "
        "(scores 0.02 or 2 images, losses 5% or 0.01), as the run was made on another machine or with other versions:"
        " keras 3.14 there, 3.15 here."
    )
    far = make_verification(rows=[ResultRow("x", "1", "2", "none", "different")])
    assert write_verdict(far).startswith("Not passed: 1 of 1 comparisons do not hold; all had to be equal")


def test_hostile_text_stays_text(console: Console) -> None:
    problems = {f"{HOSTILE}\x1b[2J\udcff": "is missing"}
    row = ResultRow(HOSTILE, "[b]1[/b]", "\x1b]0;t\x07", "none", "different")
    print_verification(console, make_verification(problems=problems, rows=[row], notes=[HOSTILE], failure=HOSTILE))
    printed = console.export_text()
    assert printed.count(HOSTILE) == 4
    assert "[b]1[/b]" in printed
    assert "\x1b" not in printed


def test_the_console_is_left_as_it_was(console: Console) -> None:
    print_verification(console, make_verification())
    assert console.soft_wrap


def test_a_run_by_another_name_than_a_runs_is_refused(tmp_path: Path) -> None:
    run = make_run(tmp_path / "[red]")
    with pytest.raises(InputError, match="run's name"):
        verify_run(run, trust=False, listener=Silent(), workspace=tmp_path / "work")


CHANGED = "is not the file that was written: its SHA-256 differs"


def test_a_run_as_it_was_written_has_no_problem(run: RunDirectory) -> None:
    assert check_files(run) == {}


def test_one_flipped_bit_is_found_although_size_and_time_are_the_same(run: RunDirectory) -> None:
    path = run.path("data/splits.csv")
    before = path.stat()
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert check_files(run) == {"data/splits.csv": CHANGED}


def test_missing_files_and_files_that_nobody_listed_are_found(run: RunDirectory) -> None:
    run.path("training/history.csv").unlink()
    run.write_json("evaluation/zz.json", 1)
    run.write_json("extra/deep/new.json", 1)
    assert list(check_files(run).items()) == [
        ("evaluation/zz.json", "is not in the manifest"),
        ("extra/deep/new.json", "is not in the manifest"),
        ("training/history.csv", "is missing"),
    ]


def test_hidden_files_and_predictions_are_not_the_manifests_business(run: RunDirectory) -> None:
    run.write_json("predictions/shop/predictions.json", 1)
    run.write_json(".lock", 1)
    run.write_json("notebooks/.ipynb_checkpoints/01-data.ipynb", 1)
    assert check_files(run) == {}
    run.write_json("data/predictions/more.json", 1)
    assert list(check_files(run)) == ["data/predictions/more.json"]


def test_a_listed_file_is_checked_wherever_it_lies(run: RunDirectory) -> None:
    run.write_json("predictions/one.json", 1)
    write_manifest(run)
    run.write_json("predictions/one.json", 2)
    assert check_files(run) == {"predictions/one.json": CHANGED}


@pytest.mark.parametrize("path", ["../secret.txt", "{outside}"])
def test_what_lies_outside_the_run_is_told_and_not_opened(
    run: RunDirectory, tmp_path: Path, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    outside = run.root.parent / "secret.txt"
    outside.write_text("secret", encoding="utf-8")
    named = path.format(outside=outside)
    manifest = run.read_json("manifest.json")
    run.write_json("manifest.json", {**manifest, "files": {named: {"sha256": "0" * 64}}})
    opened: list[Path] = []
    monkeypatch.setattr("scenebook.pipeline.compare.repeat.sha256_file", opened.append)
    assert check_files(run)[named] == "leads out of the run"
    assert opened == []


def test_links_are_told(run: RunDirectory, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "splits.csv").write_bytes(run.path("data/splits.csv").read_bytes())
    (run.root / "folder").symlink_to(outside)
    (run.root / "circle").symlink_to(run.root / "circle")
    path = run.root / "data" / "splits.csv"
    path.unlink()
    path.symlink_to(outside / "splits.csv")
    assert check_files(run) == {
        "circle": "is not in the manifest",
        "data/splits.csv": "leads out of the run",
        "folder": "is not in the manifest",
    }


def test_a_name_that_no_file_can_have_is_missing(run: RunDirectory) -> None:
    manifest = run.read_json("manifest.json")
    manifest["files"] |= {"nul\0byte": {"sha256": "0"}, "x" * 5000: {}}
    run.write_json("manifest.json", manifest)
    assert set(check_files(run).values()) == {"is missing"}


def test_a_folder_without_a_manifest_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="run that was started before"):
        check_files(RunDirectory(tmp_path))
