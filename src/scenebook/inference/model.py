"""The trained classifier and the pretrained features in one pass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import keras
import numpy as np

from scenebook.core.errors import InputError
from scenebook.core.run_directory import RunDirectory
from scenebook.core.run_files import MODEL, SUMMARY
from scenebook.data.decoding import load_decoder
from scenebook.network.pretrained import add_features
from scenebook.network.recipe.recipe import load_prepare


def load_classifier(run_dir: RunDirectory) -> keras.Model:
    """Returns a run's trained classifier, from preprocessed images to probabilities.

    Raises:
        InputError: It cannot be loaded.
    """
    try:
        return keras.saving.load_model(run_dir.require(MODEL), compile=False, safe_mode=True)
    except (ValueError, TypeError, OSError) as error:  # as of a layer that is called otherwise now
        raise InputError(
            "Expected a model that Keras can load.",
            received={"run": run_dir.name, "model": MODEL},
            advice=f"{' '.join(str(error).split())[:300]} Make the run again: `make report`.",
        ) from None


class Network:
    """Classifies images, and computes their features where the run kept what that takes.

    Where the run has predicted mirror images too, so does this.

    Attributes:
        classifier: The trained model, from preprocessed images to probabilities.
        size: `(height, width)` of its images.
        fit: How images get that size, as for `decoding.resize`.

    Args:
        run_dir: A run with a trained model.
        pretrained: As for `add_features`; `None`: no features are computed.
        trust: Whether code that comes with the run may be run.

    Raises:
        InputError: The model cannot be loaded, or images are prepared by code that is not trusted.
    """

    def __init__(
        self, run_dir: RunDirectory, pretrained: Mapping[int, Sequence[np.ndarray]] | None, *, trust: bool = False
    ) -> None:
        self.classifier = model = load_classifier(run_dir)
        self.size = (int(model.input_shape[1]), int(model.input_shape[2]))
        self.decoder = replace(load_decoder(run_dir), size=self.size)
        self.num_classes = int(model.output_shape[-1])
        self._prepare = load_prepare(run_dir, trust=trust)
        self._model = model if pretrained is None else add_features(model, pretrained)
        self._has_features = pretrained is not None
        self._test_time_flip = bool(run_dir.read_json(SUMMARY).get("test_time_flip"))

    def prepare(self, images: np.ndarray) -> np.ndarray:
        """Returns what the classifier is given, float32 `(n, height, width, 3)`, of uint8 images of that shape."""
        return np.asarray(self._prepare(images))

    def __call__(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """Returns probabilities `(n, num_classes)` of uint8 `(n, height, width, 3)`, features `(n, d)` or `None`."""
        prepared = self.prepare(images)
        outputs = self._model.predict_on_batch(prepared)
        probs, features = (outputs[0], outputs[1]) if self._has_features else (outputs, None)
        if self._test_time_flip:
            mirrored = self._model.predict_on_batch(prepared[:, :, ::-1])
            probs = (probs + (mirrored[0] if self._has_features else mirrored)) / 2
        return probs, features
