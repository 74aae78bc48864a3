"""What a network consists of: its stages and one residual block, read from the model that was built.

Layers that two models share are read as *this* model calls them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

_NAMED_STAGE = re.compile(r"(?:^|_)(?P<stage>(?:conv|stage)_?\d+)_x?block_?\d+", re.IGNORECASE)
_NAMED_BLOCK = re.compile(r"^(?P<block>(?:.*_)?x?block_?\d+[a-z]?)(?:_|$)", re.IGNORECASE)
_MARGIN_KINDS = ("ZeroPadding2D", "Cropping2D")


@dataclass(frozen=True)
class LayerSummary:
    """One layer: its Keras class, and in `detail` what it does, as `convolution 3×3, stride 2`.

    The shape is without the batch axis, and `None` where a size is open; parameters are numbers of weights.
    """

    name: str
    kind: str
    detail: str
    output_shape: tuple[int | None, ...]
    parameters: int
    trainable_parameters: int


@dataclass(frozen=True)
class NetworkStage:
    """Layers that stand together, in the order of computation: a residual network's `conv2_x`, or all of a resolution.

    The title is `conv2_x`, `stage 2`, or a single layer's name; `blocks` counts those that the layers' names tell of.
    """

    title: str
    role: str
    layers: tuple[LayerSummary, ...]
    blocks: int

    @property
    def output_shape(self) -> tuple[int | None, ...]:
        return self.layers[-1].output_shape

    @property
    def convolutions(self) -> int:
        return sum("Conv" in layer.kind for layer in self.layers)

    @property
    def parameters(self) -> int:
        return sum(layer.parameters for layer in self.layers)

    @property
    def trainable_parameters(self) -> int:
        return sum(layer.trainable_parameters for layer in self.layers)


@dataclass(frozen=True)
class ResidualBlock:
    """A block whose input is added to what its layers make of it.

    Attributes:
        name: The block that its layers' names tell of, `conv5_block3`; else the addition's name.
        main: The longer path from the source to the addition, in order.
        shortcut: The shorter path; empty where the source itself is added.
    """

    name: str
    source: LayerSummary
    main: tuple[LayerSummary, ...]
    shortcut: tuple[LayerSummary, ...]
    addition: LayerSummary
    activation: LayerSummary | None

    @property
    def layers(self) -> tuple[LayerSummary, ...]:
        ending = () if self.activation is None else (self.activation,)
        return (*self.shortcut, *self.main, self.addition, *ending)


@dataclass(frozen=True)
class NetworkSummary:
    """A network as a chain of stages, from the input to the head, and its last residual block, if it has any."""

    name: str
    stages: tuple[NetworkStage, ...]
    block: ResidualBlock | None


class _Call(NamedTuple):
    """One layer as the model calls it; `parents` are positions in the list of all calls."""

    layer: LayerSummary
    parents: tuple[int, ...]


def describe_network(model: Any) -> NetworkSummary:
    """Reads the stages and the last residual block from a built model of one input and one output.

    The base model may be nested in the classifier or be part of it. Stages come from the layers' names where these
    name stages (`conv2_block1_1_conv`, as in ResNet), else from the resolution. What follows the last image-like
    tensor is the head.

    Raises:
        ScenebookError: The model has no graph: it was not built, or it is a subclass with a `call` of its own.
    """
    # Figures need the records of this module only, not Keras.
    from scenebook.network.graph import is_graph, trace_calls

    calls = [_Call(_summarize(call.operation, call.output), call.parents) for call in trace_calls(model)]
    last_spatial = max((number for number, call in enumerate(calls) if len(call.layer.output_shape) == 3), default=-1)
    inputs = [call.layer for call in calls if call.layer.kind == "InputLayer"]
    body = [call.layer for call in calls[: last_spatial + 1] if call.layer.kind != "InputLayer"]
    head = [call.layer for call in calls[last_spatial + 1 :] if call.layer.kind != "InputLayer"]
    stages = [
        *(NetworkStage("input", "input", (layer,), 0) for layer in inputs),
        *(_named_stages(body) or _resolution_stages(calls[: last_spatial + 1])),
        *(NetworkStage(layer.name, "head", (layer,), 0) for layer in head),
    ]
    name = str(next((layer for layer in model.layers if is_graph(layer)), model).name)
    return NetworkSummary(name, tuple(stages), _last_residual_block(calls))


def _summarize(operation: Any, output: Any) -> LayerSummary:
    weights = (getattr(operation, name, ()) for name in ("weights", "trainable_weights"))
    counts = (sum(math.prod(weight.shape) for weight in some) for some in weights)
    kind = type(operation).__name__
    return LayerSummary(str(operation.name), kind, _describe_layer(operation), tuple(output.shape[1:]), *counts)


def _describe_layer(layer: Any) -> str:
    kind = type(layer).__name__
    if "Conv" in kind and hasattr(layer, "kernel_size"):
        size, stride = "×".join(map(str, layer.kernel_size)), max(layer.strides)
        named = {"DepthwiseConv2D": "depthwise convolution", "SeparableConv2D": "separable convolution"}
        return f"{named.get(kind, 'convolution')} {size}" + (f", stride {stride}" if stride > 1 else "")
    activation = getattr(getattr(layer, "activation", None), "__name__", "")
    activation = {"relu": "ReLU", "linear": ""}.get(activation, activation)
    if kind == "Dense":
        return ", ".join(part for part in ("fully connected", activation) if part)
    if kind == "Activation":
        return activation or "activation"
    known = {"ReLU": "ReLU", "BatchNormalization": "batch normalization", "Add": "addition", "InputLayer": "input"}
    return known.get(kind) or " ".join(re.findall(r"[A-Z]+[a-z]*", re.sub(r"[123]D$", "", kind))).lower()


def _named_stages(layers: Sequence[LayerSummary]) -> list[NetworkStage]:
    """Groups layers by the stage that their names tell of; returns nothing where the names tell of fewer than two."""
    groups: list[tuple[str, list[LayerSummary]]] = []
    for layer in layers:
        match = _NAMED_STAGE.search(layer.name)
        # What has no stage in its name (a pooling, say) belongs to the stage before it; in front of all it is the stem.
        title = groups[-1][0] if groups else "stem"
        if match:  # as the papers do: `conv2_x`; `stage 0`
            stage = match["stage"]
            title = f"{stage}_x" if stage.lower().startswith("conv") else stage.replace("_", " ")
        if not groups or groups[-1][0] != title:
            groups.append((title, []))
        groups[-1][1].append(layer)
    titles = [title for title, _ in groups if title != "stem"]
    # Names that return to an earlier stage are not stages.
    return _make_stages(groups) if len(titles) == len(set(titles)) > 1 else []


def _resolution_stages(calls: Sequence[_Call]) -> list[NetworkStage]:
    """Groups layers by the height and width that they work at, in the order in which these come up."""
    sizes: list[tuple[int, int]] = [(0, 0)] * len(calls)
    for number in reversed(range(len(calls))):
        layer = calls[number].layer
        # A margin is laid on for the layer that comes next, and a squeeze to one pixel for the product that follows.
        own = (0, 0) if layer.kind in _MARGIN_KINDS or len(layer.output_shape) < 3 else layer.output_shape[:2]
        height, width = own[0] or 0, own[1] or 0
        sizes[number] = max([(height, width), *(sizes[after] for after in _children(calls, number))])
    groups: dict[tuple[int, int], list[LayerSummary]] = {}
    for call, size in zip(calls, sizes, strict=True):
        if call.layer.kind != "InputLayer":
            groups.setdefault(size, []).append(call.layer)
    return _make_stages([(f"stage {number}", group) for number, group in enumerate(groups.values(), start=1)])


def _make_stages(groups: Sequence[tuple[str, Sequence[LayerSummary]]]) -> list[NetworkStage]:
    """A block that reaches into two stages counts in the one that holds most of its convolutions."""
    reach: dict[str, list[int]] = {}
    for position, (_, layers) in enumerate(groups):
        for layer in layers:
            if match := _NAMED_BLOCK.match(layer.name):
                counts = reach.setdefault(match["block"], [0] * len(groups))
                counts[position] += "Conv" in layer.kind
    homes = [counts.index(max(counts)) for counts in reach.values()]
    return [NetworkStage(title, "base", tuple(layers), homes.count(n)) for n, (title, layers) in enumerate(groups)]


def _children(calls: Sequence[_Call], number: int) -> Iterator[int]:
    return (after for after in range(number + 1, len(calls)) if number in calls[after].parents)


def _last_residual_block(calls: Sequence[_Call]) -> ResidualBlock | None:
    """Finds the last addition of two paths that part at one layer."""
    for number in reversed(range(len(calls))):
        call = calls[number]
        if call.layer.kind != "Add" or len(set(call.parents)) != 2:
            continue
        reached = [_ancestors(calls, parent) for parent in call.parents]
        common = reached[0] & reached[1]
        if common:
            return _residual_block(calls, number, max(common), reached)
    return None


def _residual_block(calls: Sequence[_Call], addition: int, source: int, reached: list[set[int]]) -> ResidualBlock:
    before = _ancestors(calls, source)
    paths = [tuple(calls[step].layer for step in sorted(steps - before)) for steps in reached]
    shortcut, main = sorted(paths, key=len)
    added, followers = calls[addition].layer, [calls[after].layer for after in _children(calls, addition)]
    is_activated = len(followers) == 1 and followers[0].kind in {"Activation", "ReLU"}
    named = (match["block"] for layer in main if (match := _NAMED_BLOCK.match(layer.name)))
    activation = followers[0] if is_activated else None
    return ResidualBlock(next(named, added.name), calls[source].layer, main, shortcut, added, activation)


def _ancestors(calls: Sequence[_Call], number: int) -> set[int]:
    found: set[int] = set()
    pending = [number]
    while pending:
        step = pending.pop()
        if step not in found:
            found.add(step)
            pending.extend(calls[step].parents)
    return found
