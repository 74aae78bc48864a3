"""A network is loaded: what is said meanwhile, and what it runs in."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from scenebook.core.environment import hiding_modules
from scenebook.core.errors import InputError
from scenebook.core.run_files import SUMMARY
from scenebook.inference.loading import hold_error_stream, load_network
from tests.unit.inference.small_run import NAMES, make_run


def start(note: bytes, error: Exception) -> None:
    """What a library does that fails while it starts."""
    with hold_error_stream():
        os.write(2, note)
        raise error


def test_what_is_said_at_the_start_is_not_shown_and_what_comes_later_is(capfd: pytest.CaptureFixture[str]) -> None:
    with hold_error_stream():
        os.write(2, b"no GPU")
    os.write(2, b"later")
    assert capfd.readouterr().err == "later"


def test_it_is_shown_when_something_unexpected_happens(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(RuntimeError):
        start(b"the reason", RuntimeError())
    assert capfd.readouterr().err == "the reason"


def test_an_error_that_explains_itself_stands_alone(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(InputError):
        start(b"no GPU", InputError("Expected something else."))
    assert capfd.readouterr().err == ""


def test_where_openvino_is_missing_that_the_run_used_it_is_said(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    run_dir = make_run(tmp_path / "runs" / "tiny")
    with hiding_modules("openvino"):
        load_network(run_dir, NAMES, trust=False)
        assert "OpenVINO" not in capfd.readouterr().err
        run_dir.write_json(SUMMARY, {**run_dir.read_json(SUMMARY), "frozen_layers_runtime": "OpenVINO 2025.1"})
        load_network(run_dir, NAMES, trust=False)
        assert "OpenVINO 2025.1" in capfd.readouterr().err
