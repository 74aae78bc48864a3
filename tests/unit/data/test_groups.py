"""Groups of images that stay in one split, and file names that look as if there were some."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from scenebook.core.errors import DatasetError
from scenebook.data.audit.shortcuts import find_series
from scenebook.data.file_facts import digest_contents
from scenebook.data.finding import check_unchanged, find_images
from scenebook.data.grouping import join_groups, number_groups, summarize_groups
from scenebook.data.images import FoundImages, SourceImage, Stamp
from scenebook.data.splitting import split_images
from scenebook.notebook.prose.folder import list_group_warnings, tell_groups, tell_series
from tests.conftest import write_image

SPLIT = {"validation_fraction": 0.2, "test_fraction": 0.2, "by_group": True}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two classes of 12 images, of 6 patients each; the patients 4 and 5 are in both."""
    for label, first in (("ill", 0), ("well", 4)):
        for number in range(12):
            write_image(tmp_path / label / f"patient-{first + number // 2}_{number}.png", seed=100 * first + number)
    return tmp_path


def list_paths(found: FoundImages) -> pd.DataFrame:
    rows = [(image.path, image.label, image.split) for image in found.images]
    return pd.DataFrame(rows, columns=["path", "label", "split"])


def make_list(root: Path, patients: str = "patient", splits: str = "") -> Path:
    rows = [
        f"{path.relative_to(root).as_posix()},{path.parent.name},{path.stem.split('_')[0]}"
        for path in sorted(root.rglob("*.png"))
    ]
    (root / "list.csv").write_text("\n".join([f"path,label,{patients}", *rows]), encoding="utf-8")
    return root / "list.csv"


@pytest.mark.parametrize("seed", range(5))
def test_a_patients_images_stay_in_one_split_also_across_classes(root: Path, seed: int) -> None:
    found = find_images(root, groups=r"patient-(\d+)")
    table = list_paths(found)
    splits = split_images(table, groups=number_groups(found, table["path"]), seed=seed, **SPLIT)  # type: ignore[arg-type]
    patients = splits["path"].str.extract(r"patient-(\d+)")[0]
    assert (splits.groupby(patients)["split"].nunique() == 1).all()
    assert pd.crosstab(splits["label"], splits["split"]).to_numpy().min() > 0
    facts = summarize_groups(found, splits)
    assert facts["groups"] == 10 == sum(facts["counts"].values())
    ((text, values),) = tell_groups(facts)
    assert "10 groups" in text.format(**values)


def test_a_column_of_a_list_names_groups_as_a_pattern_does_and_counts_for_what_was_read(root: Path) -> None:
    by_pattern, by_column = find_images(root, groups=r"patient-\d+"), find_images(make_list(root), groups="Patient")
    assert [image.group for image in by_pattern.images] == [image.group for image in by_column.images]
    before = digest_contents(by_column)
    text = (root / "list.csv").read_text(encoding="utf-8")
    (root / "list.csv").write_text(text.replace("patient-9\n", "patient-8\n"), encoding="utf-8")
    assert digest_contents(find_images(root / "list.csv", groups="Patient")) != before
    with pytest.raises(DatasetError, match="stay as it is during a run"):
        check_unchanged(by_column)


def test_a_copy_joins_the_groups_of_both_its_images() -> None:
    copies, patients = np.array([-1, 3, -1, 3, -1, -1]), np.array([0, 0, 1, 1, -1, 2])
    joined = join_groups(copies, patients)
    assert len(set(joined[:4])) == 1
    assert joined[4] == -1
    assert joined[5] not in (-1, joined[0])
    assert join_groups(copies, np.full(6, -1)) is copies


def test_images_without_a_group_stand_alone_and_ready_made_splits_that_divide_one_are_told() -> None:
    images = [f"{split}/a/p{number}_{n}.png" for split in ("train", "test") for number in (1, 2) for n in range(3)]
    splits = pd.DataFrame({"path": [*images, "train/a/x.png"], "split": ["train"] * 6 + ["test"] * 6 + ["train"]})
    found = FoundImages(Path(), Path(), [], groups="p")
    named = {path: path.split("/")[2].split("_")[0] if "_" in path else "" for path in splits["path"]}
    found.images.extend(make_images(named))
    facts = summarize_groups(found, splits)
    assert (facts["across"], facts["known"], facts["alone"]) == (2, 6, 1)
    told = " ".join(text.format(**values) for text, values in tell_groups(facts))
    assert "6 test images belong" in told
    assert list_group_warnings({"groups": facts, "series": {}})


