"""What the sentences of the abstract and the conclusion, which stand in notebook 06, need to know of a run.

`scores` is the content of `evaluation/metrics.json`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from scenebook.core import run_files
from scenebook.core.backbones import NAMED_WEIGHTS, RANDOM, name_backbone
from scenebook.core.project import project_folder
from scenebook.core.provenance import changed_settings, sha256_file
from scenebook.core.run_directory import BY_HAND, RunDirectory, run_name_for
from scenebook.core.sentences import Sourced
from scenebook.core.settings import make_settings
from scenebook.core.wording import as_typed, count_noun, join_names
from scenebook.core.yaml_files import read_yaml
from scenebook.evaluation.claims.schema import Paper
from scenebook.evaluation.claims.verdicts import concerns_run
from scenebook.evaluation.findings import read_fit
from scenebook.evaluation.metrics.classification import list_confusions
from scenebook.notebook.display import as_code

_PATHS = {"samples_dir": "folder", "class_map": "file", "claims_file": "file", "ablation_plan": "file"}
"""Settings that hold a path, and what a reader puts there instead."""


def collect_recipe(run_dir: RunDirectory, **given: Any) -> dict[str, Any]:
    """Returns the settings that a run was made with, as far as they are known: of a run by hand, those of training.

    Those that the notebook knows are `given`; `edited` lists the cells that are not the published notebook's.
    """
    file = run_dir.path(run_files.SETTINGS)
    settings = read_yaml(file, "file of settings").content if file.is_file() else {}
    summary = run_dir.read_json(run_files.SUMMARY)
    found = {"backbone": summary["backbone"], "edited": summary.get("edited", [])}
    return {**settings, **run_dir.read_json(run_files.RECIPE), **found, **given}


def collect_facts(run_dir: RunDirectory) -> Sourced:
    """Returns what sentences need to know of a run: its data, recipe, splits, accuracies and confusions."""
    classes = run_dir.read_json(run_files.CLASSES)
    recipe, summary = run_dir.read_json(run_files.RECIPE), run_dir.read_json(run_files.SUMMARY)
    counts = run_dir.read_csv(run_files.SPLITS)["split"].value_counts()
    fit = read_fit(run_dir)
    linear = bool(recipe.get("head_start") == "linear")
    matrix = run_dir.read_matrix(run_files.CONFUSION_MATRIX)
    splits = {split: int(counts.get(split, 0)) for split in ("train", "validation", "test")}
    backbone = name_backbone(summary["backbone"], recipe["weights"], summary.get("weights_sha256"))
    # Among the last layers, batch normalisation may stay as it is.
    base_layers = count_noun(summary.get("last_base_layers", summary["trainable_base_layers"]), "layer")
    augmented = make_settings(recipe).is_augmented or "augment" in summary["edited"]
    of_augmentation = f"{run_files.RECIPE}: settings of the augmentation"
    how = "on top of" if recipe["weights"] == RANDOM else "by transfer learning from"
    majority = float(matrix.to_numpy().sum(axis=1).max() / matrix.to_numpy().sum())
    facts = {
        "name": (classes["name"], f"{run_files.CLASSES}: name"),
        "kind": (classes["kind"], f"{run_files.CLASSES}: kind"),
        "k": (len(classes["classes"]), f"{run_files.CLASSES}: number of classes"),
        "backbone": (backbone, f"{run_files.SUMMARY}: backbone, weights"),
        "epochs": (count_noun(fit["last_epoch"][0], "epoch"), fit["last_epoch"][1]),
        "head": ("linear head" if linear else "new head", f"{run_files.RECIPE}: head_start"),
        "phases": (len(summary.get("phases", [])), f"{run_files.SUMMARY}: number of phases"),
        "base_layers": (base_layers, f"{run_files.SUMMARY}: last_base_layers"),
        **{split: (count, f"{run_files.SPLITS}: rows whose split is {split}") for split, count in splits.items()},
        "confusion": (tell_commonest_error(matrix), f"{run_files.CONFUSION_MATRIX}: largest cell off the diagonal"),
        "train_accuracy": fit["train_accuracy"],
        "how": (how, f"{run_files.RECIPE}: weights"),
        "views": ("with augmentation" if augmented else "without augmentation", of_augmentation),
        "augmented": (augmented, of_augmentation),
        "majority": (majority, f"{run_files.CONFUSION_MATRIX}: share of the largest row"),
    }
    return Sourced.from_pairs(facts)


def name_recipe(run_dir: RunDirectory, paper: Paper, recipe: Mapping[str, Any]) -> Sourced:
    """Returns what a sentence calls the recipe, as `recipe`: the paper's where no setting differs from it."""
    follows = paper.recipe and all(recipe.get(name) == value for name, value in paper.recipe.items())
    own = recipe["edited"] or not follows or not concerns_run(paper, run_dir, dict(recipe))
    name = "the trained network" if own else "the paper's recipe"
    return Sourced({"recipe": name}, origins={"recipe": f"{run_files.RECIPE}: compared with the claims file"})


