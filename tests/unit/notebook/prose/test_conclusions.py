from __future__ import annotations

from typing import Any

import nbformat
import pandas as pd
import pytest
import yaml

from scenebook.core.run_directory import RunDirectory, project_root
from scenebook.core.sentences import fill, without_marks
from scenebook.core.settings import make_settings
from scenebook.evaluation.metrics.comparison import SIGNIFICANT
from scenebook.evaluation.metrics.intervals import Score
from scenebook.notebook.prose import conclusion
from scenebook.notebook.prose.baselines import collect_baseline_points
from scenebook.notebook.prose.conclusion import collect_recipe, list_files, tell_commonest_error, write_command

SCORE: Score = {"value": 0.8, "low": 0.75, "high": 0.85}
FACTS: dict[str, Any] = {
    "k": 2,
    "kind": "images",
    "name": "data",
    "how": "by transfer learning from",
    "backbone": "a network",
    "train": 20,
    "epochs": "2 epochs",
    "views": "with augmentation",
    "test": 10,
    "base_layers": "1 layer",
    "confusion": "It makes no error.",
    "train_accuracy": 0.8,
    "augmented": True,
}


def read_page() -> list[Any]:
    """Returns the code of notebook 06 between its abstract and the paper's claims."""
    cells = nbformat.read(project_root() / "notebooks" / "06-conclusion.ipynb", as_version=4).cells
    first, last = (
        next(number for number, cell in enumerate(cells) if cell.source.startswith(heading))
        for heading in ("## Abstract", "### Reported against measured")
    )
    return [compile(cell.source, cell.id, "exec") for cell in cells[first:last] if cell.cell_type == "code"]


PAGE = read_page()


def tell(
    *,
    facts: dict[str, Any] | None = None,
    scores: dict[str, Any] | None = None,
    results: dict[str, Any] | None = None,
) -> list[str]:
    """Returns what the page says of a run: the abstract, what was reached, and what that is owed to."""
    told: list[str] = []

    def say(sentence: str, *sources: Any) -> None:
        told.append(without_marks(fill(sentence, sources).markdown).replace("\\", ""))

    given = {
        "facts": FACTS | (facts or {}),
        "scores": {"accuracy": SCORE} | (scores or {}),
        "results": {"majority": make_difference(0.1, 0.3)} | (results or {}),
    }
    names = {"say": say, "conclusion": conclusion, "SIGNIFICANT": SIGNIFICANT, **given}
    names["points"] = collect_baseline_points(given["results"])
    names["calibration"] = conclusion.collect_points(given["scores"])
    for cell in PAGE:
        exec(cell, names)
    return told


@pytest.mark.parametrize(
    ("train", "said"), [(0.9, "a sign of over-fitting"), (0.82, "no clear sign"), (0.7, "does not rule out")]
)
def test_over_fitting_is_read_from_both_accuracies(train: float, said: str) -> None:
    assert said in tell(facts={"train_accuracy": train})[2]


def test_without_augmentation_nothing_is_said_about_harder_images() -> None:
    assert "Augmented" not in tell(facts={"train_accuracy": 0.7, "augmented": False})[2]


@pytest.mark.parametrize(("majority", "said"), [(0.2, "less"), (0.8, "lies in the accuracy's"), (0.9, "worse than no")])
def test_the_accuracy_is_compared_with_the_commonest_class(majority: float, said: str) -> None:
    assert said in tell(results={"majority": make_difference(majority, majority)})[1]


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
    told = tell(results=results, scores={"ece": make_difference(0.01, 0.05)})[2]
    assert transfer in told
    assert gain in told
    assert "lie 3.0 percentage points apart on average (95% interval 1.0 to 5.0)" in told


def test_percentage_points_know_the_file_that_they_come_from() -> None:
    points = conclusion.collect_points({"ece": make_difference(0.01, 0.05)})
    assert points.source_of("ece_points.low") == "evaluation/metrics.json: ece, times 100"


def test_without_a_pretrained_backbone_nothing_is_said_of_transfer() -> None:
    told = tell()[2]
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
    abstract, reached, _ = tell(scores=scores)
    assert "with its last 1 layer trained too" in reached
    assert said in reached
    assert ("unseen images" in reached) == unseen
    assert ("duplicate" in abstract) != unseen


def test_of_a_frozen_backbone_no_layer_is_said_to_be_trained() -> None:
    assert "trained too" not in tell(facts={"base_layers": "0 layers"})[1]


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
    run_dir.write_json("training/recipe.json", {"epochs": 3, "backbone": "embedded"})
    run_dir.write_json("training/summary.json", {"backbone": "mine"})
    assert collect_recipe(run_dir, dataset="scenes") == {"epochs": 3, "backbone": "mine", "dataset": "scenes"}
    run_dir.path("settings.yaml").write_text("epochs: 8\nmax_per_class: 5\n", encoding="utf-8")
    assert collect_recipe(run_dir) == {"epochs": 3, "backbone": "mine", "max_per_class": 5}


def test_files_are_listed_with_size_and_digest(run_dir: RunDirectory) -> None:
    for name in ("training/model.keras", "samples/pictures/1-a.jpg"):
        run_dir.path(name).parent.mkdir(parents=True, exist_ok=True)
        run_dir.path(name).write_bytes(b"x")
    listed = list_files(run_dir, pd.DataFrame({"image": ["samples/pictures/1-a.jpg"]}))
    assert listed["file"].tolist() == ["training/model.keras", "samples/pictures/1-a.jpg"]
    assert set(listed["SHA-256"]) == {"2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"}
