from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
import yaml

from scenebook.core.run_directory import RunDirectory
from scenebook.core.sentences import fill, without_marks
from scenebook.core.settings import make_settings
from scenebook.evaluation.metrics.intervals import Score
from scenebook.notebook.prose.baselines import collect_baseline_points
from scenebook.notebook.prose.conclusion import (
    collect_points,
    collect_recipe,
    list_files,
    tell_abstract,
    tell_commonest_error,
    tell_conclusion,
    tell_overfitting,
    tell_reasons,
    write_command,
)

SCORE: Score = {"value": 0.8, "low": 0.75, "high": 0.85}
RECIPE = make_settings({}).model_dump()


@pytest.mark.parametrize(
    ("train", "said"), [(0.9, "a sign of over-fitting"), (0.82, "no clear sign"), (0.7, "does not rule out")]
)
def test_over_fitting_is_read_from_both_accuracies(train: float, said: str) -> None:
    assert said in tell_overfitting(train, SCORE, augmented=True)


def test_without_augmentation_nothing_is_said_about_harder_images() -> None:
    assert "Augmented" not in tell_overfitting(0.7, SCORE, augmented=False)


@pytest.mark.parametrize(("majority", "said"), [(0.2, "less"), (0.8, "lies in the accuracy's"), (0.9, "worse than no")])
def test_the_accuracy_is_compared_with_the_commonest_class(majority: float, said: str) -> None:
    results = {"majority": make_difference(majority, majority)}
    assert said in tell_conclusion({"base_layers": "0 layers"}, {"accuracy": SCORE}, results)


def make_difference(low: float, high: float) -> Score:
    return {"value": (low + high) / 2, "low": low, "high": high}


@pytest.mark.parametrize(
    ("value", "p", "transfer", "gain"),
    [
        (0.2, 0.001, "transfer learning itself is worth +20.0 percentage points", "does better than a linear head"),
        (-0.2, 0.001, "transfer learning does harm here, −20.0 percentage", "does worse than a linear head"),
        (0.2, 0.3, "may be chance: that transfer learning helps is not shown", "undecided: +20.0 percentage points"),
    ],
)
def test_what_the_result_owes_to_what_is_read_from_the_differences(
    value: float, p: float, transfer: str, gain: str
) -> None:
    results: dict[str, Any] = dict.fromkeys(("transfer", "network_gain"), make_difference(value - 0.1, value + 0.1))
    results |= {"transfer_p": p, "network_gain_p": p, "pretrained_features": SCORE, "random_features": SCORE}
    scores = {"accuracy": SCORE, "ece": make_difference(0.01, 0.05)}
    facts = {"train_accuracy": 0.8, "augmented": True}
    points = collect_points(scores)
    said = tell_reasons(facts, scores, results)
    told = without_marks(
        fill(said, [scores, results, collect_baseline_points(results), points, facts]).markdown
    ).replace("\\", "")
    assert transfer in told
    assert gain in told
    assert "lie 3.0 percentage points apart on average (95% interval 1.0 to 5.0)" in told
    assert points.source_of("ece_points.low") == "evaluation/metrics.json: ece, times 100"


def test_without_a_pretrained_backbone_nothing_is_said_of_transfer() -> None:
    facts = {"train_accuracy": 0.8, "augmented": True}
    told = tell_reasons(facts, {"accuracy": SCORE}, {"majority": SCORE})
    assert "transfer" not in told
    assert "apart on average" not in told


@pytest.mark.parametrize(
    ("scores", "said", "unseen"),
    [
        ({}, "unseen images", True),
        ({"n_without_duplicates": 9, "accuracy_without_duplicates": SCORE}, "that have no duplicate", False),
        ({"n_without_duplicates": 0}, "nothing is known about new images", False),
    ],
)
def test_images_that_were_learned_are_not_called_unseen(scores: dict[str, Any], said: str, unseen: bool) -> None:
    results = {"majority": make_difference(0.1, 0.3)}
    conclusion = tell_conclusion({"base_layers": "1 layer"}, {"accuracy": SCORE, **scores}, results)
    assert "with its last {base_layers} trained too" in conclusion
    assert said in conclusion
    assert ("unseen images" in conclusion) == unseen
    assert ("duplicate" in tell_abstract(RECIPE, scores)) != unseen


def test_the_abstract_says_what_the_recipe_was() -> None:
    assert "transfer learning" in tell_abstract(RECIPE, {})
    assert "with augmentation" in tell_abstract(RECIPE, {})
    plain = {name: 0.0 for name in RECIPE if name.endswith("_range")} | {"horizontal_flip": False, "weights": "random"}
    assert "without augmentation" in tell_abstract({**RECIPE, **plain}, {})
    assert "transfer learning" not in tell_abstract({**RECIPE, **plain}, {})


@pytest.mark.parametrize(
    ("profile", "changes", "command"),
    [
        ("sample", {}, "make report PROFILE=sample"),
        ("sample", {"epochs": 2}, 'make report PROFILE=sample SET="epochs=2"'),
        (
            "mine",
            {"dataset": "/a b/c", "weights": "/w.weights.h5"},
            "make report PROFILE=sample DATA=folder WEIGHTS=file",
        ),
        (
            "sample",
            {"samples_dir": "/a b/c", "class_map": "/a b/m.yaml", "claims_file": "/a b/n.yaml"},
            'make report PROFILE=sample SET="claims_file=file class_map=file samples_dir=folder"',
        ),
        ("sample", {"weights": "random"}, 'make report PROFILE=sample SET="weights=random"'),
    ],
)
def test_the_command_makes_the_report_again_and_names_no_path(
    run_dir: RunDirectory, profile: str, changes: dict[str, object], command: str
) -> None:
    run_dir.write_json("manifest.json", {"profile": profile})
    settings = make_settings(changes).model_dump()
    run_dir.path("settings.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    assert write_command(run_dir) == command


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ([[5, 0], [0, 5]], "It makes no error."),
        ([[4, 1], [0, 5]], "The commonest error takes a for b (1 of 5)."),
        ([[4, 1], [1, 4]], "Among its commonest errors is to take a for b (1 of 5)."),
    ],
)
def test_an_error_is_the_commonest_only_where_no_other_is_as_frequent(counts: list[list[int]], said: str) -> None:
    assert tell_commonest_error(pd.DataFrame(counts, index=["a", "b"], columns=["a", "b"])) == said


def test_the_settings_of_a_run_are_those_of_training_and_what_else_is_known(run_dir: RunDirectory) -> None:
    run_dir.write_json("training/recipe.json", {"epochs": 3})
    assert collect_recipe(run_dir, dataset="scenes") == {"epochs": 3, "dataset": "scenes"}
    run_dir.path("settings.yaml").write_text("epochs: 8\nmax_per_class: 5\n", encoding="utf-8")
    assert collect_recipe(run_dir) == {"epochs": 3, "max_per_class": 5}


def test_files_are_listed_with_size_and_digest(run_dir: RunDirectory) -> None:
    for name in ("training/model.keras", "samples/pictures/1-a.jpg"):
        run_dir.path(name).parent.mkdir(parents=True, exist_ok=True)
        run_dir.path(name).write_bytes(b"x")
    listed = list_files(run_dir, pd.DataFrame({"image": ["samples/pictures/1-a.jpg"]}))
    assert listed["file"].tolist() == ["training/model.keras", "samples/pictures/1-a.jpg"]
    assert set(listed["SHA-256"]) == {"2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"}
