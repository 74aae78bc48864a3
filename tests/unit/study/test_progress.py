from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from scenebook.study.scheduling import StudyProgress, Task
from tests.unit.study.study import make_base
from tests.unit.study.test_scheduling import make_trials

TRIAL = make_trials(make_base(1))[0]


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def lines() -> list[str]:
    return []


@pytest.fixture
def make(clock: Clock, lines: list[str]) -> Callable[..., StudyProgress]:
    def make(seconds: list[float], workers: int = 1, **options: Any) -> StudyProgress:
        names = [f"task {letter}" for letter in "abcdefgh"]
        tasks = [Task(name, TRIAL, TRIAL.fold.train, each) for name, each in zip(names, seconds, strict=False)]
        return StudyProgress(tasks, workers, report=lines.append, clock=clock, **options)

    return make


def test_every_change_is_told(make: Callable[..., StudyProgress], clock: Clock, lines: list[str]) -> None:
    progress = make([60.0, 60.0, 120.0], workers=2)
    progress.started(0)
    progress.started(1)
    clock.now += 60
    progress.ended(1)
    progress.started(2)
    progress.ended(0, failed=True)
    clock.now += 120
    progress.ended(2)
    assert lines == [
        "ablations: 0 of 3 rows done, 1 running (task a), 2 left, about 2 min",
        "ablations: 0 of 3 rows done, 2 running (task a; task b), 1 left, about 2 min",
        "ablations: 1 of 3 rows done, 1 running (task a), 1 left, about 2 min",
        "ablations: 1 of 3 rows done, 2 running (task a; task c), 0 left, about 2 min",
        "ablations: 2 of 3 rows done (1 failed), 1 running (task c), 0 left, about 2 min",
        "ablations: 3 of 3 rows done (1 failed) in 3 min",
    ]


def test_a_silence_is_broken_after_ten_seconds(
    make: Callable[..., StudyProgress], clock: Clock, lines: list[str]
) -> None:
    progress = make([60.0])
    progress.started(0)
    lines.clear()
    for _ in range(25):
        clock.now += 1
        progress.tick(1)
    assert lines == [f"ablations: 0 of 1 row done, 1 running (task a), 0 left, about {left} s" for left in (50, 40)]


def test_what_was_measured_corrects_what_was_estimated(make: Callable[..., StudyProgress], clock: Clock) -> None:
    progress = make([10.0, 10.0, 30.0])
    assert progress.estimate_seconds() == 50
    progress.started(0)
    clock.now += 20
    progress.ended(0)
    assert progress.estimate_seconds() == 2 * (10 + 30)
    progress.started(1)
    clock.now += 5
    assert progress.estimate_seconds() == 2 * (10 + 30) - 5


def test_what_failed_early_does_not_make_the_rest_quicker(make: Callable[..., StudyProgress], clock: Clock) -> None:
    progress = make([100.0, 100.0])
    progress.started(0)
    clock.now += 1
    progress.ended(0, failed=True)
    assert progress.estimate_seconds() == 100


def test_a_task_that_takes_longer_than_estimated_tells_of_the_others(
    make: Callable[..., StudyProgress], clock: Clock
) -> None:
    progress = make([10.0, 10.0])
    progress.started(0)
    clock.now += 40
    assert progress.estimate_seconds() == 40


def test_a_task_that_is_run_again_begins_anew(make: Callable[..., StudyProgress], clock: Clock) -> None:
    progress = make([60.0])
    progress.started(0)
    clock.now += 50
    progress.started(0)
    assert progress.estimate_seconds() == 60


@pytest.mark.parametrize(
    ("workers", "seconds"),
    [(0, 80.0), (1, 80.0), (2, 50.0), (9, 50.0)],
)
def test_tasks_are_shared_out_to_the_workers_and_one_is_never_split(
    make: Callable[..., StudyProgress], workers: int, seconds: float
) -> None:
    assert make([10.0, 10.0, 10.0, 50.0], workers).estimate_seconds() == seconds


def test_the_number_of_workers_may_change(make: Callable[..., StudyProgress], clock: Clock, lines: list[str]) -> None:
    progress = make([60.0, 60.0], workers=1)
    for workers in (2, 0):
        clock.now += 10
        progress.tick(workers)
    assert lines == [
        "ablations: 0 of 2 rows done, 0 running, 2 left, about 60 s",
        "ablations: 0 of 2 rows done, 0 running, 2 left, about 2 min; waiting for a worker",
    ]


def test_of_many_running_tasks_some_are_named(make: Callable[..., StudyProgress], lines: list[str]) -> None:
    progress = make([1.0] * 6, workers=6)
    for position in range(6):
        progress.started(position)
    assert "6 running (task a; task b; task c; task d; 2 more), 0 left" in lines[-1]


def test_what_was_done_before_is_counted(make: Callable[..., StudyProgress], lines: list[str]) -> None:
    progress = make([1.0], done=2, title="feature cache", noun="part")
    progress.started(0)
    progress.ended(0)
    assert lines == [
        "feature cache: 2 of 3 parts done, 1 running (task a), 0 left, about 1 s",
        "feature cache: 3 of 3 parts done in 0 s",
    ]
