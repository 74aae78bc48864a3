"""Small runs, written by hand: no kernel, no network."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from scenebook.core.provenance import library_versions, machine, sha256_bytes, sha256_file, sha256_lines
from scenebook.core.run_directory import RunDirectory, write_bytes
from scenebook.core.run_files import MANIFEST, SETTINGS
from scenebook.core.settings import make_settings
from scenebook.evaluation.metrics.classification import compute_confusion, compute_report, compute_scores
from scenebook.pipeline.manifest import MANIFEST_FORMAT

CLASSES = ("cat", "dog")
HOSTILE = "[red]x[/red]"


def make_splits(test: int = 20, classes: Sequence[str] = CLASSES, start: int = 0) -> pd.DataFrame:
    """Two training and one validation image a class, and `test` test images; another start gives other images."""
    rows = []
    for number in range(start, start + test + 3 * len(classes)):
        place = number - start - 3 * len(classes)
        split = "test" if place >= 0 else ("validation" if place >= -len(classes) else "train")
        label = classes[number % len(classes)]
        rows.append((f"{split}/{label}/{number:03d}.png", label, split, sha256_bytes(b"image %d" % number)))
    table = pd.DataFrame(rows, columns=["path", "label", "split", "sha256"])
    return table.assign(width=8, height=8, row=range(len(table)), group=-1)


def make_predictions(splits: pd.DataFrame, wrong: int = 4, classes: Sequence[str] = CLASSES) -> pd.DataFrame:
    """The first `wrong` test images are given the next class; sure of the others, each a little differently."""
    tested = splits[splits["split"] == "test"]
    positions = [classes.index(label) for label in tested["label"]]
    given = [(place + (number < wrong)) % len(classes) for number, place in enumerate(positions)]
    probs = np.full((len(tested), len(classes)), 0.0)
    for number, place in enumerate(given):
        sure = 0.7 + 0.01 * (number % 20)
        probs[number] = (1 - sure) / (len(classes) - 1)
        probs[number, place] = sure
    table = tested[["path", "label"]].reset_index(drop=True)
    table["predicted"] = [classes[place] for place in given]
    table["confidence"] = probs.max(axis=1)
    return table.assign(**{f"p_{name}": probs[:, index] for index, name in enumerate(classes)})


def write_results(
    run_dir: RunDirectory, splits: pd.DataFrame, predictions: pd.DataFrame, classes: Sequence[str] = CLASSES
) -> None:
    """Writes what the stages data, training and evaluation leave, as far as it is compared."""
    digest = sha256_lines(f"{row.sha256} {row.split} {row.path}" for row in splits.itertuples())
    facts = {"name": "pets", "kind": "images", "root": "/pets", "classes": list(classes), "digest": digest}
    run_dir.write_json("data/classes.json", facts)
    run_dir.write_csv("data/splits.csv", splits)
    columns = {"loss": [0.9, 0.5], "accuracy": [0.5, 0.75], "val_loss": [1.0, 0.6], "val_accuracy": [0.5, 1.0]}
    history = pd.DataFrame({"epoch": [1, 2], **columns, "learning_rate": [0.001, 0.0009], "seconds": [2.0, 1.5]})
    run_dir.write_csv("training/history.csv", history)
    run_dir.write_csv("training/test_predictions.csv", predictions)
    run_dir.write_csv("evaluation/predictions.csv", predictions)
    scores = _compute_scores(predictions.to_csv(index=False), tuple(classes))
    run_dir.write_json("evaluation/metrics.json", {"n": len(predictions), **scores})
    run_dir.write_matrix("evaluation/confusion_matrix.csv", compute_confusion(predictions, list(classes)))
    run_dir.write_csv("evaluation/classification_report.csv", compute_report(predictions, list(classes)))
    bins = pd.DataFrame({"from": [0.0, 0.5], "to": [0.5, 1.0], "n": [4, 16], "accuracy": [0.5, 0.875]})
    run_dir.write_csv("evaluation/reliability.csv", bins)


@cache
def _compute_scores(predictions: str, classes: tuple[str, ...]) -> dict[str, Any]:
    """The bootstrap takes most of the time of these tests."""
    return dict(compute_scores(pd.read_csv(io.StringIO(predictions)), list(classes), seed=0))


def make_run(
    root: Path,
    *,
    splits: pd.DataFrame | None = None,
    wrong: int = 4,
    classes: Sequence[str] = CLASSES,
    settings: Mapping[str, Any] | None = None,
    **manifest: Any,
) -> RunDirectory:
    """A finished run whose manifest lists every file of it; `manifest` replaces entries at its top."""
    run_dir = RunDirectory(root)
    splits = make_splits(classes=classes) if splits is None else splits
    write_results(run_dir, splits, make_predictions(splits, wrong, classes), classes)
    write_settings(run_dir, make_settings(settings or {}).model_dump())
    write_manifest(run_dir, **manifest)
    return run_dir


def write_settings(run_dir: RunDirectory, values: Any) -> None:
    """Writes anything as settings."""
    write_bytes(run_dir.path(SETTINGS), yaml.safe_dump(values, sort_keys=False).encode())


def write_manifest(run_dir: RunDirectory, **changes: Any) -> None:
    """Writes a manifest that lists every file that is there now."""
    paths = sorted(path for path in run_dir.root.rglob("*") if path.is_file() and path.name != MANIFEST)
    files = {
        path.relative_to(run_dir.root).as_posix(): {
            "sha256": sha256_file(path),
            "bytes": path.stat().st_size,
            "stage": path.relative_to(run_dir.root).parts[0],
        }
        for path in paths
    }
    stages = {name: {"notebook": f"{name}.ipynb", "status": "done", "reason": ""} for name in ("data", "evaluation")}
    content = {
        "format": MANIFEST_FORMAT,
        "scenebook": "0.1.0",
        "profile": "sample",
        "commit": "c0ffee",
        "stages": stages,
    }
    content |= {"versions": library_versions(), "machine": machine(), "files": files}
    run_dir.write_json(MANIFEST, content | changes)
