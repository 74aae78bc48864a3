"""What notebook 02 says of the model and its training."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from scenebook.core.backbones import BACKBONES, NAMED_WEIGHTS, find_backbone
from scenebook.core.sentences import escape
from scenebook.core.settings import COLOURS, Settings
from scenebook.core.wording import count_noun, join_names

if TYPE_CHECKING:
    from scenebook.network.architecture import NetworkSummary
    from scenebook.network.recipe.finishing import Cut


def tell_augmentation(settings: Settings, *, published: bool) -> str:
    """Returns the sentences on the views of an image, for `say` with the settings.

    Args:
        settings: Those of the augmentation count, and the epochs.
        published: Whether `augment` does what they say.
    """
    if not settings.epochs and not settings.fine_tune_epochs:
        return "Of this run's settings none asks for an epoch of training, so that no image is augmented."
    if not published:
        return (
            "[@fig:augmentation] shows what `augment` does to one image. In this run it is this notebook's own, and "
            "may leave the settings of the augmentation aside."
        )
    if not settings.is_augmented:
        told = "Augmentation is off in this run: in every epoch the network is shown the images as they are."
        return f"{told} The setting `views` has no effect without it." if settings.views else told
    moved = [
        (settings.random_crop, "cropped at random to no less than {least:.0%} of its area"),
        (settings.rotation_range, "turned by up to {rotation_range:g}&nbsp;degrees either way"),
        (settings.width_shift_range, "shifted by up to {width_shift_range:.0%} of its width"),
        (settings.height_shift_range, "shifted by up to {height_shift_range:.0%} of its height"),
        (settings.zoom_range, "zoomed by factors between {near:g} and {far:g}"),
        (settings.horizontal_flip, "mirrored at random"),
        (settings.vertical_flip, "turned upside down at random"),
        (settings.brightness, "made up to {brightness:.0%} brighter or darker"),
        (settings.contrast, "changed in contrast by up to {contrast:.0%}"),
        (settings.saturation, "changed in saturation by up to {saturation:.0%}"),
    ]
    told = "[@fig:augmentation] shows what these settings do to one image"
    names = [name for is_on, name in moved if is_on]
    told += f": it is {join_names(names)}." if names else "."
    if settings.shear_range:
        told += (
            " The shear of at most {shear_range:g}&nbsp;degrees moves the top row by {pixels:.1f}&nbsp;pixels against "
            "the bottom row."
        )
    return f"{told} Each image has {{views:,}} views, shown in turn, one in each epoch." if settings.views else told


def tell_edits(names: Sequence[str], where: str = "this notebook") -> str:
    """Returns the sentence on cells that differ from the published notebook's; nothing where none does."""
    if not names:
        return ""
    be = "is" if len(names) == 1 else "are"
    return (
        f"In this run {escape(join_names(names))} of {where} {be} not what the published notebook has there: what this "
        "report says was made with the edited cells."
    )


def tell_model(summary: Mapping[str, Any], network: NetworkSummary) -> str:
    """Returns the sentences on the network as it was built, for `say` with the summary.

    Args:
        summary: From `finishing.describe_model`.
        network: From `describe_network`.
    """
    told = (
        "[@fig:network] shows the model as it was built: {layers} Keras layers, of which the last "
        "{trainable_base_layers} of the backbone's {base_layers} and the head are trained: {trainable_params:,} of "
        "{total_params:,} parameters. [@tbl:recipe] lists the model and the settings of its training."
    )
    if network.block:
        told += " Each residual block adds its input to what its layers make of it [@he2016]."
    if summary["weights"] in NAMED_WEIGHTS and summary["backbone"] in BACKBONES:
        named = find_backbone(summary["backbone"]).find_weights(summary["weights"])
        told += f" {named.note}" if named and named.note else ""
    return told


