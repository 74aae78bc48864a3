"""In which order a study's trainings are done, and what is kept for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from scenebook.core.settings import NO_AUGMENTATION, Settings
from scenebook.data.folds import make_folds
from scenebook.study.plan import Variant
from scenebook.study.scheduling import (
    Round,
    Speed,
    StudyProgress,
    Task,
    describe_feature_cache,
    estimate_seconds,
    network_of,
    plan_rounds,
)
from scenebook.study.trials import Trial, list_trials
from tests.unit.study.study import make_base
from tests.unit.study.test_folds import make_splits

SPLITS = make_splits()  # 81 images that are not test: 72 and 9
LONGER = Variant("longer", "longer", {"epochs": 6}, "epochs", "forward", 2)
PLAIN = Variant("plain", "plain", NO_AUGMENTATION, None, "", 1)
STILL = Variant("still", "still", {"rotation_range": 0}, None, "", 1)
DEEPER = Variant("deeper", "deeper", {"trainable_base_layers": "last stage"}, "more-layers", "forward", 2)
SUMMARY = {"recipe_sha256": "b" * 64, "weights_sha256": None}
SPEED = Speed(start=1.0, base=10.0, tail=100.0, row_bytes=1_000_000)


def make_trials(*variants: Variant, **changes: Any) -> list[Trial]:
    settings = Settings(**{"epochs": 2, **changes})
    return list_trials(variants, settings, make_folds(SPLITS, 2, seed=0), SUMMARY)


def plan(*variants: Variant, feature_cache_gb: float = 8) -> list[Round]:
    trials = make_trials(*variants)
    return plan_rounds(trials, {network_of(trial): SPEED for trial in trials}, feature_cache_gb=feature_cache_gb)


def test_views_that_several_trainings_share_are_filled_in_once_for_all_their_images() -> None:
    (one,) = plan(make_base(2), LONGER)
    (filling,) = one.fillings
    assert len(filling.images) == 81  # what one fold holds out, the other trains on
    assert len(filling.epochs) == 6
    assert filling.seconds == pytest.approx(1 + 6 * 81 / 10)
    assert [training.trial.variant.name for training in one.trainings] == ["longer", "longer", "base", "base"]
    assert all(training.keep_views for training in one.trainings)
    # All views are there: a first pass over the images as they are, then training.
    assert one.trainings[-1].seconds == pytest.approx(1 + 72 / 10 + 3 * 72 / 100)


def test_without_augmentation_a_network_is_begun_once_before_its_further_seeds_read_what_it_computed() -> None:
    plain = Variant("plain", "plain", NO_AUGMENTATION, None, "", 2)
    mobile = Variant("mobile", "mobile", {**NO_AUGMENTATION, "backbone": "MobileNet"}, None, "", 2)
    trainings = plan(plain, mobile)[0].trainings
    assert [training.trial.variant.name for training in trainings] == ["plain", "mobile", "plain", "mobile"]
    assert trainings[0].seconds - trainings[2].seconds == pytest.approx(72 / 10)


def test_workers_share_the_epochs_of_what_is_filled_in() -> None:
    trials = make_trials(make_base(2), LONGER)
    speeds = {network_of(trial): SPEED for trial in trials}
    (alone,) = plan_rounds(trials, speeds, feature_cache_gb=8)
    (one,) = plan_rounds(trials, speeds, feature_cache_gb=8, workers=4)
    assert [list(filling.epochs) for filling in one.fillings] == [[0, 4], [1, 5], [2], [3]]
    assert sum(filling.seconds for filling in one.fillings) == pytest.approx(alone.fillings[0].seconds)


def test_views_that_a_later_training_of_the_plan_shares_are_kept() -> None:
    first, *others = make_trials(LONGER, STILL)
    for later, kept in ((others[:1], True), (others[1:], False)):
        (one,) = plan_rounds([first], {network_of(first): SPEED}, feature_cache_gb=8, plan=[first, *later])
        assert [training.keep_views for training in one.trainings] == [kept]
        assert len(one.fillings) == kept


def test_what_nobody_shares_is_not_kept() -> None:
    (one,) = plan(make_base(2), STILL, PLAIN)
    kept = {training.trial.variant.name: training.keep_views for training in one.trainings}
    assert kept == {"base": True, "still": False, "plain": True}  # without augmentation there is one view
    assert [filling.trial.variant.name for filling in one.fillings] == ["base"]


def test_views_that_one_training_shows_again_are_kept_and_filled_in_once() -> None:
    repeated = Variant("still", "still", {"rotation_range": 0, "epochs": 8, "views": 3}, None, "", 1)
    (one,) = plan(make_base(2), repeated)
    assert [list(filling.epochs) for filling in one.fillings] == [[0, 1], [0, 1, 2]]
    longest = one.trainings[0]
    assert longest.keep_views
    assert longest.seconds == pytest.approx(1 + 72 / 10 + 9 * 72 / 100)


def test_those_that_share_views_fill_in_as_many_as_two_of_them_have() -> None:
    fewer = Variant("fewer", "fewer", {"epochs": 6, "views": 2}, None, "", 2)
    (filling,) = plan(fewer, LONGER)[0].fillings
    assert filling.trial.settings.views == 0  # of the other one, the third epoch has the first view again
    assert list(filling.epochs) == [0, 1, 2, 3, 4, 5]


def test_feature_caches_that_do_not_fit_together_are_filled_one_after_the_other() -> None:
    # 81 rows of 1 MB as they are, and as many in each of two epochs.
    first, second = plan(make_base(2), DEEPER, feature_cache_gb=0.3)
    assert [filling.trial.variant.name for filling in (*first.fillings, *second.fillings)] == ["base", "deeper"]
    assert len(plan(make_base(2), DEEPER, feature_cache_gb=0.5)) == 1


def test_of_what_does_not_fit_at_all_as_many_epochs_are_kept_as_do() -> None:
    (one,) = plan(make_base(2), LONGER, feature_cache_gb=0.3)
    assert len(one.fillings[0].epochs) == 2
    assert one.cache_bytes <= 0.3e9


def test_without_a_feature_cache_nothing_is_filled_in() -> None:
    (one,) = plan(make_base(2), LONGER, feature_cache_gb=0)
    assert one.fillings == []
    assert "nothing is kept" in describe_feature_cache([one], 0)


def test_random_weights_share_nothing_between_seeds() -> None:
    trials = make_trials(make_base(2), backbone="efficientnet-lite0", weights="random")
    (one,) = plan_rounds(trials, {network_of(trial): SPEED for trial in trials}, feature_cache_gb=8)
    assert len(one.fillings) == 2


def test_more_workers_are_faster_but_not_than_the_longest_training() -> None:
    rounds = plan(make_base(2), LONGER)
    one, two, many = (estimate_seconds(rounds, workers) for workers in (1, 2, 1000))
    assert one == pytest.approx(2 * two, rel=0.1)
    assert many > rounds[0].trainings[0].seconds
    assert estimate_seconds([], 2) == 0


def test_the_room_that_the_feature_cache_takes_is_told() -> None:
    rounds = plan(make_base(2), feature_cache_gb=8)
    assert describe_feature_cache(rounds, 8) == "the feature cache takes up to 0.2 GB"
    rounds = plan(make_base(2), DEEPER, feature_cache_gb=0.3)
    assert describe_feature_cache(rounds, 0.3) == (
        "the feature cache would take 0.5 GB and may take 0.3 (feature_cache_gb): it is filled and emptied in 2 rounds"
    )


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
