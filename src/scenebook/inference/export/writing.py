"""A format's folder: the network, its classes, a script that does without this package, and a check of all three."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
from PIL import Image

from scenebook.core.environment import build_environment
from scenebook.core.errors import InputError, ScenebookError
from scenebook.core.provenance import sha256_file
from scenebook.core.run_directory import RunDirectory, replacing_folder, write_bytes, write_json
from scenebook.core.run_files import CLASSES, EXPORTS, MODEL, MODEL_CARD, SUMMARY, TEST_PREDICTIONS
from scenebook.data.decoding import SQUASH
from scenebook.data.splitting import SplitImages, load_split
from scenebook.evaluation.metrics.intervals import compute_proportion
from scenebook.inference.export.conversion import VARIANTS, build_servable, convert
from scenebook.inference.export.formats import EXPORTED_AS, check_installed, make_script
from scenebook.inference.model import load_classifier
from scenebook.network.backbones import find_preprocessing

TOLERANCE = 1e-4
"""How far probabilities of an exported network may be from the run's: it computes the same, in another order."""
CHECKED = 10
_CALIBRATED = 128
"""Training images from which the ranges of 8-bit values are taken."""
_RECORD = "export.json"


def export_run(
    run_dir: RunDirectory, formats: Sequence[str], *, card: str, report: Callable[[int, int], None]
) -> list[dict[str, Any]]:
    """Writes a finished run's network in other formats, each into a folder `export/<format>` of the run.

    The folder holds the network, `classes.json`, `predict.py`, `model-card.md` and `export.json`, which is returned.
    Each is checked: its own `predict.py`, in a process of its own, has to give the probabilities that the run has for
    ten of its test images. A folder of an earlier export is replaced when that is done.

    Every stage of the run is done; `card` is the text of the model card. While small variants are measured, `report` is
    called with the number of test images done and their number.

    Returns:
        Of each format: `format`, `runtime`; `exported_from`, the run and the SHA-256 of its trained model; `files`,
        the bytes of each file or folder; `checked`, how many images; `largest_difference` of a probability, and the
        `tolerance`; and `variants`, from `measure_variant`.

    Raises:
        InputError: A format needs what is not installed, or the network's preprocessing is the notebook's own.
        ScenebookError: A network cannot be converted, or gives other probabilities afterwards.
    """
    check_installed(formats)
    classes = run_dir.read_json(CLASSES)
    servable = _load_servable(run_dir)
    about = {
        "classes": classes["classes"],
        "image_size": list(servable.input_shape[1:3]),
        "fit": classes.get("settings", {}).get("fit", SQUASH),
    }
    test, train = (load_split(run_dir, split, classes["classes"]) for split in ("test", "train"))
    calibration = np.asarray(train.stored[np.sort(train.rows[_spread(len(train), _CALIBRATED)])])
    records, digest = [], sha256_file(run_dir.require(MODEL))
    for name in formats:
        with replacing_folder(run_dir.path(f"{EXPORTS}/{name}")) as folder:
            convert(name, servable, folder, calibration)
            sizes = {path.name: _count_bytes(path) for path in sorted(folder.iterdir())}
            write_json(folder / "classes.json", about)
            write_bytes(folder / "predict.py", make_script(name, about["fit"]).encode())
            write_bytes(folder / MODEL_CARD, card.encode())
            variants = [file for file in VARIANTS if (folder / file).exists()]
            record = {
                "format": name,
                "exported_from": {"run": run_dir.name, "sha256": digest},
                "runtime": EXPORTED_AS[name].runtime,
                "files": sizes,
                "checked": min(CHECKED, len(test)),
                "largest_difference": _check(run_dir, folder, test),
                "tolerance": TOLERANCE,
                "variants": {file: measure_variant(folder / file, test, report) for file in variants},
            }
            write_json(folder / _RECORD, record)
        records.append(record)
    return records


def _load_servable(run_dir: RunDirectory) -> keras.Model:
    summary = run_dir.read_json(SUMMARY)
    preprocessing = find_preprocessing(str(summary.get("preprocessing")))
    if preprocessing is None:
        raise InputError(
            "Expected a run whose images are prepared as a backbone has it: code of its notebook cannot be part of an "
            "exported network.",
            received={"run": run_dir.name, "preprocessing": summary.get("preprocessing")},
        )
    mirror = bool(summary.get("test_time_flip"))
    return build_servable(load_classifier(run_dir), preprocessing, mirror=mirror)


def _check(run_dir: RunDirectory, folder: Path, test: SplitImages) -> float:
    """Runs `predict.py` on test images, and returns the largest difference of a probability from the run's."""
    table = run_dir.read_csv(TEST_PREDICTIONS)
    chosen = test.take(_spread(len(test), CHECKED))
    expected = table.set_index("path").loc[chosen.paths].filter(regex="^p_").to_numpy(dtype=float)
    with tempfile.TemporaryDirectory(prefix="scenebook-") as images:
        names = [f"{number}.png" for number in range(len(chosen))]
        for name, row in zip(names, chosen.rows, strict=True):
            Image.fromarray(chosen.stored[row]).save(Path(images) / name)
        command = [sys.executable, str(folder / "predict.py"), *names]
        quiet = build_environment() | {"TF_CPP_MIN_LOG_LEVEL": "3"}
        done = subprocess.run(command, cwd=images, env=quiet, capture_output=True, text=True, check=False)
    if done.returncode:
        last = " ".join(done.stderr.split())[-300:]
        raise ScenebookError(f"Expected predict.py to run. Received: format={folder.name!r}. It says: {last}")
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    found = np.array([list(line["probabilities"].values()) for line in lines])
    difference = float(np.abs(found - expected).max())
    if not difference <= TOLERANCE:
        raise ScenebookError(
            f"Expected an exported network with the run's probabilities (tolerance {TOLERANCE:g}). "
            f"Received: largest difference={difference:g}. It is not kept."
        )
    return difference


def measure_variant(file: Path, test: SplitImages, report: Callable[[int, int], None]) -> dict[str, Any]:
    """Classifies all test images with a file of TFLite, and reports how many are done, and their number.

    Returns:
        `n`; `accuracy` with its interval; and `images_per_second`, one image at a time.
    """
    from tensorflow.lite.python.interpreter import Interpreter

    runner = Interpreter(str(file), num_threads=os.cpu_count()).get_signature_runner()
    right, started = 0, time.monotonic()
    for number, (row, label) in enumerate(zip(test.rows, test.labels, strict=True), start=1):
        probs = next(iter(runner(images=test.stored[row][None]).values()))
        right += int(probs[0].argmax() == label)
        report(number, len(test))
    rate = len(test) / max(time.monotonic() - started, 1e-9)
    return {"n": len(test), "accuracy": compute_proportion(right, len(test)), "images_per_second": round(rate, 1)}


def _spread(count: int, most: int) -> np.ndarray:
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(np.int64))


def _count_bytes(path: Path) -> int:
    return sum(file.stat().st_size for file in (path.rglob("*") if path.is_dir() else [path]) if file.is_file())
