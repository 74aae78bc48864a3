"""What could be reached at most, in sentences, from what was measured in the same run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from benchmarks.wording import format_number


@dataclass(frozen=True)
class Limit:
    """What is needed to explain a goal.

    Attributes:
        needed: Quantities, `measurement.quantity`.
        explain: Takes their medians, in that order, and returns a sentence.
    """

    needed: tuple[str, ...]
    explain: Callable[..., str]


def explain_limit(of: str, medians: Mapping[str, float]) -> str:
    """Returns a sentence on what could be reached at most; empty where what it takes was not measured.

    Args:
        of: What a goal is of.
        medians: The medians of what was measured.
    """
    limit = _LIMITS.get(of)
    if limit is None or any(name not in medians for name in limit.needed):
        return ""
    return limit.explain(*(medians[name] for name in limit.needed))


def _explain_augmentation(legacy: float, sampling: float) -> str:
    return (
        "Sampling alone, without drawing numbers and without putting views into a batch, makes "
        f"{format_number(sampling)} images/s, {format_number(sampling / legacy)} times the legacy class."
    )


def _explain_streaming(plain: float, base: float, tail: float) -> str:
    both = 1 / (1 / base + 1 / tail)
    return (
        f"The frozen layers alone make {format_number(base)} images/s, the trainable layers alone "
        f"{format_number(tail)}: one after the "
        f"other on the same cores {format_number(both)}, {format_number(both / plain)} times plain Keras, with views "
        "that cost nothing."
    )


def _explain_warm(plain: float, tail: float) -> str:
    return (
        f"The trainable layers alone, with their rows in memory, make "
        f"{format_number(tail)} images/s, {format_number(tail / plain)} "
        "times plain Keras: no feature cache can be faster."
    )


def _explain_study(seconds: float, starting: float) -> str:
    return (
        f"Of its {format_number(seconds)} s, {format_number(starting)} s ({starting / seconds:.0%}) passed until each "
        "variant's first step was over: mostly building and tracing, which more images and epochs hardly make longer."
    )


def _explain_memory(memory: float, state: float) -> str:
    return (
        f"Weights, gradients and momentum of what is trained take {format_number(state)} GB of these "
        f"{format_number(memory)} GB."
    )


def _explain_waiting(base: float, views: float) -> str:
    return (
        f"One core makes {format_number(views)} views a second when nothing else runs; the frozen layers take "
        f"{format_number(base)} a second with all cores."
    )


_LIMITS = {
    "augmentation": Limit(("augmentation-legacy.rate", "augmentation.sampling"), _explain_augmentation),
    "warm": Limit(("plain.rate", "tail.rate"), _explain_warm),
    "study": Limit(("study.seconds", "study.starting"), _explain_study),
    "warm.memory": Limit(("warm.memory", "tail.training_state"), _explain_memory),
}
for _runtime in ("tensorflow", "openvino"):
    _base, _streaming = f"base-{_runtime}.rate", f"streaming-{_runtime}"
    _LIMITS |= {
        _streaming: Limit(("plain.rate", _base, "tail.rate"), _explain_streaming),
        f"{_streaming}.memory": Limit((f"{_streaming}.memory", "tail.training_state"), _explain_memory),
        f"{_streaming}.waiting": Limit((_base, "augmentation.rate"), _explain_waiting),
    }
