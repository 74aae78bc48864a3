"""The network of a finished run, with what new images are compared with, and a digest of all that they depend on."""

from __future__ import annotations

import importlib.util
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from scenebook.core.environment import hiding_modules
from scenebook.core.errors import InputError, ScenebookError
from scenebook.core.progress import print_progress
from scenebook.core.provenance import OF_TRAINING, library_versions, sha256_file, sha256_lines
from scenebook.core.run_directory import RunDirectory
from scenebook.core.run_files import ABSENT, CLASSES, FEATURES, MODEL, PRETRAINED, RECIPE, RECIPE_SOURCE, SUMMARY
from scenebook.core.settings import OPENVINO
from scenebook.core.source_code import digest_modules
from scenebook.data.file_facts import facts_version
from scenebook.network.features import load_features, load_weights

if TYPE_CHECKING:
    from scenebook.inference.model import Network
    from scenebook.inference.ood import OodDetector


def check_run(run_dir: RunDirectory) -> None:
    """Raises `InputError` unless the run is there and has a trained model."""
    if not run_dir.root.is_dir():
        known = sorted(path.parents[1].name for path in run_dir.root.parent.glob("*/training/model.keras"))
        raise InputError(
            "Expected the name of a finished run.",
            received={"run": run_dir.name},
            advice=f"Runs with a trained model: {', '.join(known)}." if known else "`make report` makes one.",
        )
    missing = [name for name in (MODEL, SUMMARY, CLASSES) if not run_dir.path(name).is_file()]
    if missing:
        raise InputError(
            "Expected a run with a trained model.",
            received={"run": run_dir.name, "missing": missing},
            advice="Run `make report` to its end first.",
        )


def digest_network(run_dir: RunDirectory) -> str:
    """Returns one digest of what predictions depend on besides the images: the run's files, the code, and versions."""
    files = [run_dir.path(name) for name in (MODEL, SUMMARY, CLASSES, RECIPE, RECIPE_SOURCE, FEATURES, PRETRAINED)]
    code = digest_modules(["import scenebook.inference.shards, scenebook.inference.model"], numbers=True)
    versions = library_versions()
    return sha256_lines(
        [
            *(sha256_file(file) if file.is_file() else ABSENT for file in files),
            *(f"{name} {digest}" for name, digest in code.items()),
            *(f"{name} {versions.get(name)}" for name in OF_TRAINING),
            facts_version(),
        ]
    )


def load_network(run_dir: RunDirectory, class_names: Sequence[str], trust: bool) -> tuple[Network, OodDetector | None]:
    """Loads the network and, where the run kept features, what new images are compared with.

    Raises:
        InputError: The model does not fit the classes, or cannot be loaded.
    """
    has_features = all(run_dir.path(name).is_file() for name in (FEATURES, PRETRAINED))
    runtime = _choose_runtime(run_dir)
    with hold_error_stream():
        with hiding_modules("IPython", "matplotlib", "sklearn"):  # Keras imports them for what is not needed here
            from scenebook.inference.model import Network
        from scenebook.inference.ood import OodDetector

        network = Network(run_dir, load_weights(run_dir) if has_features else None, runtime, trust=trust)
        if network.num_classes != len(class_names):
            raise InputError(
                "Expected a model for the classes of the run's data.",
                received={"classes": len(class_names), "outputs of the model": network.num_classes},
                advice="Run `make report` to its end again.",
            )
        next(network([np.zeros((1, *network.size, 3), np.uint8)]))  # what TensorFlow says, it says at the first image
    return network, OodDetector(load_features(run_dir)) if has_features else None


def _choose_runtime(run_dir: RunDirectory) -> str:
    """Returns what the network runs in: OpenVINO where the run's training used it and it is installed here."""
    used = str(run_dir.read_json(SUMMARY).get("frozen_layers_runtime"))
    if not used.lower().startswith(OPENVINO):
        return "tensorflow"
    if importlib.util.find_spec(OPENVINO):
        return OPENVINO
    print_progress(
        f"the run used {used}, which is not installed here: TensorFlow takes its place, and may give other last digits "
        "(make setup-openvino installs it)"
    )
    return "tensorflow"


@contextmanager
def hold_error_stream() -> Iterator[None]:
    """Holds back what is written to the process's error stream, by C++ libraries too, and shows it if they fail.

    TensorFlow writes notes on processors and missing GPUs there before its log level counts.
    """
    sys.stderr.flush()
    shown = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        failed = False
        try:
            yield
        except Exception as error:
            failed = not isinstance(error, ScenebookError)
            raise
        finally:
            sys.stderr.flush()
            os.dup2(shown, 2)
            os.close(shown)
            if failed:
                held.seek(0)
                os.write(2, held.read())
