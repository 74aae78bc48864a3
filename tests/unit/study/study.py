"""A made-up study: every training is right on images that are drawn from a seed, as often as it is told to be."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from scenebook.study.plan import BASE, Variant
from scenebook.study.trials import Record

DIVERGED = "DivergedError: Expected a finite training loss. Received: loss=nan in epoch 1, batch 3."
HOSTILE = "*no* `$x^2$` {0} [@he2016] <b>&amp; | a_b\n# c"


def make_variant(
    name: str, claim: str | None = None, *, seeds: int = 3, opposite: bool = False, **changes: Any
) -> Variant:
    """A variant with a name for its title; `title=` and `change=` give others."""
    given = {"title": name.replace("-", " "), "change": {"learning_rate": 0.01}, **changes}
    direction = ("opposite" if opposite else "forward") if claim else ""
    return Variant(name, given["title"], given["change"], claim, direction, seeds)


def make_base(seeds: int = 3) -> Variant:
    return Variant(BASE, "as the run", {}, None, "", seeds)


def make_record(
    variant: str,
    seed: int = 0,
    *,
    train: float = 0.95,
    validation: float = 0.85,
    images: int = 1000,
    held_out: int = 150,
    draw: int = 0,
    **changes: Any,
) -> Record:
    """A training that is right on a share of the images: on the same ones for the same share.

    Args:
        variant: Its name.
        seed: Which part of the images is held out.
        train: Share of the training images that it is right on.
        validation: Share of those that are held out.
        images: All of them.
        held_out: How many of them are held out.
        draw: Another one puts the right ones elsewhere.
        **changes: Further attributes of the record.
    """
    names = [f"class/{number}.jpg" for number in range(images)]
    rows = np.arange(seed * held_out, (seed + 1) * held_out)
    is_held_out = np.isin(np.arange(images), rows)
    rng = np.random.default_rng([seed, draw])
    rights = {count: rng.permutation(count) for count in (images - held_out, held_out)}
    given: dict[str, Any] = {
        "train_right": rights[images - held_out] < round(train * (images - held_out)),
        "val_right": rights[held_out] < round(validation * held_out),
        "settings": {} if variant == BASE else {"learning_rate": 0.01},
        "history": make_history(train, validation),
        **changes,
    }
    return Record(
        variant=variant,
        seed=seed,
        key=f"{variant}-{seed}",
        error="",
        train_paths=[name for name, out in zip(names, is_held_out, strict=True) if not out],
        val_paths=[name for name, out in zip(names, is_held_out, strict=True) if out],
        total_params=76_023_686,
        trainable_params=52_440_070,
        seconds=93.4,
        **given,
    )


def make_failed(variant: str, seed: int = 0, error: str = DIVERGED) -> Record:
    """A training that ended with an error."""
    done = make_record(variant, seed)
    return Record(variant, seed, done.key, error, done.train_paths, done.val_paths, done.settings)


def make_records(variant: str, *, seeds: int = 3, **changes: Any) -> list[Record]:
    """The trainings of one variant, a seed each."""
    return [make_record(variant, seed, **changes) for seed in range(seeds)]


def make_history(train: float, validation: float, epochs: int = 8) -> pd.DataFrame:
    rise = 1 - 0.6 ** np.arange(1, epochs + 1)
    columns = {"epoch": np.arange(1, epochs + 1), "loss": 2 - rise, "accuracy": train * rise, "val_loss": 2 - rise}
    return pd.DataFrame({**columns, "val_accuracy": validation * rise, "learning_rate": 0.001, "seconds": 1.0})
