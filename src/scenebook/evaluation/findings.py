"""What was found in a run: how well the network fits, its rank beside a linear classifier, its errors, ablations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from scenebook.core import run_files
from scenebook.core.errors import MissingArtifactError
from scenebook.core.run_directory import RunDirectory
from scenebook.core.sentences import Sourced
from scenebook.core.wording import join_names
from scenebook.evaluation.metrics.intervals import SIGNIFICANT

_LABEL_ISSUES = "evaluation/label_issues.csv"
_BASELINE_PREDICTIONS = "evaluation/baseline_predictions.csv"
BETTER, WORSE, OPEN, ALONE, LINEAR = "better", "worse", "open", "alone", "linear"
"""How a network compares with the linear classifier; `ALONE` where a run has none on pretrained features,
`LINEAR` where the network is one."""


def read_fit(run_dir: RunDirectory) -> dict[str, tuple[Any, str]]:
    """Returns facts of a training, each with its origin.

    Returns:
        `train_accuracy` and `val_accuracy` in the epoch whose weights the network has, the former as the training
        batches were seen; `kept_epoch`, which that is, counted from 1; `last_epoch`, and `best_epoch`, that of the
        lowest validation loss. Of a linear classifier, which is not trained in epochs, the three are 0.
    """
    summary, history = run_dir.read_json(run_files.SUMMARY), run_dir.read_csv(run_files.HISTORY)
    if history.empty:
        accuracies = {"train_accuracy": "linear_train_accuracy", "val_accuracy": "linear_val_accuracy"}
        facts = {name: (float(summary[key]), f"{run_files.SUMMARY}: {key}") for name, key in accuracies.items()}
        return facts | dict.fromkeys(("kept_epoch", "last_epoch", "best_epoch"), (0, f"{run_files.HISTORY}: no epoch"))
    last_epoch = int(history["epoch"].iloc[-1])
    kept_epoch = int(summary.get("kept_epoch", last_epoch))
    best_epoch = int(history["epoch"].iloc[int(history["val_loss"].argmin())])
    kept = history[history["epoch"] == kept_epoch].iloc[0]
    which = "the last row" if kept_epoch == last_epoch else f"epoch {kept_epoch}"
    return {
        "train_accuracy": (float(kept["accuracy"]), f"{run_files.HISTORY}: accuracy in {which}"),
        "val_accuracy": (float(kept["val_accuracy"]), f"{run_files.HISTORY}: val_accuracy in {which}"),
        "kept_epoch": (kept_epoch, f"{run_files.SUMMARY}: kept_epoch"),
        "last_epoch": (last_epoch, f"{run_files.HISTORY}: epoch in the last row"),
        "best_epoch": (best_epoch, f"{run_files.HISTORY}: epoch of the lowest val_loss"),
    }


def judge_network(results: Mapping[str, Any]) -> str:
    """Returns `BETTER`, `WORSE`, `OPEN`, `ALONE` or `LINEAR`: the network against a linear classifier on features."""
    if results.get("is_linear"):
        return LINEAR
    if "network_gain" not in results:
        return ALONE
    if results["network_gain_p"] >= SIGNIFICANT:
        return OPEN
    return BETTER if results["network_gain"]["value"] > 0 else WORSE


def collect_discussion_facts(run_dir: RunDirectory, results: Mapping[str, Any]) -> Sourced:
    """Returns what the discussion says of a run beside its scores: the fit, its errors, and true or false findings."""
    summary, recipe = run_dir.read_json(run_files.SUMMARY), run_dir.read_json(run_files.RECIPE)
    fit = read_fit(run_dir)
    judged = judge_network(results)
    learned = "transfer" in results and results["transfer_p"] < SIGNIFICANT and results["transfer"]["value"] > 0
    facts: dict[str, tuple[Any, str]] = {
        **{name: fit[name] for name in ("val_accuracy", "best_epoch", "last_epoch", "kept_epoch")},
        "trainable_params": (summary["trainable_params"], f"{run_files.SUMMARY}: trainable_params"),
        "rotation_range": (recipe["rotation_range"], f"{run_files.RECIPE}: rotation_range"),
        "learning_rate": (recipe["learning_rate"], f"{run_files.RECIPE}: learning_rate"),
        "better_than_baseline": (judged == BETTER, f"{run_files.BASELINES}: network_gain above 0, network_gain_p"),
        "worse_than_baseline": (judged == WORSE, f"{run_files.BASELINES}: network_gain below 0, network_gain_p"),
        "transfer_helps": (learned, f"{run_files.BASELINES}: transfer above 0, transfer_p"),
    }
    return Sourced.from_pairs(facts | _count_errors(run_dir, is_linear=judged == LINEAR))


def _count_errors(run_dir: RunDirectory, *, is_linear: bool) -> dict[str, tuple[Any, str]]:
    predictions = run_dir.read_csv(run_files.TEST_PREDICTIONS)
    errors = predictions[predictions["label"] != predictions["predicted"]]
    of = run_files.TEST_PREDICTIONS
    facts: dict[str, tuple[Any, str]] = {"errors": (len(errors), f"{of}: rows with another class than the label")}
    if len(errors):
        pairs = [join_names(sorted(pair)) for pair in errors[["label", "predicted"]].to_numpy().tolist()]
        counts = pd.Series(pairs).value_counts()
        in_pair = pd.Series(pairs, errors.index) == counts.index[0]
        facts["pair"] = (counts.index[0], f"{of}: the two classes that are confused most often")
        facts["pair_errors"] = (int(counts.iloc[0]), f"{of}: errors between these two classes")
        if run_dir.path(_LABEL_ISSUES).is_file():
            suspicious = errors["path"].isin(run_dir.read_csv(_LABEL_ISSUES)["path"])
            facts["suspicious_errors"] = (int(suspicious.sum()), f"{of} and {_LABEL_ISSUES}: paths in both")
            facts["suspicious_pair"] = (int((suspicious & in_pair).sum()), f"{of} and {_LABEL_ISSUES}: paths in both")
    if not is_linear and run_dir.path(_BASELINE_PREDICTIONS).is_file():
        simple = run_dir.read_csv(_BASELINE_PREDICTIONS)
        if "pretrained_features" in simple:
            wrong = set(simple.loc[simple["pretrained_features"] != simple["label"], "path"])
            origin = f"{of} and {_BASELINE_PREDICTIONS}: errors of both"
            facts["shared_errors"] = (int(errors["path"].isin(wrong).sum()), origin)
            facts["own_errors"] = (int((~errors["path"].isin(wrong)).sum()), f"{of}: errors of the network alone")
            alone = len(wrong - set(errors["path"]))
            facts["linear_errors"] = (alone, f"{_BASELINE_PREDICTIONS}: errors of the linear classifier alone")
    return facts


def read_study(run_dir: RunDirectory) -> pd.DataFrame:
    """Returns the variants of `ablations/results.csv` that were compared with the base; none where none was trained."""
    try:
        study = run_dir.read_csv(run_files.STUDY_RESULTS)
    except MissingArtifactError:
        return pd.DataFrame(columns=["variant", "title", "difference", "difference_low", "difference_high", "p"])
    return study[study["difference"].notna()] if "difference" in study else study.iloc[:0]
