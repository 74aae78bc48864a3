"""`dataset: intel` against a server on this machine that stands in for Kaggle and its storage."""

from __future__ import annotations

import io
import json
import os
import random
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from scenebook.core.errors import DatasetError
from scenebook.core.run_directory import RunDirectory
from scenebook.data import sources
from scenebook.data.finding import find_images
from scenebook.data.kaggle import KaggleFacts, Limits
from scenebook.data.sources import download_intel, load_facts, prepare_dataset
from tests.conftest import write_image
from tests.loopback import ASKED_OF_KAGGLE, Loopback, serve

ARCHIVE = "/storage/archive.zip"
QUICK = Limits(silence=6, tries=2, pause=0.01)  # the client takes a second or two to start
CHUNK_BYTES = 2**20  # Kaggle's client writes so many at a time
COUNTS = {f"seg_{split}/seg_{split}/{name}": count for split, count in (("train", 6), ("test", 3)) for name in "ab"}
FACTS = KaggleFacts(
    name="the Intel photographs",
    handle="puneet6060/intel-image-classification/versions/2",
    images=COUNTS | {"seg_pred/seg_pred": 2},
    max_bytes=10**7,
)


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """An archive of drawn images, laid out as Kaggle's."""
    root = tmp_path_factory.mktemp("drawn")
    for seed, (folder, count) in enumerate(FACTS.images.items()):
        for number in range(count):
            write_image(root / folder / f"{number}.jpg", 100 * seed + number, (150, 150))
    (root / "notes.bin").write_bytes(random.Random(1).randbytes(3 * CHUNK_BYTES))
    return zip_folder(root)


def zip_folder(root: Path) -> bytes:
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w") as opened:
        for path in sorted(path for path in root.rglob("*") if path.is_file()):
            opened.write(path, path.relative_to(root).as_posix())
    return memory.getvalue()


def change_archive(content: bytes, *, without: str = "", extra: dict[str, bytes] | None = None) -> bytes:
    memory = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(memory, "w") as new:
        for info in old.infolist():
            if info.filename != without:
                new.writestr(info, old.read(info))
        for name, data in (extra or {}).items():
            new.writestr(name, data)
    return memory.getvalue()


@pytest.fixture
def kaggle(archive: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Loopback]:
    """Sends Kaggle's client to this machine: its environment for that listens on port 80, so a proxy stands between."""
    for name in list(os.environ):
        if name.upper().startswith(("KAGGLE", "SCENEBOOK")) or name.lower() in {"no_proxy", "http_proxy"}:
            monkeypatch.delenv(name)
    with serve() as site:
        site.files[ARCHIVE] = archive
        site.redirects[ASKED_OF_KAGGLE] = f"http://localhost{ARCHIVE}"
        for name, value in {
            "KAGGLE_API_ENVIRONMENT": "LOCALHOST",
            "http_proxy": site.url,
            "HOME": str(tmp_path / "home"),
            "KAGGLE_CONFIG_DIR": str(tmp_path / "home"),
            "KAGGLEHUB_CACHE": str(tmp_path / "kagglehub"),
            "SCENEBOOK_CACHE": str(tmp_path / "cache"),
        }.items():
            monkeypatch.setenv(name, value)
        yield site


def cached(tmp_path: Path, name: str = "") -> Path:
    return tmp_path / "cache" / "datasets" / name


def names_in_cache(tmp_path: Path) -> set[str]:
    """Returns the names in the cache, those that begin with the data set's own without it."""
    return {path.name.removeprefix("intel-image-classification-2") for path in cached(tmp_path).iterdir()}


def test_what_is_known_of_the_photographs_adds_up() -> None:
    facts = load_facts()
    by_split = dict.fromkeys(("seg_train", "seg_test", "seg_pred"), 0)
    for folder, count in facts.images.items():
        by_split[folder.partition("/")[0]] += count
    assert by_split == {"seg_train": 14034, "seg_test": 3000, "seg_pred": 7301}
    assert facts.handle.endswith("/versions/2")


def test_the_images_come_once_and_are_found(
    kaggle: Loopback, tmp_path: Path, run_dir: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "facts.yaml").write_text(yaml.safe_dump(vars(FACTS)))
    monkeypatch.setattr(sources, "FACTS", tmp_path / "facts.yaml")
    options = {"train_per_class": 1, "test_per_class": 1, "seed": 0, "size": 32}
    root = prepare_dataset("intel", run_dir, **options)
    found = find_images(root)
    assert (found.class_names, len(found.images)) == (["a", "b"], 18)
    assert [path for _, path, _ in kaggle.asked if path == ASKED_OF_KAGGLE] == [ASKED_OF_KAGGLE]
    kaggle.asked.clear()
    assert prepare_dataset("intel", run_dir, **options) == root
    assert kaggle.asked == []


