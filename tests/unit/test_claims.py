from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from scenebook import claims
from scenebook.artifacts import RunDirectory, project_root
from scenebook.config import load_profile
from scenebook.errors import InputError

CLASSES = ["buildings", "forest", "glacier", "mountain", "sea", "street"]
PAPER_RUN = {**load_profile(project_root() / "profiles" / "paper.yaml"), "dataset": "folder", "weights": "file"}


@pytest.fixture
def paper_run(run_dir: RunDirectory) -> RunDirectory:
    """The artifacts of a run of the paper's recipe, as far as claims read them."""
    run_dir.write_json("data/classes.json", {"classes": CLASSES})
    run_dir.write_json(
        "training/summary.json",
        {
            "total_params": 76_023_686,
            "trainable_params": 52_440_070,
            "non_trainable_params": 23_583_616,
            "backbone_weight_layers": 50,
        },
    )
    run_dir.write_json("evaluation/metrics.json", {"accuracy": {"value": 0.95, "low": 0.93, "high": 0.97}})
    score = {"value": 0.9, "low": 0.89, "high": 0.91}
    run_dir.write_json("evaluation/per_class.json", {name: {"f1": score} for name in CLASSES})
    selection = pd.DataFrame({"label": CLASSES, "predicted": [*CLASSES[:4], "mountain", "street"]})
    run_dir.write_csv("samples/selection.csv", selection)
    return run_dir


def verdicts(run_dir: RunDirectory, **changes: Any) -> pd.DataFrame:
    loaded = claims.load_claims(project_root() / "report" / "claims.yaml")
    return claims.check_claims(loaded, run_dir, {**PAPER_RUN, **changes}).set_index("id")


def test_the_papers_own_numbers_contradict_89_percent_and_152_layers(paper_run: RunDirectory) -> None:
    table = verdicts(paper_run)
    assert list(table.loc["matrix-accuracy", ["reported", "measured"]]) == ["89%", "88.2%"]
    assert table.loc["matrix-accuracy", "verdict"] == claims.CONTRADICTED
    assert list(table.loc["layers", ["reported", "measured"]]) == ["152", "50"]
    assert table.loc["layers", "verdict"] == claims.CONTRADICTED_BY_MODEL
    assert table.loc["matrix-count", "verdict"] == claims.CONSISTENT


def test_the_sentences_tell_of_contradictions_only_where_there_are_any(paper_run: RunDirectory) -> None:
    table = verdicts(paper_run).reset_index()
    assert "{layers_reported}" in claims.explain_verdicts(table)
    assert claims.collect_values(table)["layers_measured"] == "50"
    other = verdicts(paper_run, backbone="MobileNetV2").reset_index()
    assert "{layers_reported}" not in claims.explain_verdicts(other)
    assert "{test:,}" not in claims.explain_verdicts(other)
    assert "{matrix_accuracy_measured}" in claims.explain_verdicts(other)


def test_parameter_counts_are_reproduced_only_when_equal(paper_run: RunDirectory) -> None:
    assert (verdicts(paper_run).filter(like="parameters", axis=0)["verdict"] == claims.REPRODUCED).all()
    paper_run.write_json("training/summary.json", {"total_params": 76_023_687})
    assert verdicts(paper_run).loc["total-parameters", "verdict"] == claims.NOT_REPRODUCED


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (0.87, 0.89, claims.REPRODUCED),
        (0.93, 0.97, claims.NOT_REPRODUCED),
        (0.70, 0.80, claims.NOT_REPRODUCED),
        (0.85, 0.91, claims.UNDECIDED),
        (0.85, 0.87, claims.UNDECIDED),
    ],
)
def test_an_accuracy_is_judged_by_its_whole_interval(
    paper_run: RunDirectory, low: float, high: float, verdict: str
) -> None:
    score = {"value": (low + high) / 2, "low": low, "high": high}
    paper_run.write_json("evaluation/metrics.json", {"accuracy": score})
    assert verdicts(paper_run).loc["accuracy", "verdict"] == verdict


def test_other_data_or_another_backbone_is_not_comparable(paper_run: RunDirectory) -> None:
    table = verdicts(paper_run, backbone="MobileNetV2")
    assert table.loc["accuracy", "verdict"] == claims.NOT_COMPARABLE
    assert "MobileNetV2" in str(table.loc["accuracy", "why"])
    assert "epochs is 2" in str(verdicts(paper_run, epochs=2).loc["accuracy", "why"])
    assert "random weights" in str(verdicts(paper_run, weights="random").loc["accuracy", "why"])
    assert "head_units is 512" in str(verdicts(paper_run, head_units=512).loc["total-parameters", "why"])
    assert verdicts(paper_run, epochs=2).loc["total-parameters", "verdict"] == claims.REPRODUCED
    assert verdicts(paper_run, dataset="scenes").loc["f1-sea", "verdict"] == claims.NOT_COMPARABLE
    paper_run.write_json("data/classes.json", {"classes": ["cat", "dog"]})
    assert verdicts(paper_run).loc["accuracy", "why"] == "this run has other classes"


def test_the_wrong_sample_counts_only_for_chosen_pictures(paper_run: RunDirectory) -> None:
    assert verdicts(paper_run).loc["wrong-sample", "verdict"] == claims.NOT_COMPARABLE
    table = verdicts(paper_run, samples_dir="samples")
    assert table.loc["wrong-sample", "measured"] == "sea as mountain"
    assert table.loc["wrong-sample", "verdict"] == claims.REPRODUCED


def test_what_was_not_measured_is_said_to_be_not_tested(paper_run: RunDirectory) -> None:
    paper_run.path("evaluation/metrics.json").unlink()
    table = verdicts(paper_run)
    assert table.loc[["accuracy", "ilsvrc", "epochs"], "verdict"].tolist() == [claims.NOT_TESTED] * 3
    assert table.loc["accuracy", "measured"] == "–"


def test_a_wrong_entry_is_an_error_that_names_the_claim(tmp_path: Path) -> None:
    text = (project_root() / "report" / "claims.yaml").read_text(encoding="utf-8")
    path = tmp_path / "claims.yaml"
    path.write_text(text.replace("kind: within, tolerance: 0.02", "kind: near", 1), encoding="utf-8")
    with pytest.raises(InputError, match=r"claim accuracy: expect\.kind"):
        claims.load_claims(path)


def test_an_unknown_measure_is_an_error_that_lists_the_known(paper_run: RunDirectory) -> None:
    loaded = claims.load_claims(project_root() / "report" / "claims.yaml")
    wrong = loaded.claims[0].model_copy(update={"measure": "__import__('os')"})
    with pytest.raises(InputError, match=r"a registered measure or .* Registered: paper_matrix_accuracy"):
        claims.check_claims(loaded.model_copy(update={"claims": [wrong]}), paper_run, PAPER_RUN)
