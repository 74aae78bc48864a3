"""Folders of unlabelled images: all of them found, nothing stops the rest."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from scenebook.core.errors import InputError
from scenebook.data.decoding import Decoder
from scenebook.inference.folder import WAITING, count_unlabelled, list_unlabelled, read_images, resolve_folder
from tests.conftest import write_image


def test_images_in_folders_and_beside_them_are_found_in_order(tmp_path: Path) -> None:
    for name in ("b/2.png", "b/1.png", "a/deep/er/1.JPG", "z.png", "b.png", ".hidden.png", ".git/1.png"):
        write_image(tmp_path / name)
    found = [path for path, _ in list_unlabelled(tmp_path)]
    assert found == [
        "b.png",
        "z.png",
        "a/deep/er/1.JPG",
        "b/1.png",
        "b/2.png",
    ]
    assert count_unlabelled(tmp_path) == 5


def test_what_cannot_be_read_is_set_aside_with_the_reason_and_the_rest_goes_on(tmp_path: Path) -> None:
    for name in ("1.png", "3.png"):
        write_image(tmp_path / name, size=(40, 60))
    (tmp_path / "2.png").write_bytes((tmp_path / "1.png").read_bytes()[:100])
    (tmp_path / "notes.txt").write_text("no image")
    outside = write_image(tmp_path.parent / f"{tmp_path.name}-outside.png")
    (tmp_path / "link.png").symlink_to(outside)
    read = dict(read_images(tmp_path, Decoder((20, 24))))
    reasons = {path: content for path, content in read.items() if isinstance(content, str)}
    shapes = {path: np.shape(content) for path, content in read.items() if path not in reasons}
    assert shapes == dict.fromkeys(["1.png", "3.png"], (20, 24, 3))
    assert reasons.keys() == {"2.png", "notes.txt", "link.png"}
    assert "leaves the folder" in reasons["link.png"]
    assert "cannot be read" in reasons["2.png"]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such names")
def test_odd_names_are_only_names(tmp_path: Path) -> None:
    names = ["<b>.png", "$(x).png", "a\nb.png", "海.png", "'\".png", os.fsdecode(b"\xff.png")]
    for name in names:
        write_image(tmp_path / name)
    assert {path for path, content in read_images(tmp_path, Decoder((8, 8))) if not isinstance(content, str)} == set(
        names
    )


def test_only_a_few_images_are_decoded_ahead(tmp_path: Path) -> None:
    write_image(tmp_path / "0.png")
    for number in range(1, 3 * WAITING):
        os.link(tmp_path / "0.png", tmp_path / f"{number}.png")
    decoded = []

    class Counting(Decoder):
        def decode(self, source: Path | bytes) -> np.ndarray:
            decoded.append(source)
            return super().decode(source)

    stream = read_images(tmp_path, Counting((8, 8)))
    next(stream)
    assert len(decoded) <= WAITING
    assert sum(1 for _ in stream) == 3 * WAITING - 1


@pytest.mark.parametrize("images", [None, ""])
def test_no_folder_is_an_error_that_says_how_to_name_one(images: str | None) -> None:
    with pytest.raises(InputError, match="IMAGES=folder or --images FOLDER"):
        resolve_folder(images)


def test_a_missing_folder_and_a_file_are_errors(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"There is no such folder"):
        resolve_folder(str(tmp_path / "none"))
    with pytest.raises(InputError, match="put it into a folder"):
        resolve_folder(str(write_image(tmp_path / "1.png")))
    (tmp_path / "images.zip").write_bytes(b"PK")
    with pytest.raises(InputError, match="Unpack the archive, and name the folder: IMAGES=folder"):
        resolve_folder(str(tmp_path / "images.zip"))


def test_a_folder_without_a_image_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no image")
    with pytest.raises(InputError, match="count=0"):
        count_unlabelled(tmp_path)
