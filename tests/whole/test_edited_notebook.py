"""What a user edits in notebook 02 is what is trained, cached, repeated and reported: through the command line."""

from __future__ import annotations

import re
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
from bs4 import BeautifulSoup

from tests.slow.project import TINY, Project

SETTINGS = TINY.replace("feature_cache_gb=0", "feature_cache_gb=1").replace("epochs=4", "epochs=2")
BLACK = ("    return make_views(images, seeds)", "    return 0.0 * make_views(images, seeds)")
POOLED = ("layers.Flatten if settings.head_pooling", "layers.GlobalAveragePooling2D if settings.head_pooling")
DROPOUT = "    if settings.dropout > 0:\n        head.append(layers.Dropout(settings.dropout"
HEAD = (DROPOUT, "    if True:\n        head.append(layers.Dropout(0.2")
PLAN = "variants:\n  - {name: slow, title: learning rate ÷10, change: {learning_rate: {times: 0.1}}, seeds: 1}\n"
FUNCTIONAL = """def build_model(settings, num_classes):
    shape = (settings.image_size, settings.image_size, 3)
    base_model = keras.applications.MobileNetV2(input_shape=shape, include_top=False, weights=None, alpha=0.35)
    base_model.trainable = False
    images = keras.Input(shape)
    features = layers.GlobalAveragePooling2D()(base_model(images, training=False))
    outputs = layers.Dense(num_classes, activation="softmax")(layers.Dropout(0.2)(features))
    return keras.Model(images, outputs)
"""
ADAM = """def train_model(model, data, settings):
    part, train_ds, val_ds = data.accelerate(model)
    part.compile("adam", loss="categorical_crossentropy", metrics=["accuracy"])
    part.fit(train_ds, validation_data=val_ds, **data.resume(part, settings.epochs))
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return Project(tmp_path_factory.mktemp("edited"))


def run(project: Project, name: str, more: str = "") -> None:
    done = project.call("report", "--run", name, "--set", f"{SETTINGS} {more}".strip())
    assert done.code == 0, done.output


def read_history(project: Project, name: str) -> pd.DataFrame:
    return project.run_dir(name).read_csv("training/history.csv").drop(columns="seconds")


def test_an_edited_augmentation_is_trained_on_and_poisons_no_other_run(project: Project) -> None:
    run(project, "before")
    restore = project.edit("training", BLACK)
    run(project, "black")
    restore()
    run(project, "after")
    before, black, after = (read_history(project, name) for name in ("before", "black", "after"))
    pd.testing.assert_frame_equal(before, after)
    assert not np.allclose(before["loss"], black["loss"])
    edited = re.compile(r"\baugment differs from the published")
    assert edited.search(project.page("black"))
    assert not edited.search(project.page("after"))


def test_seeds_and_ablations_train_the_network_of_the_page(project: Project, tmp_path: Path) -> None:
    plan = tmp_path / "plan.yaml"
    plan.write_text(PLAN, encoding="utf-8")
    restore = project.edit("training", POOLED, HEAD)
    run(project, "head", f"seeds=2 ablations=full ablation_plan={plan}")
    restore()
    run_dir = project.run_dir("head")
    summary = run_dir.read_json("training/summary.json")
    assert "GlobalAveragePooling2D" in summary["head"][0]
    assert "Dropout" in " ".join(summary["head"])
    results = run_dir.read_csv("ablations/results.csv").set_index("variant")
    # The base of a study is the run's own recipe, on the run's own first split and seed: the same training.
    record = run_dir.read_json("ablations/runs/base-0.json")
    assert record["total_params"] == summary["total_params"]
    np.testing.assert_allclose(record["history"]["loss"], read_history(project, "head")["loss"], atol=1e-5)
    assert results.index.tolist() == ["base", "slow"]
    seeds = run_dir.read_csv("training/seeds.csv")
    np.testing.assert_allclose(seeds["loss"].iloc[0], read_history(project, "head")["loss"].iloc[-1])


def test_a_functional_model_with_another_optimizer_goes_through_to_the_end_and_is_called_what_it_is(
    project: Project, tmp_path: Path
) -> None:
    restore = project.edit("training", build_model=FUNCTIONAL, train_model=ADAM)
    run(project, "functional")
    restore()
    run_dir = project.run_dir("functional")
    summary = run_dir.read_json("training/summary.json")
    assert summary["backbone"].startswith("mobilenetv2")
    assert [phase["optimizer"] for phase in summary["phases"]] == ["Adam"]
    model = keras.saving.load_model(run_dir.require("training/model.keras"), safe_mode=True, compile=False)
    assert model.count_params() == summary["total_params"]
    page = BeautifulSoup(project.page("functional"), "html.parser")
    for code in page.select("pre"):
        code.decompose()
    text = page.get_text()
    assert "SGD" not in text.split("settings:")[0]
    assert "gradient descent" not in text
    assert "build_model and train_model differ from the published" in text
    done = project.call("predict", "--run", "functional", "--images", str(run_dir.path("samples")))
    assert done.code == 0, done.output
