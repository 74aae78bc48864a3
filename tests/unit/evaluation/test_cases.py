from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest

from scenebook.core.sentences import fill, without_marks
from scenebook.evaluation.samples import count_rows, select_cases
from scenebook.notebook.grids import Bar, bars_of
from scenebook.notebook.prose.samples import tell_cases, tell_error_maps

NAMES = ["cat", "dog", "owl"]


def table_of(labels: Sequence[str], probs: Sequence[Sequence[float]], names: Sequence[str] = NAMES) -> pd.DataFrame:
    """A table of predictions, as `training.make_predictions` makes it."""
    matrix = np.array(probs, dtype=float).reshape(len(labels), len(names))
    chosen = matrix.argmax(axis=1)
    table = {
        "path": [f"{number:03d}.jpg" for number in range(len(labels))],
        "label": list(labels),
        "predicted": [names[position] for position in chosen],
        "confidence": matrix.max(axis=1),
    }
    return pd.DataFrame({**table, **{f"p_{name}": matrix[:, at] for at, name in enumerate(names)}})


MIXED = table_of(
    ["cat", "cat", "dog", "dog", "owl", "owl", "cat", "dog"],
    [
        [0.90, 0.05, 0.05],
        [0.95, 0.03, 0.02],
        [0.20, 0.70, 0.10],
        [0.25, 0.40, 0.35],
        [0.10, 0.30, 0.60],
        [0.80, 0.15, 0.05],
        [0.01, 0.90, 0.09],
        [0.45, 0.44, 0.11],
    ],
)


def read(table: pd.DataFrame) -> str:
    sentence, values = tell_cases(select_cases(table), len(table))
    return without_marks(fill(sentence, [values]).markdown)


def test_cases_are_the_surest_the_least_sure_and_the_largest_losses() -> None:
    cases = select_cases(MIXED, each=2)
    assert {kind: list(part["path"]) for kind, part in cases.groupby("row", sort=False)} == {
        "right and sure": ["001.jpg", "002.jpg"],  # the surest cat, and of the surer half a dog: not another cat
        "right and unsure": ["003.jpg", "004.jpg"],
        "wrong and sure": ["006.jpg", "005.jpg"],
    }
    assert cases["loss"].tolist()[-2:] == pytest.approx([-np.log(0.01), -np.log(0.05)])
    assert count_rows(cases) == [
        ("Correct, with the highest confidence", 2), ("Correct, with the lowest confidence", 2),
        ("Misclassified, largest loss first", 2),
    ]  # fmt: skip


def test_no_image_stands_in_two_rows() -> None:
    cases = select_cases(MIXED)
    assert not cases["path"].duplicated().any()
    assert cases["row"].value_counts().to_dict() == {"right and sure": 3, "wrong and sure": 3, "right and unsure": 2}


def test_the_order_of_the_table_changes_nothing() -> None:
    tied = table_of(["cat"] * 9, [[0.9, 0.1, 0.0]] * 9)
    shuffled = tied.sample(frac=1, random_state=3)
    pd.testing.assert_frame_equal(select_cases(tied, each=2), select_cases(shuffled, each=2))


def test_a_probability_of_zero_has_a_finite_loss() -> None:
    cases = select_cases(table_of(["cat"], [[0.0, 1.0, 0.0]]))
    assert np.isfinite(cases["loss"]).all()


def test_the_sentences_read_what_is_shown() -> None:
    told = read(MIXED)
    for said in ("70% to 95%", "40% to 60%", "The 3 errors", "45% to 90%", "image of cat, classified as dog with 90%"):
        assert said in told


@pytest.mark.parametrize(
    ("labels", "probs", "said"),
    [
        (["cat"], [[0.0, 1.0, 0.0]], "No test image is classified correctly. The one error is an image of cat"),
        (
            ["cat"],
            [[0.996, 0.0, 0.004]],
            "The one test image is classified correctly, with a probability of more than 99%. No test image is",
        ),
        (
            ["cat", "cat"],
            [[0.9, 0.1, 0.0], [0.2, 0.8, 0.0]],
            "Of 2 test images, one is classified correctly, with a probability of 90%. The one error is",
        ),
        (
            ["cat", "dog"],
            [[1, 0, 0], [0, 0.95, 0.05]],
            "even its least confident correct prediction has a probability of 95%. No test image is misclassified",
        ),
    ],
    ids=["all wrong", "one right", "one of two right", "all sure"],
)
def test_degenerate_results_are_said(labels: list[str], probs: list[list[float]], said: str) -> None:
    assert said in read(table_of(labels, probs))


def test_class_names_never_become_fields_or_markup() -> None:
    names = ["{n}", '*"🏔"*']
    text = read(table_of(["{n}", '*"🏔"*'], [[0.1, 0.9], [0.3, 0.7]], names))
    assert r"an image of \{n\}, classified as \*\"🏔\"\* with a probability of 90%" in text


def test_bars_are_the_likeliest_classes_and_always_the_true_one() -> None:
    many = [f"c{number}" for number in range(60)]
    probs = np.full((1, 60), 0.001)
    probs[0, [7, 8, 9]] = 0.5, 0.3, 0.1
    (bars,) = bars_of(table_of(["c3"], probs.tolist(), many), many)
    assert bars == [Bar("c7", 0.5), Bar("c8", 0.3), Bar("c3", 0.001, True)]
    (two,) = bars_of(table_of(["dog"], [[0.4, 0.6]], ["cat", "dog"]), ["cat", "dog"])
    assert two == [Bar("dog", 0.6, True), Bar("cat", 0.4)]


UPPER_LEFT, LOWER_RIGHT = np.diag([1.0, 0.0, 0.0]), np.diag([0.0, 0.0, 1.0])


@pytest.mark.parametrize(
    ("true", "said"),
    [
        ([UPPER_LEFT, UPPER_LEFT], "Where .* for both classes, it is strongest in the same ninth of the image"),
        ([LOWER_RIGHT, LOWER_RIGHT], "in one place for the predicted class and in another"),
        ([UPPER_LEFT, LOWER_RIGHT], "same ninth of the image in 1 of 2"),
        ([UPPER_LEFT, 0 * UPPER_LEFT], "found in 1 of the 2 images of .*: it is strongest in the same"),
        ([0 * UPPER_LEFT] * 2, "In no image of"),
    ],
    ids=["same", "different", "mixed", "one silent", "silent"],
)
def test_maps_of_errors_are_read_both_ways(true: list[np.ndarray], said: str) -> None:
    sentence, values = tell_error_maps(np.array([UPPER_LEFT] * 2), np.array(true))
    assert re.search(said, without_marks(fill(sentence, [values]).markdown))
