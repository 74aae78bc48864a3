"""The benchmark: its arithmetic, and its command on a few small images."""

from __future__ import annotations

import dataclasses
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from rich.console import Console

from benchmarks import plan
from benchmarks.__main__ import main
from benchmarks.job import Job
from benchmarks.machine import measure_rate, read_memory_peak
from benchmarks.parts import list_costs
from benchmarks.results import divide, format_number, print_results, summarize, tabulate_measurements, tabulate_ratios
from benchmarks.running import Outcome, run_measurements
from benchmarks.sizes import find_exponent
from scenebook.core.errors import InputError
from scenebook.core.project import project_root
from scenebook.core.settings import make_settings


def run_command(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks", *arguments]
    environment = {name: value for name, value in os.environ.items() if name != "GLIBC_TUNABLES"}
    return subprocess.run(command, cwd=project_root(), env=environment, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_the_command_measures_both_ways_and_writes_what_it_prints(tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    sizes = ["--images=12", "--repeats=1", "--set", "batch_size=6 image_size=32"]
    done = run_command("--profile=sample", "--only=streaming-tensorflow,plain", *sizes, f"--results={file}")
    assert done.returncode == 0, done.stderr
    results = json.loads(file.read_text(encoding="utf-8"))
    assert results["images"] == 12
    assert results["settings"]["batch_size"] == 6
    assert results["arguments"]["only"] == ["plain", "streaming-tensorflow"]
    assert results["machine"]["cores"] >= 1
    assert results["versions"]["tensorflow"]
    measured = results["measurements"]
    names = ("plain", "streaming-tensorflow")
    assert list(measured) == [f"{name}.{quantity}" for name in names for quantity in ("rate", "memory")]
    for row in measured.values():
        assert len(row["values"]) == 1
        assert row["low"] == row["median"] == row["high"] == row["values"][0] >= 0
    ratio = results["ratios"]["streaming-tensorflow"]
    assert ratio["median"] == measured["streaming-tensorflow.rate"]["median"] / measured["plain.rate"]["median"]
    assert "streaming, TensorFlow; plain Keras = 1" in done.stdout
    assert format_number(ratio["median"]) in done.stdout
    assert "[2/2] repeat 1, streaming-tensorflow" in done.stderr
    assert str(tmp_path) not in json.dumps(results)


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
    assert {one.name for one in plan.MEASUREMENTS} - {one.name for one in plan.select_measurements([])} == {
        *("study", "study-plain")
    }
    with pytest.raises(InputError, match="Did you mean warm"):
        plan.select_measurements(["worm"])


def test_ratios_name_quantities_that_are_measured() -> None:
    quantities = {f"{each.name}.{quantity}" for each in plan.MEASUREMENTS for quantity in each.quantities}
    assert {name for _, *compared in plan.RATIOS.values() for name in compared} <= quantities


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
        numbers = [None if value is None else dict.fromkeys(quantities, value) for value in values]
        found[name.replace("_", "-")] = Outcome(numbers, error="it failed" if None in values else "")
    return found


def test_the_median_is_that_of_paired_ratios() -> None:
    measured = tabulate_measurements(make_outcomes(plain=[10.0, 10.0, 20.0], warm=[70.0, 50.0, 160.0]))
    assert tabulate_ratios(measured)["warm"]["values"] == [7.0, 5.0, 8.0]
    assert tabulate_ratios(measured)["warm"]["median"] == 7.0


def test_a_failed_repeat_is_no_number_and_keeps_its_error() -> None:
    measured = tabulate_measurements(make_outcomes(plain=[None, None], warm=[70.0, 60.0]))
    assert measured["plain.rate"]["median"] is None
    assert measured["plain.rate"]["error"] == "it failed"
    assert "error" not in measured["warm.rate"]
    assert tabulate_ratios(measured)["warm"]["values"] == [None, None]


def test_a_whole_job_needs_the_one_whose_accuracy_it_has_to_reach(tmp_path: Path) -> None:
    assert [measurement.name for measurement in plan.select_measurements(["guide"])] == ["cold", "guide"]
    outcomes, _ = run_two(plan.select_measurements(["guide"]), Job(make_settings({}), [], tmp_path))
    assert outcomes["guide"].left_out == "cold failed"


@pytest.mark.parametrize("power", [0.7, 1.0, 1.6])
def test_the_exponent_is_found_whatever_a_stage_costs_without_images(power: float) -> None:
    assert find_exponent({n: 3.0 + 0.01 * n**power for n in (250, 500, 1000, 2000, 4000)}) == pytest.approx(
        power, abs=0.01
    )
    assert find_exponent({250: 1.0, 500: 1.0, 1000: 1.0}) is None


def test_what_a_convolution_costs_is_counted_by_hand() -> None:
    inputs = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(4, 3, padding="same", use_bias=False)(inputs)
    x = keras.layers.DepthwiseConv2D(3, strides=2, padding="same", use_bias=False)(x)
    costs = list(list_costs(keras.Model(inputs, x)))
    assert costs[0] == (2 * 8 * 8 * 3 * 3 * 3 * 4, 4 * (8 * 8 * 3 + 8 * 8 * 4), 4 * 3 * 3 * 3 * 4)
    assert costs[1] == (2 * 4 * 4 * 3 * 3 * 4, 4 * (8 * 8 * 4 + 4 * 4 * 4), 4 * 3 * 3 * 4)


def run_two(measurements: list[plan.Measurement], job: Job) -> tuple[dict[str, Outcome], list[str]]:
    lines: list[str] = []
    return run_measurements(measurements, job, repeats=2, report=lines.append), lines


def test_a_process_that_fails_is_told_with_its_last_words_and_the_others_go_on(tmp_path: Path) -> None:
    # There is no job in the folder.
    job = Job(make_settings({}), [], tmp_path)
    outcomes, lines = run_two(plan.select_measurements(["plain", "warm"]), job)
    assert outcomes["plain"].numbers == [None, None]
    assert "job.json" in outcomes["plain"].error
    assert outcomes["warm"].left_out == "fill failed"
    assert "[5/5] repeat 2, warm: fill failed" in lines


def test_what_is_not_installed_is_left_out(tmp_path: Path) -> None:
    measurement = dataclasses.replace(plan.find_measurement("streaming-openvino"), package="no_such_package")
    outcomes, _ = run_two([measurement], Job(make_settings({}), [], tmp_path))
    row = tabulate_measurements(outcomes)["streaming-openvino.rate"]
    assert row["left_out"] == "no_such_package is not installed"
    assert row["median"] is None
    assert "error" not in row


def test_the_tables_show_numbers_and_errors() -> None:
    measured = tabulate_measurements(make_outcomes(plain=[10.0, 12.0], warm=[70.0, 90.0], fill=[None]))
    ratios = tabulate_ratios(measured)
    file = io.StringIO()
    print_results({"measurements": measured, "ratios": ratios}, Console(file=file, width=80))
    shown = file.getvalue()
    assert "70.0 to 90.0" in shown
    assert "7.00 to 7.50" in shown
    assert "fill: it failed" in shown


@pytest.mark.parametrize(
    ("value", "text"), [(None, "–"), (12.0, "12.0"), (0.0123, "0.0123"), (99.96, "100."), (1234.5, "1,230")]
)
def test_numbers_have_three_significant_digits(value: float | None, text: str) -> None:
    assert format_number(value) == text


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
