"""Keras' graph of a model: its calls in their order, models inside models, and how many layers and parameters it has.

Keras has no public names for the edges of a model; what is used of its own lies here.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import keras
from keras import layers

from scenebook.core.backbones import check_layers
from scenebook.core.errors import ScenebookError

_WEIGHT_LAYERS = (
    layers.Dense,
    layers.Conv1D,
    layers.Conv2D,
    layers.Conv3D,
    layers.DepthwiseConv1D,
    layers.DepthwiseConv2D,
    layers.SeparableConv1D,
    layers.SeparableConv2D,
)


class Call(NamedTuple):
    """One layer as a model calls it, the first tensor that it puts out, and where the calls are that it needs."""

    operation: Any
    output: Any
    parents: tuple[int, ...]


def find_node(tensor: Any) -> Any:
    """Returns the node that made a tensor: it has `operation`, `input_tensors` and `outputs`."""
    history = tensor._keras_history
    return history.operation._inbound_nodes[history.node_index]


def list_nodes(model: keras.Model) -> list[Any]:
    """Returns the nodes of a functional model; models nested in it are not opened."""
    return [node for depth in model._nodes_by_depth.values() for node in depth]


def is_graph(operation: Any) -> bool:
    """Returns whether an operation is a model with a graph of its own."""
    return isinstance(operation, keras.Sequential) or hasattr(operation, "_run_through_graph")


def run_graph(model: Any, tensor: Any, call: Callable[..., Any]) -> Any:
    """Goes through a built model's operations in order, with what `call` returns for each and its arguments."""
    graph = model._functional if isinstance(model, keras.Sequential) else model
    outputs = graph._run_through_graph(tensor, call_fn=call)
    # Keras packs them as they were given to the model, and one tensor may be given in a list.
    tensors = keras.tree.flatten(outputs)
    return tensors[0] if len(tensors) == 1 else outputs


def open_layers(model: keras.Model) -> list[keras.layers.Layer]:
    """Returns a model's layers in their order; nested models are replaced by theirs."""
    opened: list[keras.layers.Layer] = []
    for layer in model.layers:
        opened.extend(open_layers(layer) if isinstance(layer, keras.Model) else [layer])
    return opened


def trace_calls(model: Any) -> list[Call]:
    """Returns all calls from the inputs to the outputs, parents first, with nested models opened.

    Raises:
        ScenebookError: The model has no graph: it was not built, or it is a subclass with a `call` of its own.
    """
    try:
        inputs = list(model.inputs)
    except (AttributeError, TypeError):
        raise ScenebookError(
            f"Expected a built Sequential or functional model. Received: model={getattr(model, 'name', model)!r}. "
            "Give it an input shape before it is described."
        ) from None
    calls = [Call(find_node(tensor).operation, tensor, ()) for tensor in inputs]
    made = {id(tensor): number for number, tensor in enumerate(inputs)}

    def call(operation: Any, *args: Any, **kwargs: Any) -> Any:
        if is_graph(operation):
            return run_graph(operation, args[0], call)
        tensors = operation.compute_output_spec(*args, **kwargs)  # a call of it would become part of its history
        given = [item for item in keras.tree.flatten((args, kwargs)) if id(item) in made]
        made.update({id(tensor): len(calls) for tensor in keras.tree.flatten(tensors)})
        calls.append(Call(operation, keras.tree.flatten(tensors)[0], tuple(made[id(tensor)] for tensor in given)))
        return tensors

    run_graph(model, inputs[0] if len(inputs) == 1 else inputs, call)
    return calls


def count_layers(model: keras.Model) -> int:
    """Counts Keras layers with nested models opened: 175 for ResNet50 without top, 178 with the paper's head.

    A nested model's input layer stands for the outer one, so one is counted for both.
    """
    opened = open_layers(model)
    inputs = [layer for layer in opened if isinstance(layer, layers.InputLayer)]
    return len(opened) - max(0, len(inputs) - len(model.inputs))


def count_weight_layers(model: keras.Model) -> int:
    """Counts convolutions and dense layers on the main path, which is what the 50 in ResNet50 means.

    The main path is the one with the most of them, from input to output. The convolutions of projection shortcuts run
    beside it and do not count: ResNet50 has 53 convolutions and a dense layer, of which 4 are projections.
    """
    depths: list[int] = []
    for operation, _, parents in trace_calls(model):
        depths.append(isinstance(operation, _WEIGHT_LAYERS) + max((depths[parent] for parent in parents), default=0))
    return max(depths)


def find_base_model(model: keras.Model) -> keras.Model | None:
    """Returns the largest model within a model, as transfer learning has it; `None` where none is nested in it."""
    nested = [layer for layer in getattr(model, "layers", []) if isinstance(layer, keras.Model)]
    return max(nested, key=lambda layer: len(layer.layers), default=None)


def check_trainable_base_layers(base_model: keras.Model, trainable_base_layers: int) -> None:
    """Raises `SettingsError` when more layers are to be trained than the base model has."""
    check_layers(trainable_base_layers, len(base_model.layers), base_model.name)


def count_parameters(model: keras.Model) -> dict[str, int]:
    """Returns `total_params`, `trainable_params` and `non_trainable_params`."""
    total, trainable = model.count_params(), sum(math.prod(variable.shape) for variable in model.trainable_weights)
    return {"total_params": total, "trainable_params": trainable, "non_trainable_params": total - trainable}


def summarize(model: keras.Model) -> dict[str, Any]:
    """Returns the facts of a classifier for `training/summary.json`, with those of `count_parameters`.

    `layers` are counted with nested models opened, `weight_layers` on the main path; `backbone_weight_layers` with the
    one dense layer of the base model's own top, which is how networks are named: 50 for ResNet50. `last_base_layers`
    are those from the first trained one on; `head` has a phrase for each layer beside the base model. A model without
    another one in it is its own base model.
    """
    base_model = find_base_model(model) or model
    trained = [bool(layer.trainable) for layer in base_model.layers]
    beside = [layer for layer in model.layers if layer is not base_model]
    return {
        "base_model": base_model.name,
        "input_shape": list(model.input_shape[1:]),
        "layers": count_layers(model),
        "weight_layers": count_weight_layers(model),
        "backbone_weight_layers": count_weight_layers(base_model) + 1,
        "base_layers": len(base_model.layers),
        "head": [_describe(layer) for layer in beside if not isinstance(layer, keras.layers.InputLayer)],
        "trainable_base_layers": sum(trained),
        "last_base_layers": len(trained) - trained.index(True) if any(trained) else 0,
        **count_parameters(model),
    }


def _describe(layer: keras.layers.Layer) -> str:
    config = layer.get_config()
    told = [
        f"{config[name]:,}" if name == "units" else f"{config[name]:g}" for name in ("units", "rate") if name in config
    ]
    activation = config.get("activation")
    return " ".join([type(layer).__name__, *told, *([activation] if isinstance(activation, str) else [])])
