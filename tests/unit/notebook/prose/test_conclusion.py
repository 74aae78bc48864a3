from __future__ import annotations

from typing import Any

import nbformat
import pandas as pd
import pytest
import yaml

from scenebook.core.project import project_root
from scenebook.core.run_directory import RunDirectory
from scenebook.core.sentences import fill, without_marks
from scenebook.core.settings import make_settings
from scenebook.evaluation import findings
from scenebook.evaluation.metrics.intervals import Score
from scenebook.notebook.prose import conclusion, discussion
from scenebook.notebook.prose.baselines import collect_baseline_points
from scenebook.notebook.prose.conclusion import (
    collect_recipe,
    list_files,
    tell_commonest_error,
    tell_files,
    write_command,
)

SCORE: Score = {"value": 0.8, "low": 0.75, "high": 0.85}
FACTS: dict[str, Any] = {
    "k": 2,
    "kind": "images",
    "name": "data",
    "recipe": "the trained network",
    "backbone": "a network",
    "train": 20,
    "epochs": "2 epochs",
    "head": "new head",
    "phases": 1,
    "kept_epoch": 2,
    "views": "with augmentation",
    "test": 10,
    "base_layers": "1 layer",
    "confusion": "",
    "train_accuracy": 0.7,
    "augmented": True,
    "best_epoch": 1,
    "last_epoch": 2,
    "trainable_params": 5200,
    "rotation_range": 90.0,
    "learning_rate": 0.001,
    "errors": 4,
    "pair": "a and b",
    "pair_errors": 3,
    "shared_errors": 1,
    "own_errors": 3,
    "linear_errors": 2,
    "suspicious_errors": 0,
}
RECIPE = {"head_pooling": "flatten", "edited": []}
STUDY = pd.DataFrame(
    {"title": ["no augmentation", "long"], "difference": [0.1, 0.0], "p": [0.01, 0.5], "variant": ["bare", "long"]}
)


def make_difference(low: float, high: float) -> Score:
    return {"value": (low + high) / 2, "low": low, "high": high}


def make_results(gain: float = 0.0, transfer: float = 0.2, p: float = 0.001) -> dict[str, Any]:
    """Returns what simpler classifiers reach beside a network that is right for 80%."""
    return {
        "majority": make_difference(0.1, 0.3),
        "network": SCORE,
        "pretrained_features": make_difference(0.75 - gain, 0.85 - gain),
        "random_features": make_difference(0.5, 0.6),
        "network_gain": make_difference(gain - 0.02, gain + 0.02),
        "transfer": make_difference(transfer - 0.02, transfer + 0.02),
        "network_gain_p": p,
        "transfer_p": p,
    }


def read_page() -> list[Any]:
    """Returns the cells of notebook 06 that write the finding."""
    cells = nbformat.read(project_root() / "notebooks" / "06-conclusion.ipynb", as_version=4).cells
    begins = ("finding = ", "verdicts = ")
    wanted = [cell for cell in cells if cell.cell_type == "code" and cell.source.startswith(begins)]
    return [compile(cell.source, cell.id, "exec") for cell in wanted]


PAGE = read_page()


def tell_finding(results: dict[str, Any], **scores: Any) -> str:
    names = {"discussion": discussion, "findings": findings, "conclusion": conclusion, "results": results}
    names["scores"] = {"accuracy": SCORE, **scores}
    for cell in PAGE:
        exec(cell, names)
    return show(names["sentences"]["finding"], results, names["scores"])  # type: ignore[index]


def show(sentence: str, results: dict[str, Any], *sources: Any) -> str:
    filled = fill(sentence, (*sources, FACTS, results, collect_baseline_points(results)))
    return without_marks(filled.markdown).replace("\\", "")


@pytest.mark.parametrize(
    ("gain", "p", "numbers", "said"),
    [
        (0.1, 0.001, "reaches 70.0% (difference +10.0", "does better than the linear classifier"),
        (-0.1, 0.001, "reaches 90.0% (difference −10.0", "does worse than the linear classifier"),
        (-0.1, 0.3, "reaches 90.0% (difference −10.0", "it is not shown"),
    ],
)
def test_the_finding_is_the_network_beside_the_linear_classifier(
    gain: float, p: float, numbers: str, said: str
) -> None:
    told = tell_finding(make_results(gain, p=p))
    assert numbers in told
    assert said in told
    assert "nothing is shown to be learned" not in told


def test_a_network_no_better_than_the_commonest_class_is_said_to_have_learned_nothing() -> None:
    assert "nothing is shown to be learned" in tell_finding({**make_results(), "majority": make_difference(0.7, 0.9)})


