from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import threading
from collections import namedtuple
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scenebook.network.feature_cache.cache import FeatureCache
from scenebook.network.feature_cache.space import make_room

SHAPES = [(2, 3, 5), (7,)]
AUGMENTATION = {"rotation_range": 20.0, "horizontal_flip": True, "augmentation_seed": 0}
ROW_BYTES = 4 * (2 * 3 * 5 + 7)


def digest_of(image: int) -> str:
    return hashlib.sha256(str(image).encode()).hexdigest()


def digests_of(images: Sequence[int]) -> list[str]:
    return [digest_of(image) for image in images]


def rows_of(images: Sequence[int], view: int | None = 0) -> list[np.ndarray]:
    """Returns what imagined frozen layers put out: float32, other numbers for each image and view."""
    rows: list[list[np.ndarray]] = [[], []]
    for image in images:
        generator = np.random.default_rng([image, 99 if view is None else view])
        for shape, column in zip(SHAPES, rows, strict=True):
            column.append(generator.normal(0, 50, shape).astype(np.float32))
    return [np.array(column, np.float32).reshape(-1, *shape) for column, shape in zip(rows, SHAPES, strict=True)]


def open_at(folder: Path, **changes: Any) -> FeatureCache:
    options: dict[str, Any] = {"base": {"digest": "abc"}, "views": AUGMENTATION, "shapes": SHAPES}
    return FeatureCache(**{**options, "folder": folder, **changes})


def fetch_counted(
    feature_cache: FeatureCache, images: Sequence[int], view: int | None = 0
) -> tuple[list[np.ndarray], int]:
    """Returns rows, and how many of them had to be computed."""
    computed: list[int] = []

    def compute(missing: np.ndarray) -> list[np.ndarray]:
        computed.extend(missing)
        return rows_of([images[place] for place in missing], view)

    return feature_cache.fetch(view, digests_of(images), compute), len(computed)


def read(feature_cache: FeatureCache, view: int | None, images: Sequence[int]) -> list[np.ndarray] | None:
    """Returns the rows of these images; `None` unless all are on disk."""

    def give_up(missing: np.ndarray) -> list[np.ndarray]:
        raise LookupError

    try:
        return feature_cache.fetch(view, digests_of(images), give_up)
    except LookupError:
        return None


def assert_same(received: Sequence[np.ndarray] | None, expected: Sequence[np.ndarray]) -> None:
    assert received is not None
    for array, other in zip(received, expected, strict=True):
        assert array.dtype == np.float32
        np.testing.assert_array_equal(array, other)


def the_file(folder: Path) -> Path:
    (file,) = folder.glob("*/*.rows")
    return file


def test_numbers_are_the_same_from_a_cold_a_warm_and_a_switched_off_feature_cache(tmp_path: Path) -> None:
    images = list(range(20))
    off, computed_off = fetch_counted(open_at(tmp_path / "off", gigabytes=0), images)
    cold, computed_cold = fetch_counted(open_at(tmp_path / "on"), images)
    warm, computed_warm = fetch_counted(open_at(tmp_path / "on"), images)
    assert (computed_off, computed_cold, computed_warm) == (20, 20, 0)
    assert_same(cold, off)
    assert_same(warm, off)
    assert not (tmp_path / "off").exists()


def test_rows_are_found_in_any_order_and_in_part(tmp_path: Path) -> None:
    feature_cache = open_at(tmp_path)
    feature_cache.write(0, digests_of([5, 1, 3]), rows_of([5, 1, 3]))
    assert list(feature_cache.known(0, digests_of([1, 2, 3]))) == [True, False, True]
    assert read(feature_cache, 0, [1, 2, 3]) is None
    assert_same(read(feature_cache, 0, [3, 5]), rows_of([3, 5]))
    rows, computed = fetch_counted(feature_cache, [4, 3, 2, 1, 3])
    assert computed == 2
    assert_same(rows, rows_of([4, 3, 2, 1, 3]))
    assert_same(read(feature_cache, 0, [4, 2]), rows_of([4, 2]))


def test_every_view_and_the_image_as_it_is_have_rows_of_their_own(tmp_path: Path) -> None:
    feature_cache = open_at(tmp_path)
    for view in (None, 0, 1, 12):
        assert read(feature_cache, view, [1]) is None
        feature_cache.write(view, digests_of([1]), rows_of([1], view))
    for view in (None, 0, 1, 12):
        assert_same(read(open_at(tmp_path), view, [1]), rows_of([1], view))


def test_without_augmentation_all_epochs_share_their_rows_with_the_image_as_it_is(tmp_path: Path) -> None:
    open_at(tmp_path).write(None, digests_of([1]), rows_of([1]))
    assert_same(read(open_at(tmp_path, views={}), 7, [1]), rows_of([1]))


