"""The files of a run against its manifest."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from scenebook.core.errors import InputError
from scenebook.core.run_directory import RunDirectory
from scenebook.pipeline.compare.repeat import check_files
from tests.unit.pipeline.compare.runs import write_manifest

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
