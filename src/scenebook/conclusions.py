"""The sentences of the abstract and the conclusion. Each number comes from an artifact; both outcomes are written."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from scenebook import metrics
from scenebook.artifacts import MANIFEST, SETTINGS, RunDirectory, project_root
from scenebook.config import EMBEDDED, IMAGENET, NAMED_WEIGHTS, RANDOM
from scenebook.provenance import changed_settings, sha256_file
from scenebook.sentences import Sourced
from scenebook.wording import count_noun


def write_abstract(recipe: dict[str, Any], scores: Mapping[str, Any]) -> str:
    """Returns the abstract's sentences, for `say` with the scores and `collect_facts`.

    Args:
        recipe: The settings of the run.
        scores: The content of `evaluation/metrics.json`.
    """
    how = "by transfer learning from" if recipe["weights"] != RANDOM else "on top of"
    views = "with augmentation" if is_augmented(recipe) else "without augmentation"
    return (
        f"A classifier for {{k}} classes of {{kind}} (data set *{{name}}*) is trained {how} {{backbone}}. "
        f"It learns from {{train:,}} pictures over {{epochs}} {views}. On {{test:,}} test pictures, used only after "
        "training, its accuracy is {accuracy:.1%} (95% interval {accuracy.low:.1%} to {accuracy.high:.1%}). "
        + " ".join([*_describe_leak(scores), "{confusion}"])
    )


def _describe_leak(scores: Mapping[str, Any]) -> list[str]:
    """Returns the sentence on test pictures that are no new ones; none where all of them are new."""
    if "n_without_duplicates" not in scores:
        return []
    if "accuracy_without_duplicates" not in scores:
        return [
            "**But every test picture has a duplicate among the training or validation pictures**, so nothing is known "
            "about new pictures."
        ]
    return [
        "On the {n_without_duplicates:,} of them that have no duplicate among the training or validation pictures it "
        "is {accuracy_without_duplicates:.1%} ({accuracy_without_duplicates.low:.1%} to "
        "{accuracy_without_duplicates.high:.1%})."
    ]


def is_augmented(recipe: dict[str, Any]) -> bool:
    """Returns whether any of the six operations is on."""
    ranges = ("rotation_range", "width_shift_range", "height_shift_range", "shear_range", "zoom_range")
    return bool(recipe["horizontal_flip"]) or any(recipe[name] > 0 for name in ranges)


def collect_facts(run_dir: RunDirectory) -> Sourced:
    """Returns what sentences need to know of a run: its data, recipe, splits, accuracies and confusions."""
    classes = run_dir.read_json("data/classes.json")
    recipe = run_dir.read_json("training/recipe.json")
    counts = run_dir.read_csv("data/splits.csv")["split"].value_counts()
    history = run_dir.read_csv("training/history.csv").iloc[-1]
    matrix = run_dir.read_matrix("evaluation/confusion_matrix.csv")
    confusion = "It makes no error."
    for true, predicted, count in metrics.largest_confusions(matrix, most=1):
        confusion = f"The commonest error takes {true} for {predicted} ({count} of {matrix.loc[true].sum()})."
    splits = {split: int(counts.get(split, 0)) for split in ("train", "validation", "test")}
    facts = {
        "name": classes["name"],
        "kind": classes["kind"],
        "k": len(classes["classes"]),
        "backbone": name_backbone(recipe["backbone"], recipe["weights"]),
        "epochs": count_noun(recipe["epochs"], "epoch"),
        "base_layers": count_noun(recipe["trainable_base_layers"], "layer"),
        **splits,
        "confusion": confusion,
        "train_accuracy": float(history["accuracy"]),
        "augmented": is_augmented(recipe),
        "majority": float(matrix.to_numpy().sum(axis=1).max() / matrix.to_numpy().sum()),
    }
    origins = {
        "name": "data/classes.json: name",
        "kind": "data/classes.json: kind",
        "k": "data/classes.json: number of classes",
        "backbone": "training/recipe.json: backbone, weights",
        "epochs": "training/recipe.json: epochs",
        "base_layers": "training/recipe.json: trainable_base_layers",
        **{split: f"data/splits.csv: rows whose split is {split}" for split in splits},
        "confusion": "evaluation/confusion_matrix.csv: largest cell off the diagonal",
        "train_accuracy": "training/history.csv: accuracy in the last row",
        "majority": "evaluation/confusion_matrix.csv: share of the largest row",
    }
    return Sourced(facts, origins=origins)


def name_backbone(backbone: str, weights: str) -> str:
    """Returns the backbone and its weights in words; of a weights file, the file's name."""
    network = "a small residual network" if backbone == EMBEDDED else backbone
    origin = {
        IMAGENET: "pretrained on ImageNet",
        EMBEDDED: "pretrained on images of fractals",
        RANDOM: "with random weights",
    }
    return f"{network} {origin.get(weights, f'with the weights of {Path(weights).name}')}"


