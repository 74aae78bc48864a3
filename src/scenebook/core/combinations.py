"""Settings that contradict one another, and settings that change nothing beside the others."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, NoReturn

from scenebook.core.errors import SettingsError

if TYPE_CHECKING:
    from scenebook.core.settings import Settings

_OF_STEPS = (
    *("optimizer", "momentum", "weight_decay", "schedule", "decay", "warmup_epochs", "label_smoothing", "dropout"),
    *("class_weights", "early_stopping", "views", "augmentation_seed"),
)
"""Settings of steps of the optimizer, besides those of one phase."""


def check_contradictions(settings: Settings) -> None:
    """Raises `SettingsError` where settings cannot be followed together."""

    def refuse(expected: str, *names: str, advice: str) -> NoReturn:
        received = {name: getattr(settings, name) for name in names}
        raise SettingsError(f"Expected {expected}.", received=received, advice=advice)

    phases = ("epochs", "fine_tune_epochs")
    trained = [name for name in phases if getattr(settings, name)]
    short = [name for name in trained if getattr(settings, name) <= settings.warmup_epochs]
    if settings.head_start == "linear" and (settings.head_units or settings.head_pooling != "average"):
        refuse(
            "a head of one dense layer on averaged features, for which there is a linear classifier to start from",
            *("head_start", "head_pooling", "head_units"),
            advice="Set head_pooling to average and head_units to 0, or head_start to random.",
        )
    if not trained and settings.head_start == "random":
        advice = "Set epochs or fine_tune_epochs above 0; or head_start to linear, which needs neither."
        refuse("something to be trained", *phases, "head_start", advice=advice)
    if not trained and settings.seeds > 1:
        advice = "Set seeds to 1, or epochs or fine_tune_epochs above 0."
        what = "one seed where nothing is trained in steps: a linear classifier is the same from every seed"
        refuse(what, *phases, "seeds", advice=advice)
    if settings.cross_validation == 1:
        advice = "Set cross_validation to 5, say, or to 0."
        refuse("2 folds or more: each is trained on the others", "cross_validation", advice=advice)
    if settings.precision != "float32" and settings.frozen_layers_runtime == "openvino":
        advice = "Set precision to float32, or frozen_layers_runtime to tensorflow."
        what = "precision float32 with OpenVINO, which runs the frozen layers on the CPU"
        refuse(what, "precision", "frozen_layers_runtime", advice=advice)
    if settings.batch_size % settings.devices:
        advice = "Set batch_size to a multiple of devices."
        refuse("a batch_size of which all devices get equal parts", "batch_size", "devices", advice=advice)
    if settings.schedule == "cosine" and short:
        advice = "Lower warmup_epochs, or train for more epochs."
        refuse("a warm-up that ends before its phase does", "warmup_epochs", *short, advice=advice)


def list_without_effect(settings: Settings) -> dict[str, str]:
    """Returns the settings that change nothing beside the others, each with the reason, as a clause."""
    drawn, optimizer, schedule = settings.dataset == "scenes", settings.optimizer, settings.schedule
    first, second = settings.epochs, settings.fine_tune_epochs
    rules = (
        (drawn, "the images are drawn", ("groups", "splits", "follow_links")),
        (not drawn, "no images are drawn", ("scenes_train_per_class", "scenes_test_per_class")),
        (optimizer != "sgd", f"optimizer is {optimizer}", ("momentum",)),
        (optimizer != "adamw", f"optimizer is {optimizer}", ("weight_decay",)),
        (schedule != "inverse-time", f"schedule is {schedule}", ("decay",)),
        (schedule != "cosine", f"schedule is {schedule}", ("warmup_epochs",)),
        (not first, "epochs is 0", ("trainable_base_layers", "learning_rate")),
        (not second, "fine_tune_epochs is 0", ("fine_tune_layers", "fine_tune_learning_rate")),
        (not settings.is_augmented, "no operation of the augmentation is on", ("views", "augmentation_seed")),
        (not first and not second, "epochs and fine_tune_epochs are 0", (*settings.augmentation, *_OF_STEPS)),
    )
    return {name: reason for holds, reason, names in rules if holds for name in names}


def check_effects(settings: Settings, given: Collection[str]) -> None:
    """Raises `SettingsError` where one of the settings that somebody has asked for, `given` by name, has no effect.

    What only switches something off, where there is nothing to be switched off, is no error.
    """
    for name, reason in list_without_effect(settings).items():
        value = getattr(settings, name)
        if name in given and value and value not in ("none", "auto"):
            raise SettingsError(
                f"Expected settings that have an effect: {name} has none where {reason}.",
                received={name: value},
                advice=f"Leave {name} out, or change the other.",
            )


def list_idle(settings: Settings) -> list[str]:
    """Returns the values without effect that are no defaults: a profile's, each with the reason, as clauses."""
    return [
        f"{name} {value} ({reason})"
        for name, reason in list_without_effect(settings).items()
        if (value := getattr(settings, name)) not in (type(settings).model_fields[name].default, 0, "none")
    ]
