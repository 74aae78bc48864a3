"""The benchmark: its arithmetic, and its command on a few small images."""

from __future__ import annotations

import dataclasses
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers
from rich.console import Console

from benchmarks import plan
from benchmarks.__main__ import main
from benchmarks.clocks import measure_rate, read_memory_peak
from benchmarks.explaining import explain_limit
from benchmarks.job import Job
from benchmarks.limits import count_flops
from benchmarks.results import divide, judge_goals, summarize, tabulate_measurements, tabulate_ratios
from benchmarks.running import Outcome, run_measurements
from benchmarks.study import list_variants
from benchmarks.table import print_results
from benchmarks.waiting import TimedRuntime
from benchmarks.wording import format_number, format_range
from scenebook.core.errors import InputError
from scenebook.core.run_directory import project_root
from scenebook.core.settings import AUGMENTATION, make_settings
from scenebook.network.backbones import build_backbone


def run_command(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks", *arguments]
    environment = {name: value for name, value in os.environ.items() if name != "GLIBC_TUNABLES"}
    return subprocess.run(command, cwd=project_root(), env=environment, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_the_command_measures_both_ways_and_writes_what_it_prints(tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    sizes = ["--images=12", "--epochs=1", "--repeats=1", "--set", "batch_size=6 image_size=32"]
    done = run_command("--profile=sample", "--only=streaming-tensorflow,plain", *sizes, f"--results={file}")
    assert done.returncode == 0, done.stderr
    results = json.loads(file.read_text(encoding="utf-8"))
    assert results["images"]["train"] == 12
    assert results["settings"]["batch_size"] == 6
    assert results["arguments"]["only"] == ["plain", "streaming-tensorflow"]
    assert results["machine"]["cores"] >= 1
    assert results["versions"]["tensorflow"]
    measured = results["measurements"]
    assert list(measured) == [
        *("plain.rate", "plain.memory"),
        *("streaming-tensorflow.rate", "streaming-tensorflow.memory", "streaming-tensorflow.waiting"),
    ]
    for row in measured.values():
        assert len(row["values"]) == 1
        assert row["low"] == row["median"] == row["high"] == row["values"][0] >= 0
    assert 0 < measured["streaming-tensorflow.waiting"]["median"] < 100
    ratio = results["ratios"]["streaming-tensorflow"]
    assert ratio["median"] == measured["streaming-tensorflow.rate"]["median"] / measured["plain.rate"]["median"]
    assert "streaming, TensorFlow; plain Keras = 1" in done.stdout
    assert format_number(ratio["median"]) in done.stdout
    assert "[2/2] repeat 1, streaming-tensorflow" in done.stderr
    assert str(tmp_path) not in json.dumps(results), "folders are nobody's business"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--only=plan"], "Did you mean plain?"),
        (["--images=0"], "Expected a positive number. Received: images=0."),
        (["--dataset=nowhere"], "nowhere"),
    ],
)
def test_wrong_arguments_are_told_before_anything_is_measured(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*arguments, f"--results={tmp_path / 'results.json'}"]) == 2
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_what_a_measurement_needs_goes_before_it() -> None:
    assert [measurement.name for measurement in plan.select_measurements(["warm"])] == ["fill", "warm"]
    assert len(plan.select_measurements([])) == len(plan.MEASUREMENTS)
    with pytest.raises(InputError, match="Did you mean warm"):
        plan.select_measurements(["worm"])


def test_ratios_and_goals_name_quantities_that_are_measured() -> None:
    quantities = {f"{each.name}.{quantity.name}" for each in plan.MEASUREMENTS for quantity in each.quantities}
    ratios = {ratio.name for ratio in plan.RATIOS}
    assert {name for ratio in plan.RATIOS for name in (ratio.over, ratio.under)} <= quantities
    assert {goal.of for goal in plan.GOALS} <= quantities | ratios


def test_the_range_is_that_of_the_repeats() -> None:
    assert summarize([3.0, 1.0, 2.0]) == {"values": [3.0, 1.0, 2.0], "median": 2.0, "low": 1.0, "high": 3.0}
    assert summarize([3.0, None]) == {"values": [3.0, None], "median": 3.0, "low": 3.0, "high": 3.0}
    assert summarize([None])["median"] is None


