"""What a batch of images goes through, as TensorFlow sees it: what it depends on, and which settings it reads."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.python.framework import op_def_registry

from scenebook.core.settings import Settings

_READING = frozenset({"ReadVariableOp", "ResourceGather"})
"""What only reads weights, which are digested by their values."""


_TRIED = 8  # images in the batch that is tried


class ReadSettings:
    """Settings that note which of them are read: `names` are those that were read so far."""

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
        value = getattr(self._settings, name)  # what there is none of is not read: TensorFlow asks for this and that
        # A method, `model_dump` say, may read them all.
        read = {name} if name in Settings.model_fields else set(Settings.model_fields)
        if not read <= self.names:
            self.names |= read
            if self._on_late is not None:
                self._on_late(name)
        return value

    @property
    def values(self) -> dict[str, Any]:
        return {name: getattr(self._settings, name) for name in sorted(self.names)}


@dataclass(frozen=True)
class Preparation:
    """What is known of a recipe's `prepare`: what it makes of an image may depend on more than the image.

    Attributes:
        uses_seeds: On the image's seed: it then differs from epoch to epoch.
        draws: On something else that changes, random numbers of its own say.
        mixes: On the others in its batch.
        graph: What TensorFlow does to a batch, serialized.
        values: The variables and large constants that it uses, by identity.
    """

    uses_seeds: bool
    draws: bool
    mixes: bool
    graph: bytes
    values: tuple[Any, ...]

    def is_same(self, other: Preparation) -> bool:
        """Returns whether another one makes the same of every image."""
        same = len(self.values) == len(other.values) and all(
            one is another for one, another in zip(self.values, other.values, strict=True)
        )
        return self.graph == other.graph and same


def trace_preparation(
    prepare: Callable[..., Any], settings: Any, image_shape: Sequence[int], *, training: bool
) -> Preparation:
    """Looks at what a recipe's `prepare` does to a batch of images of a shape (height, width, channels).

    It is given `ReadSettings` as settings, to know which it reads.
    """

    @tf.function(input_signature=[tf.TensorSpec((None, *image_shape), tf.uint8), tf.TensorSpec((None, 2), tf.int64)])
    def run(images: tf.Tensor, seeds: tf.Tensor) -> Any:
        return tf.identity(prepare(images, seeds, settings, training))

    concrete = run.get_concrete_function()
    seeds = concrete.inputs[1].op
    reached = set(_list_ancestors(concrete.outputs[0].op))
    graph = concrete.graph.as_graph_def()
    nodes = [*graph.node, *(node for function in graph.library.function for node in function.node_def)]
    draws = any(_has_state(node.op) for node in nodes)
    return Preparation(
        uses_seeds=seeds in reached,
        draws=draws,
        mixes=not draws and _mixes(concrete, image_shape),
        graph=graph.SerializeToString(deterministic=True),
        values=tuple(concrete.captured_inputs),
    )


def _mixes(run: Callable[..., tf.Tensor], image_shape: Sequence[int]) -> bool:
    """Tries a batch, and then its images in another order and in parts."""
    rng = np.random.default_rng(0)
    # Each as bright as no other.
    images = (rng.integers(0, 256, (_TRIED, *image_shape)) * np.linspace(0.2, 1, _TRIED)[:, None, None, None]).astype(
        np.uint8
    )
    seeds = rng.integers(0, 2**31, (_TRIED, 2))

    def prepare(places: np.ndarray) -> np.ndarray:
        return np.asarray(run(tf.constant(images[places]), tf.constant(seeds[places])))

    order = rng.permutation(_TRIED)
    parts = (order, order[:1], order[1:4])
    try:
        whole, *others = map(prepare, (np.arange(_TRIED), *parts))
    except tf.errors.OpError:  # batches of some sizes only
        return True
    slack = 1e-5 * float(np.abs(whole).max(initial=0.0))
    return any(
        found.shape != whole[part].shape or not np.allclose(found, whole[part], rtol=0, atol=slack, equal_nan=True)
        for part, found in zip(parts, others, strict=True)
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