def test_kaggle_is_asked_for_the_pinned_version_without_an_account_and_progress_is_told(
    kaggle: Loopback, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    download_intel(FACTS, QUICK)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert all(line.startswith("» the Intel photographs: ") for line in shown.err.splitlines())
    method, path, headers = kaggle.asked[0]
    assert (method, path) == ("POST", ASKED_OF_KAGGLE)
    assert "kagglehub/" in headers["user-agent"]
    expected = {"ownerSlug": "puneet6060", "datasetSlug": "intel-image-classification", "datasetVersionNumber": 2}
    assert json.loads(kaggle.sent[0]) == expected
    assert not any("authorization" in headers for _, _, headers in kaggle.asked)
    assert names_in_cache(tmp_path) == {"", ".lock"}


def test_an_archive_that_kaggle_sends_itself_is_taken_too(kaggle: Loopback, archive: bytes) -> None:
    del kaggle.redirects[ASKED_OF_KAGGLE]
    kaggle.files[ASKED_OF_KAGGLE] = archive
    kaggle.faults[ASKED_OF_KAGGLE] = ["503"]
    assert len(find_images(download_intel(FACTS, QUICK)).images) == 18


def test_a_download_that_is_cut_goes_on_by_itself_and_a_silent_server_is_given_up(kaggle: Loopback) -> None:
    kaggle.faults[ARCHIVE] = [f"cut {CHUNK_BYTES + 1}", "", f"stall {CHUNK_BYTES + 1}"]  # "": it asks for the size
    assert len(find_images(download_intel(FACTS, QUICK)).images) == 18
    assert {f"bytes={CHUNK_BYTES}-", f"bytes={2 * CHUNK_BYTES}-"} <= set(kaggle.starts(ARCHIVE))


def test_a_download_that_failed_goes_on_with_the_next_run(kaggle: Loopback) -> None:
    kaggle.faults[ARCHIVE] = [f"cut {CHUNK_BYTES + 1}", *["cut 0"] * 4]
    with pytest.raises(DatasetError, match=r"kept; the next try goes on from there") as caught:
        download_intel(FACTS, QUICK)
    assert "DATA=folder" in str(caught.value)
    kaggle.asked.clear()
    assert len(find_images(download_intel(FACTS, QUICK)).images) == 18
    assert f"bytes={CHUNK_BYTES}-" in kaggle.starts(ARCHIVE)


def test_an_archive_with_another_checksum_is_downloaded_again(kaggle: Loopback) -> None:
    kaggle.faults[ARCHIVE] = ["wrong"]
    assert len(find_images(download_intel(FACTS, QUICK)).images) == 18


def test_without_a_network_the_error_says_how_to_place_the_files(
    kaggle: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    started = time.monotonic()
    with pytest.raises(DatasetError) as caught:
        download_intel(FACTS)  # with the limits of every day
    assert time.monotonic() - started < 30
    for part in ("DATA=folder", "seg_train/seg_train and seg_test/seg_test", "(a, b)", FACTS.handle):
        assert part in str(caught.value)


def test_stored_credentials_that_kaggle_refuses_are_named(kaggle: Loopback) -> None:
    kaggle.faults[ASKED_OF_KAGGLE] = ["401"]
    with pytest.raises(DatasetError, match=r"answered 401.*renew the stored credentials"):
        download_intel(FACTS, QUICK)


def test_credentials_that_cannot_be_read_are_named(kaggle: Loopback, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "kaggle.json").write_text("no JSON")
    with pytest.raises(DatasetError, match="Invalid Kaggle credentials file"):
        download_intel(FACTS, QUICK)


def test_a_server_that_hangs_is_given_up_within_half_a_minute(kaggle: Loopback) -> None:
    kaggle.faults[ASKED_OF_KAGGLE] = ["hang"] * 3
    started = time.monotonic()
    with pytest.raises(DatasetError, match="DATA=folder"):
        download_intel(FACTS, Limits(silence=3))
    assert time.monotonic() - started < 15


@pytest.mark.parametrize(
    ("folder", "difference"),
    [
        ({"without": "seg_train/seg_train/a/3.jpg"}, "as many images.*seg_train/seg_train/a: 5 instead of 6"),
        ({"extra": {"seg_test/seg_test/c/1.jpg": b"x"}}, "as many images.*seg_test/seg_test/c: 1 instead of 0"),
        ({"extra": {"../outside.jpg": b"x"}}, "as many images"),
        ({"extra": {"big.bin": bytes(10**7)}}, "larger than the 10,000,000 bytes"),
    ],
)
def test_an_archive_that_is_something_else_leaves_nothing_behind(
    kaggle: Loopback, archive: bytes, tmp_path: Path, folder: dict[str, object], difference: str
) -> None:
    kaggle.files[ARCHIVE] = change_archive(archive, **folder)  # type: ignore[arg-type]
    with pytest.raises(DatasetError, match=rf"(?s){difference}"):
        download_intel(FACTS, QUICK)
    assert names_in_cache(tmp_path) == {".lock"}
    assert not list(tmp_path.rglob("outside.jpg"))


def test_a_truncated_archive_without_a_checksum_is_refused(kaggle: Loopback, archive: bytes, tmp_path: Path) -> None:
    kaggle.checksums = False
    kaggle.files[ARCHIVE] = archive[:-1000]
    with pytest.raises(DatasetError, match="Unsupported archive type"):
        download_intel(FACTS, QUICK)
    assert names_in_cache(tmp_path) == {".lock"}


def test_a_folder_that_has_lost_images_is_an_error(kaggle: Loopback) -> None:
    root = download_intel(FACTS, QUICK)
    (root / "seg_pred/Thumbs.db").write_bytes(b"")
    (root / "seg_pred/.DS_Store").write_bytes(b"")
    assert download_intel(FACTS, QUICK) == root
    (root / "seg_pred/seg_pred/0.jpg").unlink()
    with pytest.raises(DatasetError, match=rf"seg_pred/seg_pred: 1 instead of 2.*Delete {root}"):
        download_intel(FACTS, QUICK)


def make_copy_of_the_client(tmp_path: Path, archive: bytes) -> Path:
    below = tmp_path / "kagglehub" / "datasets" / "puneet6060" / "intel-image-classification"
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        opened.extractall(below / "versions" / "2")
    (below / "2.complete").touch()
    return below / "versions" / "2"


def test_a_copy_that_kaggles_client_made_is_used_where_it_lies(
    kaggle: Loopback, archive: bytes, tmp_path: Path
) -> None:
    copy = make_copy_of_the_client(tmp_path, archive)
    assert download_intel(FACTS, QUICK) == copy
    assert download_intel(FACTS, QUICK) == copy
    assert kaggle.asked == []


def test_a_copy_of_kaggles_client_that_is_not_whole_is_not_used(
    kaggle: Loopback, archive: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = make_copy_of_the_client(tmp_path, archive)
    (copy / "seg_pred/seg_pred/0.jpg").unlink()
    assert download_intel(FACTS, QUICK) == cached(tmp_path, "intel-image-classification-2")
    assert "the copy of Kaggle's client is not used" in capsys.readouterr().err


# A process of its own, which a test kills.
PROCESS = """
import sys
from pathlib import Path
from scenebook.data.sources import download_intel, load_facts

print(download_intel(load_facts(Path(sys.argv[1]))))
"""


def start_process(tmp_path: Path) -> subprocess.Popen[str]:
    (tmp_path / "facts.yaml").write_text(yaml.safe_dump(vars(FACTS)))
    command = [sys.executable, "-c", PROCESS, str(tmp_path / "facts.yaml")]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for_bytes(tmp_path: Path) -> None:
    deadline = time.monotonic() + 60
    while not any(path.stat().st_size == CHUNK_BYTES for path in cached(tmp_path).rglob("*.archive")):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_process_killed_while_it_downloads_is_gone_on_with(kaggle: Loopback, tmp_path: Path) -> None:
    kaggle.faults[ARCHIVE] = [f"stall {CHUNK_BYTES + 1}"]
    process = start_process(tmp_path)
    wait_for_bytes(tmp_path)
    process.kill()
    process.communicate()
    assert names_in_cache(tmp_path) == {".lock", ".intel-image-classification-2-downloading"}
    assert len(find_images(download_intel(FACTS, QUICK)).images) == 18
    assert kaggle.starts(ARCHIVE)[-1] == f"bytes={CHUNK_BYTES}-"
    assert names_in_cache(tmp_path) == {"", ".lock"}


def test_what_was_half_unpacked_is_never_used(kaggle: Loopback, archive: bytes, tmp_path: Path) -> None:
    beside = cached(tmp_path, ".intel-image-classification-2-downloading")
    below = beside / "datasets" / "puneet6060" / "intel-image-classification"
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        opened.extract("seg_train/seg_train/a/3.jpg", below / "versions" / "2")
    (below / "2.archive").write_bytes(archive)
    assert len(find_images(download_intel(FACTS, QUICK)).images) == 18
    assert names_in_cache(tmp_path) == {"", ".lock"}


def test_of_two_processes_at_once_one_downloads_and_the_other_waits(
    kaggle: Loopback, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kaggle.faults[ARCHIVE] = [f"stall {CHUNK_BYTES + 1}"]
    process = start_process(tmp_path)
    wait_for_bytes(tmp_path)
    folder = download_intel(FACTS, QUICK)
    assert capsys.readouterr().err.startswith("» the Intel photographs: waiting for another process")
    output, errors = process.communicate(timeout=60)
    assert (process.returncode, output.strip()) == (0, str(folder)), errors
