"""The trained classifier and the pretrained features in one pass, compiled as the frozen layers of a training are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

import keras
import numpy as np

from scenebook.core.errors import InputError
from scenebook.core.run_directory import RunDirectory
from scenebook.core.run_files import MODEL, SUMMARY
from scenebook.data.decoding import load_decoder
from scenebook.network.frozen.running import compile_frozen_layers
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

    After training, all layers are frozen ones, and run as those of a training do. Where the run has predicted
    mirror images too, so does this.

    Attributes:
        classifier: The trained model, from preprocessed images to probabilities.
        size: `(height, width)` of its images.
        decoder: From a file to an image of that size.
        num_classes: How many classes it has.

    Args:
        run_dir: A run with a trained model.
        pretrained: As for `add_features`; `None`: no features are computed.
        runtime: As for `compile_frozen_layers`.
        trust: Whether code that comes with the run may be run.

    Raises:
        InputError: The model cannot be loaded, or images are prepared by code that is not trusted.
    """

    def __init__(
        self,
        run_dir: RunDirectory,
        pretrained: Mapping[int, Sequence[np.ndarray]] | None,
        runtime: str,
        *,
        trust: bool = False,
    ) -> None:
        self.classifier = model = load_classifier(run_dir)
        self.size = (int(model.input_shape[1]), int(model.input_shape[2]))
        self.decoder = replace(load_decoder(run_dir), size=self.size)
        self.num_classes = int(model.output_shape[-1])
        self._prepare = load_prepare(run_dir, trust=trust)
        self._has_features = pretrained is not None
        self._test_time_flip = bool(run_dir.read_json(SUMMARY).get("test_time_flip"))
        whole = keras.Model(model.inputs, model.outputs) if pretrained is None else add_features(model, pretrained)
        self._run = compile_frozen_layers(whole, runtime)

    def prepare(self, images: np.ndarray) -> np.ndarray:
        """Returns what the classifier is given, float32 `(n, height, width, 3)`, of uint8 images of that shape."""
        return np.asarray(self._prepare(images))

    def __call__(self, batches: Iterable[np.ndarray]) -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
        """Yields, for each batch of uint8 `(n, height, width, 3)`, probabilities `(n, num_classes)` and features.

        These are `(n, d)`, or `None` where none are computed.
        """
        outputs = self._run.run_batches(self._make_views(batches))
        for probs, *features in outputs:
            if self._test_time_flip:
                probs = (probs + next(outputs)[0]) / 2
            yield probs, features[0] if self._has_features else None

    def _make_views(self, batches: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        for images in batches:
            prepared = self.prepare(images)
            yield prepared
            if self._test_time_flip:
                yield prepared[:, :, ::-1]