@pytest.mark.parametrize(
    "changes",
    [
        {"base": {"digest": "abd"}},
        {"base": {"digest": "abc", "image_size": 96}},
        {"views": {**AUGMENTATION, "rotation_range": 21.0}},
        {"views": {**AUGMENTATION, "augmentation_seed": 1}},
        {"shapes": [(7,), (2, 3, 5)]},
    ],
    ids=str,
)
def test_rows_are_not_found_under_other_settings(tmp_path: Path, changes: dict[str, Any]) -> None:
    open_at(tmp_path).write(0, digests_of([1]), rows_of([1]))
    assert open_at(tmp_path).known(0, digests_of([1])).all()
    assert not open_at(tmp_path, **changes).known(0, digests_of([1])).any()


def test_a_row_that_is_no_number_survives(tmp_path: Path) -> None:
    rows = rows_of([1])
    rows[0][0, 0, 0, 0] = np.nan
    assert_same(open_at(tmp_path).write(0, digests_of([1]), rows), rows)
    assert_same(read(open_at(tmp_path), 0, [1]), rows)


@pytest.mark.parametrize("place", [3, 33, 70, -1], ids=["digest", "checksum", "values", "last byte"])
def test_a_damaged_row_is_computed_again_and_the_others_stay(
    tmp_path: Path, place: int, capsys: pytest.CaptureFixture[str]
) -> None:
    expected, _ = fetch_counted(open_at(tmp_path), [1, 2, 3])
    file = the_file(tmp_path)
    content = bytearray(file.read_bytes())
    record = len(content) // 3
    content[(record + place) if place >= 0 else 2 * record - 1] ^= 0x40
    file.write_bytes(content)
    received, computed = fetch_counted(open_at(tmp_path), [1, 2, 3])
    assert computed == 1
    assert_same(received, expected)
    assert ("damaged rows are computed again" in capsys.readouterr().err) == (place != 3)
    again, computed = fetch_counted(open_at(tmp_path), [1, 2, 3])
    assert computed == 0
    assert_same(again, expected)


def test_a_row_that_was_cut_off_is_overwritten(tmp_path: Path) -> None:
    expected, _ = fetch_counted(open_at(tmp_path), [1, 2, 3])
    file = the_file(tmp_path)
    content = file.read_bytes()
    file.write_bytes(content[:-10])
    received, computed = fetch_counted(open_at(tmp_path), [1, 2, 3])
    assert computed == 1
    assert_same(received, expected)
    assert file.read_bytes() == content


def test_holes_that_a_power_cut_leaves_are_noticed(tmp_path: Path) -> None:
    expected, _ = fetch_counted(open_at(tmp_path), [1, 2, 3])
    file = the_file(tmp_path)
    content = file.read_bytes()
    record = len(content) // 3
    file.write_bytes(content[: record + 64] + bytes(2 * record - 64))
    received, computed = fetch_counted(open_at(tmp_path), [1, 2, 3])
    assert computed == 2
    assert_same(received, expected)


def test_rows_in_a_file_that_was_renamed_are_not_believed(tmp_path: Path) -> None:
    open_at(tmp_path).write(0, digests_of([1]), rows_of([1]))
    file = the_file(tmp_path)
    file.rename(file.with_name("1" + file.name[1:]))
    feature_cache = open_at(tmp_path)
    assert read(feature_cache, 1, [1]) is None
    assert feature_cache.damaged == 1


def test_full_feature_cache_keeps_what_it_has_and_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    limit = 2.5 * 10 * ROW_BYTES / 1e9 + 30 * 64 / 1e9
    feature_cache = open_at(tmp_path, gigabytes=limit)
    for view in range(4):
        assert_same(fetch_counted(feature_cache, range(10), view)[0], rows_of(range(10), view))
    error = capsys.readouterr().err
    assert error.count("it has reached its limit of") == 1
    assert "what is not in it is computed each time" in error
    assert feature_cache.stopped
    warm = open_at(tmp_path, gigabytes=limit)
    assert [fetch_counted(warm, range(10), view)[1] for view in range(4)] == [0, 0, 10, 10]


def test_rows_that_were_not_used_for_longest_make_room_for_others(tmp_path: Path) -> None:
    limit = 2.5 * (10 * 64 + 10 * ROW_BYTES) / 1e9
    options: dict[str, Any] = {"gigabytes": limit}
    for name in ("old", "new"):
        fetch_counted(open_at(tmp_path, base={"digest": name}, **options), range(10))
    for number, file in enumerate(sorted(tmp_path.glob("*/*.rows"), key=lambda path: path.stat().st_mtime_ns)):
        os.utime(file, (1000 + number, 1000 + number))
    assert fetch_counted(open_at(tmp_path, base={"digest": "old"}, **options), range(10))[1] == 0, "used again"
    fetch_counted(open_at(tmp_path, base={"digest": "third"}, **options), range(10))
    assert open_at(tmp_path, base={"digest": "old"}, **options).known(0, digests_of(range(10))).all()
    assert not open_at(tmp_path, base={"digest": "new"}, **options).known(0, digests_of(range(10))).any()
    assert sum(file.stat().st_size for file in tmp_path.glob("*/*.rows")) <= limit * 1e9


