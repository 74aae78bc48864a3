from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from scenebook.core.errors import DatasetError
from scenebook.core.run_directory import RunDirectory
from scenebook.data.decoding import decode
from scenebook.data.finding import find_images
from scenebook.data.images import check_folder
from scenebook.data.splitting import load_split, split_images
from scenebook.data.storing import decode_images
from tests.conftest import MakeFolder, write_image


def read(root: Path, run_dir: RunDirectory, **options: object) -> pd.DataFrame:
    decoded = decode_images(find_images(root), run_dir, image_size=16)
    defaults = {"validation_fraction": 0.25, "test_fraction": 0.2, "seed": 0}
    return split_images(decoded.table, **{**defaults, **options})  # type: ignore[arg-type]


def test_class_folders_are_found_and_split_in_three(make_folder: MakeFolder, run_dir: RunDirectory) -> None:
    splits = read(make_folder({"cat": 10, "dog": 20}), run_dir)
    counts = pd.crosstab(splits["label"], splits["split"])
    assert counts.loc["cat"].to_dict() == {"test": 2, "train": 6, "validation": 2}
    assert counts.loc["dog"].to_dict() == {"test": 4, "train": 12, "validation": 4}


@pytest.mark.parametrize(
    ("train", "test"), [("train", "test"), ("seg_train/seg_train", "seg_test/seg_test"), ("Training", "Testing")]
)
def test_a_ready_made_test_folder_stays_as_it_is(
    make_folder: MakeFolder, run_dir: RunDirectory, train: str, test: str
) -> None:
    make_folder({"cat": 8, "dog": 8}, train)
    root = make_folder({"cat": 3, "dog": 5}, test)
    make_folder({"unlabelled": 0}, "seg_pred")
    splits = read(root, run_dir)
    assert splits[splits["split"] == "test"]["path"].str.startswith(test).all()
    assert splits["split"].value_counts().to_dict() == {"train": 12, "test": 8, "validation": 4}


@pytest.mark.parametrize("loose", [0, 3])
def test_a_test_folder_without_class_folders_is_no_test_split(
    make_folder: MakeFolder, run_dir: RunDirectory, loose: int
) -> None:
    root = make_folder({"cat": 10, "dog": 10}, "train")
    (root / "test").mkdir()
    for number in range(loose):
        write_image(root / "test" / f"{number}.png", 900 + number)
    found = find_images(root)
    assert found.class_names == ["cat", "dog"]
    assert found.ignored_folders == ["test"]
    assert read(root, run_dir)["split"].value_counts().to_dict() == {"train": 12, "test": 4, "validation": 4}


def test_classes_may_be_called_train_and_test_where_somebody_says_so(make_folder: MakeFolder) -> None:
    root = make_folder({"test": 3, "train": 3})
    assert find_images(root, splits=None).class_names == ["test", "train"]


def test_a_cap_holds_for_ready_made_splits_and_for_a_class_without_test_images(
    make_folder: MakeFolder, run_dir: RunDirectory
) -> None:
    make_folder({"cat": 8, "dog": 8}, "train")
    make_folder({"cat": 6, "dog": 6}, "val")
    splits = read(make_folder({"cat": 5}, "test"), run_dir, max_per_class=4)
    counts = pd.crosstab(splits["label"], splits["split"])
    assert counts.loc["dog"].to_dict() == {"test": 0, "train": 4, "validation": 4}
    assert counts.loc["cat"].to_dict() == {"test": 4, "train": 4, "validation": 4}


def test_damaged_exif_data_set_one_file_aside(make_folder: MakeFolder, run_dir: RunDirectory) -> None:
    root = make_folder({"cat": 3, "dog": 3})
    rng = np.random.default_rng(0)
    exif = Image.Exif()
    exif[0x0112], exif[0x010E], exif[0x8298] = 6, "description", "copyright"
    good = root / "cat" / "exif.jpg"
    Image.new("RGB", (20, 10)).save(good, exif=exif)
    content = bytearray(good.read_bytes())
    for number in range(60):
        damaged = content.copy()
        for position in rng.integers(20, 110, 6):
            damaged[position] = rng.integers(256)
        (root / "cat" / f"damaged-{number}.jpg").write_bytes(damaged)
    found = find_images(root)
    decoded = decode_images(found, run_dir, image_size=16)
    assert len(decoded.table) + len(decoded.set_aside) == len(found.images)
    assert "dog/000.png" in set(decoded.table["path"])


