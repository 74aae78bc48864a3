from __future__ import annotations

import io
import time

import pytest
from rich.console import Console

from scenebook.cli.terminal import TerminalListener, count_on
from scenebook.pipeline.manifest import StageOutcome
from scenebook.pipeline.planning import FIRST


def make_console(*, terminal: bool) -> tuple[Console, io.StringIO]:
    file = io.StringIO()
    return Console(file=file, width=60, force_terminal=terminal, force_interactive=terminal), file


def test_without_a_terminal_every_progress_is_a_line() -> None:
    console, file = make_console(terminal=False)
    with TerminalListener(console) as listener:
        listener.stage_started("data", FIRST)
        listener.progress("data", "images: 3 of [b]4")
    assert file.getvalue().splitlines() == ["[1/7] data", "      images: 3 of [b]4"]


def test_on_a_terminal_progress_is_one_line_that_keeps_the_stage_and_epochs_are_lines() -> None:
    console, file = make_console(terminal=True)
    with TerminalListener(console) as listener:
        listener.stage_started("training", FIRST)
        listener.progress("training", "images " + "x" * 200)
        listener.progress("training", "epoch 1/3: done")
    shown = file.getvalue()
    assert "[2/7] training" in shown
    assert "x" * 61 not in shown
    assert "\n      epoch 1/3: done" in shown or "K      epoch 1/3: done" in shown


def test_two_stages_at_once_have_a_line_each_and_one_tells_the_time_left() -> None:
    console, file = make_console(terminal=True)
    with TerminalListener(console) as listener:
        listener.stage_started("samples", FIRST)
        listener.stage_started("trust", FIRST)
        listener.progress("trust", "maps: 3 of 9")
        listener.time_left(125.0)
        listener.stage_ended(StageOutcome("samples", "04.ipynb", "done", "", seconds=2.0))
        time.sleep(0.2)  # it is drawn ten times a second
    shown = file.getvalue()
    assert "[4/7] samples: done in 2.0 s" in shown
    last = shown[shown.rindex("[4/7] samples: done") :]
    assert "[5/7] trust" in last
    assert "maps: 3 of 9" in last
    assert "about 2 min left" in last


def test_lines_of_stages_that_run_at_once_say_whose_they_are() -> None:
    console, file = make_console(terminal=False)
    with TerminalListener(console) as listener:
        listener.stage_started("samples", FIRST)
        listener.stage_started("trust", FIRST)
        listener.progress("trust", "maps: 3 of 9")
    assert "      trust: maps: 3 of 9" in file.getvalue().splitlines()


@pytest.mark.parametrize("terminal", [True, False])
def test_what_is_counted_is_shown_until_all_is_done(terminal: bool) -> None:
    console, file = make_console(terminal=terminal)
    with count_on(console, "images") as report:
        for done in (2, 4):
            report(done, 4)
    shown = file.getvalue()
    assert "images" in shown
    assert ("4/4" if terminal else "4 of 4") in shown
