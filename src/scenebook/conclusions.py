"""The sentences of the abstract and the conclusion. Each number comes from an artifact; both outcomes are written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from scenebook import metrics
from scenebook.artifacts import MANIFEST, SETTINGS, RunDirectory, project_root
from scenebook.config import load_profile, make_settings
from scenebook.provenance import sha256_file

ABSTRACT = (
    "A classifier for {k} classes of {kind} (data set *{name}*) is trained by transfer learning from {backbone}. "
    "It learns from {train:,} pictures over {epochs} epochs with augmentation. On {test:,} test pictures that were "
    "looked at once its accuracy is {accuracy:.1%} (95 % interval {accuracy.low:.1%} to {accuracy.high:.1%}). "
    "{confusion}"
)


def collect_facts(run_dir: RunDirectory) -> dict[str, Any]:
    """Returns what sentences need to know of a run: name, kind, k, train, validation, test, gaps and confusions."""
    classes = run_dir.read_json("data/classes.json")
    counts = run_dir.read_csv("data/splits.csv")["split"].value_counts()
    history = run_dir.read_csv("training/history.csv").iloc[-1]
    matrix = load_confusion(run_dir)
    largest = metrics.largest_confusions(matrix, most=1)
    confusion = "It makes no error."
    for true, predicted, count in largest:
        confusion = f"The commonest error takes {true} for {predicted} ({count} of {matrix.loc[true].sum()})."
    return {
        "name": classes["name"],
        "kind": classes["kind"],
        "k": len(classes["classes"]),
        **{split: int(counts.get(split, 0)) for split in ("train", "validation", "test")},
        "confusion": confusion,
        "train_accuracy": float(history["accuracy"]),
        "val_accuracy": float(history["val_accuracy"]),
        "majority": float(matrix.to_numpy().sum(axis=1).max() / matrix.to_numpy().sum()),
    }


def load_confusion(run_dir: RunDirectory) -> pd.DataFrame:
    """Returns the stored confusion matrix, class names as index and columns."""
    matrix = run_dir.read_csv("evaluation/confusion_matrix.csv").set_index("label")
    return matrix.set_axis(list(matrix.index), axis="columns")


def name_backbone(backbone: str, weights: str) -> str:
    """Returns the backbone and its weights in words."""
    network = "a small residual network" if backbone == "embedded" else backbone
    origin = {
        "imagenet": "pretrained on ImageNet",
        "embedded": "pretrained on images of fractals",
        "random": "with random weights",
    }
    return f"{network} {origin.get(weights, 'with weights from a file')}"


def write_conclusion(run_dir: RunDirectory) -> str:
    """Returns the conclusion's sentences, for `say`, chosen by the run's numbers."""
    facts = collect_facts(run_dir)
    scores = run_dir.read_json("evaluation/metrics.json")
    sentences = [
        "A head trained on {train:,} pictures over {backbone} classifies {accuracy:.1%} of {test:,} unseen pictures of "
        "the data set *{name}* correctly; with 95 % confidence the figure lies between {accuracy.low:.1%} and "
        "{accuracy.high:.1%}."
    ]
    if scores["accuracy"]["low"] > facts["majority"]:
        sentences.append("That is more than naming the commonest class each time would give, {majority:.1%}.")
    else:
        sentences.append(
            "Naming the commonest class each time would give {majority:.1%}: the interval reaches down to that, so "
            "that nothing has been shown to be learned."
        )
    sentences.append("{confusion}")
    if facts["train_accuracy"] > scores["accuracy"]["high"]:
        sentences.append(
            "In its last epoch the network classified {train_accuracy:.1%} of the augmented training pictures "
            "correctly, which is more than the interval allows for unseen ones: it over-fits."
        )
    else:
        sentences.append(
            "In its last epoch the network classified {train_accuracy:.1%} of the augmented training pictures "
            "correctly, no more than of the unseen ones: there is no sign of over-fitting."
        )
    return " ".join(sentences)


def list_files(run_dir: RunDirectory, selection: pd.DataFrame) -> pd.DataFrame:
    """Returns the trained weights and the sample pictures with size and SHA-256, a row a file."""
    rows = []
    for file in ["training/model.keras", *selection["picture"]]:
        path: Path = run_dir.require(file)
        rows.append({"file": file, "bytes": path.stat().st_size, "SHA-256": sha256_file(path)})
    return pd.DataFrame(rows)


def write_command(run_dir: RunDirectory) -> str:
    """Returns the command that makes the run's report again, without the paths of the machine it was made on."""
    if not run_dir.path(MANIFEST).is_file():
        return "Jupyter, by running the notebooks from the first to the last"
    profile = run_dir.read_json(MANIFEST)["profile"]
    file = project_root() / "profiles" / f"{profile}.yaml"
    settings = yaml.safe_load(run_dir.require(SETTINGS).read_text(encoding="utf-8"))
    base = make_settings(load_profile(file) if file.is_file() else {}).model_dump()
    words = ["make report", f"PROFILE={profile}"]
    changed = {name: value for name, value in settings.items() if base[name] != value}
    if changed.get("dataset", "scenes") not in ("scenes", "intel"):
        del changed["dataset"]
        words.append("DATA=folder")
    if changed.get("weights", "random") not in ("imagenet", "embedded", "random"):
        del changed["weights"]
        words.append("WEIGHTS=file")
    if "samples_dir" in changed:
        changed["samples_dir"] = "folder"
    if changed:
        words.append('SET="' + " ".join(f"{name}={value}" for name, value in changed.items()) + '"')
    return " ".join(words)
