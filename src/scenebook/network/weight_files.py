"""Weights files: compared with a model layer by layer before anything is loaded, and downloaded by Keras."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np

from scenebook.core.backbones import NAMED_WEIGHTS
from scenebook.core.errors import WeightsError
from scenebook.core.settings import WEIGHTS_SUFFIXES
from scenebook.network.graph import open_layers
from scenebook.network.imagenet_weights import keras_cache


def load_weights_file(base_model: keras.Model, path: Path) -> None:
    """Loads a `.weights.h5` or `.keras` file of the same backbone, after every layer's shapes were compared.

    Raises:
        WeightsError: The file does not exist, has another ending, cannot be read, or does not fit; then the model is
            as it was. Or it holds values that are no finite numbers.
    """
    if not path.name.endswith(WEIGHTS_SUFFIXES):
        raise WeightsError(
            f"Expected weights to be {', '.join(NAMED_WEIGHTS)}, or a .weights.h5 or .keras file.",
            received={"weights": str(path)},
            advice="The files that Keras itself downloads (*_notop.h5) belong to weights=imagenet; on a machine "
            f"without internet, copy such a file into {keras_cache()}.",
        )
    if not path.is_file():
        raise WeightsError(
            "Expected the weights file to exist.",
            received={"weights": str(path)},
            advice="Relative paths start where the command was typed.",
        )
    (_load_keras_file if path.suffix == ".keras" else _load_h5_file)(base_model, path)
    _check_finite(base_model, path)


def _check_finite(base_model: keras.Model, path: Path) -> None:
    # TensorFlow's ReLU turns a NaN into 0 on some processors: the training would go on, and learn nothing.
    for variable in base_model.weights:
        if not np.isfinite(keras.ops.convert_to_numpy(variable)).all():
            raise WeightsError(
                "Expected weights that are finite numbers.",
                received={"weights": str(path), "variable": variable.path},
                advice="The file is damaged, or comes from a training whose loss was not a number.",
            )


def _unreadable(path: Path, reason: str) -> WeightsError:
    return WeightsError(
        f"Expected a weights file that Keras can read ({' or '.join(WEIGHTS_SUFFIXES)}, as Keras 3 saves them).",
        received={"weights": str(path)},
        advice=" ".join(reason.split())[:300],
    )


def _load_h5_file(base_model: keras.Model, path: Path) -> None:
    found, _ = _read_h5_shapes(path)
    if not any(key.startswith("layers/") for key in found):
        raise _unreadable(path, "The file holds no weights of layers.")
    # Keras names the groups of such a file by rules of its own: a file of our model, saved by it, shows them.
    with tempfile.TemporaryDirectory() as folder:
        template = Path(folder) / "template.weights.h5"
        base_model.save_weights(template)
        shapes, names = _read_h5_shapes(template)
    own = {key: (names[key], shapes[key]) for key in shapes}
    order = {layer.name: position for position, layer in enumerate(open_layers(base_model))}
    check_shapes(dict(sorted(own.items(), key=lambda item: order.get(item[1][0], -1))), found, str(path))
    try:
        base_model.load_weights(path)
    except (ValueError, OSError, KeyError) as error:
        raise _unreadable(path, str(error)) from error


def _read_h5_shapes(path: Path) -> tuple[dict[str, tuple[Any, ...]], dict[str, str]]:
    shapes: dict[str, dict[int, tuple[int, ...]]] = {}
    names: dict[str, str] = {}

    def visit(key: str, item: Any) -> None:
        group, _, number = key.rpartition("/")
        if isinstance(item, h5py.Dataset) and group.endswith("/vars") and number.isdigit():
            shapes.setdefault(group, {})[int(number)] = item.shape
            names[group] = str(item.parent.attrs.get("name", group))

    try:
        with h5py.File(path, "r") as file:
            file.visititems(visit)
    except (OSError, RuntimeError, KeyError, ValueError) as error:
        raise _unreadable(path, str(error)) from error
    return {group: tuple(of[number] for number in sorted(of)) for group, of in shapes.items()}, names


def _load_keras_file(base_model: keras.Model, path: Path) -> None:
    try:
        loaded = keras.models.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # whatever a foreign file makes Keras raise
        reason = str(error) or type(error).__name__
        if "Lambda" in reason:
            reason = "It has a Lambda layer, that is, code instead of weights; safe mode does not load it."
        raise _unreadable(path, reason) from error
    own, found = ([layer for layer in open_layers(model) if layer.weights] for model in (base_model, loaded))
    check_shapes(
        {str(position): (layer.name, _shapes(layer)) for position, layer in enumerate(own)},
        {str(position): _shapes(layer) for position, layer in enumerate(found)},
        str(path),
    )
    for layer, source in zip(own, found, strict=False):
        layer.set_weights(source.get_weights())


def _shapes(layer: keras.layers.Layer) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(weight.shape) for weight in layer.weights)


def check_shapes(expected: Mapping[str, tuple[str, Any]], found: Mapping[str, Any], weights: str) -> None:
    """Raises `WeightsError` for the first layer whose shapes are not those of the model. Further layers are ignored.

    The model's layers, in their order, are keys to name and shapes; the file's are the same keys to shapes.
    """
    for key, (name, shapes) in expected.items():
        if found.get(key) != shapes:
            raise WeightsError(
                f"Expected weights of this backbone. The first layer that does not fit is {name}: the model's shapes "
                f"are {_show_shapes(shapes)}, the file's are {_show_shapes(found.get(key, ()))}.",
                received={"weights": weights},
                advice="Set backbone to the model that the file was made with, or name another file.",
            )


def _show_shapes(shapes: Iterable[tuple[int, ...]]) -> str:
    return " and ".join("x".join(map(str, shape)) or "a scalar" for shape in shapes) or "missing"