def make_images(named: dict[str, str]) -> list[SourceImage]:
    return [SourceImage(path, "a", None, Stamp(1, 1, 1, 1), group) for path, group in named.items()]


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        (r"patient-(\d+", r"Expected groups to be a pattern of paths.*unterminated"),
        (r"subject-(\d+)", r"images of several groups.*group='none for any image'.*ill/patient-0_0\.png"),
        (r"patient", r"images of several groups.*group='patient'"),
    ],
)
def test_groups_that_cannot_be_used_are_an_error(root: Path, groups: str, message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        find_images(root, groups=groups)


def test_a_class_of_too_few_groups_is_named(root: Path) -> None:
    found = find_images(root, groups=r"(ill|patient-\d+)")
    table = list_paths(found)
    with pytest.raises(DatasetError, match=r"at least 3, one for each split.*class='ill', images=12, groups=1"):
        split_images(table, groups=number_groups(found, table["path"]), seed=0, **SPLIT)  # type: ignore[arg-type]


# File names


def make_measures(paths: list[str], looks: np.ndarray) -> pd.DataFrame:
    names = ["red", "green", "blue", "brightness_p05", "brightness_p99", "entropy"]
    labels = [path.split("/")[0] for path in paths]
    return pd.DataFrame(looks, columns=names).assign(path=paths, label=labels)


LOOKS = np.random.default_rng(0).normal(size=(240, 6))


def test_names_of_several_series_a_class_are_found_with_a_pattern_that_divides_them() -> None:
    paths = [
        f"{label}/{place}_{n:02d}.jpg" for label in "ab" for place in ("park", "lake", "hill", "bay") for n in range(30)
    ]
    found = find_series(make_measures(paths, LOOKS))
    assert (found["series"], found["images"], found["alike"]) == (8, 240, None)
    ((text, values),) = tell_series(found)
    assert "bay_00" in text.format(**values)
    groups = pd.Series(paths).str.extract(found["pattern"])[0]
    assert set(groups) == {"park_", "lake_", "hill_", "bay_"}


def test_folders_inside_a_class_are_series() -> None:
    paths = [f"{label}/film {film}/{n:03d}.jpg" for label in "ab" for film in range(6) for n in range(20)]
    found = find_series(make_measures(paths, LOOKS))
    assert found["series"] == 12
    assert set(pd.Series(paths).str.extract(found["pattern"])[0]) == {f"film {film}" for film in range(6)}


def test_numbers_alone_say_nothing_unless_neighbours_look_alike() -> None:
    paths = [f"{label}/IMG_{n:03d}.jpg" for label in "ab" for n in range(120)]
    assert find_series(make_measures(paths, LOOKS)) == {}
    walk = np.concatenate([np.cumsum(LOOKS[:120], axis=0), np.cumsum(LOOKS[120:], axis=0)])
    found = find_series(make_measures(paths, walk))
    assert found["alike"] > 0.8
    assert (found["first"], found["last"]) == ("IMG_000.jpg", "IMG_119.jpg")
    assert pd.Series(paths).str.extract(found["pattern"])[0].nunique() == 12
    assert list_group_warnings({"groups": {}, "series": found})


@pytest.mark.parametrize("name", ["{n}.jpg", "{h:x}.jpg", "cat ({n}).jpg", "{h}_{n}a.jpg"])
def test_usual_names_are_no_series(name: str) -> None:
    hashes = np.random.default_rng(1).integers(16**9, 16**10, 240)
    paths = [f"{label}/{name.format(n=n, h=hashes[n + 120 * (label == 'b')])}" for label in "ab" for n in range(120)]
    assert find_series(make_measures(paths, LOOKS)) == {}
