"""Where images come from: drawn, downloaded, or a folder."""

from __future__ import annotations

from pathlib import Path

from scenebook.core.run_directory import RunDirectory
from scenebook.core.settings import DRAWN_SCENES, INTEL
from scenebook.data.images import check_source
from scenebook.data.scenes.drawing import write_scenes


def prepare_dataset(
    dataset: str, run_dir: RunDirectory, *, train_per_class: int, test_per_class: int, seed: int, size: int
) -> Path:
    """Returns the folder, or list, of images that the setting `dataset` names; draws or downloads where needed.

    Args:
        dataset: `scenes`, `intel`, a folder, or a CSV file of paths and labels.
        run_dir: Drawn scenes are written into this run.
        train_per_class: Drawn training images a class.
        test_per_class: Drawn test images a class.
        seed: Seed of the drawn scenes.
        size: Height and width of the drawn scenes, in pixels.

    Raises:
        DatasetError: There is no such folder or list, or the download failed.
    """
    if dataset == DRAWN_SCENES:
        folder = run_dir.path("data/scenes")
        write_scenes(folder, train_per_class=train_per_class, test_per_class=test_per_class, seed=seed, size=size)
        return folder
    if dataset == INTEL:
        from scenebook.data.intel import download_intel  # it brings what talks HTTP; seldom needed

        return download_intel()
    return check_source(Path(dataset))
