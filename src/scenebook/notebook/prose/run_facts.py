"""What the abstract and the conclusion need to know of a run, and how somebody else gets the same."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from scenebook.core.backbones import NAMED_WEIGHTS, RANDOM, find_backbone
from scenebook.core.provenance import changed_settings, sha256_file
from scenebook.core.run_directory import RunDirectory, project_root
from scenebook.core.run_files import (
    CLASSES,
    CONFUSION_MATRIX,
    HISTORY,
    MANIFEST,
    METRICS,
    MODEL,
    RECIPE,
    SETTINGS,
    SPLITS,
)
from scenebook.core.sentences import Sourced
from scenebook.core.settings import make_settings
from scenebook.core.wording import count_noun
from scenebook.core.yaml_files import read_yaml
from scenebook.evaluation.metrics.report import list_confusions

_PATHS = {"samples_dir": "folder", "class_map": "file", "claims_file": "file", "ablation_plan": "file"}
"""Settings that hold a path, and what a reader puts there instead."""


def collect_recipe(run_dir: RunDirectory, **given: Any) -> dict[str, Any]:
    """Returns the settings that a run was made with, as far as they are known: of a run by hand, those of training.

    Args:
        run_dir: The run.
        **given: Settings that the notebook knows.
    """
    file = run_dir.path(SETTINGS)
    settings = read_yaml(file, "file of settings").content if file.is_file() else {}
    return {**settings, **run_dir.read_json(RECIPE), **given}


def collect_facts(run_dir: RunDirectory) -> Sourced:
    """Returns what sentences need to know of a run: its data, recipe, splits, accuracies and confusions."""
    classes = run_dir.read_json(CLASSES)
    recipe = run_dir.read_json(RECIPE)
    counts = run_dir.read_csv(SPLITS)["split"].value_counts()
    history = run_dir.read_csv(HISTORY).iloc[-1]
    matrix = run_dir.read_matrix(CONFUSION_MATRIX)
    splits = {split: int(counts.get(split, 0)) for split in ("train", "validation", "test")}
    backbone = name_backbone(recipe["backbone"], recipe["weights"])
    of_classes = matrix.to_numpy().sum(axis=1)
    facts = {
        "name": (classes["name"], f"{CLASSES}: name"),
        "kind": (classes["kind"], f"{CLASSES}: kind"),
        "k": (len(classes["classes"]), f"{CLASSES}: number of classes"),
        "backbone": (backbone, f"{RECIPE}: backbone, weights"),
        "epochs": (count_noun(recipe["epochs"], "epoch"), f"{RECIPE}: epochs"),
        "base_layers": (count_noun(recipe["trainable_base_layers"], "layer"), f"{RECIPE}: trainable_base_layers"),
        **{split: (count, f"{SPLITS}: rows whose split is {split}") for split, count in splits.items()},
        "confusion": (tell_commonest_error(matrix), f"{CONFUSION_MATRIX}: largest cell off the diagonal"),
        "train_accuracy": (float(history["accuracy"]), f"{HISTORY}: accuracy in the last row"),
        "augmented": (make_settings(recipe).is_augmented, f"{RECIPE}: settings of the augmentation"),
        "majority": (float(of_classes.max() / of_classes.sum()), f"{CONFUSION_MATRIX}: share of the largest row"),
    }
    return Sourced.from_pairs(facts)


def collect_points(scores: Mapping[str, Any]) -> Sourced:
    """Returns the calibration error in percentage points, as `ece_points`, where there is one.

    Args:
        scores: The content of `evaluation/metrics.json`.
    """
    points = {"ece_points": {bound: 100 * value for bound, value in scores["ece"].items()}} if "ece" in scores else {}
    return Sourced(points, origins={"ece_points": f"{METRICS}: ece, times 100"})


def tell_commonest_error(matrix: pd.DataFrame) -> str:
    """Returns the sentence on the largest confusion of a matrix; where others are as large, it says so."""
    largest = list_confusions(matrix, most=2)
    if not largest:
        return "It makes no error."
    true, predicted, count = largest[0]
    example = f"{true} for {predicted} ({count} of {matrix.loc[true].sum()})"
    if len(largest) > 1 and largest[1][2] == count:
        return f"Among its commonest errors is to take {example}."
    return f"The commonest error takes {example}."


def name_backbone(backbone: str, weights: str) -> str:
    """Returns the backbone and its weights in words; of a weights file, the file's name."""
    row = find_backbone(backbone)
    if named := row.find_weights(weights):
        return f"{row.prose} {named.origin}"
    return f"{row.prose} with {'random weights' if weights == RANDOM else f'the weights of {Path(weights).name}'}"


def list_files(run_dir: RunDirectory, selection: pd.DataFrame) -> pd.DataFrame:
    """Returns the trained weights and the sample images with size and SHA-256, a row a file."""
    rows = []
    for file in [MODEL, *selection["image"]]:
        path: Path = run_dir.require(file)
        rows.append({"file": file, "bytes": path.stat().st_size, "SHA-256": sha256_file(path)})
    return pd.DataFrame(rows)


def write_command(run_dir: RunDirectory) -> str:
    """Returns the command that makes the run's report again, without the paths of the machine it was made on."""
    if not run_dir.path(MANIFEST).is_file():
        return "Jupyter, by running the notebooks from the first to the last"
    profile = run_dir.read_json(MANIFEST)["profile"]
    file = project_root() / "profiles" / f"{profile}.yaml"
    if not file.is_file():  # somebody's own profile: say what it holds, from the sample profile on
        profile, file = "sample", file.with_name("sample.yaml")
    settings = read_yaml(run_dir.require(SETTINGS), "file of settings").content
    words = ["make report", f"PROFILE={profile}"]
    changed = changed_settings(settings, file)
    if changed.get("dataset", "scenes") not in ("scenes", "intel"):
        del changed["dataset"]
        words.append("DATA=folder")
    if changed.get("weights", "random") not in NAMED_WEIGHTS:
        del changed["weights"]
        words.append("WEIGHTS=file")
    changed |= {name: kind for name, kind in _PATHS.items() if changed.get(name)}
    if changed:
        words.append('SET="' + " ".join(f"{name}={value}" for name, value in changed.items()) + '"')
    return " ".join(words)
