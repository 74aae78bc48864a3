"""Links out of a folder: not followed unless somebody says so; then what they lead to counts, by its contents."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from scenebook.core.errors import DatasetError
from scenebook.data.file_facts import digest_contents, digest_listing
from scenebook.data.finding import check_unchanged, find_images
from scenebook.data.images import FoundImages
from tests.conftest import write_image

pytestmark = pytest.mark.skipif(os.name == "nt", reason="links take rights there")


def make_linked(folder: Path) -> Path:
    """A folder of which every image is a link into a store, as DVC, git-annex and caches of hubs leave it."""
    root = folder / "data"
    for number, label in enumerate(["cat", "cat", "dog", "dog"]):
        (root / label).mkdir(parents=True, exist_ok=True)
        (root / label / f"{number}.png").symlink_to(write_image(folder / "store" / f"{number}.png", number, (8, 8)))
    return root


def find(root: Path) -> FoundImages:
    return find_images(root, follow_links=True)


def test_links_out_of_the_folder_are_refused_with_the_setting_that_allows_them(tmp_path: Path) -> None:
    root = make_linked(tmp_path)
    with pytest.raises(DatasetError, match=r'files are=.*leaves the folder.*SET="follow_links=true"'):
        find_images(root)
    found = find(root)
    assert [image.path for image in found.images] == ["cat/0.png", "cat/1.png", "dog/2.png", "dog/3.png"]
    check_unchanged(found)


def test_what_a_link_leads_to_is_in_both_digests(tmp_path: Path) -> None:
    root = make_linked(tmp_path)
    before = find(root)
    contents = digest_contents(before)
    write_image(tmp_path / "store" / "1.png", 77, (8, 8))
    after = find(root)
    assert digest_listing(before) != digest_listing(after)
    assert digest_contents(after) != contents
    with pytest.raises(DatasetError, match="stay as it is"):
        check_unchanged(before)


def test_the_digest_of_contents_tells_another_target(tmp_path: Path) -> None:
    root = make_linked(tmp_path)
    before = digest_contents(find(root))
    (root / "cat" / "0.png").unlink()
    (root / "cat" / "0.png").symlink_to(write_image(tmp_path / "store" / "other.png", 99, (8, 8)))
    assert digest_contents(find(root)) != before


def test_links_to_folders_are_entered_once_and_never_in_a_circle(tmp_path: Path) -> None:
    root = tmp_path / "data"
    for number, label in enumerate(["cat", "dog"]):
        write_image(tmp_path / "elsewhere" / label / "1.png", number)
        (tmp_path / "elsewhere" / label / "up").symlink_to(tmp_path)
        (tmp_path / "elsewhere" / label / "again").symlink_to(tmp_path / "elsewhere" / label)
        root.mkdir(exist_ok=True)
        (root / label).symlink_to(tmp_path / "elsewhere" / label)
    (root / "cat" / "back").symlink_to(root)
    assert [image.path for image in find(root).images] == ["cat/1.png", "dog/1.png"]


def test_links_to_files_that_were_not_fetched_are_told(tmp_path: Path) -> None:
    root = make_linked(tmp_path)
    for file in (tmp_path / "store").iterdir():
        file.unlink()
    with pytest.raises(DatasetError, match=r"leads nowhere.*dvc pull"):
        find(root)


def test_class_folders_that_are_links_are_told(tmp_path: Path) -> None:
    write_image(tmp_path / "elsewhere" / "1.png")
    (tmp_path / "data").mkdir()
    for label in ("cat", "dog"):
        (tmp_path / "data" / label).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(DatasetError, match=r"links, not followed=\['cat', 'dog'\].*follow_links=true"):
        find_images(tmp_path / "data")
