"""What is said of one image: its class, the evidence for it, and the training images that are most like it."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np
from PIL import Image

from scenebook.core.errors import MissingArtifactError, ScenebookError
from scenebook.core.run_directory import RunDirectory
from scenebook.core.run_files import CLASSES, IMAGES, SPLITS
from scenebook.evaluation.attribution.checks import overlay
from scenebook.inference.loading import hold_error_stream, load_network
from scenebook.network.features import load_features

NEAREST = 6
"""Training images that are shown."""


class Answerer:
    """Classifies one image at a time with a run that `check_run` accepts, and whose own code is trusted or not."""

    def __init__(self, run_dir: RunDirectory, *, trust: bool = False) -> None:
        self.class_names: list[str] = run_dir.read_json(CLASSES)["classes"]
        self._network, self._detector = load_network(run_dir, self.class_names, trust)
        with hold_error_stream():
            from scenebook.evaluation.attribution.gradcam import split_at_last_places

            self._cut: tuple[Callable[[Any], Any], Callable[[Any], Any]] | None = None
            with suppress(ScenebookError):  # a network without places has no map
                self._cut = split_at_last_places(self._network.classifier)
        self._kind = 0  # of the two maps HiResCAM; 1, Grad-CAM, where the run's own check has chosen it
        with suppress(MissingArtifactError):
            self._kind = int(run_dir.read_json("samples/map_checks.json")["chosen"] == "grad_cam")
        if self._detector is not None:
            features, splits = load_features(run_dir), run_dir.read_csv(SPLITS).set_index("row")
            self._rows = features.rows[features.splits == "train"]
            self._known = splits.loc[self._rows, ["path", "label"]]
            self._stored = np.load(run_dir.require(IMAGES), mmap_mode="r", allow_pickle=False)

    def __call__(self, content: bytes) -> dict[str, Any]:
        """Classifies an image, given as the bytes of its file.

        Returns:
            `classes`, the names with their probabilities, the most probable first; `image`, as the network is given it,
            and `map`, where the evidence for that class lies, as addresses with all data in them; `nearest`, a list of
            training images with `image`, `path`, `label` and `distance`; `distance` from the training images and the
            `threshold` above which an image counts as unlike them, where the run has kept what that takes.

        Raises:
            OSError: The content is no image that can be read.
        """
        decoder = self._network.decoder
        pixels = decoder.resize(decoder.decode(content))
        probs, vectors = next(self._network([pixels[None]]))
        order = np.argsort(-probs[0], kind="stable")
        answer = {
            "classes": [{"name": self.class_names[place], "probability": float(probs[0, place])} for place in order],
            "image": to_address(pixels),
            "map": self._draw_map(pixels, int(order[0])),
        }
        if self._detector is None or vectors is None:
            return {**answer, "nearest": [], "distance": None, "threshold": None}
        distance = float(self._detector.measure(vectors)[0])
        nearest = [
            {"image": to_address(np.asarray(self._stored[self._rows[place]])), "distance": apart}
            | self._known.iloc[place].to_dict()
            for place, apart in self._detector.list_nearest(vectors[0], NEAREST)
        ]
        return {**answer, "nearest": nearest, "distance": distance, "threshold": self._detector.threshold}

    def _draw_map(self, pixels: np.ndarray, class_position: int) -> str | None:
        if self._cut is None:
            return None
        from scenebook.evaluation.attribution.gradcam import weigh_activations

        body, head = self._cut
        both = weigh_activations(body(self._network.prepare(pixels[None])), head, np.array([class_position], np.int32))
        return to_address(overlay(pixels, np.asarray(both[self._kind][0])))


def to_address(pixels: np.ndarray) -> str:
    """Returns uint8 `(height, width, 3)` as a `data:` address: a page shows it without another request."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=90)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"
