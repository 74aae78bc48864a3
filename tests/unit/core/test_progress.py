from __future__ import annotations

import re

import pytest

from scenebook.core.progress import MARK, CountProgress, print_progress, update_progress


def test_a_count_says_how_fast_it_goes_and_how_long_the_rest_takes(capsys: pytest.CaptureFixture[str]) -> None:
    report = CountProgress("images", seconds=0)
    for done in (1, 500, 1000):
        report(done, 1000)
    first, middle, last = (line.rstrip() for line in capsys.readouterr().err.splitlines())
    assert first == f"{MARK}images: 1 of 1,000"
    assert re.fullmatch(rf"{MARK}images: 500 of 1,000, [\d,]+ a second, \d+ s left", middle)
    assert last == f"{MARK}images: 1,000 of 1,000"


def test_a_count_is_not_told_too_often(capsys: pytest.CaptureFixture[str]) -> None:
    report = CountProgress("images", seconds=60)
    for done in range(101):
        report(done, 100)
    assert capsys.readouterr().err.rstrip() == f"{MARK}images: 100 of 100"


def test_a_line_that_takes_the_place_of_a_longer_one_covers_it(capsys: pytest.CaptureFixture[str]) -> None:
    update_progress("epoch 1 of 2, 11.5 s")
    update_progress("epoch 2 of 2")
    print_progress("done")
    print_progress("next")
    first, second, third = capsys.readouterr().err.split("\r")
    assert (len(first), second.rstrip()) == (len(second), f"{MARK}epoch 2 of 2")
    assert third.splitlines() == [f"{MARK}done".ljust(len(f"{MARK}epoch 2 of 2")), f"{MARK}next"]
