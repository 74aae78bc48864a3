"""What is measured, and what is compared with what."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

from scenebook.core.errors import InputError


@dataclass(frozen=True)
class Measurement:
    """Something that is measured in a process of its own.

    Attributes:
        name: Its name on the command line.
        title: What is measured, for people to read.
        function: `module:function` in this package; the function takes a `Job` and returns a number a quantity.
        quantities: The numbers that it yields: `rate`, and `memory` of trainings; `WHOLE` of whole jobs.
        ours: Whether its process has the environment of a notebook's kernel; plain Keras has not.
        needs: A measurement that goes before it, once, and leaves it the feature cache.
        after: A measurement that goes before it in each repeat.
        once: Whether it goes before others, once, instead of being repeated.
        package: An optional package that it takes.
        one_core: Whether it may use one core only.
        asked: Whether it is measured only if it is named.
    """

    name: str
    title: str
    function: str
    quantities: tuple[str, ...] = ("rate",)
    ours: bool = True
    needs: str = ""
    after: str = ""
    once: bool = False
    package: str = ""
    one_core: bool = False
    asked: bool = False


TRAINING = ("rate", "memory")
WHOLE = ("seconds", "accuracy", "memory")
OURS = (*WHOLE, "report")
STUDY = ("seconds", "memory")
UNITS = {"rate": "images/s", "memory": "GB", "seconds": "s", "accuracy": "", "report": "s"}

MEASUREMENTS = (
    Measurement("cold", "whole job, ours, nothing cached", "whole:measure_cold", OURS),
    Measurement("cached", "whole job, ours, with the feature cache", "whole:measure_warm", OURS, after="cold"),
    Measurement("unaccelerated", "whole job, ours, accelerate=false", "whole:measure_unaccelerated", OURS),
    Measurement("recipe", "whole job, the recipe in plain Keras", "whole:measure_recipe", WHOLE, ours=False),
    Measurement("guide", "whole job, Keras' guide", "whole:measure_guide", WHOLE, ours=False, after="cold"),
    Measurement("study", "study of the claims, ours", "study:measure_ours", STUDY, asked=True),
    Measurement(
        *("study-plain", "study of the claims, plain Keras", "study:measure_plain", STUDY), ours=False, asked=True
    ),
    Measurement("plain", "plain Keras", "keras_plain:measure", TRAINING, ours=False),
    Measurement("streaming-tensorflow", "ours, streaming, TensorFlow", "ours:measure_streaming_tensorflow", TRAINING),
    Measurement(
        *("streaming-openvino", "ours, streaming, OpenVINO", "ours:measure_streaming_openvino", TRAINING),
        package="openvino",
    ),
    Measurement("fill", "ours, filling the feature cache", "ours:fill_feature_cache", once=True),
    Measurement("warm", "ours, warm feature cache", "ours:measure_warm", TRAINING, needs="fill"),
    Measurement("rows", "the same layers, random numbers in memory", "ours:measure_rows", TRAINING),
    Measurement("frozen-limit", "frozen layers, the machine's limit", "parts:measure_limit"),
    Measurement("frozen-tensorflow", "frozen layers, TensorFlow", "parts:measure_tensorflow"),
    Measurement(*("frozen-openvino", "frozen layers, OpenVINO", "parts:measure_openvino"), package="openvino"),
    Measurement(
        *("augmentation-legacy", "augmentation, legacy class", "parts:measure_legacy_augmentation"),
        ours=False,
        one_core=True,
    ),
    Measurement("augmentation", "augmentation, ours", "parts:measure_augmentation", one_core=True),
)

RATIOS = {
    "cold-recipe": ("time of the recipe in plain Keras; ours, nothing cached = 1", "recipe.seconds", "cold.seconds"),
    "cold-guide": ("time of Keras' guide; ours, nothing cached = 1", "guide.seconds", "cold.seconds"),
    "cold-unaccelerated": (
        "time of accelerate=false; ours, nothing cached = 1",
        "unaccelerated.seconds",
        "cold.seconds",
    ),
    "cold-cached": ("time with nothing cached; with the feature cache = 1", "cold.seconds", "cached.seconds"),
    "study": ("time of the study in plain Keras; ours = 1", "study-plain.seconds", "study.seconds"),
    "streaming-tensorflow": ("streaming, TensorFlow; plain Keras = 1", "streaming-tensorflow.rate", "plain.rate"),
    "streaming-openvino": ("streaming, OpenVINO; plain Keras = 1", "streaming-openvino.rate", "plain.rate"),
    "warm": ("warm feature cache; plain Keras = 1", "warm.rate", "plain.rate"),
    "warm-rows": ("warm feature cache; random numbers in memory = 1", "warm.rate", "rows.rate"),
    "frozen-tensorflow": ("frozen layers in TensorFlow; the limit = 1", "frozen-tensorflow.rate", "frozen-limit.rate"),
    "frozen-openvino": ("frozen layers in OpenVINO; the limit = 1", "frozen-openvino.rate", "frozen-limit.rate"),
    "augmentation": ("augmentation; legacy class = 1", "augmentation.rate", "augmentation-legacy.rate"),
    "memory": ("memory, streaming; plain Keras = 1", "streaming-tensorflow.memory", "plain.memory"),
    "memory-warm": ("memory, warm feature cache; plain Keras = 1", "warm.memory", "plain.memory"),
}
"""By name: the title, and one quantity that is divided by another of the same repeat, `measurement.quantity`."""


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
    """Returns the measurements of these names and what they need, in the plan's order; for no name, all that
    need not be named.

    Raises:
        InputError: There is no measurement of a name.
    """
    chosen = [find_measurement(name) for name in names] or [one for one in MEASUREMENTS if not one.asked]
    wanted = {name for one in chosen for name in (one.name, one.needs, one.after)}
    return [measurement for measurement in MEASUREMENTS if measurement.name in wanted]