def test_ratios_are_of_the_same_repeat() -> None:
    # The machine was slow in the second repeat: the medians' ratio would be 2.5.
    assert divide([20.0, 5.0, 30.0], [10.0, 2.5, 8.0]) == [2.0, 2.0, 3.75]
    assert divide([None, 1.0], [1.0, None]) == [None, None]


def make_outcomes(**rates: list[float | None]) -> dict[str, Outcome]:
    """Outcomes of measurements with a rate only; `_` stands for `-` in their names."""
    found = {}
    for name, values in rates.items():
        quantities = plan.find_measurement(name.replace("_", "-")).quantities
        numbers = [None if value is None else {each.name: value for each in quantities} for value in values]
        found[name.replace("_", "-")] = Outcome(numbers, error="it failed" if None in values else "")
    return found


def test_a_goal_is_judged_by_the_median_of_paired_ratios() -> None:
    measured = tabulate_measurements(make_outcomes(plain=[10.0, 10.0, 20.0], warm=[70.0, 50.0, 160.0]))
    ratios = tabulate_ratios(measured)
    assert ratios["warm"]["values"] == [7.0, 5.0, 8.0]
    found = {goal["of"]: goal for goal in judge_goals(measured, ratios, is_papers=True)}
    assert found["warm"]["reached"] is True
    assert found["warm"]["reached_in"] == "2 of 3"
    assert found["warm.memory"]["at_most"] == 3.0
    assert found["warm.memory"]["reached"] is False
    assert "study" not in found
    assert {goal["reached"] for goal in judge_goals(measured, ratios, is_papers=False)} == {None}


def test_a_failed_repeat_is_no_number_and_keeps_its_error() -> None:
    measured = tabulate_measurements(make_outcomes(plain=[None, None], warm=[70.0, 60.0]))
    assert measured["plain.rate"]["median"] is None
    assert measured["plain.rate"]["error"] == "it failed"
    assert "error" not in measured["warm.rate"]
    assert tabulate_ratios(measured)["warm"]["values"] == [None, None]
    assert [goal["of"] for goal in judge_goals(measured, {}, is_papers=True)] == ["warm.memory"]


def run_two(measurements: list[plan.Measurement], job: Job) -> tuple[dict[str, Outcome], list[str]]:
    lines: list[str] = []
    return run_measurements(measurements, job, repeats=2, report=lines.append), lines


def test_a_process_that_fails_is_told_with_its_last_words_and_the_others_go_on(tmp_path: Path) -> None:
    # There is no job in the folder.
    job = Job({}, [], 1, 1, 1.0, tmp_path)
    outcomes, lines = run_two(plan.select_measurements(["plain", "warm"]), job)
    assert outcomes["plain"].numbers == [None, None]
    assert "job.json" in outcomes["plain"].error
    assert outcomes["warm"].left_out == "fill failed"
    assert "[5/5] repeat 2, warm: fill failed" in lines


def test_what_is_not_installed_is_left_out(tmp_path: Path) -> None:
    measurement = dataclasses.replace(plan.find_measurement("base-openvino"), package="no_such_package")
    outcomes, _ = run_two([measurement], Job({}, [], 1, 1, 1.0, tmp_path))
    row = tabulate_measurements(outcomes)["base-openvino.rate"]
    assert row["left_out"] == "no_such_package is not installed"
    assert row["median"] is None
    assert "error" not in row


def test_what_the_limit_is_follows_from_what_was_measured() -> None:
    medians = {"plain.rate": 10.0, "base-tensorflow.rate": 60.0, "tail.rate": 120.0}
    assert "one after the other on the same cores 40.0, 4.00 times plain Keras" in explain_limit(
        "streaming-tensorflow", medians
    )
    assert "120 images/s, 12.0 times plain Keras" in explain_limit("warm", medians)
    assert explain_limit("streaming-openvino", medians) == ""


