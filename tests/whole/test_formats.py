"""A whole run on images of every format: training, predictions and sample images get the same probabilities."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from scenebook.core.run_directory import RunDirectory
from scenebook.data.scenes.drawing import draw_scene
from tests.processes import run_command
from tests.unit.data.test_formats import SUFFIXES

SCENES = ("forest", "sea")


def save(path: Path, scene: str, index: int, *, turned: bool = False) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(draw_scene(scene, seed=3, index=index, size=80)[:60])
    exif = Image.Exif()
    exif[0x0112] = 8
    options: dict[str, Any] = {"exif": exif} if turned else {}
    image.save(path, **options)


def probabilities(table: pd.DataFrame) -> pd.DataFrame:
    return table.set_index("path").filter(regex="^p_").sort_index()


def test_every_format_gets_the_same_probabilities_from_training_predict_and_samples(tmp_path: Path) -> None:
    for scene in SCENES:
        for number in range(6):
            save(tmp_path / "train" / scene / f"{number}.png", scene, number)
        for number, suffix in enumerate(SUFFIXES):
            turned = suffix not in (".bmp", ".gif")
            save(tmp_path / "store" / scene / f"{number}{suffix}", scene, 50 + number, turned=turned)
    # One of each class of the sample images, in another format each.
    for scene, suffix in zip(SCENES, (".webp", ".avif"), strict=True):
        (file,) = (tmp_path / "store" / scene).glob(f"*{suffix}")
        (tmp_path / "samples" / scene).mkdir(parents=True)
        (tmp_path / "samples" / scene / file.name).symlink_to(file)
    data = tmp_path / "data"
    data.mkdir()
    (data / "training_set").symlink_to(tmp_path / "train")
    (data / "test_set").symlink_to(tmp_path / "store")
    settings = "epochs=1 image_size=48 head_units=4 batch_size=5 fit=crop test_time_flip=true follow_links=true"
    done = run_command(
        tmp_path, "mine", "run", "--dataset", "data", "--profile", "sample", "--run", "mine",
        "--set", f"{settings} samples_dir=samples",
    )  # fmt: skip
    assert done.returncode == 0, done.output
    assert "2 splits x 2 classes: train in training_set (12 images), test in test_set" in done.output
    predicted = run_command(tmp_path, "mine", "predict", "--images", "store", "--run", "mine")
    assert predicted.returncode == 0, predicted.output
    run_dir = RunDirectory(tmp_path / "runs" / "mine")
    tested = probabilities(run_dir.read_csv("training/test_predictions.csv"))
    tested.index = [os.path.relpath(path, "test_set") for path in tested.index]
    again = probabilities(run_dir.read_csv("predictions/store/predictions.csv"))
    assert len(tested) == len(SCENES) * len(SUFFIXES)
    pd.testing.assert_frame_equal(tested, again, check_names=False, rtol=0, atol=1e-6)
    shown = probabilities(run_dir.read_csv("samples/selection.csv"))
    assert len(shown) == len(SCENES)
    np.testing.assert_allclose(shown, tested.loc[shown.index], rtol=0, atol=1e-6)
