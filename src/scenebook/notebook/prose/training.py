"""What notebook 02 says of the recipe as it ran, of the model and of its training."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from scenebook.core.backbones import BACKBONES, NAMED_WEIGHTS, find_backbone
from scenebook.core.run_files import HISTORY, SUMMARY
from scenebook.core.sentences import Sourced, escape
from scenebook.core.settings import Settings
from scenebook.core.wording import count_noun, join_names

if TYPE_CHECKING:
    from scenebook.network.architecture import NetworkSummary
    from scenebook.network.recipe.finishing import Cut
from scenebook.core.backbones import name_weights
from scenebook.core.settings import COLOURS


def tell_augmentation(settings: Settings, *, published: bool) -> str:
    """Returns the sentences on the views of an image, for `say` with the settings.

    `published` says whether `augment` does what they say.
    """
    if not settings.epochs and not settings.fine_tune_epochs:
        return "This run has no epoch of training, so no image is augmented."
    if not published:
        return (
            "[@fig:augmentation] shows what `augment` does to one image. In this run the function was edited, and may "
            "ignore the settings of the augmentation."
        )
    if not settings.is_augmented:
        return "Augmentation is off in this run: in every epoch, the network is shown the images as they are."
    moved = [
        (settings.random_crop, "cropped at random to no less than {least:.0%} of its area"),
        (settings.rotation_range, "rotated by up to {rotation_range:g}&nbsp;degrees in either direction"),
        (settings.width_shift_range, "shifted by up to {width_shift_range:.0%} of its width"),
        (settings.height_shift_range, "shifted by up to {height_shift_range:.0%} of its height"),
        (settings.zoom_range, "zoomed by factors between {near:g} and {far:g}"),
        (settings.horizontal_flip, "mirrored at random"),
        (settings.vertical_flip, "flipped upside down at random"),
        (settings.brightness, "made up to {brightness:.0%} brighter or darker"),
        (settings.contrast, "changed in contrast by up to {contrast:.0%}"),
        (settings.saturation, "changed in saturation by up to {saturation:.0%}"),
    ]
    told = "[@fig:augmentation] shows what this does to one image"
    names = [name for is_on, name in moved if is_on]
    told += f": it is {join_names(names)}." if names else "."
    if settings.shear_range:
        told += (
            " The shear of at most {shear_range:g}&nbsp;degrees moves the top row by {pixels:.1f}&nbsp;pixels relative "
            "to the bottom row."
        )
    more = " Each image has {views:,} augmented versions, which are shown in turn, one in each epoch."
    return told + more * bool(settings.views)


def tell_edits(names: Sequence[str]) -> str:
    """Returns the sentence on cells that differ from the published notebook's; there is at least one."""
    differ = "differs" if len(names) == 1 else "differ"
    return f"In notebook 02, {escape(join_names(names))} {differ} from the published version."


def tell_model(summary: Mapping[str, Any], network: NetworkSummary) -> str:
    """Returns the sentences on the network as it was built, for `say` with the summary.

    It is that of `finishing.describe_model`, `network` that of `describe_network`.
    """
    some = summary["trainable_base_layers"] < summary["last_base_layers"]
    last = "{trainable_base_layers} of the last {last_base_layers}" if some else "the last {trainable_base_layers}"
    which = f" and {last} of the backbone's {{base_layers}} layers are" if summary["trainable_base_layers"] else " is"
    told = (
        f"[@fig:network] shows the model as it was built. The head{which} trained: {{trainable_params:,}} of "
        "{total_params:,} parameters. [@tbl:recipe] lists the model and the settings of its training."
    )
    if network.block:
        told += " Each residual block adds its input to the output of its layers [@he2016]."
    if summary["weights"] in NAMED_WEIGHTS and summary["backbone"] in BACKBONES:
        named = find_backbone(summary["backbone"]).find_weights(summary["weights"])
        told += f" {named.note}" if named and named.note else ""
    return told


