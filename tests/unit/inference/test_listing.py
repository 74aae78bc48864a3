"""Images that are to be classified: all of a folder or a list are found, and nothing stops the rest."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from scenebook.core.errors import DatasetError, InputError
from scenebook.data.decoding import Decoder
from scenebook.inference.listing import SHARD, ImageListing, list_images, resolve_source
from scenebook.inference.shards import WAITING, read_images
from tests.conftest import write_image


def list_paths(listing: ImageListing) -> list[str]:
    """All paths; the listing is closed."""
    with closing(listing):
        return [path for number in range(len(listing.digests)) for path in listing.read_shard(number)]


def test_images_in_folders_and_beside_them_are_found_in_order(tmp_path: Path) -> None:
    for name in ("b/2.png", "b/1.png", "a/deep/er/1.JPG", "z.png", "b.png", ".hidden.png", ".git/1.png"):
        write_image(tmp_path / name)
    listing = list_images(tmp_path)
    assert (listing.images, listing.set_aside) == (5, 0)
    assert list_paths(listing) == ["b.png", "z.png", "a/deep/er/1.JPG", "b/1.png", "b/2.png"]


def test_what_cannot_be_read_is_set_aside_with_the_reason_and_the_rest_goes_on(tmp_path: Path) -> None:
    for name in ("1.png", "3.png"):
        write_image(tmp_path / name, size=(40, 60))
    (tmp_path / "2.png").write_bytes((tmp_path / "1.png").read_bytes()[:100])
    (tmp_path / "notes.txt").write_text("no image")
    outside = write_image(tmp_path.parent / f"{tmp_path.name}-outside.png")
    (tmp_path / "link.png").symlink_to(outside)
    with closing(list_images(tmp_path)) as listing:
        assert dict(listing.list_set_aside()).keys() == {"notes.txt", "link.png"}
        assert "leaves the folder" in dict(listing.list_set_aside())["link.png"]
        read = dict(read_images(tmp_path, listing.read_shard(0), Decoder((20, 24))))
    assert isinstance(read.pop("2.png"), OSError)
    shapes = {path: content.shape for path, content in read.items() if isinstance(content, np.ndarray)}
    assert shapes == dict.fromkeys(["1.png", "3.png"], (20, 24, 3))


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such names")
def test_odd_names_are_only_names(tmp_path: Path) -> None:
    names = ["<b>.png", "$(x).png", "a\nb.png", "海.png", "'\".png", os.fsdecode(b"\xff.png")]
    for name in names:
        write_image(tmp_path / name)
    assert {*list_paths(list_images(tmp_path))} == {*names}


def test_only_a_few_images_are_decoded_ahead(tmp_path: Path) -> None:
    write_image(tmp_path / "0.png")
    decoded = []

    class Counting(Decoder):
        def decode(self, source: Path | bytes) -> np.ndarray:
            decoded.append(source)
            return super().decode(source)

    stream = read_images(tmp_path, ["0.png"] * 3 * WAITING, Counting((8, 8)))
    next(stream)
    assert len(decoded) <= WAITING
    assert sum(1 for _ in stream) == 3 * WAITING - 1


@pytest.mark.parametrize("images", [None, ""])
def test_no_folder_is_an_error_that_says_how_to_name_one(images: str | None) -> None:
    with pytest.raises(InputError, match="IMAGES=folder or --images FOLDER"):
        resolve_source(images)


def test_a_missing_folder_and_a_file_are_errors(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"There is no such folder"):
        resolve_source(str(tmp_path / "none"))
    with pytest.raises(InputError, match="put it into a folder"):
        resolve_source(str(write_image(tmp_path / "1.png")))
    (tmp_path / "images.zip").write_bytes(b"PK")
    with pytest.raises(InputError, match="Unpack the archive, and name the folder: IMAGES=folder"):
        resolve_source(str(tmp_path / "images.zip"))


def test_a_folder_without_a_image_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no image")
    with pytest.raises(InputError, match="count=0"):
        list_images(tmp_path)


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_list_is_read_in_its_order_and_each_image_once(tmp_path: Path, kind: str) -> None:
    for name in ("b.png", "a/1.png"):
        write_image(tmp_path / name)
    (alias := tmp_path.parent / f"{tmp_path.name}-alias").symlink_to(tmp_path)
    (tmp_path / "out").symlink_to(write_image(tmp_path.parent / f"{tmp_path.name}-out" / "1.png").parent)
    paths = ["b.png", "gone.png", "./a/1.png", "a\\1.png", str(tmp_path / "b.png"), "a"]
    paths += [str(alias / "a" / "1.png"), str(tmp_path / "out" / "1.png")]
    list_file = tmp_path / f"list.{kind}"
    table = pl.DataFrame({"id": range(len(paths)), "Path": paths})
    table.write_csv(list_file) if kind == "csv" else table.write_parquet(list_file)
    listing = list_images(resolve_source(str(list_file)))
    assert (listing.images, listing.set_aside, listing.repeated) == (2, 3, 3)
    reasons = [(path, reason.partition(": ")[2]) for path, reason in listing.list_set_aside()]
    assert reasons[:2] == [("gone.png", "there is no such file"), ("a", "a folder, no image")]
    assert reasons[2:] == [("out/1.png", "a link that leaves the folder")]
    assert list_paths(listing) == ["b.png", "a/1.png"]


@pytest.mark.parametrize("kind", ["csv", "parquet"])
@pytest.mark.parametrize(
    "columns, message",
    [
        ({"file": ["1.png"]}, "the columns path.*header="),
        ({"path": ["../1.png"]}, r"in the list's folder.*list\..*line="),
        ({"path": ["/dev/null"]}, r"in the list's folder.*list\..*line="),
        ({"path": ["gone.png"]}, "count=0"),
    ],
)
def test_a_list_of_no_use_says_what_is_wrong(
    tmp_path: Path, kind: str, columns: dict[str, list[str]], message: str
) -> None:
    list_file = tmp_path / f"list.{kind}"
    table = pl.DataFrame(columns)
    table.write_csv(list_file) if kind == "csv" else table.write_parquet(list_file)
    with pytest.raises((InputError, DatasetError), match=message):
        list_images(list_file)


def test_a_parquet_file_that_is_none_is_told(tmp_path: Path) -> None:
    (tmp_path / "list.parquet").write_text("path\n1.png\n")
    with pytest.raises(DatasetError, match="Expected a Parquet file"):
        list_images(tmp_path / "list.parquet")


def test_a_shard_has_another_digest_only_when_its_own_images_change(tmp_path: Path) -> None:
    for number in range(SHARD + 1):
        (tmp_path / f"{number:04d}.jpg").write_bytes(b"x")

    def digest() -> list[str]:
        with closing(list_images(tmp_path)) as listing:
            return listing.digests

    before = digest()
    assert (len(before), digest()) == (2, before)
    (tmp_path / f"{SHARD:04d}.jpg").write_bytes(b"y")
    after = digest()
    assert (after[0] == before[0], after[1] == before[1]) == (True, False)
