"""What a command makes of its arguments, and what it leaves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from scenebook.cli import using
from scenebook.cli.loading import collect_settings
from scenebook.cli.parser import build_parser
from scenebook.core.errors import InputError
from scenebook.core.run_directory import RunDirectory
from scenebook.pipeline.compare import repeat
from scenebook.pipeline.compare.repeat import Verification
from scenebook.pipeline.manifest import MANIFEST_FORMAT
from tests.unit.pipeline.compare.runs import write_settings


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunDirectory:
    """A run of the paper's profile, with settings of its own."""
    for name in ("PROFILE", "DATA", "WEIGHTS", "SET", "RUN"):
        monkeypatch.delenv(f"SCENEBOOK_{name}", raising=False)
    monkeypatch.setenv("SCENEBOOK_RUNS", str(tmp_path / "runs"))
    run_dir = RunDirectory(tmp_path / "runs" / "real")
    write_settings(run_dir, {"dataset": "intel", "epochs": 3})
    run_dir.write_json("manifest.json", {"format": MANIFEST_FORMAT, "profile": "paper", "stages": {}, "files": {}})
    return run_dir


def collect(*words: str) -> tuple[Any, str, bool]:
    arguments = build_parser().parse_args(["report", *words])
    told: list[str] = []
    settings, profile, _ = collect_settings(arguments, Path.cwd(), told.append)
    return settings, profile, any(line.startswith("settings: those of run") for line in told)


def test_a_run_goes_on_with_its_own_settings_when_only_its_name_is_given(kept: RunDirectory) -> None:
    settings, profile, is_kept = collect("--run", kept.name, "--set", "learning_rate=0.01")
    assert (settings.dataset, settings.epochs, settings.learning_rate) == ("intel", 3, 0.01)
    assert (profile, is_kept) == ("paper", True)


@pytest.mark.parametrize(
    ("words", "dataset", "epochs"),
    [
        (["--run", "real", "--profile", "sample"], "scenes", 8),
        (["--run", "other"], "scenes", 8),
        ([], "scenes", 8),
        (["--run", "real", "--dataset", "intel"], "intel", 0),
    ],
)
def test_whoever_says_what_it_is_made_from_makes_it_anew(
    kept: RunDirectory, words: list[str], dataset: str, epochs: int
) -> None:
    settings, _, is_kept = collect(*words)
    assert (settings.dataset, settings.epochs, is_kept) == (dataset, epochs, False)


def test_damaged_settings_are_not_taken_for_those_of_another_profile(kept: RunDirectory) -> None:
    kept.path("settings.yaml").write_text("epochs: [", encoding="utf-8")
    with pytest.raises(InputError, match=r"settings in YAML.*PROFILE or DATA that it was made from"):
        collect("--run", kept.name)


@pytest.mark.parametrize(("failure", "stays"), [("", False), ("stage training failed", True)])
def test_a_repetition_stays_only_where_it_is_not_the_same(
    failure: str, stays: bool, kept: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []

    def verify(run_dir: RunDirectory, *, workspace: Path, **options: Any) -> Verification:
        (workspace / run_dir.name).mkdir()
        made.append(workspace)
        return Verification(run_dir.name, workspace / run_dir.name, {}, [], failure=failure)

    # A real repetition takes minutes: tests/unit/pipeline/compare/test_repeat.py makes one of small notebooks.
    monkeypatch.setattr(repeat, "verify_run", verify)
    console = Console(record=True, width=300)
    assert using.verify(build_parser().parse_args(["verify", "--run", kept.name]), console) == 1
    assert made[0].exists() == stays
    assert (f"{made[0] / kept.name}" in console.export_text()) == stays
    if stays:
        (made[0] / kept.name).rmdir()
        made[0].rmdir()
