from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from nbconvert.exporters import get_exporter

from scenebook.core.run_directory import RunDirectory
from scenebook.core.settings import make_settings
from scenebook.rendering.provenance import Provenance, read_provenance

MANIFEST = {
    "profile": "sample",
    "started": "2025-01-02T03:04:05+00:00",
    "commit": "0123456789abcdef0123456789abcdef01234567-dirty",
    "versions": {"python": "3.11"},
    "machine": {"cpus": "2"},
    "stages": {
        "data": {"notebook": "01-data.ipynb", "seconds": 12.34},
        "training": {"notebook": "02-training.ipynb", "seconds": None},
    },
}


def write_run(run_dir: RunDirectory, profile: str = "sample", **changes: object) -> Path:
    run_dir.write_json("manifest.json", {**MANIFEST, "profile": profile})
    run_dir.write_json("data/classes.json", {"digest": "fedcba9876543210" * 4})
    settings = make_settings(changes).model_dump()
    run_dir.path("settings.yaml").write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")
    return run_dir.root


def test_the_box_at_a_result_tells_what_is_known_of_its_run(run_dir: RunDirectory) -> None:
    facts = read_provenance(write_run(run_dir, epochs=2, max_per_class=50)).of_result("01-data")
    assert facts == {
        "settings changed": "max_per_class = 50, epochs = 2",
        "data digest": "fedcba987654",
        "code commit": "0123456789ab-dirty",
        "time": "12 s for the whole notebook",
    }


def test_no_folder_of_the_machine_is_told(run_dir: RunDirectory) -> None:
    facts = read_provenance(write_run(run_dir, dataset="/home/ada/my images", weights="/home/ada/w.weights.h5"))
    told = " ".join([*facts.of_result("01-data").values(), *facts.of_report().values()])
    assert "/home" not in told
    assert "my images" in told
    assert "w.weights.h5" in told


def test_a_run_of_the_plain_profile_changed_nothing(run_dir: RunDirectory) -> None:
    facts = read_provenance(write_run(run_dir)).of_result("02-training")
    assert facts["settings changed"] == "none, all as in the profile sample"
    assert "time" not in facts, "the stage did not end"


@pytest.mark.parametrize("profile", ["gone", "../profiles/sample", "<b>"])
def test_a_profile_that_is_not_at_hand_is_named(run_dir: RunDirectory, profile: str) -> None:
    facts = read_provenance(write_run(run_dir, profile)).of_result("01-data")
    assert facts["settings changed"] == f"unknown: the profile {profile} is not at hand"


def test_the_foot_of_the_page_has_no_values_of_python(run_dir: RunDirectory) -> None:
    facts = read_provenance(write_run(run_dir)).of_report()
    assert facts["seconds a notebook"] == "01-data 12"
    assert "samples_dir none" in facts["settings"]
    assert "horizontal_flip true" in facts["settings"]


@pytest.mark.parametrize("content", ["", "[]", "{", '{"stages": [1], "versions": 3}'])
def test_files_that_nobody_can_read_leave_their_part_empty(run_dir: RunDirectory, content: str) -> None:
    for name in ("manifest.json", "settings.yaml", "data/classes.json"):
        run_dir.path(name).parent.mkdir(parents=True, exist_ok=True)
        run_dir.path(name).write_text(content, encoding="utf-8")
    assert read_provenance(run_dir.root).of_result("01-data") == {}


def test_a_folder_that_is_no_run_tells_nothing(tmp_path: Path) -> None:
    assert read_provenance(tmp_path) == Provenance()


def test_a_notebook_that_is_rendered_alone_shows_what_its_run_tells(run_dir: RunDirectory) -> None:
    notebook = Path(__file__).parents[2] / "fixtures" / "rendering" / "whole-run" / "01-data.ipynb"
    write_run(run_dir)
    copy = run_dir.path("notebooks/01-data.ipynb")
    copy.parent.mkdir()
    copy.write_bytes(notebook.read_bytes())
    page, _ = get_exporter("scenebook-html")().from_filename(str(copy))
    assert page.count("<dd>fedcba987654</dd>") == 2
    assert "<dd>12 s for the whole notebook</dd>" in page
