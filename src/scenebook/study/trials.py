"""The trainings that a study consists of, and what a worker is given of each."""

from __future__ import annotations

import hashlib
import json
import uuid
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import pandas as pd

from scenebook.core.provenance import sha256_lines, training_versions
from scenebook.core.run_files import STUDY_RECORDS
from scenebook.core.settings import TRAINING, Settings
from scenebook.network.code_digests import digest_training_code
from scenebook.study.plan import LAYERS, Variant

_FORMAT = 1


@dataclass(frozen=True)
class Trial:
    """One training of a study: a variant, with one seed, on one fold.

    Attributes:
        number: Which of the variant's seeds, from 0.
        settings: All settings of the training but its `layers`, `seed` among them.
        key: SHA-256 of what the outcome depends on.
    """

    variant: Variant
    number: int
    settings: Settings
    fold: Fold
    key: str

    @property
    def name(self) -> str:
        """For people to read."""
        return f"{self.variant.title}, seed {self.settings.seed}" if self.variant.seeds > 1 else self.variant.title

    @property
    def layers(self) -> int | str:
        """How many of the backbone's last layers are trained, or one of `plan.LAST`."""
        return cast("int | str", self.variant.change.get(LAYERS, self.settings.trainable_base_layers))

    @property
    def file(self) -> str:
        """Where its record is kept in the run directory."""
        return f"{STUDY_RECORDS}/{self.variant.name}-{self.number}.json"


def list_trials(
    variants: Sequence[Variant], settings: Settings, folds: Sequence[Fold], summary: Mapping[str, Any]
) -> list[Trial]:
    """Returns every training that the variants ask for, those of one variant together, a fold a seed.

    Args:
        variants: From `load_plan`.
        settings: The run's settings.
        folds: From `make_folds`, one a seed.
        summary: The run's `training/summary.json`.
    """
    # A recipe that cannot be compared is another one each time.
    recipe = summary["recipe_sha256"] or uuid.uuid4().hex
    code = sha256_lines(digest_training_code(settings.backbone).values())
    trials = []
    for variant in variants:
        changed = variant.apply_to(settings)
        for number in range(variant.seeds):
            fold = folds[number % len(folds)]
            seeded = changed.model_copy(update={"seed": settings.seed + number})
            about = {
                "format": _FORMAT,
                "settings": {**seeded.model_dump(include=set(TRAINING)), **variant.change},
                "weights": summary["weights_sha256"],
                "recipe": recipe,
                "images": fold.digest,
                "versions": training_versions(),
                "code": code,
            }
            key = hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()
            trials.append(Trial(variant, number, seeded, fold, key))
    return trials


@dataclass(frozen=True)
class Fold:
    """One division of the training and validation images.

    Attributes:
        train: Rows of the table of splits, int64 `(n,)`.
        validation: The same, int64 `(m,)`.
        digest: SHA-256 of which images with which labels are where, in their order.
    """

    train: np.ndarray
    validation: np.ndarray
    digest: str


def make_folds(splits: pd.DataFrame, count: int, *, seed: int) -> list[Fold]:
    """Divides the images of the table `data/splits.csv` that are not test images, `count` times.

    The first division is the run's own. For each further one, another part of the run's training images, stratified by
    class, becomes validation, and all the rest is trained on; copies of an image stay together. No image is validation
    twice, unless more folds are asked for than there are parts.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    split = splits["split"].to_numpy()
    train, validation = np.flatnonzero(split == "train"), np.flatnonzero(split == "validation")
    folds = [_make_fold(splits, train, validation)]
    groups = splits["group"].to_numpy() if "group" in splits else np.full(len(splits), -1)
    units = np.where(groups < 0, -1 - np.arange(len(splits)), groups)[train]
    labels = splits["label"].to_numpy()[train]
    wanted = max(2, round(len(train) / max(1, len(validation))))
    # No more parts than the largest class has images: with one image a class there is the run's own division alone.
    parts = min(wanted, len(set(units.tolist())), max(Counter(labels.tolist()).values()))
    while len(folds) < count and parts > 1:
        divider = StratifiedGroupKFold(parts, shuffle=True, random_state=(seed + len(folds)) % 2**32)
        with warnings.catch_warnings():
            # A class of fewer images than parts is missing in some: that is no reason to warn in a report.
            warnings.filterwarnings("ignore", message="The least populated class", category=UserWarning)
            for _, chosen in list(divider.split(train, labels, units))[: count - len(folds)]:
                rest = np.setdiff1d(np.concatenate([train, validation]), train[chosen])
                folds.append(_make_fold(splits, rest, train[chosen]))
    return folds


def _make_fold(splits: pd.DataFrame, train: np.ndarray, validation: np.ndarray) -> Fold:
    facts = splits["sha256"].str.cat(splits["label"], sep=" ").to_numpy()
    return Fold(train, validation, sha256_lines([*facts[train], "", *facts[validation]]))
