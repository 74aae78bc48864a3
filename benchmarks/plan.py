"""What is measured, what is compared with what, and the goals. No TensorFlow."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

from scenebook.core.errors import InputError


@dataclass(frozen=True)
class Quantity:
    """A number that a measurement yields.

    Attributes:
        name: What it is called in the measurement's line of JSON.
        title: What it is, for people to read.
        unit: `images/s`, `s`, `GB` (10^9 bytes), `GFLOP`, `GFLOP/s`, or `%` of a time.
    """

    name: str
    title: str
    unit: str


@dataclass(frozen=True)
class Measurement:
    """Something that is measured in a process of its own.

    Attributes:
        name: Its name on the command line.
        title: What is measured, for people to read.
        quantities: The numbers that it yields.
        function: `module:function` in this package; the function takes a `Job` and returns a number a quantity.
        ours: Whether its process has the environment of a notebook's kernel; plain Keras has nobody's.
        needs: A measurement that goes before it, once, and leaves it the feature cache.
        once: Whether it goes before others, once, instead of being repeated.
        package: An optional package that it takes.
        one_core: Whether it may use one core only.
    """

    name: str
    title: str
    quantities: tuple[Quantity, ...]
    function: str
    ours: bool = True
    needs: str = ""
    once: bool = False
    package: str = ""
    one_core: bool = False


RATE, MEMORY = Quantity("rate", "", "images/s"), Quantity("memory", "memory peak", "GB")
WAITING = Quantity("waiting", "frozen layers wait for views", "%")
STUDY = (
    Quantity("seconds", "", "s"),
    Quantity("starting", "until first steps were over", "s"),
)

MEASUREMENTS = (
    Measurement("plain", "plain Keras", (RATE, MEMORY), "keras_plain:measure", ours=False),
    Measurement(
        "streaming-tensorflow",
        "ours, streaming, TensorFlow",
        (RATE, MEMORY, WAITING),
        "ours:measure_streaming_tensorflow",
    ),
    Measurement(
        "streaming-openvino",
        "ours, streaming, OpenVINO",
        (RATE, MEMORY, WAITING),
        "ours:measure_streaming_openvino",
        package="openvino",
    ),
    Measurement("fill", "ours, filling the feature cache", (RATE,), "ours:fill_feature_cache", once=True),
    Measurement("warm", "ours, warm feature cache", (RATE, MEMORY), "ours:measure_warm", needs="fill"),
    Measurement("study-plain", "the study, plain Keras", STUDY, "study:measure_plain", ours=False),
    Measurement("study", "the study, ours", STUDY, "study:measure_ours"),
    Measurement(
        "base-keras",
        "frozen layers, plain Keras",
        (RATE, Quantity("predict", "predict", "images/s")),
        "frozen_layers:measure_keras",
        ours=False,
    ),
    Measurement("base-tensorflow", "frozen layers, TensorFlow", (RATE,), "frozen_layers:measure_tensorflow"),
    Measurement(
        "base-openvino", "frozen layers, OpenVINO", (RATE,), "frozen_layers:measure_openvino", package="openvino"
    ),
    Measurement(
        "matmul",
        "matrix multiplication",
        (
            Quantity("gflops", "", "GFLOP/s"),
            Quantity("base_gflop", "an image in the frozen layers", "GFLOP"),
            Quantity("limit", "the frozen layers at most", "images/s"),
        ),
        "limits:measure_matmul",
    ),
    Measurement(
        "tail",
        "the trainable layers alone",
        (RATE, Quantity("training_state", "weights, gradients, momentum", "GB")),
        "limits:measure_tail",
    ),
    Measurement(
        "augmentation-legacy",
        "augmentation, legacy class",
        (RATE,),
        "augmentation:measure_legacy",
        ours=False,
        one_core=True,
    ),
    Measurement(
        "augmentation",
        "augmentation, ours",
        (RATE, Quantity("sampling", "sampling alone", "images/s")),
        "augmentation:measure_ours",
        one_core=True,
    ),
)


@dataclass(frozen=True)
class Ratio:
    """One quantity divided by another of the same repeat.

    Attributes:
        name: Its name in the results.
        title: What it says, for people to read.
        over: The quantity above the line, `measurement.quantity`.
        under: The one below.
    """

    name: str
    title: str
    over: str
    under: str


RATIOS = (
    Ratio("streaming-tensorflow", "streaming, TensorFlow; plain Keras = 1", "streaming-tensorflow.rate", "plain.rate"),
    Ratio("streaming-openvino", "streaming, OpenVINO; plain Keras = 1", "streaming-openvino.rate", "plain.rate"),
    Ratio("warm", "warm feature cache; plain Keras = 1", "warm.rate", "plain.rate"),
    Ratio("study", "the study; plain Keras = 1", "study-plain.seconds", "study.seconds"),
    Ratio("augmentation", "augmentation; legacy class = 1", "augmentation.rate", "augmentation-legacy.rate"),
    Ratio("base-tensorflow", "frozen layers, TensorFlow; plain call = 1", "base-tensorflow.rate", "base-keras.rate"),
    Ratio("base-openvino", "frozen layers, OpenVINO; plain call = 1", "base-openvino.rate", "base-keras.rate"),
    Ratio(
        "base-tensorflow-predict",
        "frozen layers, TensorFlow; predict = 1",
        "base-tensorflow.rate",
        "base-keras.predict",
    ),
    Ratio("base-openvino-predict", "frozen layers, OpenVINO; predict = 1", "base-openvino.rate", "base-keras.predict"),
    Ratio(
        "base-tensorflow-limit",
        "frozen layers, TensorFlow; arithmetic limit = 1",
        "base-tensorflow.rate",
        "matmul.limit",
    ),
    Ratio("base-openvino-limit", "frozen layers, OpenVINO; arithmetic limit = 1", "base-openvino.rate", "matmul.limit"),
    Ratio("warm-limit", "warm feature cache; the trainable layers alone = 1", "warm.rate", "tail.rate"),
    Ratio("memory", "memory, streaming; plain Keras = 1", "streaming-tensorflow.memory", "plain.memory"),
    Ratio("memory-warm", "memory, warm feature cache; plain Keras = 1", "warm.memory", "plain.memory"),
)


@dataclass(frozen=True)
class Goal:
    """What was to be reached with the paper's recipe.

    Attributes:
        of: The name of a ratio, or a quantity as `measurement.quantity`.
        bound: The number to be reached.
        at_least: Whether more is better; otherwise less is.
    """

    of: str
    bound: float
    at_least: bool = True


GOALS = (
    Goal("augmentation", 5.0),
    Goal("streaming-tensorflow", 1.35),
    Goal("streaming-openvino", 1.6),
    Goal("warm", 6.0),
    Goal("study", 3.0),
    Goal("streaming-tensorflow.memory", 3.0, at_least=False),
    Goal("streaming-openvino.memory", 3.0, at_least=False),
    Goal("warm.memory", 3.0, at_least=False),
    Goal("streaming-tensorflow.waiting", 5.0, at_least=False),
    Goal("streaming-openvino.waiting", 5.0, at_least=False),
)


def find_measurement(name: str) -> Measurement:
    """Returns a measurement by its name.

    Raises:
        InputError: There is none of that name.
    """
    found = {measurement.name: measurement for measurement in MEASUREMENTS}
    if name not in found:
        near = difflib.get_close_matches(name, found, n=1)
        raise InputError(
            "Expected the name of a measurement.",
            received={"only": name},
            advice=(f"Did you mean {near[0]}? " if near else "") + f"There are: {', '.join(found)}.",
        )
    return found[name]


def select_measurements(names: Sequence[str]) -> list[Measurement]:
    """Returns the measurements of these names and what they need, in the plan's order; all of them for no name.

    Raises:
        InputError: There is no measurement of a name.
    """
    chosen = {find_measurement(name).name for name in names} or {measurement.name for measurement in MEASUREMENTS}
    needed = {measurement.needs for measurement in MEASUREMENTS if measurement.name in chosen}
    return [measurement for measurement in MEASUREMENTS if measurement.name in chosen | needed]