def test_a_run_from_random_weights_is_compared_with_the_commonest_class() -> None:
    results = {name: make_results()[name] for name in ("majority", "network", "random_features")}
    assert "against 20.0% for always naming the most frequent class" in tell_finding(results)
    assert discussion.tell_transfer(results) == ""
    for sentence in (discussion.tell_outcome(results), discussion.tell_verdict(results)):
        assert show(sentence, results, {"accuracy": SCORE})


@pytest.mark.parametrize(
    ("scores", "said"),
    [
        ({"n_without_duplicates": 9, "accuracy_without_duplicates": SCORE}, "that have no duplicate"),
        ({"n_without_duplicates": 0}, "nothing is known about new images"),
    ],
)
def test_the_finding_names_test_images_that_were_trained_on(scores: dict[str, Any], said: str) -> None:
    assert said in tell_finding(make_results(), **scores)


def tell_causes(facts: dict[str, Any], study: pd.DataFrame, gain: float = -0.1, **recipe: Any) -> str:
    results = make_results(gain)
    return show(discussion.tell_causes(results, FACTS | facts, study, RECIPE | recipe), results, facts)


NOTHING_TRAINED = STUDY.iloc[:0]


def test_causes_are_named_with_the_numbers_that_speak_for_them() -> None:
    told = tell_causes({}, NOTHING_TRAINED)
    assert "Over-fitting is not the likely cause" in told
    assert "5,200 trainable parameters for 20 training images" in told
    assert "up to 90 degrees" in told
    assert "is not known" in told
    assert "too early" not in told


@pytest.mark.parametrize(
    ("facts", "recipe", "said", "not_said"),
    [
        ({"train_accuracy": 0.99, "best_epoch": 2}, {}, "a sign of over-fitting", "too early"),
        ({"best_epoch": 2}, {}, "too early", "over-fits"),
        ({"rotation_range": 10.0}, {"head_pooling": "average"}, "Over-fitting", "degrees"),
        ({}, {"edited": ["augment"]}, "Over-fitting", "degrees"),
        ({"augmented": False}, {}, "Over-fitting", "although augmentation"),
    ],
)
def test_only_causes_that_the_run_supports_are_named(
    facts: dict[str, Any], recipe: dict[str, Any], said: str, not_said: str
) -> None:
    told = tell_causes(facts, NOTHING_TRAINED, **recipe)
    assert said in told
    assert not_said not in told


def test_ablations_are_evidence() -> None:
    told = tell_causes({}, STUDY)
    assert "one is better than the recipe on the validation images (no augmentation, +10.0 points)" in told
    assert "not known" not in told
    assert "none differs significantly" in tell_causes({}, STUDY.assign(p=0.5))
    assert "no augmentation, +10.0 points); its difference on the validation images is s" in tell_causes({}, STUDY[:1])


def test_a_network_that_is_better_needs_no_excuse() -> None:
    told = tell_causes({}, NOTHING_TRAINED, gain=0.1)
    assert "where a feature occurs" in told
    assert "trainable parameters" not in told


@pytest.mark.parametrize(
    ("gain", "facts", "recipe", "study", "change"),
    [
        (-0.1, {}, {}, STUDY, {"head_pooling": "average", "head_units": 0, "head_start": "linear"}),
        (-0.1, {}, {"head_start": "linear"}, STUDY, {"rotation_range": 15}),
        (-0.1, {"rotation_range": 0, "best_epoch": 2}, {"head_start": "linear"}, STUDY, {"epochs": 4}),
        (0.1, {}, {}, NOTHING_TRAINED, {}),
        (0.1, {}, {}, STUDY, {"seeds": 3}),
    ],
)
def test_the_next_experiment_follows_from_the_likely_cause(
    gain: float, facts: dict[str, Any], recipe: dict[str, Any], study: pd.DataFrame, change: dict[str, Any]
) -> None:
    assert discussion.choose_next(make_results(gain), FACTS | facts, study, RECIPE | recipe)[1] == change


def test_errors_are_shared_out_between_network_and_data() -> None:
    told = show(discussion.tell_errors(FACTS), make_results())
    assert "3 of them by confusing a and b" in told
    assert "misclassifies one of them as well, and 2 other images" in told
    assert "wrong label in no misclassified" in told
    suspicious = {**FACTS, "pair_errors": 4, "suspicious_errors": 1}
    told = show(discussion.tell_errors(suspicious), make_results(), suspicious)
    assert "all of them by confusing" in told
    assert "wrong label in one of the misclassified" in told
    assert discussion.tell_errors({"errors": 0}) == "The network makes no error on the test images."


