"""Archives that somebody made with bad intentions, or that were damaged on the way."""

from __future__ import annotations

import stat
import struct
import zipfile
import zlib
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import pytest

from scenebook.core.errors import DatasetError
from scenebook.data.unpacking import unpack
from tests.conftest import write_image

Write = Callable[..., Path]


@pytest.fixture
def write_archive(tmp_path: Path) -> Write:
    """Writes an archive of `(name, content)` entries: `write_archive(("a/1.jpg", b"..."), method=...)`."""

    def write(*entries: tuple[str | zipfile.ZipInfo, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
        path = tmp_path / "archive.zip"
        with zipfile.ZipFile(path, "w", method) as archive:
            for name, content in entries:
                archive.writestr(name, content)
        return path

    return write


def open_archive(archive: Path, max_bytes: int = 10**6, max_files: int = 100) -> Path:
    folder = archive.parent / "unpacked"
    unpack(archive, folder, max_bytes=max_bytes, max_files=max_files)
    return folder


def entry(name: str, mode: int = 0, flags: int = 0) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = mode << 16
    info.flag_bits = flags
    return info


def assert_refused(archive: Path, text: str, **limits: int) -> None:
    before = sorted(archive.parent.rglob("*"))
    with pytest.raises(DatasetError, match=text):
        open_archive(archive, **limits)
    assert sorted(archive.parent.rglob("*")) == before, "something was left behind"


def test_images_come_out_as_they_went_in(tmp_path: Path, write_archive: Write) -> None:
    image = write_image(tmp_path / "image.jpg").read_bytes()
    done: list[tuple[int, int]] = []
    archive = write_archive(("a/", b""), ("a/1.jpg", image), ("é b/2 ' \" $.jpg", image))
    unpack(archive, tmp_path / "new", max_bytes=10**6, max_files=2, report=lambda *count: done.append(count))
    assert (tmp_path / "new/a/1.jpg").read_bytes() == image
    assert (tmp_path / "new/é b/2 ' \" $.jpg").read_bytes() == image
    assert done == [(1, 2), (2, 2)]


@pytest.mark.parametrize(
    "name",
    [
        "../outside.jpg",
        "a/../../outside.jpg",
        "a/..",
        "/etc/outside.jpg",
        "//server/share.jpg",
        "C:/outside.jpg",
        "c:outside.jpg",
        "..\\outside.jpg",
        "a\\b.jpg",
        "new\nline.jpg",
        "a\x00b.jpg",
        "",
        ".",
    ],
)
def test_names_that_leave_the_folder_are_refused(write_archive: Write, name: str) -> None:
    info = zipfile.ZipInfo("placeholder.jpg")
    info.filename = info.orig_filename = name  # past what zipfile mends when it is given a name
    assert_refused(write_archive(("a/1.jpg", b"fine"), (info, b"evil")), "stay in its folder")


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFSOCK, stat.S_IFDIR])
def test_links_and_devices_are_refused(write_archive: Write, kind: int) -> None:
    assert_refused(write_archive((entry("a/1.jpg", kind | 0o777), b"/etc/passwd")), "plain files, without links")


@pytest.mark.parametrize(
    "names", [("a/1.jpg", "a/1.jpg"), ("a/1.jpg", "A/1.JPG"), ("a/é.jpg", "a/e\u0301.jpg"), ("a/1.jpg", "a/./1.jpg")]
)
def test_names_that_some_systems_take_for_one_are_refused(write_archive: Write, names: tuple[str, str]) -> None:
    with pytest.warns(UserWarning, match="Duplicate name") if names[0] == names[1] else nullcontext():
        archive = write_archive(*((name, b"x") for name in names))
    assert_refused(archive, "holds each file once")


def test_a_file_that_is_also_a_folder_is_refused(write_archive: Write) -> None:
    assert_refused(write_archive(("a", b"x"), ("A/1.jpg", b"x")), "no file is also a folder")


