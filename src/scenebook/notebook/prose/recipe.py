"""What notebook 02 says of the recipe as it ran: its table, its optimizer, and what each part is for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from scenebook.core.backbones import name_weights
from scenebook.core.sentences import escape
from scenebook.core.settings import COLOURS, Settings
from scenebook.core.wording import count_noun, join_names

_OPTIMIZERS = {"SGD": "stochastic gradient descent", "Adam": "Adam", "AdamW": "AdamW"}
"""Keras' names of optimizers, and what a sentence calls them."""
_SCHEDULES = {"CosineDecay": "cosine", "constant": "constant"}
"""The same of schedules; of others, the table has their rates."""


def tabulate_recipe(summary: Mapping[str, Any], settings: Settings) -> pd.DataFrame:
    """Returns the table of the model and its training, an item and its value a row, as in the paper's Table 1 and more.

    What the model and its training are comes from the objects that ran, as the run's `training/summary.json` has them,
    the augmentation from the settings.
    """
    zoom, phases, is_linear = settings.zoom_range, summary["phases"], settings.head_start == "linear"
    height, width, _ = summary["input_shape"]
    rows = [
        ("backbone", summary["backbone"]),
        ("its weights", name_weights(summary["weights"], summary.get("weights_sha256"))),
        ("input", f"{height} × {width} pixels"),
        ("preprocessing", _name_preprocessing(summary["preprocessing"])),
        ("head", ", ".join(summary["head"])),
        ("trained layers of the backbone", f"{summary['trainable_base_layers']:,} of {summary['base_layers']:,}"),
        ("Keras layers", f"{summary['layers']:,}"),
        ("layers with weights, on the main path", f"{summary['weight_layers']:,}"),
        ("total parameters", f"{summary['total_params']:,}"),
        ("trainable parameters", f"{summary['trainable_params']:,}"),
        ("non-trainable parameters", f"{summary['non_trainable_params']:,}"),
    ]
    if not phases:
        rows.append(("augmentation", "none: nothing is trained in epochs"))
    elif "augment" in summary["edited"]:
        rows.append(("augmentation", "as this notebook's `augment` does it"))
    else:
        rows += [
            ("rotation", f"±{settings.rotation_range:g} degrees"),
            ("width shift", f"±{settings.width_shift_range:g} of the width"),
            ("height shift", f"±{settings.height_shift_range:g} of the height"),
            ("shear", f"±{settings.shear_range:g} degrees"),
            ("zoom factor", f"{1 - zoom:g} to {1 + zoom:g}"),
            ("horizontal flip", "yes" if settings.horizontal_flip else "no"),
        ]
        more = [
            ("vertical flip", settings.vertical_flip, "yes"),
            ("random crop", settings.random_crop, f"at most {settings.random_crop:.0%} of the area"),
            *((name, share, f"±{share:.0%}") for name in COLOURS if (share := getattr(settings, name))),
        ]
        rows += [(name, shown) for name, is_on, shown in more if is_on]
    if phases and settings.views:
        rows.append(("views of each image", f"{settings.views:,}"))
    rows += [("start of the head", "as a linear classifier on frozen features")] if is_linear else []
    for number, phase in enumerate(phases, start=1):
        of = f", phase {number}" if len(phases) > 1 else ""
        rows += [(f"{name}{of}", shown) for name, shown in _list_phase(phase)]
        if number > 1:
            rows.append((f"trainable parameters{of}", f"{phase['trainable_params']:,}"))
    if phases and settings.class_weights != "none":
        rows.append(("class weights", settings.class_weights))
    if phases and settings.early_stopping:
        rows.append(("early stopping", f"after {count_noun(settings.early_stopping, 'epoch')} without improvement"))
    rows += [("test-time flip", "yes")] if summary["test_time_flip"] else []
    rows += [("precision in training", "mixed, float16 and float32")] if "precision" in summary else []
    rows += [("devices that share a batch", f"{summary['devices']:,}")] if "devices" in summary else []
    rows += [("batch size", f"{settings.batch_size:,}"), ("seed", f"{settings.seed}")]
    return pd.DataFrame(rows, columns=["item", "value"])


def _list_phase(phase: Mapping[str, Any]) -> list[tuple[str, str]]:
    loss = phase["loss"].replace("_", " ").replace("categorical crossentropy", "categorical cross-entropy")
    smoothing, epochs = phase["label_smoothing"], f"{phase['epochs']:,}"
    if phase["kept_epoch"] != phase["first_epoch"] + phase["epochs"]:
        epochs += f", weights of epoch {phase['kept_epoch']:,}"
    return [
        ("optimizer", phase["optimizer"]),
        ("loss", loss),
        *([("label smoothing", f"{smoothing:g}")] if smoothing else []),
        *((name.replace("_", " "), f"{value:g}") for name, value in phase["rates"].items()),
        *([("schedule", _SCHEDULES[phase["schedule"]])] if phase["schedule"] in _SCHEDULES else []),
        ("epochs", epochs),
    ]


