"""A run of the paper's recipe, as far as claims read it."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from scenebook.core.profiles import load_profile
from scenebook.core.project import project_root
from scenebook.core.run_directory import RunDirectory
from scenebook.evaluation.claims.loading import claims_path, load_claims
from scenebook.evaluation.claims.schema import ClaimsFile

CLASSES = ["buildings", "forest", "glacier", "mountain", "sea", "street"]
PAPER_RUN = {**load_profile(project_root() / "profiles" / "paper.yaml"), "dataset": "folder", "weights": "file"}
AVERAGES = [f"{kind}_{name}" for kind in ("macro", "weighted") for name in ("precision", "recall", "f1")]


def make_score(low: float, high: float) -> dict[str, float]:
    return {"value": (low + high) / 2, "low": low, "high": high}


@pytest.fixture(scope="session")
def papers() -> ClaimsFile:
    """The project's own claims file."""
    return load_claims(claims_path(None))


@pytest.fixture
def paper_run(run_dir: RunDirectory) -> RunDirectory:
    run_dir.write_json("data/classes.json", {"classes": CLASSES, "name": "photographs"})
    summary: dict[str, Any] = {"total_params": 76_023_686, "trainable_params": 52_440_070}
    summary |= {"non_trainable_params": 23_583_616, "backbone_weight_layers": 50}
    run_dir.write_json("training/summary.json", summary)
    run_dir.write_json("training/recipe.json", PAPER_RUN)
    scores = {name: make_score(0.87, 0.89) for name in AVERAGES} | {"accuracy": make_score(0.93, 0.97)}
    run_dir.write_json("evaluation/metrics.json", {"n": 3000, **scores})
    each = {name: make_score(0.89, 0.91) for name in ("precision", "recall", "f1")}
    run_dir.write_json("evaluation/per_class.json", dict.fromkeys(CLASSES, each))
    selection = pd.DataFrame({"label": CLASSES, "predicted": [*CLASSES[:4], "mountain", "street"]})
    run_dir.write_csv("samples/selection.csv", selection)
    return run_dir
