"""Wrong input to the command line: what is said, and the exit code."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.processes import run_command


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--set", "epocs=3"], "Did you mean epochs?"),
        (["--set", "epochs=0"], "Received: epochs=0"),
        (["--dataset", "no such folder"], "There is no such folder"),
        (["--profile", "papr"], "Did you mean paper?"),
        (["--weights", "none.h5"], "an existing .weights.h5 or .keras file"),
        (["--set", "backbone=ResNet5"], "Did you mean ResNet50?"),
        (["--weights", "embedded"], "one of imagenet, random, or an existing"),
        (["--set", "backbone=embedded"], "efficientnet-lite0 or the name of a model"),
        (["--run", "../x"], "a run's name"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_wrong_input_exits_2_without_a_traceback(tmp_path: Path, arguments: list[str], message: str) -> None:
    done = run_command(tmp_path, "x", "report", *arguments)
    assert done.returncode == 2
    assert message in done.output
    assert "Traceback" not in done.output
    assert not (tmp_path / "runs").exists()


def test_a_folder_that_cannot_be_used_is_refused_before_anything_runs(tmp_path: Path) -> None:
    (tmp_path / "images" / "only").mkdir(parents=True)
    done = run_command(tmp_path, "x", "report", "--dataset", "images", "--profile", "sample")
    assert done.returncode == 2
    assert "at least one image in every class folder" in done.output
    assert not (tmp_path / "runs").exists()


def test_a_command_without_a_run_says_how_to_make_one(tmp_path: Path) -> None:
    for command in ("render", "bundle"):
        done = run_command(tmp_path, "x", command, "--run", "never")
        assert done.returncode == 2
        assert "`python -m scenebook report` makes one" in done.output


def test_help_and_params_need_nothing(tmp_path: Path) -> None:
    assert "report" in run_command(tmp_path, "x", "--help").output
    listed = run_command(tmp_path, "x", "params").output
    for name in ("learning_rate", "trainable_base_layers", "samples_dir"):
        assert name in listed
