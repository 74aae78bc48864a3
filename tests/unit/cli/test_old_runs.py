"""A run that an older version made: each command says so in a sentence, or does without what it cannot know."""

from __future__ import annotations

from pathlib import Path

import pytest

from scenebook.cli import main
from scenebook.core.run_directory import RunDirectory
from scenebook.core.stages import STAGES
from tests.unit.pipeline.compare.runs import make_run, write_settings

KEY = {"modules": {"scenebook.audit": "a"}, "cells": {"1": "c"}, "settings": {"setting_of_old": 8.0}}


@pytest.fixture
def old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunDirectory:
    """A whole run whose manifest has the format before this one, names of modules and settings that are gone."""
    for name in ("PROFILE", "DATA", "WEIGHTS", "SET", "RUN", "FORCE", "IMAGES"):
        monkeypatch.delenv(f"SCENEBOOK_{name}", raising=False)
    monkeypatch.setenv("SCENEBOOK_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("SCENEBOOK_BUILD", str(tmp_path / "build"))
    stages = {stage: {"notebook": f"{stage}.ipynb", "status": "done", "reason": "", "key": KEY} for stage in STAGES}
    run_dir = make_run(tmp_path / "runs" / "old", format=2, scenebook="0.1.0", stages=stages)
    write_settings(run_dir, {"dataset": "scenes", "setting_of_old": 8.0})
    for name in ("training/model.keras", "training/summary.json", "data/classes.json"):
        run_dir.path(name).parent.mkdir(exist_ok=True)
        run_dir.path(name).touch()
    return run_dir


@pytest.mark.parametrize("command", ["report", "run", "explain", "render", "verify", "predict"])
def test_a_run_of_an_older_version_is_refused_in_words(
    old: RunDirectory, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    images = ["--images", str(old.root)] if command == "predict" else []
    assert main([command, "--run", old.name, *images]) == 2
    told = capsys.readouterr().err
    assert "scenebook 0.1.0" in told
    assert "make report" in told
    assert "Traceback" not in told


def test_made_anew_every_stage_of_it_runs_and_says_why(old: RunDirectory, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "--run", old.name, "--profile", "sample"]) == 0
    assert capsys.readouterr().out.count("made by an older version of scenebook") == len(STAGES)


def test_it_can_be_compared_with_a_run_of_this_version(
    old: RunDirectory, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    new = make_run(tmp_path / "runs" / "new")
    assert main(["diff", old.name, new.name]) == 0
    assert "setting_of_old" in capsys.readouterr().out
