"""The error stream is held back while libraries start, and shown where they fail."""

from __future__ import annotations

import os

import pytest

from scenebook.core.errors import InputError
from scenebook.inference.loading import hold_error_stream


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