def test_a_lower_limit_holds_from_the_next_opening_on(tmp_path: Path) -> None:
    for view in range(3):
        fetch_counted(open_at(tmp_path), range(10), view)
        file = max(tmp_path.glob("*/*.rows"), key=lambda path: path.stat().st_mtime_ns)
        os.utime(file, (1000 + view, 1000 + view))
    limit = 1.5 * file.stat().st_size / 1e9
    feature_cache = open_at(tmp_path, gigabytes=limit)
    assert [fetch_counted(feature_cache, range(10), view)[1] for view in (2, 1, 0)] == [0, 10, 10]
    assert sum(file.stat().st_size for file in tmp_path.glob("*/*.rows")) <= limit * 1e9


def test_the_log_tells_what_the_feature_cache_was_good_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for gigabytes in (0, 4, 4):
        with open_at(tmp_path, gigabytes=gigabytes) as feature_cache:
            fetch_counted(feature_cache, range(5))
    assert capsys.readouterr().err == (
        "» feature cache: 0 rows read, 5 written\n» feature cache: 5 rows read, 0 written\n"
    )


def test_rows_that_another_process_deleted_are_written_anew(tmp_path: Path) -> None:
    feature_cache = open_at(tmp_path)
    fetch_counted(feature_cache, range(5))
    assert read(feature_cache, 0, range(5)) is not None
    the_file(tmp_path).unlink()
    assert fetch_counted(feature_cache, range(5, 8))[1] == 3
    assert_same(read(open_at(tmp_path), 0, range(5, 8)), rows_of(range(5, 8)))
    assert not open_at(tmp_path).known(0, digests_of(range(5))).any()


def test_small_disk_means_computing_each_time_with_a_line_that_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(
        "scenebook.network.feature_cache.space.shutil.disk_usage", lambda folder: usage(10**9, 10**9 - 1000, 1000)
    )
    feature_cache = open_at(tmp_path)
    assert_same(fetch_counted(feature_cache, range(5))[0], rows_of(range(5)))
    assert_same(fetch_counted(feature_cache, range(5))[0], rows_of(range(5)))
    assert capsys.readouterr().err.count("the disk has only 0.0 GB left; what is not in it is computed each time") == 1
    assert not list(tmp_path.glob("*/*.rows"))


def test_folder_that_cannot_be_written_means_computing_each_time(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("no folder")
    feature_cache = open_at(tmp_path / "file")
    for _ in range(2):
        assert_same(fetch_counted(feature_cache, range(5))[0], rows_of(range(5)))
    assert capsys.readouterr().err.count("writing failed") == 1


def test_what_another_feature_cache_writes_meanwhile_is_seen(tmp_path: Path) -> None:
    first, second = open_at(tmp_path), open_at(tmp_path)
    fetch_counted(first, [1, 2])
    assert fetch_counted(second, [1, 2, 3])[1] == 1
    assert fetch_counted(first, [3])[1] == 0
    assert the_file(tmp_path).stat().st_size % 3 == 0


WRITER = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from tests.unit.network.feature_cache.test_cache import fetch_counted, open_at
feature_cache = open_at(Path(sys.argv[1]))
order = list(range(40))[:: int(sys.argv[2])]
for view in range(3):
    for start in range(0, 40, 5):
        fetch_counted(feature_cache, order[start : start + 5], view)
print(feature_cache.written)
"""


def test_several_processes_fill_one_feature_cache(tmp_path: Path) -> None:
    root = str(Path(__file__).parents[4])
    command = [sys.executable, "-c", WRITER, str(tmp_path)]
    running = [subprocess.Popen([*command, step, root], stdout=subprocess.PIPE, text=True) for step in ("1", "-1")]
    written = [int(process.communicate(timeout=100)[0]) for process in running]
    assert sum(written) == 120, "no row was written twice"
    feature_cache = open_at(tmp_path)
    for view in range(3):
        assert_same(read(feature_cache, view, range(40)), rows_of(range(40), view))


def test_threads_share_a_feature_cache(tmp_path: Path) -> None:
    feature_cache = open_at(tmp_path)
    failed: list[int] = []

    def work(offset: int) -> None:
        for view in range(10):
            images = [(offset + 3 * step) % 10 for step in range(10)]
            received, _ = fetch_counted(feature_cache, images, view)
            expected = rows_of(images, view)
            failed.extend(view for a, b in zip(received, expected, strict=True) if not np.array_equal(a, b))

    threads = [threading.Thread(target=work, args=(offset,)) for offset in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert feature_cache.written == 100


def test_no_images_are_no_rows(tmp_path: Path) -> None:
    with open_at(tmp_path) as feature_cache:
        assert [array.shape for array in feature_cache.fetch(0, [], lambda missing: [])] == [(0, 2, 3, 5), (0, 7)]


def test_space_counts_only_rows_and_survives_strangers(tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("mine")
    (tmp_path / "abc").mkdir()
    (tmp_path / "abc" / "note.txt").write_text("mine")
    assert make_room(tmp_path, 100, needed=100) is None
    assert make_room(tmp_path, 100, needed=101) == "it has reached its limit of 1e-07 GB (feature_cache_gb)"
    assert (tmp_path / "abc" / "note.txt").exists()
