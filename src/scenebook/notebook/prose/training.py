"""What notebook 02 says of the model and its training."""

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
        told = "Augmentation is off in this run: in every epoch, the network is shown the images as they are."
        return f"{told} The setting `views` has no effect without it." if settings.views else told
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
    told = "[@fig:augmentation] shows what these settings do to one image"
    names = [name for is_on, name in moved if is_on]
    told += f": it is {join_names(names)}." if names else "."
    if settings.shear_range:
        told += (
            " The shear of at most {shear_range:g}&nbsp;degrees moves the top row by {pixels:.1f}&nbsp;pixels relative "
            "to the bottom row."
        )
    more = " Each image has {views:,} augmented versions, which are shown in turn, one in each epoch."
    return f"{told}{more}" if settings.views else told


def tell_edits(names: Sequence[str]) -> str:
    """Returns the sentence on cells that differ from the published notebook's; nothing where none does."""
    if not names:
        return ""
    which = f"{escape(join_names(names))} of this notebook {'is' if len(names) == 1 else 'are'}"
    return f"In this run, {which} not as published: this report was made with the edited cells."


def tell_model(summary: Mapping[str, Any], network: NetworkSummary) -> str:
    """Returns the sentences on the network as it was built, for `say` with the summary.

    It is that of `finishing.describe_model`, `network` that of `describe_network`.
    """
    some = summary["trainable_base_layers"] < summary["last_base_layers"]
    last = "{trainable_base_layers} of the last {last_base_layers}" if some else "the last {trainable_base_layers}"
    told = (
        f"[@fig:network] shows the model as it was built: {{layers}} Keras layers, of which {last} "
        "of the backbone's {base_layers} and the head are trained: {trainable_params:,} of "
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
        "In the last of {passes} ([@fig:histories]), the loss is {loss:.3f} on training and {val_loss:.3f} on "
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
        "tensors": count_noun(len(cut.shapes), "tensor"),
        "numbers": sum(map(math.prod, cut.shapes)),
        "stochastic": count_noun(cut.stochastic, "layer"),
        "runtime": cut.runtime,
    }
