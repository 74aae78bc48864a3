"""The trained classifier and the pretrained features in one pass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import keras
import numpy as np

from scenebook.core.errors import InputError
from scenebook.core.run_directory import RunDirectory
from scenebook.core.run_files import MODEL, SUMMARY
from scenebook.network.backbones import load_preprocessing


class Network:
    """Classifies images, and computes their features where the run kept what that takes.

    Args:
        run_dir: A run with a trained model.
        pretrained: As for `add_features`; `None`: no features are computed.

    Raises:
        InputError: The model cannot be loaded.
    """

    def __init__(self, run_dir: RunDirectory, pretrained: Mapping[str, Sequence[np.ndarray]] | None) -> None:
        try:
            model = keras.saving.load_model(run_dir.require(MODEL), compile=False, safe_mode=True)
        except (ValueError, TypeError, OSError) as error:  # as of a layer that is called otherwise now
            raise InputError(
                "Expected a model that Keras can load.",
                received={"run": run_dir.name, "model": MODEL},
                advice=f"{' '.join(str(error).split())[:300]} Make the run again: `make report`.",
            ) from None
        self.size = (int(model.input_shape[1]), int(model.input_shape[2]))
        self.num_classes = int(model.output_shape[-1])
        self._preprocess = load_preprocessing(run_dir.read_json(SUMMARY))
        self._model = model if pretrained is None else add_features(model, pretrained)
        self._has_features = pretrained is not None

    def __call__(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """Returns probabilities `(n, num_classes)` of uint8 `(n, height, width, 3)`, features `(n, d)` or `None`."""
        outputs = self._model.predict_on_batch(self._preprocess(images.astype(np.float32)))
        return (outputs[0], outputs[1]) if self._has_features else (outputs, None)


def add_features(model: keras.Sequential, pretrained: Mapping[str, Sequence[np.ndarray]]) -> keras.Model:
    """Returns a model from images to the classifier's probabilities and the pretrained backbone's pooled features.

    What training left alone is computed once for both; only the layers behind it stand there twice, once with the
    trained weights and once with the old ones.

    Args:
        model: A base model, and the layers of a head.
        pretrained: The weights of the trained layers of the base model before training, by layer name.
    """
    base_model, *head = model.layers
    features = trained = base_model.output
    if pretrained:
        shared = _find_shared(base_model, pretrained)
        ending = keras.Model(shared, base_model.output)
        old = keras.models.clone_model(ending)
        old.set_weights(ending.get_weights())
        for name, arrays in pretrained.items():
            old.get_layer(name).set_weights(list(arrays))
        features = old(shared)
    for layer in head:
        trained = layer(trained)
    return keras.Model(base_model.input, [trained, keras.layers.GlobalAveragePooling2D()(features)])


def _find_shared(base_model: keras.Model, pretrained: Mapping[str, Sequence[np.ndarray]]) -> keras.KerasTensor:
    """Finds the last tensor before all trained layers through which everything goes; at worst the input."""
    names = [layer.name for layer in base_model.layers]
    first = min(names.index(name) for name in pretrained)
    for layer in reversed(base_model.layers[1:first]):
        try:
            keras.Model(layer.output, base_model.output)
        except ValueError:  # a shortcut goes round this tensor
            continue
        return layer.output
    return base_model.input
