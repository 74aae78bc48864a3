"""Where images come from: drawn, downloaded, or a folder.

The Intel scene photographs are downloaded once, counted class by class, and kept in the cache.
"""

from __future__ import annotations

import os
import shutil
from collections import Counter
from pathlib import Path, PurePosixPath

from scenebook.core.cache import cache_dir, locked
from scenebook.core.errors import DatasetError, DownloadError
from scenebook.core.progress import print_progress
from scenebook.core.run_directory import RunDirectory
from scenebook.core.settings import DRAWN_SCENES, INTEL
from scenebook.core.yaml_files import read_yaml
from scenebook.data.formats import IMAGE_SUFFIXES
from scenebook.data.images import check_source
from scenebook.data.kaggle import KaggleDownload, KaggleFacts, Limits
from scenebook.data.scenes.drawing import write_scenes

FACTS = Path(__file__).with_name("intel.yaml")
SHOWN = 5


def prepare_dataset(
    dataset: str, run_dir: RunDirectory, *, train_per_class: int, test_per_class: int, seed: int, size: int
) -> Path:
    """Returns the folder, or list, of images that the setting `dataset` names; draws or downloads where needed.

    Drawn scenes, to which all settings but the first belong, are `size` pixels high and wide and written into the run.

    Raises:
        DatasetError: There is no such folder or list, or the download failed.
    """
    if dataset == DRAWN_SCENES:
        folder = run_dir.path("data/scenes")
        write_scenes(folder, train_per_class=train_per_class, test_per_class=test_per_class, seed=seed, size=size)
        return folder
    if dataset == INTEL:
        return download_intel()
    return check_source(Path(dataset))


def load_facts(path: Path | None = None) -> KaggleFacts:
    """Returns the facts that a YAML file states; without one, those of the Intel photographs."""
    return KaggleFacts(**read_yaml(path or FACTS, "file of facts").content)


def download_intel(facts: KaggleFacts | None = None, limits: Limits | None = None) -> Path:
    """Returns the folder of the photographs, in the cache; downloads them on first use (about 350 MB).

    The folder appears when it is whole: Kaggle's client works beside it, what it has unpacked is counted, and moved.
    After an interruption the next call goes on. A copy that the client has made before is used where it lies, if it
    is whole.

    Raises:
        DatasetError: The download failed, or what is there is not what it should be.
    """
    facts = facts or load_facts()
    root = cache_dir() / "datasets"
    _, name, _, number = facts.handle.split("/")
    folder = root / f"{name}-{number}"  # another version is another folder
    try:
        if not folder.is_dir():
            with locked(root / f"{folder.name}.lock", facts.name):
                if not folder.is_dir():  # another process may have made it meanwhile
                    return _find_copy(facts) or _make_folder(folder, facts, limits or Limits())
        check_counts(folder, facts, f"Delete {folder} to download them again.")
        return folder
    except DownloadError as error:
        raise _explain(error, facts) from error
    except OSError as error:
        reason = f"writing to {root} failed: {error.strerror or error}"
        raise _explain(DownloadError(facts.name, reason), facts) from error


def _find_copy(facts: KaggleFacts) -> Path | None:
    """Returns the folder in the client's usual cache, if the client calls it complete and it is whole."""
    owner, name, _, number = facts.handle.split("/")
    cache = Path(os.path.expanduser(os.environ.get("KAGGLEHUB_CACHE") or "~/.cache/kagglehub"))
    folder = cache / "datasets" / owner / name / "versions" / number
    if not (folder.is_dir() and (cache / "datasets" / owner / name / f"{number}.complete").is_file()):
        return None
    try:
        check_counts(folder, facts, "")
    except (DatasetError, OSError) as error:
        print_progress(f"{facts.name}: the copy of Kaggle's client is not used. {error}")
        return None
    return folder


def _make_folder(folder: Path, facts: KaggleFacts, limits: Limits) -> Path:
    beside = folder.with_name(f".{folder.name}-downloading")
    print_progress(f"{facts.name}: asking Kaggle")
    try:
        unpacked = KaggleDownload(facts, beside, limits).run()
        check_counts(unpacked, facts, "")
    except (DatasetError, DownloadError) as error:
        if not getattr(error, "kept", 0):  # it would be as wrong the next time
            shutil.rmtree(beside, ignore_errors=True)
        raise
    unpacked.rename(folder)
    shutil.rmtree(beside, ignore_errors=True)
    return folder


def check_counts(folder: Path, facts: KaggleFacts, advice: str) -> None:
    """Compares the number of images in each folder. Hidden files, and what systems add to folders, are none.

    Raises:
        DatasetError: A folder has more or fewer; each is named with both numbers.
    """
    paths = (path.relative_to(folder) for path in folder.rglob("*") if path.suffix.lower() in IMAGE_SUFFIXES)
    found = Counter(path.parent.as_posix() for path in paths if not any(part.startswith(".") for part in path.parts))
    wrong = [
        f"{name}: {found[name]:,} instead of {facts.images.get(name, 0):,}"
        for name in sorted({*found, *facts.images})
        if found[name] != facts.images.get(name, 0)
    ]
    if wrong:
        more = [f"and {len(wrong) - SHOWN:,} more"] if len(wrong) > SHOWN else []
        raise DatasetError(
            f"Expected as many images in each folder as {facts.name} have.",
            received={"images": [*wrong[:SHOWN], *more]},
            advice=advice,
        )


def _explain(error: DownloadError, facts: KaggleFacts) -> DatasetError:
    labelled = [PurePosixPath(folder) for folder in facts.images if folder.count("/") > 1]
    splits = " and ".join(dict.fromkeys(str(folder.parent) for folder in labelled))
    classes = ", ".join(dict.fromkeys(folder.name for folder in labelled))
    by_hand = (
        f"Without internet, download {facts.handle} from Kaggle on another machine, unpack it, copy the folder here, "
        f"and name it: DATA=folder. It holds {splits}, each with a folder of images a class ({classes})."
    )
    refused = "The data set is public: renew the stored credentials of Kaggle, or remove them. "
    return DatasetError(
        f"Expected to download {facts.name} from Kaggle.",
        received={"dataset": INTEL},
        advice=f"{error.explanation} {refused if error.status in (401, 403) else ''}{by_hand}",
    )
