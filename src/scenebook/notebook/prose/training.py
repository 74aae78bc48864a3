"""What notebook 02 says of the model and its training."""

from __future__ import annotations

from typing import Any

import pandas as pd

from scenebook.core.settings import Settings


def tabulate_recipe(summary: dict[str, Any], settings: Settings) -> pd.DataFrame:
    """Returns the table of the model and its training, an item and its value a row, as in the paper's Table 1 and more.

    `summary` is from `classifier.summarize`, with the backbone.
    """
    zoom = settings.zoom_range
    height, width, _ = summary["input_shape"]
    rows = [
        ("backbone", summary["backbone"]),
        ("its weights", summary["weights"]),
        ("input", f"{height} × {width} pixels"),
        ("preprocessing", {"backbone": "the backbone's own", "rescale": "0 to 1"}[settings.preprocessing]),
        ("head", {"flatten": "flattened", "average": "global average pooling"}[settings.head_pooling]),
        ("units of the head", f"{settings.head_units:,}"),
        ("trained layers of the backbone", f"{settings.trainable_base_layers:,} of {summary['base_layers']:,}"),
        ("Keras layers", f"{summary['layers']:,}"),
        ("layers with weights, on the main path", f"{summary['weight_layers']:,}"),
        ("total parameters", f"{summary['total_params']:,}"),
        ("trainable parameters", f"{summary['trainable_params']:,}"),
        ("non-trainable parameters", f"{summary['non_trainable_params']:,}"),
        ("rotation", f"±{settings.rotation_range:g} degrees"),
        ("width shift", f"±{settings.width_shift_range:g} of the width"),
        ("height shift", f"±{settings.height_shift_range:g} of the height"),
        ("shear", f"±{settings.shear_range:g} degrees"),
        ("zoom factor", f"{1 - zoom:g} to {1 + zoom:g}"),
        ("horizontal flip", str(settings.horizontal_flip)),
        ("optimizer", "SGD"),
        ("loss", "categorical cross-entropy"),
        ("learning rate", f"{settings.learning_rate:g}"),
        ("decay", f"{settings.decay:g} per step"),
        ("momentum", f"{settings.momentum:g}"),
        ("epochs", f"{settings.epochs:,}"),
        ("batch size", f"{settings.batch_size:,}"),
        ("seed", f"{settings.seed}"),
    ]
    return pd.DataFrame(rows, columns=["item", "value"])


def tell_history(*, best_epoch: int, epochs: int) -> str:
    """Returns the sentence on the validation loss, for `say`: whether it was still falling at the end."""
    if best_epoch == epochs:
        return "The validation loss was lowest in the last epoch: more epochs might lower it further."
    return (
        "The validation loss was lowest in epoch {best_epoch}, {best_loss:.3f}. Whether what came after is "
        "over-fitting or chance, one run cannot tell."
    )


def tell_cut(*, tensors: int, stochastic: int, empty: bool, kept: bool) -> str:
    """Returns the sentences on the cut, for `say`: what goes from the frozen layers to the trainable layers.

    Their fields: `tensors` (a count with its noun), `numbers`, `runtime` (what the frozen layers run in) and
    `stochastic` (a count with its noun).

    Args:
        tensors: How many tensors the frozen layers put out.
        stochastic: How many of the frozen layers drop at random in `fit`.
        empty: Whether nothing is frozen in front of what learns.
        kept: Whether a feature cache keeps the tensors.
    """
    if empty:
        return "With these settings nothing is frozen in front of what learns: the whole network is trained."
    told = (
        f"[@fig:cut] shows the cut: {{tensors}} {'goes' if tensors == 1 else 'go'} from the frozen layers to the "
        "trainable layers, {numbers:,} numbers an image."
    )
    if kept:
        told += " They are kept in a cache, for later runs that train on the same views."
    told += " The frozen layers run in {runtime}."
    if stochastic:
        told += (
            " Of the frozen layers, {stochastic} would drop numbers at random in Keras' own `fit`; run by themselves, "
            "nothing is dropped."
        )
    return told
