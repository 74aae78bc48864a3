"""Where pictures come from: drawn, downloaded, or a folder."""

from __future__ import annotations

from pathlib import Path

from scenebook import scenes
from scenebook.artifacts import RunDirectory
from scenebook.config import DRAWN_SCENES, INTEL
from scenebook.errors import DatasetError

INTEL_HANDLE = "puneet6060/intel-image-classification/versions/2"


def prepare_dataset(
    dataset: str, run_dir: RunDirectory, *, train_per_class: int, test_per_class: int, seed: int, size: int
) -> Path:
    """Returns the folder of pictures that the setting `dataset` names; draws or downloads them where needed.

    Args:
        dataset: `scenes`, `intel`, or a folder.
        run_dir: Drawn scenes are written into this run.
        train_per_class: Drawn training pictures a class.
        test_per_class: Drawn test pictures a class.
        seed: Seed of the drawn scenes.
        size: Height and width of the drawn scenes, in pixels.

    Raises:
        DatasetError: There is no such folder, or the download failed.
    """
    if dataset == DRAWN_SCENES:
        folder = run_dir.path("data/scenes")
        scenes.write_scenes(
            folder, train_per_class=train_per_class, test_per_class=test_per_class, seed=seed, size=size
        )
        return folder
    if dataset == INTEL:
        return download_intel()
    return check_folder(Path(dataset))


def check_folder(folder: Path) -> Path:
    """Returns the absolute path of an existing folder.

    Raises:
        DatasetError: It does not exist or is no folder.
    """
    if not folder.is_dir():
        raise DatasetError(
            "Expected a folder of labelled pictures.",
            received={"dataset": str(folder)},
            advice="There is a file of this name, but no folder."
            if folder.exists()
            else "There is no such folder. Relative paths start where the command was typed.",
        )
    return folder.resolve()


def download_intel() -> Path:
    """Returns the folder of the Intel scene photographs; Kaggle's client downloads them on first use (about 350 MB).

    Raises:
        DatasetError: The download failed.
    """
    import kagglehub  # it reads credentials and the environment when imported

    try:
        return Path(kagglehub.dataset_download(INTEL_HANDLE))
    except Exception as error:  # the client lets many libraries' errors through
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DatasetError(
            "Expected to download the Intel scene photographs from Kaggle.",
            received={"dataset": INTEL},
            advice=f"{reason[:300]} Without internet, place the pictures yourself and name their folder: DATA=folder.",
        ) from error