def tell_method(facts: Mapping[str, Any]) -> str:
    """Returns the sentence on what is trained, and on how many images."""
    if facts["epochs"] == "0 epochs":
        return "The features are those of {backbone}, and the classifier is fitted to {train:,} images."
    also = "" if facts["base_layers"] == "0 layers" else " and the last {base_layers}"
    be = "are" if also else "is"
    how = " in {phases} phases" if facts["phases"] > 1 else ""
    of = " of {backbone}" if also else " on {backbone}"
    return f"A {{head}}{also}{of} {be} trained{how} on {{train:,}} images for {{epochs}} {{views}}."


def tell_next(run_dir: RunDirectory, what: str, change: Mapping[str, Any]) -> str:
    """Returns the sentence on the next experiment, with its command.

    `what` says what it tries, as a clause; where no settings `change`, the ablations are meant.
    """
    if run_dir.name == BY_HAND:
        where = join_names([f"`{name} = {value!r}`" for name, value in change.items()])
        how = f"with {where} in the parameters cell of notebook 02" if change else "with `make ablations`"
        return f"The next experiment is {what}, {how}."
    study = f'make ablations RUN={run_dir.name} SET="ablations=claims"'
    command = write_command(run_dir, **change) if change else study
    return f"The next experiment is {what}: {as_code(command)}."


def tell_commonest_error(matrix: pd.DataFrame) -> str:
    """Returns the sentence on the largest confusion of a matrix; where others are as large, it says so."""
    largest = list_confusions(matrix, most=2)
    if not largest:
        return "No test image is misclassified."
    true, predicted, count = largest[0]
    example = f"{true} misclassified as {predicted} ({count:,} of {matrix.loc[true].sum():,})"
    if len(largest) > 1 and largest[1][2] == count:
        return f"Among the most frequent errors is {example}."
    return f"The most frequent error is {example}."


def list_files(run_dir: RunDirectory, selection: pd.DataFrame, most: int = 40) -> pd.DataFrame:
    """Returns the trained weights and at most so many sample images with their SHA-256, a row a file."""
    rows = []
    for file in [run_files.MODEL, *selection["image"][:most]]:
        path: Path = run_dir.require(file)
        rows.append({"file": file, "SHA-256": sha256_file(path)})
    return pd.DataFrame(rows)


def tell_files(files: pd.DataFrame, selection: pd.DataFrame) -> str:
    """Returns the sentence on what the table of `list_files` has, and where the rest is."""
    shown, n = len(files) - 1, len(selection)
    some = "" if shown == n else f", the first {shown:,} of {n:,}; those of the others are in the run's `manifest.json`"
    return f"[@tbl:files] lists the digests of the trained weights and of the sample images{some}."


def write_command(run_dir: RunDirectory, **others: Any) -> str:
    """Returns the command that makes the run's report again, without the paths of the machine it was made on.

    `others` are settings that are to be others, for a further experiment: it gets a run of its own.
    """
    if run_dir.name == BY_HAND or not run_dir.path(run_files.MANIFEST).is_file():
        return "Jupyter, by running the notebooks from the first to the last"
    profile = run_dir.read_json(run_files.MANIFEST)["profile"]
    file = project_folder("profiles") / f"{profile}.yaml"
    if not file.is_file():  # somebody's own profile: say what it holds, from the sample profile on
        profile, file = "sample", file.with_name("sample.yaml")
    settings = read_yaml(run_dir.require(run_files.SETTINGS), "file of settings").content
    words = ["make report", f"PROFILE={profile}"]
    changed = changed_settings(settings, file)
    if changed.get("dataset", "scenes") not in ("scenes", "intel"):
        del changed["dataset"]
        words.append("DATA=folder")
    if changed.get("weights", "random") not in NAMED_WEIGHTS:
        del changed["weights"]
        words.append("WEIGHTS=file")
    changed |= {name: kind for name, kind in _PATHS.items() if changed.get(name)}
    if others:
        changed = {name: value for name, value in changed.items() if not name.startswith("ablation")} | others
    if changed:
        words.append('SET="' + " ".join(f"{name}={as_typed(value)}" for name, value in changed.items()) + '"')
    if others:
        words.append("RUN=" + run_name_for(f"{run_dir.name}-{'-'.join(map(str, others.values()))}"))
    return " ".join(words)


def tell_duplicates_in_test(scores: Mapping[str, Any]) -> list[str]:
    """Returns the sentence on test images that are no new ones; none where all of them are new."""
    if "n_without_duplicates" not in scores:
        return []
    if "accuracy_without_duplicates" not in scores:
        return [
            "**But every test image has a duplicate among the training or validation images**, so nothing is known "
            "about new images."
        ]
    return [
        "On the {n_without_duplicates:,} of them that have no duplicate among the training or validation images, the "
        "accuracy is {accuracy_without_duplicates:.1%} ({accuracy_without_duplicates.low:.1%} to "
        "{accuracy_without_duplicates.high:.1%})."
    ]
