"""How well a network fits its training and validation images, from what its training has left."""

from __future__ import annotations

from typing import Any

from scenebook.core.run_directory import RunDirectory
from scenebook.core.run_files import HISTORY, SUMMARY


def read_fit(run_dir: RunDirectory) -> dict[str, tuple[Any, str]]:
    """Returns facts of a training, each with its origin.

    Returns:
        `train_accuracy` and `val_accuracy` in the epoch whose weights the network has, the former as the training
        batches were seen; `kept_epoch`, which that is, counted from 1; `last_epoch`, and `best_epoch`, that of the
        lowest validation loss. Of a linear classifier, which is not trained in epochs, the three are 0.
    """
    summary, history = run_dir.read_json(SUMMARY), run_dir.read_csv(HISTORY)
    if history.empty:
        accuracies = {"train_accuracy": "linear_train_accuracy", "val_accuracy": "linear_val_accuracy"}
        facts = {name: (float(summary[key]), f"{SUMMARY}: {key}") for name, key in accuracies.items()}
        return facts | dict.fromkeys(("kept_epoch", "last_epoch", "best_epoch"), (0, f"{HISTORY}: no epoch"))
    last_epoch = int(history["epoch"].iloc[-1])
    kept_epoch = int(summary.get("kept_epoch", last_epoch))
    best_epoch = int(history["epoch"].iloc[int(history["val_loss"].argmin())])
    kept = history[history["epoch"] == kept_epoch].iloc[0]
    which = "the last row" if kept_epoch == last_epoch else f"epoch {kept_epoch}"
    return {
        "train_accuracy": (float(kept["accuracy"]), f"{HISTORY}: accuracy in {which}"),
        "val_accuracy": (float(kept["val_accuracy"]), f"{HISTORY}: val_accuracy in {which}"),
        "kept_epoch": (kept_epoch, f"{SUMMARY}: kept_epoch"),
        "last_epoch": (last_epoch, f"{HISTORY}: epoch in the last row"),
        "best_epoch": (
            best_epoch,
            f"{HISTORY}: epoch of the lowest val_loss",
        ),
    }
