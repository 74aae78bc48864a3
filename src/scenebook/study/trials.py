"""The trainings that a study consists of, and what a worker is given of each."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from scenebook.core.provenance import sha256_lines, training_versions
from scenebook.core.run_files import STUDY_RECORDS
from scenebook.core.settings import FLOAT32, TRAINING, Settings
from scenebook.data.folds import Fold
from scenebook.network.code_digests import digest_training_code
from scenebook.network.imagenet_weights import weights_digest
from scenebook.study.plan import LAYERS, Variant

_FORMAT = 1


@dataclass(frozen=True)
class Trial:
    """One training of a study: a variant, with one seed, on one fold.

    Attributes:
        number: Which of the variant's seeds, from 0.
        settings: All settings of the training but its `layers`, `seed` among them.
        about: What the outcome depends on, but for weights of the variant's own.
        timed: Whether its network is asked how many images a second it classifies.
    """

    variant: Variant
    number: int
    settings: Settings
    fold: Fold
    about: Mapping[str, Any]
    timed: bool = False

    @property
    def key(self) -> str:
        """SHA-256 of what the outcome depends on, with weights as their file is now."""
        own = self.variant.has_own_weights
        return self.make_key(weights_digest(self.settings.weights, self.settings.backbone) if own else None)

    def make_key(self, weights_sha256: str | None) -> str:
        """Returns the key; weights of the variant's own are given by their digest."""
        about = {**self.about, "own_weights": weights_sha256} if self.variant.has_own_weights else self.about
        return hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()

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

    Settings and summary, `training/summary.json`, are the run's.
    """
    # A recipe that cannot be compared is another one each time.
    recipe = summary["recipe_sha256"] or uuid.uuid4().hex
    timed = any(variant.has_own_weights for variant in variants)
    trials = []
    for variant in variants:
        changed = variant.apply_to(settings)
        code = sha256_lines(digest_training_code(changed.backbone).values())
        change = {name: value for name, value in variant.change.items() if name != "weights"}  # their digest counts
        for number in range(variant.seeds):
            fold = folds[number % len(folds)]
            seeded = changed.model_copy(update={"seed": settings.seed + number, "devices": 1})
            about = {
                "format": _FORMAT,
                "settings": {**seeded.model_dump(include=set(TRAINING)), **change},
                "weights": summary["weights_sha256"],
                "recipe": recipe,
                "images": fold.digest,
                "versions": training_versions(settings.frozen_layers_runtime),
                "code": code,
                **({"timed": True} if timed else {}),
                **({} if settings.precision == FLOAT32 else {"precision": settings.precision}),
            }
            trials.append(Trial(variant, number, seeded, fold, about, timed))
    return trials
