"""What all measurements share: images, settings and sizes, in a folder that each of their processes opens."""

from __future__ import annotations

import json
import math
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml

from scenebook.core.profiles import load_profile
from scenebook.core.run_directory import RunDirectory, write_json
from scenebook.core.settings import DRAWN_SCENES, Settings, make_settings
from scenebook.data.finding import find_images
from scenebook.data.images import FoundImages
from scenebook.data.scenes.drawing import CLASS_NAMES
from scenebook.data.sizing import choose_size, find_largest
from scenebook.data.sources import prepare_dataset
from scenebook.data.splitting import SplitImages, draw_images, load_split, split_images, write_splits
from scenebook.data.storing import decode_images

_RUN, _JOB = "run", "job.json"
TEST_IMAGES = 50
"""Drawn for the whole jobs, of each class."""


@dataclass(frozen=True)
class Job:
    """What a measurement gets.

    Attributes:
        settings: All settings of a run; `epochs` is the number of timed passes.
        class_names: The classes.
        folder: Where this job is kept.
    """

    settings: Settings
    class_names: list[str]
    folder: Path

    @property
    def num_classes(self) -> int:
        """How many classes there are."""
        return len(self.class_names)

    @property
    def images(self) -> Path:
        """A folder of the images of the whole jobs: `train` and `test`, with a folder for each class."""
        return self.folder / "images"

    @property
    def profile(self) -> Path:
        """The recipe of the whole jobs, as a profile."""
        return self.folder / "whole.yaml"

    @property
    def whole_epochs(self) -> int:
        """How many epochs the recipe's first phase has in the whole jobs."""
        return int(load_profile(self.profile)["epochs"])

    def load_train(self) -> SplitImages:
        """Returns the training images, decoded, memory-mapped."""
        return load_split(RunDirectory(self.folder / _RUN), "train", self.class_names)


def make_job(settings: Settings, folder: Path, *, images: int, epochs: int) -> Job:
    """Decodes and splits images as notebook 01 does, and keeps them in a folder with what else measurements need.

    Args:
        settings: The settings of the profile, paths absolute.
        folder: An empty folder.
        images: How many training images are used, of all classes; fewer where there are not so many.
        epochs: Timed passes over them.

    Raises:
        DatasetError: The images cannot be used.
    """
    run_dir = RunDirectory(folder / _RUN)
    drawn = math.ceil(_count_needed(images, settings) / len(CLASS_NAMES))
    source = prepare_dataset(
        settings.dataset,
        run_dir,
        train_per_class=drawn if settings.dataset == DRAWN_SCENES else 0,
        test_per_class=TEST_IMAGES,
        seed=settings.seed,
        size=find_largest(settings.image_size, settings.backbone),
    )
    found = find_images(source, class_map=settings.class_map, groups=settings.groups)
    per_class = max(3, math.ceil(_count_needed(images, settings) / len(found.class_names)))
    found = draw_images(found, max_per_class=per_class, test_fraction=settings.test_fraction, seed=settings.seed)
    size = choose_size(settings.image_size, settings.backbone, found).pixels
    decoded = decode_images(found, run_dir, image_size=size, fit=settings.fit, max_megapixels=settings.max_megapixels)
    splits = split_images(
        decoded.table,
        validation_fraction=settings.validation_fraction,
        test_fraction=settings.test_fraction,
        max_per_class=per_class,
        seed=settings.seed,
    )
    train = np.flatnonzero(splits["split"] == "train")
    kept = train[np.linspace(0, len(train), min(images, len(train)), endpoint=False, dtype=np.int64)]
    write_splits(run_dir, splits.iloc[kept])
    job = Job(settings.updated({"epochs": epochs, "image_size": size}), list(found.class_names), folder)
    _write_whole(job, found, settings)
    write_json(folder / _JOB, {"settings": job.settings.model_dump(), "class_names": job.class_names})
    return job


def _write_whole(job: Job, found: FoundImages, settings: Settings) -> None:
    """Writes the folder and the profile of the whole jobs; images without a split are those to train with."""
    for number, image in enumerate(found.images):
        folder = job.images / ("test" if image.split == "test" else "train") / image.label
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(found.root / image.path, folder / f"{number}{Path(image.path).suffix}")
    values = settings.model_dump() | {"dataset": str(job.images), "image_size": job.settings.image_size}
    job.profile.write_text(yaml.safe_dump(values), encoding="utf-8")


def _count_needed(images: int, settings: Settings) -> int:
    """How many images it takes so that so many are left for training, rounding class by class."""
    return math.ceil((images + len(CLASS_NAMES)) / (1 - settings.validation_fraction))


def load_job(folder: Path) -> Job:
    """Returns the job that `make_job` left in a folder."""
    content = json.loads((folder / _JOB).read_text(encoding="utf-8"))
    return Job(make_settings(content["settings"]), content["class_names"], folder)