def tabulate_recipe(summary: Mapping[str, Any], settings: Settings) -> pd.DataFrame:
    """Returns the table of the model and its training, an item and its value a row, as in the paper's Table 1 and more.

    What the model and its training are comes from the objects that ran, the augmentation from the settings.

    Args:
        summary: The run's `training/summary.json`.
        settings: The settings of augmentation and training.
    """
    zoom = settings.zoom_range
    height, width, _ = summary["input_shape"]
    rows = [
        ("backbone", summary["backbone"]),
        ("its weights", summary["weights"]),
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
    if "augment" in summary["edited"]:
        rows.append(("augmentation", "as this notebook's `augment` does it"))
    else:
        rows += [
            ("rotation", f"±{settings.rotation_range:g} degrees"),
            ("width shift", f"±{settings.width_shift_range:g} of the width"),
            ("height shift", f"±{settings.height_shift_range:g} of the height"),
            ("shear", f"±{settings.shear_range:g} degrees"),
            ("zoom factor", f"{1 - zoom:g} to {1 + zoom:g}"),
            ("horizontal flip", str(settings.horizontal_flip)),
        ]
        more = [
            ("vertical flip", settings.vertical_flip, "True"),
            ("random crop", settings.random_crop, f"at most {settings.random_crop:.0%} of the area"),
            *((name, share, f"±{share:.0%}") for name in COLOURS if (share := getattr(settings, name))),
        ]
        rows += [(name, shown) for name, is_on, shown in more if is_on]
    if settings.views:
        rows.append(("views of each image", f"{settings.views:,}"))
    for number, phase in enumerate(summary["phases"], start=1):
        of = f", phase {number}" if len(summary["phases"]) > 1 else ""
        rows += [
            (f"optimizer{of}", phase["optimizer"]),
            (
                f"loss{of}",
                phase["loss"].replace("_", " ").replace("categorical crossentropy", "categorical cross-entropy"),
            ),
            *((f"{name.replace('_', ' ')}{of}", f"{value:g}") for name, value in phase["rates"].items()),
            (f"epochs{of}", f"{phase['epochs']:,}"),
        ]
        if number > 1:
            rows.append((f"trainable parameters{of}", f"{phase['trainable_params']:,}"))
    rows += [("batch size", f"{settings.batch_size:,}"), ("seed", f"{settings.seed}")]
    return pd.DataFrame(rows, columns=["item", "value"])


def tell_optimizer(phases: Sequence[Mapping[str, Any]]) -> str:
    """Returns the sentences on what was made smaller, and by what, for `say`.

    Args:
        phases: Of the run's `training/summary.json`.
    """
    losses, optimizers = ({str(phase[name]) for phase in phases} for name in ("loss", "optimizer"))
    if losses != {"categorical_crossentropy"} or optimizers != {"SGD"}:
        names = [escape(name.replace("_", " ")) for name in (*sorted(losses), *sorted(optimizers))]
        return f"The loss and the optimizer of this run are, by Keras' names, {join_names(names)}."
    told = "The loss is the categorical cross-entropy. Stochastic gradient descent "
    told += "with momentum makes it smaller" if phases[0]["rates"].get("momentum") else "makes it smaller"
    if not phases[0]["rates"].get("decay"):
        return f"{told}."
    return (
        f"{told}; at step $t$ its learning rate is\n\n$$\\eta_t = \\frac{{{{\\eta_0}}}}{{{{1 + d\\,t}}}} ,$$\n\n"
        "where $d$ is the decay. Keras 3 writes this as `InverseTimeDecay` with one decay step a batch."
    )


def _name_preprocessing(name: str) -> str:
    if name.endswith(".rescale"):
        return "0 to 1"
    return "the backbone's own" if name.endswith(".preprocess_input") else "as this notebook's `prepare` does it"


def tell_history(*, best_epoch: int, epochs: int) -> str:
    """Returns the sentence on the validation loss, for `say`: whether it was still falling at the end."""
    if best_epoch == epochs:
        return "The validation loss was lowest in the last epoch: more epochs might lower it further."
    return (
        "The validation loss was lowest in epoch {best_epoch}, {best_loss:.3f}. Whether what came after is "
        "over-fitting or chance, one run cannot tell."
    )


def tell_cut(cut: Cut, *, accelerated: bool, kept: bool) -> tuple[str, dict[str, Any]]:
    """Returns the sentences on the cut, and the values of their fields.

    Args:
        cut: From `finishing.describe_cut`.
        accelerated: The setting `accelerate`.
        kept: Whether a feature cache keeps the tensors.
    """
    if not accelerated:
        return "This run was trained by plain `fit`: nothing was cut off.", {}
    if not cut.frozen[0]:
        return "With these settings nothing is frozen in front of what learns: the whole network is trained.", {}
    told = (
        f"[@fig:cut] shows the cut: {{tensors}} {'goes' if len(cut.shapes) == 1 else 'go'} from the frozen layers to "
        "the trainable layers, {numbers:,} numbers an image."
    )
    if kept:
        told += " They are kept in a cache, for later runs that train on the same views."
    told += " The frozen layers run in {runtime}."
    if cut.stochastic:
        told += (
            " Of the frozen layers, {stochastic} would drop numbers at random in Keras' own `fit`; run by themselves, "
            "nothing is dropped."
        )
    return told, {
        "tensors": count_noun(len(cut.shapes), "tensor"),
        "numbers": sum(map(math.prod, cut.shapes)),
        "stochastic": count_noun(cut.stochastic, "layer"),
        "runtime": cut.runtime,
    }
