"""Which images are shown: samples of each class, and cases that are told by what was predicted."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from scenebook.core.errors import DatasetError
from scenebook.core.run_directory import RunDirectory, run_name_for
from scenebook.core.run_files import CLASSES, SPLITS, TEST_PREDICTIONS
from scenebook.data.decoding import Decoder, ImagesOnDemand, decode_unchanged, load_decoder
from scenebook.data.files import Tree
from scenebook.data.images import check_folder

_COLUMNS = ["path", "label"]
KINDS = {
    "right and sure": "Correct, with the highest confidence",
    "right and unsure": "Correct, with the lowest confidence",
    "wrong and sure": "Misclassified, largest loss first",
}
"""The kinds of cases, in the order in which they are shown, and the headings of their rows."""


def select_one_per_class(images: pd.DataFrame, class_names: Sequence[str], *, seed: int) -> pd.DataFrame:
    """Draws one image of each class at random, without looking at how it was classified; as `select_per_class`."""
    chosen = []
    for position, name in enumerate(class_names):
        rows = images[images["label"] == name]
        if len(rows):
            rng = np.random.default_rng([seed, position])
            chosen.append(rows[_COLUMNS].iloc[int(rng.integers(len(rows)))])
    return pd.DataFrame(chosen, columns=_COLUMNS).reset_index(drop=True)


def select_per_class(images: pd.DataFrame, class_names: Sequence[str], *, each: int, seed: int) -> pd.DataFrame:
    """Draws so many images of each class at random; all where a class has no more.

    The draw of a class does not depend on the other classes' images. One that has no image is left out.

    Returns:
        The columns path and label, class by class.
    """
    chosen = [images.iloc[:0]]
    for position, name in enumerate(class_names):
        rows = images[images["label"] == name]
        rng = np.random.default_rng([seed, position])
        chosen.append(rows.iloc[rng.permutation(len(rows))[:each]])
    return pd.concat(chosen)[_COLUMNS].reset_index(drop=True)


def load_samples(
    run_dir: RunDirectory, samples_dir: str | None, class_names: Sequence[str], *, seed: int
) -> tuple[pd.DataFrame, ImagesOnDemand]:
    """Returns one image a class: the columns path and label, and the images, uint8 `(height, width, 3)`, as they are.

    They are those of `samples_dir`, as `find_samples` finds them, or else drawn from the predicted test images.

    Raises:
        DatasetError: The folder lacks an image, or an image is another one than when it was split.
    """
    if samples_dir is not None:
        folder, decoder = check_folder(Path(samples_dir), "samples_dir"), load_decoder(run_dir)
        follow_links = bool(run_dir.read_json(CLASSES).get("settings", {}).get("follow_links"))
        chosen = find_samples(folder, class_names, decoder, follow_links=follow_links)
        return chosen, ImagesOnDemand((folder / path for path in chosen["path"]), decoder.decode)
    chosen = select_one_per_class(run_dir.read_csv(TEST_PREDICTIONS), class_names, seed=seed)
    root = run_dir.root / run_dir.read_json(CLASSES)["root"]
    return chosen, decode_unchanged(root, chosen["path"], run_dir.read_csv(SPLITS))


def find_samples(
    folder: Path, class_names: Sequence[str], decoder: Decoder, *, follow_links: bool = False
) -> pd.DataFrame:
    """Returns the first readable image, by name, of each class folder in `folder`, as the columns path and label.

    Links may leave the folder where the run's setting says so. An image is readable that the run's decoder can read.

    Raises:
        DatasetError: The folder, or the folder or image of a class, is missing.
    """
    root = check_folder(folder, "samples_dir")
    tree = Tree(root, follow_links=follow_links)
    folders, _ = tree.scan("")
    rows = []
    for name in class_names:
        paths = (f"{name}/{file}" for file, _ in tree.scan(name)[1]) if name in folders else iter(())
        readable = next((path for path in paths if _is_readable(root / path, decoder)), None)
        if readable is None:
            raise DatasetError(
                "Expected a folder with at least one readable image for every class in samples_dir.",
                received={"samples_dir": str(folder), "class": name},
                advice="Add the image, or leave samples_dir out: then they are taken from the test images.",
            )
        rows.append({"path": readable, "label": name})
    return pd.DataFrame(rows, columns=_COLUMNS)


def _is_readable(path: Path, decoder: Decoder) -> bool:
    try:
        decoder.decode(path)
    except OSError:
        return False
    return True


def name_copies(selection: pd.DataFrame) -> list[str]:
    """Returns where in the run each sample image is kept: numbered, and named after its class."""
    width = len(str(len(selection)))
    return [
        f"samples/pictures/{number:0{width}d}-{run_name_for(str(label))[:60]}.jpg"
        for number, label in enumerate(selection["label"], start=1)
    ]


def select_cases(predictions: pd.DataFrame, *, each: int = 6) -> pd.DataFrame:
    """Selects the surest and the least sure of the right predictions, and the wrong ones with the largest losses.

    The surest ones are taken from the classes in turn, since the easiest class would otherwise fill the row; all belong
    to the surer half of the right ones, so that no image is taken twice.

    Returns:
        The columns row (one of `KINDS`), path, label, predicted, confidence, loss (negative natural logarithm of the
        true class's probability) and `p_<class>`; of a kind that has no images, no rows.
    """
    own = np.array([row[f"p_{row['label']}"] for row in predictions.to_dict("records")], dtype=float)
    loss = -np.log(np.maximum(own, 1e-12))  # single precision can round a probability to 0
    columns = ["path", "label", "predicted", "confidence"]
    table = predictions[columns].assign(loss=loss).join(predictions.filter(regex="^p_"))
    is_right = table["label"] == table["predicted"]
    right = table[is_right].sort_values(["confidence", "path"], ascending=[False, True])
    surer = right[: -(-len(right) // 2)]
    turn = surer.groupby("label").cumcount().sort_values(kind="stable")
    sure = surer.loc[turn.index[:each]]
    unsure = right.drop(index=sure.index)[::-1][:each]
    wrong = table[~is_right].sort_values(["loss", "confidence", "path"], ascending=[False, False, True])[:each]
    rows = [part.assign(row=kind) for kind, part in zip(KINDS, (sure, unsure, wrong), strict=True)]
    return pd.concat(rows, ignore_index=True)[["row", *table.columns]]


def count_rows(cases: pd.DataFrame) -> list[tuple[str, int]]:
    """Returns the heading of each row and how many images stand in it, for `show_pictures`."""
    counts = cases["row"].value_counts()
    return [(heading, int(counts[kind])) for kind, heading in KINDS.items() if kind in counts]