def test_encrypted_entries_are_refused(write_archive: Write) -> None:
    archive = write_archive(("a/1.jpg", b"x" * 100))
    content = bytearray(archive.read_bytes())
    content[content.rfind(b"PK\x01\x02") + 8] |= 1
    archive.write_bytes(content)
    assert_refused(archive, "without a password")


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_rare_compressions_are_refused(write_archive: Write, method: int) -> None:
    assert_refused(write_archive(("a/1.jpg", b"x" * 100), method=method), "stored or deflated")


def test_an_archive_that_unfolds_to_too_much_is_refused(write_archive: Write) -> None:
    archive = write_archive(*((f"{number}.jpg", b"\0" * 300_000) for number in range(4)))
    assert archive.stat().st_size < 3000
    assert_refused(archive, r"at most 1,000,000 bytes.*bytes=1200000")


def test_an_archive_of_too_many_files_is_refused(write_archive: Write) -> None:
    assert_refused(write_archive(*((f"{number}.jpg", b"") for number in range(101))), r"at most 100 files.*files=101")
    assert_refused(write_archive(*((f"{number}/", b"") for number in range(201))), r"at most 100 files.*entries=201")


def test_a_directory_too_long_to_be_read_is_refused_before_it_is_read(write_archive: Write) -> None:
    archive = write_archive(*((f"{number:0200}.jpg", b"") for number in range(100)))
    assert_refused(archive, r"at most 10 files.*directory_bytes=25\d\d\d", max_files=10)


def test_a_long_directory_of_a_zip64_archive_is_refused_too(write_archive: Write) -> None:
    archive = write_archive(("a/1.jpg", b"x"))
    content = archive.read_bytes()
    end = content.rfind(b"PK\x05\x06")
    record = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, 1, 1, 10**9, 0)
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, end, 1)
    archive.write_bytes(content[:end] + record + locator + content[end:])
    assert_refused(archive, "directory_bytes=1000000000")


@pytest.mark.parametrize("stated", [10, 500_000])
def test_sizes_in_headers_that_lie_are_noticed(write_archive: Write, stated: int) -> None:
    """The directory states 10 bytes, or too many, for what unfolds to 400,000."""
    archive = write_archive(("a/1.jpg", b"\0" * 400_000))
    content = bytearray(archive.read_bytes())
    position = content.rfind(b"PK\x01\x02")
    struct.pack_into("<L", content, position + 24, stated)
    struct.pack_into("<L", content, position + 16, zlib.crc32(b"\0" * min(stated, 400_000)))
    struct.pack_into("<L", content, 14, zlib.crc32(b"\0" * min(stated, 400_000)))
    archive.write_bytes(content)
    if stated == 10:  # what is stated is all that is ever unfolded
        assert (open_archive(archive, max_bytes=1000) / "a/1.jpg").stat().st_size == 10
    else:
        assert_refused(archive, "sizes that the archive states|undamaged")


@pytest.mark.parametrize("cut", [1, 30, 400, 900])
def test_a_truncated_archive_is_refused(tmp_path: Path, write_archive: Write, cut: int) -> None:
    image = write_image(tmp_path / "image.png").read_bytes()
    archive = write_archive(("a/1.png", image))
    archive.write_bytes(archive.read_bytes()[:-cut])
    assert_refused(archive, r"undamaged zip archive.*problem=")


@pytest.mark.parametrize("place", [40, 60, 100])
def test_wrong_bytes_are_noticed(tmp_path: Path, write_archive: Write, place: int) -> None:
    image = write_image(tmp_path / "image.png").read_bytes()
    archive = write_archive(("a/1.png", image), ("a/2.png", image))
    content = bytearray(archive.read_bytes())
    content[place] ^= 255
    archive.write_bytes(content)
    assert_refused(archive, "undamaged zip archive")


def test_a_page_instead_of_an_archive_is_refused(tmp_path: Path) -> None:
    (tmp_path / "archive.zip").write_text("<html>Log in to this network</html>")
    assert_refused(tmp_path / "archive.zip", r"undamaged zip archive.*not a zip file")