def test_a_validation_folder_is_used_as_validation(make_folder: MakeFolder, run_dir: RunDirectory) -> None:
    make_folder({"cat": 4, "dog": 4}, "train")
    make_folder({"cat": 2, "dog": 2}, "val")
    splits = read(make_folder({"cat": 2, "dog": 2}, "test"), run_dir)
    assert splits["split"].value_counts().to_dict() == {"train": 8, "validation": 4, "test": 4}


def test_the_split_depends_on_the_seed_alone(make_folder: MakeFolder, run_dir: RunDirectory) -> None:
    root = make_folder({"cat": 20, "dog": 20})
    first, again, other = (read(root, run_dir, seed=seed) for seed in (1, 1, 2))
    assert first.equals(again)
    assert not first["split"].equals(other["split"])


def test_the_rows_of_the_splits_lead_to_the_right_images(make_folder: MakeFolder, run_dir: RunDirectory) -> None:
    root = make_folder({"cat": 6, "dog": 6})
    splits = read(root, run_dir, max_per_class=3)
    run_dir.write_csv("data/splits.csv", splits)
    train = load_split(run_dir, "train", ["cat", "dog"])
    assert len(train) == (splits["split"] == "train").sum()
    for row, path, label in zip(train.rows, train.paths, train.labels, strict=True):
        assert path.startswith(["cat", "dog"][label])
        expected = Image.fromarray(decode(root / path)).resize((16, 16), Image.Resampling.BILINEAR)
        assert (train.stored[row] == np.asarray(expected)).all()


def test_a_missing_folder_is_an_error() -> None:
    with pytest.raises(DatasetError, match=r"There is no such folder"):
        check_folder(Path("no such folder"))


def test_a_folder_without_class_folders_is_an_error(tmp_path: Path) -> None:
    write_image(tmp_path / "loose.png")
    with pytest.raises(DatasetError, match="one folder of images a class"):
        find_images(tmp_path)


def test_one_class_is_an_error_that_names_it(make_folder: MakeFolder) -> None:
    with pytest.raises(DatasetError, match="The only class is 'cat'"):
        find_images(make_folder({"cat": 3}))


def test_an_empty_class_is_an_error_that_names_its_folder(make_folder: MakeFolder) -> None:
    with pytest.raises(DatasetError, match=r"at least one image in every class folder.*dog"):
        find_images(make_folder({"cat": 3, "dog": 0}))


def test_a_class_too_small_to_split_is_an_error(make_folder: MakeFolder, run_dir: RunDirectory) -> None:
    with pytest.raises(DatasetError, match=r"at least 3 images in every class.*class='dog', images=2"):
        read(make_folder({"cat": 5, "dog": 2}), run_dir)


def test_a_class_without_a_readable_image_is_an_error(make_folder: MakeFolder, run_dir: RunDirectory) -> None:
    root = make_folder({"cat": 3, "dog": 0})
    (root / "dog" / "broken.png").write_bytes(b"x")
    with pytest.raises(DatasetError, match=r"one readable image in every class.*dog"):
        read(root, run_dir)


def test_no_readable_image_at_all_is_an_error(make_folder: MakeFolder, run_dir: RunDirectory) -> None:
    root = make_folder({"cat": 0, "dog": 0})
    for name in ("cat", "dog"):
        (root / name / "broken.png").write_bytes(b"x")
    with pytest.raises(DatasetError, match="Expected readable images"):
        read(root, run_dir)


def test_a_class_that_only_test_has_is_an_error(make_folder: MakeFolder) -> None:
    make_folder({"cat": 3, "dog": 3}, "train")
    with pytest.raises(DatasetError, match=r"every class to have training images.*emu"):
        find_images(make_folder({"cat": 1, "emu": 1}, "test"))


def test_a_test_folder_without_a_training_folder_is_an_error(make_folder: MakeFolder) -> None:
    with pytest.raises(DatasetError, match="Expected a training folder"):
        find_images(make_folder({"cat": 3, "dog": 3}, "test"))


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "LA", "CMYK", "1", "I;16"])
def test_every_mode_is_decoded_to_8_bit_rgb(tmp_path: Path, mode: str) -> None:
    grey = np.linspace(0, 255, 16 * 16).reshape(16, 16)
    path = tmp_path / "image.tif"
    if mode == "I;16":
        Image.fromarray((grey * 257).astype(np.uint16)).save(path)
    else:
        Image.fromarray(grey.astype(np.uint8)).convert("RGB").convert(mode).save(path)
    decoded = decode(path)
    assert decoded.shape == (16, 16, 3)
    assert decoded.dtype == np.uint8
    # Black stays dark and white bright: 16 bits are scaled, not clipped.
    assert decoded[0, 0].mean() < 60
    assert decoded[-1, -1].mean() > 195
    assert mode == "1" or 80 < decoded[8, 0].mean() < 180
