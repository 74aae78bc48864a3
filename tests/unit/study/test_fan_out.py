from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scenebook.study.cluster import Cluster, open_cluster
from scenebook.study.fan_out import TaskResult, run_tasks
from tests.unit.study import tasks


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with open_cluster(None, tasks=2, task_gb=0.1) as opened:
        yield opened


def run(cluster: Cluster, function: Any, given: list[Any], **options: Any) -> list[TaskResult]:
    """The outcomes in the order of the tasks."""
    names = [f"task {number}" for number in range(len(given))]
    outcomes = sorted(run_tasks(cluster, function, given, names=names, **options), key=lambda one: one.position)
    assert [outcome.position for outcome in outcomes] == list(range(len(given)))
    return outcomes


def test_every_task_has_an_outcome(cluster: Cluster) -> None:
    outcomes = run(cluster, tasks.double, list(range(7)))
    assert [outcome.result for outcome in outcomes] == [0, 2, 4, 6, 8, 10, 12]
    assert {(outcome.error, outcome.details) for outcome in outcomes} == {("", "")}


def test_no_task_is_no_outcome(cluster: Cluster) -> None:
    assert run(cluster, tasks.double, []) == []


def test_tasks_of_the_same_name_are_two_tasks_and_run_again_in_a_second_call(cluster: Cluster, tmp_path: Path) -> None:
    for _ in range(2):
        first, second = run_tasks(cluster, tasks.make_file, [tmp_path] * 2, names=["x", "x"])
        assert first.result != second.result
    assert len(list(tmp_path.iterdir())) == 4


def test_a_worker_is_given_the_next_task_in_order_when_it_has_ended_one(cluster: Cluster, tmp_path: Path) -> None:
    workers = cluster.count_workers()
    begun: list[int] = []
    ended: list[int] = []

    def note(position: int) -> None:
        assert position < len(ended) + workers
        begun.append(position)
        if len(begun) == workers:
            assert not ended
            (tmp_path / "go").touch()

    for outcome in run_tasks(cluster, tasks.hold, [tmp_path] * 5, names=["a b c", "(", "", "ä", "×"], on_started=note):
        ended.append(outcome.position)
    assert sorted(begun) == sorted(ended) == [0, 1, 2, 3, 4]
    assert len(list(tmp_path.glob("*.pid"))) == workers


def test_who_waits_is_told_of_the_workers(cluster: Cluster) -> None:
    told: list[int] = []
    run(cluster, tasks.double, [1], on_waiting=told.append)
    assert set(told) == {cluster.count_workers()}


def test_an_error_is_an_outcome_and_the_others_go_on(cluster: Cluster) -> None:
    first, second, third = run(cluster, tasks.double_unless_negative, [1, -2, 3])
    assert (first.result, third.result) == (2, 6)
    assert second.result is None
    assert second.error == "ValueError: -2 is negative"
    assert second.details.splitlines()[-1] == "negative"
    assert "in fail" in second.details


@pytest.mark.parametrize(
    ("function", "error"),
    [(tasks.leave, "SystemExit: 3"), (tasks.raise_what_cannot_be_sent, "Unsendable: left, right")],
)
def test_errors_of_every_kind_come_back(cluster: Cluster, function: Any, error: str) -> None:
    (outcome,) = run(cluster, function, [0])
    assert outcome.error == error


def test_a_result_that_cannot_be_sent_is_an_error(cluster: Cluster) -> None:
    (outcome,) = run(cluster, tasks.return_what_cannot_be_sent, [0])
    assert "pickle" in outcome.error
    assert outcome.result is None


def test_a_task_whose_worker_is_killed_is_run_again(cluster: Cluster, tmp_path: Path) -> None:
    (outcome,) = run(cluster, tasks.die_once, [tmp_path / "marker"])
    assert (outcome.result, outcome.error) == ("survived", "")


def test_a_result_that_is_lost_with_its_worker_is_computed_again(cluster: Cluster, tmp_path: Path) -> None:
    (outcome,) = run(cluster, tasks.lose_once, [tmp_path / "marker"])
    assert (outcome.result, outcome.error) == ("survived", "")


def test_a_task_that_kills_every_worker_is_given_up_and_the_others_go_on(cluster: Cluster) -> None:
    workers = cluster.count_workers()
    outcomes = run(cluster, tasks.die_if_negative, [-1, *range(8)])
    assert outcomes[0].error.startswith("KilledWorker: the worker process ended without a word, 3 times.")
    assert "memory" in outcomes[0].error
    assert [outcome.result for outcome in outcomes[1:]] == [0, 2, 4, 6, 8, 10, 12, 14]
    cluster.client.wait_for_workers(workers, timeout=300)


def test_tasks_that_nobody_waits_for_any_more_are_not_begun(cluster: Cluster, tmp_path: Path) -> None:
    outcomes = run_tasks(cluster, tasks.make_file, [tmp_path] * 50, names=["x"] * 50)
    next(outcomes)
    outcomes.close()  # type: ignore[attr-defined]
    run(cluster, tasks.double, [1, 2])
    assert len(list(tmp_path.iterdir())) <= cluster.count_workers()


def test_no_result_is_kept_on_a_worker(cluster: Cluster) -> None:
    """Or it would be computed again when that worker dies."""
    names = ["first", "second"]
    for outcome in run_tasks(cluster, tasks.double, [1, 2], names=names):
        cluster.count_workers()  # an answer that comes after what was said before
        assert not [key for key in cluster.client.futures if key.startswith(names[outcome.position])]