def tell_history(history: pd.DataFrame, summary: Mapping[str, Any]) -> tuple[str, Sourced, Sourced]:
    """Returns the sentences on the last epoch, the best one and the one that was kept, and their values, for `say`.

    `history` has a row an epoch, at least one; `summary` is the run's `training/summary.json`.
    """
    epochs = history.to_dict("records")
    last, best = epochs[-1], min(epochs, key=lambda row: row["val_loss"])
    told = (
        "After {passes} ([@fig:histories]), the loss is {loss:.3f} on training and {val_loss:.3f} on "
        "validation images, and the accuracy {accuracy:.1%} and {val_accuracy:.1%}."
    )
    if best["epoch"] == last["epoch"]:
        told += " The validation loss was lowest in the last epoch: more epochs might lower it further."
    else:
        told += (
            " The validation loss was lowest in epoch {best_epoch} ({best_loss:.3f}); a single run cannot tell whether "
            "its later rise is over-fitting or chance."
        )
    if summary["kept_epoch"] != last["epoch"]:
        told += (
            " Because of early stopping, the network has the weights of epoch {kept_epoch}, the one with the lowest "
            "validation loss of its phase."
        )
    values: dict[str, Any] = {"best_epoch": int(best["epoch"]), "best_loss": float(best["val_loss"])}
    origins = dict.fromkeys(values, f"{HISTORY}, row of the lowest val_loss")
    values |= {"kept_epoch": summary["kept_epoch"], "passes": count_noun(len(history), "epoch")}
    origins |= {"kept_epoch": f"{SUMMARY}: kept_epoch", "passes": f"{HISTORY}: number of rows"}
    of_last = Sourced({str(name): value for name, value in last.items()}, f"{HISTORY}, last row")
    return told, of_last, Sourced(values, origins=origins)


def tell_cut(cut: Cut, *, accelerated: bool, kept: bool) -> tuple[str, dict[str, Any]]:
    """Returns the sentences on the cut of `finishing.describe_cut`, and the values of their fields.

    `accelerated` is the setting `accelerate`; `kept` says whether a feature cache keeps the tensors.
    """
    if not accelerated:
        return "This run was trained by plain `fit`, without acceleration.", {}
    if not cut.frozen[0]:
        return "With these settings no layer is frozen: the whole network is trained.", {}
    told = (
        f"[@fig:cut] shows the cut: {{tensors}} {'goes' if len(cut.shapes) == 1 else 'go'} from the frozen layers to "
        "the trainable layers, {numbers:,} numbers per image."
    )
    if kept:
        told += " They are cached for later runs that train on the same augmented images."
    told += " The frozen layers run in {runtime}."
    if cut.stochastic:
        told += (
            " Of the frozen layers, {stochastic} would drop activations at random in Keras' own `fit`; here they do "
            "not."
        )
    return told, {
        "tensors": "one tensor" if len(cut.shapes) == 1 else f"{len(cut.shapes)} tensors",
        "numbers": sum(map(math.prod, cut.shapes)),
        "stochastic": count_noun(cut.stochastic, "layer"),
        "runtime": cut.runtime,
    }


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
        changes = [
            ("rotation", settings.rotation_range, f"±{settings.rotation_range:g} degrees"),
            ("width shift", settings.width_shift_range, f"±{settings.width_shift_range:g} of the width"),
            ("height shift", settings.height_shift_range, f"±{settings.height_shift_range:g} of the height"),
            ("shear", settings.shear_range, f"±{settings.shear_range:g} degrees"),
            ("zoom factor", zoom, f"{1 - zoom:g} to {1 + zoom:g}"),
            ("horizontal flip", settings.horizontal_flip, "yes"),
            ("vertical flip", settings.vertical_flip, "yes"),
            ("random crop", settings.random_crop, f"at most {settings.random_crop:.0%} of the area"),
            *((name, share, f"±{share:.0%}") for name in COLOURS if (share := getattr(settings, name))),
        ]
        rows += [(name, shown) for name, is_on, shown in changes if is_on] or [("augmentation", "none")]
    if phases and settings.views:
        rows.append(("augmented versions of each image", f"{settings.views:,}"))
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
        *((name.replace("_", " "), f"{value:g}".replace("e-0", "e-")) for name, value in phase["rates"].items()),
        *([("schedule", _SCHEDULES[phase["schedule"]])] if phase["schedule"] in _SCHEDULES else []),
        ("epochs", epochs),
    ]


def tell_phases(phases: Sequence[Mapping[str, Any]], settings: Settings) -> str:
    """Returns the sentence on which phases of training the run has, from its summary; nothing where it has none."""
    if len(phases) == 1:
        return f"This run has only the {'first' if settings.epochs else 'second'} phase. "
    return {0: "", 2: "This run has both phases. "}.get(len(phases), f"This run has {len(phases)} phases. ")


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
        loss, optimizer = (escape(join_names(sorted(names)).replace("_", " ")) for names in (losses, optimizers))
        return f"The loss is {loss}, and the optimizer is {optimizer}, by their names in Keras."
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
        (is_trained and settings.views > 0, "versions", f"{settings.views:,} of each image, in turn",
         "The frozen layers run once for each version, not in each epoch."),
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