def test_the_tables_show_numbers_goals_and_errors() -> None:
    measured = tabulate_measurements(make_outcomes(plain=[10.0, 12.0], warm=[70.0, 90.0], tail=[None]))
    ratios = tabulate_ratios({name: row for name, row in measured.items() if not name.startswith("tail")})
    goals = judge_goals(measured, ratios, is_papers=True)
    file = io.StringIO()
    print_results({"measurements": measured, "ratios": ratios, "goals": goals}, Console(file=file, width=80))
    shown = file.getvalue()
    assert "70.0 to 90.0" in shown
    assert "7.00 to 7.50" in shown
    assert "≥ 6" in shown
    assert "tail: it failed" in shown


@pytest.mark.parametrize(
    ("value", "text"), [(None, "–"), (12.0, "12.0"), (0.0123, "0.0123"), (99.96, "100."), (1234.5, "1,230")]
)
def test_numbers_have_three_significant_digits(value: float | None, text: str) -> None:
    assert format_number(value) == text


def test_a_range_that_is_missing_is_a_dash() -> None:
    assert format_range(None, None) == "–"
    assert format_range(1.0, 2.0) == "1.00 to 2.00"


class HandClock:
    """A clock that somebody moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class SlowRuntime:
    """The frozen layers that take 9 seconds a batch on a clock of its own."""

    name = "by hand"

    def __init__(self, clock: HandClock) -> None:
        self._clock = clock

    def __call__(self, images: Any) -> list[Any]:
        self._clock.now += 9
        return [images]

    def run_batches(self, batches: Iterable[Any]) -> Iterator[list[np.ndarray]]:
        return (self(images) for images in batches)


def test_waiting_is_the_share_of_the_frozen_layers_own_time() -> None:
    clock = HandClock()
    base = TimedRuntime(SlowRuntime(clock), clock)

    def make_views() -> Iterator[np.ndarray]:
        for _ in range(3):
            clock.now += 1
            yield np.zeros(1)

    assert base.share_waited == 0
    for _ in base.run_batches(make_views()):
        clock.now += 100  # the trainable layers are trained
    assert base.share_waited == pytest.approx(0.1)
    assert base.batches == 3
    base.forget()
    assert (base.share_waited, base.batches) == (0, 0)


@pytest.mark.usefixtures("clean_keras")
def test_operations_are_counted_by_hand() -> None:
    images = keras.Input((8, 8, 3))
    tensor = layers.Conv2D(4, 3, strides=2, padding="same")(images)  # 4x4 places
    tensor = layers.DepthwiseConv2D(3, padding="same")(layers.BatchNormalization()(tensor))
    tensor = layers.Conv2D(6, 1, groups=2)(tensor)
    model = keras.Model(images, layers.Dense(5)(layers.GlobalAveragePooling2D()(tensor)))
    expected = 2 * (3 * 3 * 3 * 4 * 16 + 3 * 3 * 4 * 16 + 2 * 6 * 16 + 6 * 5)
    assert count_flops(model) == expected


@pytest.mark.usefixtures("clean_keras")
def test_resnet50_takes_as_many_operations_as_its_authors_say() -> None:
    # He et al. (2016), table 1: 3.8e9 multiply-adds at 224x224, its dense layer included. Theirs has the stride of a
    # stage in its first 1x1 convolution, as Keras' has.
    base_model = build_backbone("ResNet50", image_size=224, weights="random")
    assert count_flops(base_model) / 2 == pytest.approx(3.8e9, rel=0.02)


def test_a_rate_counts_whole_calls() -> None:
    calls: list[int] = []
    assert measure_rate(lambda: calls.append(1), 5, seconds=0) > 0
    assert calls == [1]


def test_the_memory_peak_stays_when_memory_is_given_back() -> None:
    before = read_memory_peak()
    array = np.ones(int(before * 1e9 / 8) + 12_500_000)  # a tenth of a gigabyte more than there ever was
    size = array.nbytes / 1e9
    del array
    assert read_memory_peak() > size


def test_the_studys_variants_are_valid_settings() -> None:
    base = make_settings({})
    variants = [make_settings(settings) for settings in list_variants(base.model_dump())]
    assert variants[0] == base
    assert len({variant.model_dump_json() for variant in variants}) == len(variants)
    assert sum(not any(getattr(variant, name) for name in AUGMENTATION) for variant in variants) == 1
