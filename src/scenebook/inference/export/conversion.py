"""From a trained classifier to the files of a format: one graph, from the bytes of pixels to probabilities."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from scenebook.core.errors import InputError, ScenebookError
from scenebook.network.frozen.openvino_runtime import import_openvino

VARIANTS = ("model-float16.tflite", "model-int8.tflite")
"""Smaller files beside `model.tflite`: weights of 16 bits; weights and what layers put out of 8."""


def build_servable(model: keras.Model, preprocess: Callable[[Any], Any], *, mirror: bool) -> keras.Model:
    """Returns a model that holds all that is done to an image of the network's size, and to its `mirror` image.

    It leads from uint8 `(batch, height, width, 3)`, called `images`, to float32 `(batch, num_classes)`; the classifier
    from preprocessed images to probabilities; and `preprocess` from float32 `(batch, height, width, 3)` in `[0, 255]`.

    Raises:
        InputError: The preprocessing cannot be part of a graph.
    """
    images = keras.Input(model.input_shape[1:], dtype="uint8", name="images")
    prepared = _build_colour_map(preprocess)(keras.ops.cast(images, "float32"))
    probs = model(prepared, training=False)
    if mirror:
        probs = (probs + model(keras.ops.flip(prepared, axis=2), training=False)) / 2
    return keras.Model(images, probs, name="exported")


def _build_colour_map(preprocess: Callable[[Any], Any]) -> keras.layers.Layer:
    """Returns preprocessing as a layer that all converters know: a convolution of one pixel with fixed weights.

    What backbones want scales, shifts and swaps colours, and nothing else: four colours show what it does to all.
    """
    of_four = np.asarray(preprocess(255 * np.eye(4, 3, -1, dtype=np.float32)[None, None]))[0, 0]
    black, *pure = of_four.astype(np.float64)
    layer = keras.layers.Conv2D(3, 1, trainable=False, name="preprocessing")
    layer.build((None, None, None, 3))
    layer.set_weights([(np.stack(pure) - black)[None, None] / 255, black])
    colours = np.random.default_rng(0).integers(0, 256, (1, 8, 8, 3)).astype(np.float32)
    if not np.allclose(layer(colours), preprocess(colours), rtol=1e-5, atol=1e-4):
        raise InputError("Expected preprocessing that scales, shifts or swaps colours.")
    return layer


def convert(name: str, servable: keras.Model, folder: Path, calibration: np.ndarray) -> None:
    """Writes a network, from `build_servable`, in a format.

    The calibration, uint8 `(n, height, width, 3)`, is training images from which the ranges of 8-bit values are taken.
    """
    try:
        match name:
            case "onnx":
                signature = [tf.TensorSpec((None, *servable.input_shape[1:]), tf.uint8, name="images")]
                servable.export(str(folder / "model.onnx"), format="onnx", verbose=False, input_signature=signature)
                _check_operations(folder / "model.onnx")
            case "openvino":
                import_openvino()
                servable.export(str(folder / "model.xml"), format="openvino", verbose=False)
            case "savedmodel":
                servable.export(str(folder / "model"), format="tf_saved_model", verbose=False)
            case "keras":
                servable.save(folder / "model.keras")
            case "tflite":
                _write_tflite(servable, folder, calibration)
    except ScenebookError:
        raise
    except Exception as error:  # converters raise anything
        reason = " ".join(str(error).split())[:300]
        raise ScenebookError(
            f"Expected a network that can be converted. Received: format={name!r}. The converter says: {reason}"
        ) from error


def _check_operations(file: Path) -> None:
    """Raises `ScenebookError` where a file has operations that ONNX has not: its converter calls them as TensorFlow."""
    import onnx

    unknown = {node.op_type for node in onnx.load(file).graph.node if not onnx.defs.has(node.op_type, node.domain)}
    if unknown:
        raise ScenebookError(
            f"Expected a network of operations that ONNX has. Received: {', '.join(sorted(unknown))}. "
            "Export it in another format."
        )


def _write_tflite(servable: keras.Model, folder: Path, calibration: np.ndarray) -> None:
    small = {"optimizations": [tf.lite.Optimize.DEFAULT]}
    options: dict[str, dict[str, Any]] = {
        "model.tflite": {},
        "model-float16.tflite": {**small, "target_spec": {"supported_types": [tf.float16]}},
        "model-int8.tflite": {**small, "representative_dataset": lambda: ([image[None]] for image in calibration)},
    }
    for file, more in options.items():
        # Without TensorFlow's own operations: who runs the file has no TensorFlow.
        target = {"supported_ops": [tf.lite.OpsSet.TFLITE_BUILTINS], **more.pop("target_spec", {})}
        servable.export(
            str(folder / file),
            format="litert",
            verbose=False,
            target_spec=target,
            experimental_enable_resource_variables=False,
            **more,
        )
