"""Weights files of a backbone: what Keras makes of them, and that their values are numbers."""

from __future__ import annotations

import warnings
from itertools import zip_longest
from pathlib import Path

import keras
import numpy as np

from scenebook.core.backbones import NAMED_WEIGHTS
from scenebook.core.errors import WeightsError
from scenebook.core.settings import WEIGHTS_SUFFIXES
from scenebook.network.graph import open_layers
from scenebook.network.imagenet_weights import keras_cache


def load_weights_file(base_model: keras.Model, path: Path) -> None:
    """Loads a `.weights.h5` or `.keras` file of the same backbone; what follows the backbone's own layers is ignored.

    Raises:
        WeightsError: The file does not exist, has another ending, cannot be read, or does not fit, or holds values that
            are no finite numbers. The model may then have some of its weights.
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
    try:
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always", UserWarning)
            (_load_whole_model if path.suffix == ".keras" else keras.Model.load_weights)(base_model, path)
        if told:  # of layers that keep their random weights, say
            raise ValueError(told[0].message)
    except Exception as error:  # whatever a foreign file makes Keras raise
        reason = " ".join(str(error).split()).partition(" Target variable")[0][:300].rstrip(".") or type(error).__name__
        raise WeightsError(
            f"Expected weights of this backbone that Keras can read ({' or '.join(WEIGHTS_SUFFIXES)}, as Keras 3 saves "
            "them).",
            received={"weights": str(path)},
            advice=f"{reason}. Set backbone to the model that the file was made with, or name another file.",
        ) from error
    _check_finite(base_model, path)


def _load_whole_model(base_model: keras.Model, path: Path) -> None:
    loaded = keras.models.load_model(path, compile=False, safe_mode=True)
    own, found = ([layer for layer in open_layers(model) if layer.weights] for model in (base_model, loaded))
    for layer, source in zip_longest(own, found[: len(own)]):
        layer.set_weights(source.get_weights() if source is not None else [])


def _check_finite(base_model: keras.Model, path: Path) -> None:
    # TensorFlow's ReLU turns a NaN into 0 on some processors: the training would go on, and learn nothing.
    for variable in base_model.weights:
        if not np.isfinite(keras.ops.convert_to_numpy(variable)).all():
            raise WeightsError(
                "Expected weights that are finite numbers.",
                received={"weights": str(path), "variable": variable.path},
                advice="The file is damaged, or comes from a training whose loss was not a number.",
            )
