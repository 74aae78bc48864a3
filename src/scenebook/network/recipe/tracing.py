"""What a batch of images goes through, as TensorFlow sees it: what it depends on, and which settings it reads."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import tensorflow as tf
from tensorflow.python.framework import op_def_registry

from scenebook.core.settings import Settings

_READING = frozenset({"ReadVariableOp", "ResourceGather"})
"""What only reads weights, which are digested by their values."""


class ReadSettings:
    """Settings that note which of them are read.

    Args:
        settings: The settings.

    Attributes:
        names: The settings that were read so far.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.names: set[str] = set()
        self._on_late: Callable[[str], None] | None = None

    def close(self, on_late: Callable[[str], None]) -> None:
        """Says what is to be called with the name of a setting that is read later and was not read before."""
        self._on_late = on_late

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        # A method, `model_dump` say, may read them all.
        read = {name} if name in Settings.model_fields else set(Settings.model_fields)
        if not read <= self.names:
            self.names |= read
            if self._on_late is not None:
                self._on_late(name)
        return getattr(self._settings, name)

    @property
    def values(self) -> dict[str, Any]:
        """The settings that were read so far, name to value."""
        return {name: getattr(self._settings, name) for name in sorted(self.names)}


@dataclass(frozen=True)
class Preparation:
    """What is known of a recipe's `prepare`.

    Attributes:
        uses_seeds: Whether what it makes of an image depends on the image's seed: it then differs from epoch to epoch.
        draws: Whether it depends on something else that changes, random numbers of its own say.
        graph: What TensorFlow does to a batch, serialized: with equal ones, two preparations are the same.
    """

    uses_seeds: bool
    draws: bool
    graph: bytes


def trace_preparation(
    prepare: Callable[..., Any], settings: Any, image_shape: Sequence[int], *, training: bool
) -> Preparation:
    """Looks at what `prepare` does to a batch.

    Args:
        prepare: Of images uint8 `(batch, height, width, 3)`, seeds int64 `(batch, 2)`, settings, and whether it is for
            training.
        settings: What it is given as settings: `ReadSettings`, to know which it reads.
        image_shape: Height, width, channels.
        training: What it is told.
    """

    @tf.function(input_signature=[tf.TensorSpec((None, *image_shape), tf.uint8), tf.TensorSpec((None, 2), tf.int64)])
    def run(images: tf.Tensor, seeds: tf.Tensor) -> Any:
        return tf.identity(prepare(images, seeds, settings, training))

    concrete = run.get_concrete_function()
    seeds = concrete.inputs[1].op
    reached = set(_list_ancestors(concrete.outputs[0].op))
    graph = concrete.graph.as_graph_def()
    nodes = [*graph.node, *(node for function in graph.library.function for node in function.node_def)]
    return Preparation(
        seeds in reached, any(_has_state(node.op) for node in nodes), graph.SerializeToString(deterministic=True)
    )


def _list_ancestors(operation: tf.Operation) -> Iterator[tf.Operation]:
    seen, waiting = set(), [operation]
    while waiting:
        one = waiting.pop()
        if one not in seen:
            seen.add(one)
            yield one
            waiting += [*(tensor.op for tensor in one.inputs), *one.control_inputs]


def _has_state(kind: str) -> bool:
    definition = op_def_registry.get(kind)
    return kind not in _READING and kind != "Placeholder" and bool(definition and definition.is_stateful)