def tell_optimizer(phases: Sequence[Mapping[str, Any]]) -> str:
    """Returns the sentences on what was made smaller in the phases of the run's summary, and by what, for `say`."""
    if not phases:
        return (
            "No layer is trained by gradient descent in this run: the head is the linear classifier on the frozen "
            "features, as one dense layer."
        )
    losses, optimizers, schedules = (
        {str(phase[name]) for phase in phases} for name in ("loss", "optimizer", "schedule")
    )
    if losses != {"categorical_crossentropy"} or not optimizers <= set(_OPTIMIZERS):
        names = [escape(name.replace("_", " ")) for name in (*sorted(losses), *sorted(optimizers))]
        return f"The loss and the optimizer of this run are, in Keras' terms, {join_names(names)}."
    momentum = " with momentum" if optimizers == {"SGD"} and phases[0]["rates"].get("momentum") else ""
    told = "The loss is the categorical cross-entropy"
    if any(phase["label_smoothing"] for phase in phases):
        told += " with label smoothing"
    told += f". It is minimised by {join_names([_OPTIMIZERS[name] for name in sorted(optimizers)])}{momentum}"
    if schedules == {"CosineDecay"}:
        warmup = " after a warm-up" if phases[0]["rates"].get("warmup_steps") else ""
        return f"{told}; its learning rate falls along a cosine{warmup}, down to 0 at the end of each phase."
    if schedules != {"InverseTimeDecay"} or not phases[0]["rates"].get("decay"):
        return f"{told}."
    return (
        f"{told}; at step $t$ its learning rate is\n\n$$\\eta_t = \\frac{{{{\\eta_0}}}}{{{{1 + d\\,t}}}} ,$$\n\n"
        "where $d$ is the decay."
    )


def tabulate_reasons(summary: Mapping[str, Any], settings: Settings) -> pd.DataFrame:
    """Returns the parts of the recipe that ran, and what each is for, a row each; those that are off are left out."""
    phases = summary["phases"]
    optimizers, schedules = ({phase[name] for phase in phases} for name in ("optimizer", "schedule"))
    is_trained, fine_tunes = bool(phases), settings.fine_tune_epochs > 0
    fine_tuned = min(settings.fine_tune_layers, summary.get("base_layers", settings.fine_tune_layers))
    rows = [
        (settings.head_start == "linear", "start of the head", "a linear classifier on frozen features",
         "It takes seconds, and avoids large gradients that would destroy pretrained weights."),
        (is_trained and settings.is_augmented, "augmentation", "random changes of the training images",
         "The network cannot memorise single images."),
        (is_trained and settings.views > 0, "views", f"{settings.views:,} of each image, in turn",
         "The frozen layers run once for each view, not in each epoch."),
        (fine_tunes, "fine-tuning", f"the last {fine_tuned:,} layers of the backbone",
         "These layers are the most specialised; for the others there are too few images."),
        (fine_tunes, "batch normalisation", "stored statistics in fine-tuning",
         "The statistics of a small batch depend on chance."),
        ("AdamW" in optimizers, "optimizer", "AdamW",
         "Each weight has its own step size, and unneeded weights shrink."),
        ("CosineDecay" in schedules, "schedule", "cosine, down to 0",
         "Large steps come first; small steps at the end let the training settle."),
        (is_trained and settings.label_smoothing > 0, "label smoothing", f"{settings.label_smoothing:g}",
         "Probabilities do not run to 0 and 1, and wrong labels do less harm."),
        (is_trained and settings.dropout > 0, "dropout", f"{settings.dropout:g}",
         "The last layer cannot rely on a few features."),
        (is_trained and settings.class_weights != "none", "class weights", settings.class_weights,
         "Rare classes count as much as frequent ones."),
        (is_trained and settings.early_stopping > 0, "early stopping", f"patience {settings.early_stopping:,}",
         "The weights are those of the epoch with the lowest validation loss."),
        (summary["test_time_flip"], "test-time flip", "mean of two predictions",
         "Differences between an image and its mirror image average out."),
    ]  # fmt: skip
    return pd.DataFrame([row[1:] for row in rows if row[0]], columns=["part", "here", "why"])


def _name_preprocessing(name: str) -> str:
    if name.endswith(".rescale"):
        return "0 to 1"
    return "the backbone's own" if name.endswith(".preprocess_input") else "as this notebook's `prepare` does it"
