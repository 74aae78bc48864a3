from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import special

from scenebook.evaluation.metrics.intervals import Score, compare_paired
from scenebook.study.summaries import compare_gaps
from scenebook.study.trials import Record
from tests.unit.study.study import make_record, make_records


def compare(variant: list[Record], base: list[Record], resamples: int = 2000) -> Score:
    right, base_right = (np.concatenate([one.val_right for one in records]) for records in (variant, base))
    return compare_gaps(variant, base, compare_paired(right, base_right)["difference"], resamples=resamples)


def test_the_gap_is_the_accuracy_on_training_images_less_that_on_validation_images() -> None:
    assert make_record("base", train=0.98, validation=0.8).gap == pytest.approx(0.18, abs=1e-3)


def test_the_difference_is_the_mean_over_the_seeds_of_the_gaps_differences() -> None:
    variant = [make_record("v", seed, train=0.99, validation=0.8 - 0.02 * seed) for seed in range(3)]
    base = make_records("base", train=0.95, validation=0.85)
    expected = np.mean([one.gap - other.gap for one, other in zip(variant, base, strict=True)])
    found = compare(variant, base)
    assert found["value"] == pytest.approx(expected, abs=1e-12)
    assert 0 < found["low"] < found["value"] < found["high"]


def test_the_same_records_give_the_same_interval_in_whatever_order_their_images_come() -> None:
    variant, base = make_records("v", validation=0.8, draw=1), make_records("base")
    order = np.random.default_rng(0).permutation(len(base[0].train_paths))

    def shuffle(record: Record) -> Record:
        paths = [record.train_paths[position] for position in order]
        return replace(record, train_paths=paths, train_right=record.train_right[order])

    again = compare([shuffle(one) for one in variant], [shuffle(one) for one in base])
    assert again == compare(variant, base)


def test_trainings_that_never_differ_have_no_interval_of_a_point() -> None:
    found = compare(make_records("v"), make_records("base"))
    assert found["value"] == 0
    assert found["low"] < -0.005
    assert found["high"] > 0.005


def test_more_seeds_make_the_interval_shorter() -> None:
    one, three = (
        compare(make_records("v", seeds=seeds, draw=1), make_records("base", seeds=seeds)) for seeds in (1, 3)
    )
    assert three["high"] - three["low"] < 0.7 * (one["high"] - one["low"])


def test_a_fold_of_a_single_image_is_no_trouble() -> None:
    changes = {"images": 8, "held_out": 1}
    found = compare([make_record("v", validation=1, **changes)], [make_record("base", validation=0, **changes)])
    assert found["low"] <= found["value"] <= found["high"]


def draw_pair(rng: np.random.Generator, *, held_out: int, seeds: int) -> tuple[list[Record], list[Record]]:
    """Trainings with gaps of 0.10 and 0.15 on images of which some are hard for all."""
    images = 8 * held_out
    difficulty = 0.75**0.5 * rng.normal(size=images)
    pairs: tuple[list[Record], list[Record]] = ([], [])
    for seed in range(seeds):
        record = make_record("v", seed, images=images, held_out=held_out)
        is_held_out = np.isin(np.arange(images), np.arange(seed * held_out, (seed + 1) * held_out))
        for records, train, validation in ((pairs[0], 0.97, 0.82), (pairs[1], 0.95, 0.85)):
            share = special.ndtri(np.where(is_held_out, validation, train))
            right = difficulty + 0.5 * rng.normal(size=images) < share
            records.append(replace(record, train_right=right[~is_held_out], val_right=right[is_held_out]))
    return pairs


@pytest.mark.parametrize(("held_out", "seeds"), [(40, 1), (40, 3), (120, 3)])
def test_the_interval_holds_the_true_difference_about_as_often_as_it_says(held_out: int, seeds: int) -> None:
    rng = np.random.default_rng(0)
    pairs = [draw_pair(rng, held_out=held_out, seeds=seeds) for _ in range(150)]
    scores = [compare(*pair, resamples=400) for pair in pairs]
    assert 0.91 < np.mean([score["low"] <= 0.05 <= score["high"] for score in scores]) <= 1