def write_conclusion(facts: Mapping[str, Any], scores: Mapping[str, Any]) -> str:
    """Returns the conclusion's sentences, for `say` with the scores and the facts, chosen by the run's numbers.

    Args:
        facts: From `collect_facts`.
        scores: The content of `evaluation/metrics.json`.
    """
    accuracy = scores["accuracy"]
    leak = _describe_leak(scores)
    interval = "For further such pictures, the 95% interval says {accuracy.low:.1%} to {accuracy.high:.1%}."
    also = "" if facts["base_layers"] == "0 layers" else ", whose last {base_layers} were trained too,"
    return " ".join(
        [
            f"A new head on {{backbone}}{also} learned from {{train:,}} pictures and classifies {{accuracy:.1%}} of "
            f"{{test:,}} {'test' if leak else 'unseen'} pictures of the data set *{{name}}* correctly.",
            *(leak or [interval]),
            _compare_with_majority(facts["majority"], accuracy),
            "{confusion}",
            compare_with_training(facts["train_accuracy"], accuracy, augmented=facts["augmented"]),
        ]
    )


def _compare_with_majority(majority: float, accuracy: metrics.Score) -> str:
    named = "Naming the commonest class each time would be right for {majority:.1%} of the test pictures"
    if accuracy["low"] > majority:
        return f"{named}, which is less."
    if accuracy["high"] < majority:
        return f"{named}, which is more: the network is worse than no network."
    return f"{named}, which lies in that interval: nothing has been shown to be learned."


def compare_with_training(train_accuracy: float, accuracy: metrics.Score, *, augmented: bool) -> str:
    """Returns the sentence on over-fitting: the last epoch's training accuracy against the test accuracy.

    Args:
        train_accuracy: The mean over the last epoch's training batches.
        accuracy: On the test pictures.
        augmented: Whether the training pictures were augmented, which makes them harder.
    """
    last = "In its last epoch it classified {train_accuracy:.1%} of the training pictures correctly"
    if train_accuracy > accuracy["high"]:
        return f"{last}, more than the interval allows for unseen ones: a sign of over-fitting."
    if train_accuracy > accuracy["value"]:
        return f"{last}, more than of the unseen ones but within their interval: no clear sign of over-fitting."
    if augmented:
        return (
            f"{last}, no more than of the unseen ones. Augmented pictures are harder than others, so this alone does "
            "not rule out over-fitting."
        )
    return f"{last}, no more than of the unseen ones: there is no sign of over-fitting."


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
    if not file.is_file():  # somebody's own profile: say what it holds, from the sample profile on
        profile, file = "sample", file.with_name("sample.yaml")
    settings = yaml.safe_load(run_dir.require(SETTINGS).read_text(encoding="utf-8"))
    words = ["make report", f"PROFILE={profile}"]
    changed = changed_settings(settings, file)
    if changed.get("dataset", "scenes") not in ("scenes", "intel"):
        del changed["dataset"]
        words.append("DATA=folder")
    if changed.get("weights", "random") not in NAMED_WEIGHTS:
        del changed["weights"]
        words.append("WEIGHTS=file")
    changed |= {name: kind for name, kind in (("samples_dir", "folder"), ("class_map", "file")) if changed.get(name)}
    if changed:
        words.append('SET="' + " ".join(f"{name}={value}" for name, value in changed.items()) + '"')
    return " ".join(words)