def test_errors_are_counted_from_the_predictions(run_dir: RunDirectory) -> None:
    paths, labels = list("abcd"), ["x", "x", "y", "y"]
    table = pd.DataFrame({"path": paths, "label": labels, "predicted": ["y", "y", "x", "y"]})
    run_dir.write_csv("training/test_predictions.csv", table)
    run_dir.write_csv(
        "training/history.csv",
        pd.DataFrame({"epoch": [1, 2], "val_loss": [1, 2], "accuracy": 0.5, "val_accuracy": 0.5}),
    )
    run_dir.write_json("training/recipe.json", {"rotation_range": 0.0, "learning_rate": 0.1})
    run_dir.write_json("training/summary.json", {"trainable_params": 5})
    simple = pd.DataFrame({"path": paths, "label": labels, "pretrained_features": ["y", "x", "y", "x"]})
    run_dir.write_csv("evaluation/baseline_predictions.csv", simple)
    run_dir.write_csv("evaluation/label_issues.csv", pd.DataFrame({"path": ["b", "d"]}))
    found = findings.collect_discussion_facts(run_dir, make_results(-0.1))
    counted = {name: found[name] for name in ("errors", "pair", "pair_errors", "shared_errors", "own_errors")}
    assert counted == {"errors": 3, "pair": "x and y", "pair_errors": 3, "shared_errors": 1, "own_errors": 2}
    assert (found["linear_errors"], found["suspicious_errors"], found["best_epoch"]) == (1, 1, 1)
    assert (found["better_than_baseline"], found["worse_than_baseline"], found["transfer_helps"]) == (False, True, True)
    itself = findings.collect_discussion_facts(run_dir, {**make_results(), "is_linear": True})
    assert itself["errors"] == 3
    assert "shared_errors" not in itself, "a linear classifier is not compared with itself"


def test_the_method_says_which_layers_are_trained() -> None:
    assert "the last 1 layer of a network" in show(conclusion.tell_method(FACTS), {}).replace(
        "{base_layers}", "1 layer"
    )
    assert "the last" not in conclusion.tell_method({**FACTS, "base_layers": "0 layers"})


def test_the_next_experiment_has_a_run_of_its_own(run_dir: RunDirectory) -> None:
    run_dir.write_json("manifest.json", {"profile": "sample"})
    settings = make_settings({"ablations": "claims"}).model_dump()
    run_dir.path("settings.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    assert write_command(run_dir, head_pooling="average").startswith(
        'make report PROFILE=sample SET="head_pooling=average" RUN='
    )
    assert f"make ablations RUN={run_dir.name}" in conclusion.tell_next(run_dir, "one change", {})


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
        ([[5, 0], [0, 5]], "No test image is misclassified."),
        ([[4, 1], [0, 5]], "The most frequent error is a misclassified as b (1 of 5)."),
        ([[4, 1], [1, 4]], "Among the most frequent errors is a misclassified as b (1 of 5)."),
    ],
)
def test_an_error_is_the_commonest_only_where_no_other_is_as_frequent(counts: list[list[int]], said: str) -> None:
    assert tell_commonest_error(pd.DataFrame(counts, index=["a", "b"], columns=["a", "b"])) == said


def test_the_settings_of_a_run_are_those_of_training_and_what_else_is_known(run_dir: RunDirectory) -> None:
    run_dir.write_json("training/recipe.json", {"epochs": 3, "backbone": "efficientnet-lite0"})
    run_dir.write_json("training/summary.json", {"backbone": "mine"})
    assert collect_recipe(run_dir, dataset="scenes") == {
        "epochs": 3,
        "backbone": "mine",
        "edited": [],
        "dataset": "scenes",
    }
    run_dir.path("settings.yaml").write_text("epochs: 8\nmax_per_class: 5\n", encoding="utf-8")
    assert collect_recipe(run_dir) == {"epochs": 3, "backbone": "mine", "edited": [], "max_per_class": 5}


def test_files_are_listed_with_size_and_digest(run_dir: RunDirectory) -> None:
    for name in ("training/model.keras", "samples/pictures/1-a.jpg"):
        run_dir.path(name).parent.mkdir(parents=True, exist_ok=True)
        run_dir.path(name).write_bytes(b"x")
    listed = list_files(run_dir, pd.DataFrame({"image": ["samples/pictures/1-a.jpg"]}))
    assert listed["file"].tolist() == ["training/model.keras", "samples/pictures/1-a.jpg"]
    assert set(listed["SHA-256"]) == {"2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"}


def test_of_many_sample_images_the_digests_of_the_first_are_listed(run_dir: RunDirectory) -> None:
    names = [f"samples/pictures/{number}.jpg" for number in range(300)]
    for name in ("training/model.keras", *names):
        run_dir.path(name).parent.mkdir(parents=True, exist_ok=True)
        run_dir.path(name).write_bytes(b"x")
    few, many = pd.DataFrame({"image": names[:40]}), pd.DataFrame({"image": names})
    listed = list_files(run_dir, many)
    assert list(listed["file"]) == ["training/model.keras", *names[:40]]
    assert "40 of 300" in tell_files(listed, many)
    assert "40" not in tell_files(list_files(run_dir, few), few)
