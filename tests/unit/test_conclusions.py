from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
import yaml

from scenebook import conclusions
from scenebook.artifacts import RunDirectory
from scenebook.config import make_settings
from scenebook.metrics import Score

SCORE: Score = {"value": 0.8, "low": 0.75, "high": 0.85}
RECIPE = make_settings({}).model_dump()


@pytest.mark.parametrize(
    ("train", "said"), [(0.9, "a sign of over-fitting"), (0.82, "no clear sign"), (0.7, "does not rule out")]
)
def test_over_fitting_is_read_from_both_accuracies(train: float, said: str) -> None:
    assert said in conclusions.compare_with_training(train, SCORE, augmented=True)


def test_without_augmentation_nothing_is_said_about_harder_pictures() -> None:
    assert "Augmented" not in conclusions.compare_with_training(0.7, SCORE, augmented=False)


@pytest.mark.parametrize(("majority", "said"), [(0.2, "less"), (0.8, "lies in that interval"), (0.9, "worse than no")])
def test_the_accuracy_is_compared_with_the_commonest_class(majority: float, said: str) -> None:
    facts = {"majority": majority, "train_accuracy": 0.8, "base_layers": "0 layers", "augmented": True}
    assert said in conclusions.write_conclusion(facts, {"accuracy": SCORE})


@pytest.mark.parametrize(
    ("scores", "said", "unseen"),
    [
        ({}, "unseen pictures", True),
        ({"n_without_duplicates": 9, "accuracy_without_duplicates": SCORE}, "that have no duplicate", False),
        ({"n_without_duplicates": 0}, "nothing is known about new pictures", False),
    ],
)
def test_pictures_that_were_learned_are_not_called_unseen(scores: dict[str, Any], said: str, unseen: bool) -> None:
    facts = {"majority": 0.2, "train_accuracy": 0.8, "base_layers": "0 layers", "augmented": True}
    conclusion = conclusions.write_conclusion(facts, {"accuracy": SCORE, **scores})
    assert said in conclusion
    assert ("unseen pictures" in conclusion) == unseen
    assert ("duplicate" in conclusions.write_abstract(RECIPE, scores)) != unseen


def test_the_abstract_says_what_the_recipe_was() -> None:
    assert "transfer learning" in conclusions.write_abstract(RECIPE, {})
    assert "with augmentation" in conclusions.write_abstract(RECIPE, {})
    plain = {name: 0.0 for name in RECIPE if name.endswith("_range")} | {"horizontal_flip": False, "weights": "random"}
    assert "without augmentation" in conclusions.write_abstract({**RECIPE, **plain}, {})
    assert "transfer learning" not in conclusions.write_abstract({**RECIPE, **plain}, {})


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
            {"samples_dir": "/a b/c", "class_map": "/a b/m.yaml"},
            'make report PROFILE=sample SET="class_map=file samples_dir=folder"',
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
    assert conclusions.write_command(run_dir) == command


def test_files_are_listed_with_size_and_digest(run_dir: RunDirectory) -> None:
    for name in ("training/model.keras", "samples/pictures/1-a.jpg"):
        run_dir.path(name).parent.mkdir(parents=True, exist_ok=True)
        run_dir.path(name).write_bytes(b"x")
    listed = conclusions.list_files(run_dir, pd.DataFrame({"picture": ["samples/pictures/1-a.jpg"]}))
    assert listed["file"].tolist() == ["training/model.keras", "samples/pictures/1-a.jpg"]
    assert set(listed["SHA-256"]) == {"2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"}
