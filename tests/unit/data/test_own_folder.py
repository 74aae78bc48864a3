"""Folders as people have them: every trouble at once, and what is said about it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from scenebook.core.errors import DatasetError
from scenebook.core.run_directory import RunDirectory
from scenebook.core.run_files import IMAGES
from scenebook.data.decoding import Decoder, decode, decode_unchanged
from scenebook.data.finding import check_sizes, check_unchanged, find_images
from scenebook.data.splitting import draw_images, split_images, write_splits
from scenebook.data.storing import DecodedImages, decode_images
from scenebook.notebook.prose.data import tell_found
from tests.conftest import MakeFolder, write_image
from tests.troubled import Truth, encode_bomb, encode_png16, make_troubled


@pytest.fixture(scope="module")
def truth(tmp_path_factory: pytest.TempPathFactory) -> Truth:
    return make_troubled(tmp_path_factory.mktemp("own") / "images")


@pytest.fixture(scope="module")
def decoded(truth: Truth) -> DecodedImages:
    run_dir = RunDirectory(truth.root.parent / "run")
    decoded = decode_images(find_images(truth.root), run_dir, image_size=32)
    splits = split_images(decoded.table, validation_fraction=0.2, test_fraction=0.2, seed=0)
    write_splits(run_dir, splits)
    return decoded


def test_every_image_is_used_and_everything_else_is_set_aside_with_its_reason(
    truth: Truth, decoded: DecodedImages
) -> None:
    assert dict(zip(decoded.table["path"], decoded.table["label"], strict=True)) == truth.images
    set_aside = dict(find_images(truth.root).set_aside + decoded.set_aside)
    assert set(set_aside) == set(truth.set_aside)
    for path, reason in truth.set_aside.items():
        assert reason in set_aside[path], path
        # A path of the machine, or an address in its memory, says nothing and differs from run to run.
        assert str(truth.root) not in set_aside[path]
        assert "0x" not in set_aside[path]


def test_what_systems_leave_behind_is_counted(truth: Truth) -> None:
    assert find_images(truth.root).passed_over == truth.passed_over


def test_the_pixels_of_every_row_are_those_of_its_file(truth: Truth, decoded: DecodedImages) -> None:
    stored = np.load(decoded.file)
    assert stored.shape == (len(truth.images), 32, 32, 3)
    for row, path in enumerate(decoded.table["path"]):
        assert (stored[row] == decode(truth.root / path, (32, 32))).all(), path


def test_names_of_every_kind_come_back_from_the_splits_table(truth: Truth, decoded: DecodedImages) -> None:
    splits = RunDirectory(truth.root.parent / "run").read_csv("data/splits.csv")
    assert set(splits["path"]) == set(truth.images)
    assert list(splits.columns) == ["path", "label", "split", "sha256", "width", "height", "row"]
    measures = RunDirectory(truth.root.parent / "run").read_csv("data/measures.csv")
    assert list(measures["path"]) == list(decoded.table["path"])
    assert (measures["phash"] == decoded.table["phash"]).all()


def test_a_second_run_on_it_decodes_only_what_could_not_be_read(
    truth: Truth, decoded: DecodedImages, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[Path | bytes] = []

    class Counting(Decoder):
        def decode(self, source: Path | bytes) -> np.ndarray:
            tried.append(source)
            return super().decode(source)

    monkeypatch.setattr("scenebook.data.storing.Decoder", Counting)
    again = decode_images(find_images(truth.root), RunDirectory(truth.root.parent / "run"), image_size=32)
    assert again.known == len(truth.images)
    assert again.table.equals(decoded.table)
    assert again.set_aside == decoded.set_aside
    assert len(tried) == len(decoded.set_aside)


def test_what_is_not_simply_used_is_said(truth: Truth) -> None:
    found = find_images(truth.root)
    said = " ".join(text.format(**values) for text, values in tell_found(found))
    assert "Thumbs.db files (1)" in said
    assert "how letters are stored: Sea and sea" in said


def test_a_clean_folder_needs_no_words(make_folder: MakeFolder) -> None:
    assert not list(tell_found(find_images(make_folder({"cat": 2, "dog": 2}))))


def test_a_folder_or_file_without_permission_is_set_aside() -> None:
    root = Path(
        tempfile.mkdtemp(dir=os.environ["PYTEST_DEBUG_TEMPROOT"])
    )  # the tests' own are closed to others as well
    root.chmod(0o755)
    images = [write_image(root / label / f"{number}.png", number) for label in "ab" for number in range(4)]
    (root / "b" / "closed").mkdir()
    write_image(root / "b" / "closed" / "x.png")
    images[0].chmod(0)
    (root / "b" / "closed").chmod(0)
    me = os.geteuid()
    try:
        if me == 0:  # nothing is closed to the administrator
            os.seteuid(65534)
        found = find_images(root)
    finally:
        os.seteuid(me)
    assert found.set_aside == [("b/closed/", "a folder that cannot be read: Permission denied")]
    try:
        if me == 0:
            os.seteuid(65534)
        with pytest.raises(OSError, match="Permission denied"):
            decode(images[0])
    finally:
        os.seteuid(me)
        (root / "b" / "closed").chmod(0o755)
        shutil.rmtree(root)


def test_loose_images_beside_train_and_test_are_said(make_folder: MakeFolder) -> None:
    make_folder({"cat": 2, "dog": 2}, "train")
    root = make_folder({"cat": 2, "dog": 2}, "test")
    for loose in ("loose.png", "train/loose.png"):
        write_image(root / loose)
    assert [path for path, _ in find_images(root).set_aside] == ["loose.png", "train/loose.png"]


def test_a_class_folder_that_is_a_link_out_is_refused(make_folder: MakeFolder, tmp_path: Path) -> None:
    root = make_folder({"cat": 2, "dog": 2})
    write_image(tmp_path / "elsewhere" / "secret.png")
    (root / "emu").symlink_to(tmp_path / "elsewhere")
    found = find_images(root)
    assert found.set_aside == [("emu", "a link that leaves the folder")]
    assert found.class_names == ["cat", "dog"]


def test_16_bits_a_channel_become_the_upper_8(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 2**16, (5, 7, 3)).astype(np.uint16)
    (tmp_path / "deep.png").write_bytes(encode_png16(pixels))
    assert (decode(tmp_path / "deep.png") == pixels >> 8).all()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif"])
def test_every_orientation_of_every_format_that_has_one(tmp_path: Path, orientation: int, suffix: str) -> None:
    upright = np.zeros((48, 32, 3), dtype=np.uint8)
    upright[:24, :16] = 255  # the upper left is white
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: np.rot90(upright, 1),
        7: np.rot90(upright, 2).transpose(1, 0, 2),
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f"turned{suffix}"
    Image.fromarray(np.ascontiguousarray(stored)).save(path, exif=exif, quality=95)
    assert np.abs(decode(path).astype(int) - upright).mean() < 3


@pytest.mark.parametrize("mode", ["I", "F"])
def test_pixels_without_a_known_white_are_refused(tmp_path: Path, mode: str) -> None:
    values = np.full((4, 4), 70_000, dtype=np.int32 if mode == "I" else np.float32)
    Image.fromarray(values).save(tmp_path / "x.tif")
    with pytest.raises(OSError, match="cannot be known"):
        decode(tmp_path / "x.tif")


def test_transparent_becomes_white_in_every_format(tmp_path: Path) -> None:
    clear = Image.new("RGBA", (8, 8), (255, 0, 0, 0))
    for suffix in (".png", ".webp", ".tif", ".gif"):
        clear.save(tmp_path / f"clear{suffix}", lossless=True)
        assert (decode(tmp_path / f"clear{suffix}") == 255).all(), suffix


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".tif", ".png"])
def test_of_many_frames_the_first_is_taken(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"moving{suffix}"
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "lime", "blue")]
    frames[0].save(path, save_all=True, append_images=frames[1:], lossless=True)
    assert (decode(path) == (255, 0, 0)).all()


def test_a_pipe_in_place_of_a_image_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x.png")
    with pytest.raises(OSError, match="no regular file"):
        decode(tmp_path / "x.png")


@pytest.mark.parametrize("suffix", [".png", ".gif", ".webp", ".tif", ".bmp"])
def test_a_image_over_the_limit_is_not_decoded(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"large{suffix}"
    Image.new("L", (1100, 1000)).save(path)
    with pytest.raises(OSError, match=r"1,100 x 1,000 pixels are more than max_megapixels=1"):
        decode(path, max_megapixels=1)
    assert decode(path, max_megapixels=2).shape == (1000, 1100, 3)


def test_a_bomb_costs_no_memory(tmp_path: Path) -> None:
    bomb = tmp_path / "bomb.png"
    bomb.write_bytes(encode_bomb(30_000))
    assert bomb.stat().st_size < 200_000
    # The largest memory of a process never shrinks: only one of its own can tell.
    code = """
import pathlib, resource, sys
from scenebook.data.decoding import decode
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    decode(pathlib.Path(sys.argv[1]))
except OSError as error:
    print(error)
assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < before + 50_000
"""
    done = subprocess.run([sys.executable, "-c", code, str(bomb)], capture_output=True, text=True, check=True)
    assert "30,000 x 30,000 pixels are more than max_megapixels=64" in done.stdout


def test_a_format_outside_the_list_is_not_opened(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "x.ppm")
    (tmp_path / "x.ppm").rename(tmp_path / "x.png")
    with pytest.raises(OSError, match="not a JPEG, PNG, WebP, BMP, TIFF, GIF or AVIF image"):
        decode(tmp_path / "x.png")


def test_damaged_orientation_data_leave_the_pixels_usable(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (20, 10), "red").save(tmp_path / "x.jpg", exif=exif)
    content = (tmp_path / "x.jpg").read_bytes()
    assert decode(content.replace(b"MM\0*", b"MM\0\xff").replace(b"II*\0", b"II\xff\0")).shape == (10, 20, 3)


# A subset, drawn before anything is decoded


def test_a_subset_is_drawn_before_decoding_and_split_as_the_whole_would_be(
    make_folder: MakeFolder, run_dir: RunDirectory
) -> None:
    found = find_images(make_folder({"cat": 40, "dog": 10}))
    drawn, again, other = (draw_images(found, max_per_class=4, test_fraction=0.2, seed=seed) for seed in (0, 0, 1))
    assert drawn.images == again.images != other.images
    assert drawn.drawn_from == 50
    assert len(drawn.images) == 8 + 6
    table = decode_images(drawn, run_dir, image_size=16).table
    splits = split_images(table, validation_fraction=0.25, test_fraction=0.2, seed=0, max_per_class=4)
    counts = pd.crosstab(splits["label"], splits["split"])
    assert counts.loc["cat"].to_dict() == {"test": 4, "train": 3, "validation": 1}
    assert counts.loc["dog"].to_dict() == {"test": 2, "train": 3, "validation": 1}


def test_a_subset_of_ready_made_splits(make_folder: MakeFolder) -> None:
    make_folder({"cat": 8, "dog": 3}, "train")
    found = find_images(make_folder({"cat": 6, "dog": 6}, "test"))
    drawn = draw_images(found, max_per_class=4, test_fraction=0.2, seed=0)
    counts = pd.Series([f"{image.split} {image.label}" for image in drawn.images]).value_counts()
    assert counts.to_dict() == {"train cat": 4, "train dog": 3, "test cat": 4, "test dog": 4}


@pytest.mark.parametrize(("train", "test"), [(2, 0), (1, 5)])
def test_a_class_too_small_to_be_split_is_refused_before_anything_is_decoded(
    make_folder: MakeFolder, train: int, test: int
) -> None:
    root = make_folder({"cat": train, "dog": 9}, "train" if test else ".")
    if test:
        make_folder({"cat": test, "dog": test}, "test")
    with pytest.raises(DatasetError, match=rf"at least {train + 1} images.*class='cat', images={train}"):
        check_sizes(find_images(root))


# Groups stay together


def make_table(labels: str, splits: Sequence[str] | None = None) -> pd.DataFrame:
    given: list[str | None] = [*splits] if splits else [None] * len(labels)
    split = pd.Series(given, dtype=object)
    return pd.DataFrame({"path": range(len(labels)), "label": list(labels), "split": split})


@pytest.mark.parametrize("seed", range(20))
def test_a_group_never_straddles_what_is_cut(seed: int) -> None:
    rng = np.random.default_rng(seed)
    table = make_table("a" * 60 + "b" * 40)
    groups = np.where(rng.random(100) < 0.5, rng.integers(0, 15, 100), -1)  # groups of about 3, some across classes
    splits = split_images(table, validation_fraction=0.2, test_fraction=0.2, seed=seed, groups=groups)
    together = splits[splits["group"] >= 0].groupby("group")["split"].nunique()
    assert (together == 1).all()
    assert len(splits) == 100
    counts = pd.crosstab(splits["label"], splits["split"])
    assert counts.to_numpy().min() > 0
    assert counts.loc["a"].to_dict()["test"] == 12
    assert list(splits["group"]) == list(groups)


def test_without_groups_and_with_lonely_ones_the_split_is_the_same() -> None:
    table = make_table("a" * 30 + "b" * 20)
    options = {"validation_fraction": 0.2, "test_fraction": 0.2, "seed": 3}
    plain = split_images(table, **options)  # type: ignore[arg-type]
    lonely = split_images(table, **options, groups=[-1] * 50)  # type: ignore[arg-type]
    assert plain["split"].equals(lonely["split"])


def test_groups_do_not_move_a_ready_made_test_split() -> None:
    table = make_table("ab" * 20, ["train"] * 30 + ["test"] * 10)
    splits = split_images(
        table, validation_fraction=0.3, test_fraction=0.2, seed=0, groups=[position % 5 for position in range(40)]
    )
    assert list(splits["split"][30:]) == ["test"] * 10
    assert (splits[:30].groupby("group")["split"].nunique() == 1).all()


def test_a_class_of_copies_cannot_be_split() -> None:
    with pytest.raises(DatasetError, match=r"at least 3 different images.*class='a', images=6.*other=1.*Copies"):
        split_images(
            make_table("a" * 6 + "b" * 6), validation_fraction=0.2, test_fraction=0.2, seed=0, groups=[7] * 6 + [-1] * 6
        )


# A folder that changes


def change(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def test_a_class_of_copies_of_another_classes_images_is_named() -> None:
    groups = [*range(12), 0, 1, 2]
    with pytest.raises(DatasetError, match=r"each split\. Received: class='b', images=3\. Some of them are copies"):
        split_images(make_table("a" * 12 + "b" * 3), validation_fraction=0.1, test_fraction=0.1, seed=0, groups=groups)


@pytest.mark.parametrize("second", ["training", "Train"])
def test_of_two_training_folders_none_is_passed_over(make_folder: MakeFolder, second: str) -> None:
    root = make_folder({f"{folder}/{name}": 2 for folder in ("train", second, "test") for name in ("cat", "dog")})
    with pytest.raises(DatasetError, match="Expected one folder for train"):
        find_images(root)


@pytest.mark.parametrize("kind", ["changed", "removed", "added"])
def test_a_folder_that_changes_is_noticed_and_the_files_are_named(make_folder: MakeFolder, kind: str) -> None:
    root = make_folder({"cat": 3, "dog": 3})
    found = find_images(root)
    check_unchanged(found)
    if kind == "changed":
        change(root / "cat" / "001.png")
    elif kind == "removed":
        (root / "cat" / "001.png").unlink()
    else:
        write_image(root / "cat" / "001b.png")
    with pytest.raises(DatasetError, match=rf"stay as it is during a run\. Received: {kind}=\['cat/001b?\.png'\]"):
        check_unchanged(found)


def test_a_image_that_changed_is_not_shown_as_the_one_that_was_used(
    make_folder: MakeFolder, run_dir: RunDirectory
) -> None:
    root = make_folder({"cat": 3, "dog": 3})
    table = decode_images(find_images(root), run_dir, image_size=16).table
    paths = ["dog/000.png", "cat/000.png", "cat/001.png"]
    shown = decode_unchanged(root, paths, table, (16, 16))
    assert (shown[0] == np.load(run_dir.path("data/images.npy"))[3]).all()
    change(root / "cat" / "000.png")
    (root / "cat" / "001.png").unlink()
    with pytest.raises(DatasetError, match=r"changed=\['cat/000\.png'\], removed=\['cat/001\.png'\]"):
        decode_unchanged(root, paths, table)


# What an earlier run found out


def test_a_second_run_reads_no_unchanged_file_and_sees_every_changed_one(
    make_folder: MakeFolder, run_dir: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = make_folder({"cat": 5, "dog": 5})
    (root / "cat" / "broken.png").write_bytes(b"x")

    def run() -> tuple[DecodedImages, np.ndarray]:
        decoded = decode_images(find_images(root), run_dir, image_size=16)
        return decoded, np.load(decoded.file)

    first, pixels = run()
    assert first.known == 0
    second, same = run()
    assert second.known == 10
    assert second.table.equals(first.table)
    assert second.set_aside == first.set_aside
    assert (same == pixels).all()
    write_image(root / "dog" / "002.png", seed=99)
    write_image(root / "ant.png").rename(root / "dog" / "added.png")
    (root / "cat" / "000.png").unlink()
    third, other = run()
    assert third.known == 8
    for row, path in enumerate(third.table["path"]):
        assert (other[row] == decode(root / path, (16, 16))).all(), path
    fresh = RunDirectory(run_dir.root.parent / "fresh")
    monkeypatch.setenv("SCENEBOOK_CACHE", str(run_dir.root.parent / "empty cache"))
    assert decode_images(find_images(root), fresh, image_size=16).table.equals(third.table)


def test_an_unchanged_folder_is_not_decoded_again(
    make_folder: MakeFolder, run_dir: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = find_images(make_folder({"cat": 5, "dog": 5}))
    before = decode_images(found, run_dir, image_size=16)
    pixels, then = np.load(before.file), before.file.stat()
    monkeypatch.setattr("scenebook.data.storing.Decoder.decode", None)
    after = decode_images(found, run_dir, image_size=16)
    assert after.table.equals(before.table)
    assert (np.load(after.file) == pixels).all()
    # The pipeline takes a file for made by this run only when its time is new.
    assert after.file.stat().st_mtime_ns > then.st_mtime_ns


def test_stored_pixels_that_were_tampered_with_or_of_another_size_are_not_used(
    make_folder: MakeFolder, run_dir: RunDirectory
) -> None:
    found = find_images(make_folder({"cat": 5, "dog": 5}))
    first = decode_images(found, run_dir, image_size=16)
    pixels = np.load(first.file)
    change(first.file)
    assert (np.load(decode_images(found, run_dir, image_size=16).file) == pixels).all()
    assert np.load(decode_images(found, run_dir, image_size=8).file).shape == (10, 8, 8, 3)


def test_stored_pixels_that_were_made_to_fit_in_another_way_are_not_used(
    make_folder: MakeFolder, run_dir: RunDirectory
) -> None:
    root = make_folder({"cat": 3, "dog": 3})
    wide = Image.linear_gradient("L").resize((60, 30)).convert("RGB")
    wide.save(root / "cat" / "wide.png")
    found = find_images(root)
    for fit in ("squash", "crop", "pad", "squash"):
        table = decode_images(found, run_dir, image_size=16, fit=fit).table
        row = list(table["path"]).index("cat/wide.png")
        assert (np.load(run_dir.path(IMAGES))[row] == decode(root / "cat/wide.png", (16, 16), fit)).all()


@pytest.mark.parametrize("damage", ["garbage", "folder", "file instead of the folder"])
def test_a_cache_that_cannot_be_used_costs_time_only(
    make_folder: MakeFolder, run_dir: RunDirectory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    cache = tmp_path / "cache"
    monkeypatch.setenv("SCENEBOOK_CACHE", str(cache))
    if damage == "garbage":
        cache.mkdir()
        (cache / "facts-1.sqlite").write_bytes(b"garbage" * 1000)
    elif damage == "folder":
        (cache / "facts-1.sqlite").mkdir(parents=True)
    else:
        cache.write_bytes(b"")
    found = find_images(make_folder({"cat": 3, "dog": 3}))
    assert len(decode_images(found, run_dir, image_size=16).table) == 6
    assert (decode_images(found, run_dir, image_size=16).known == 6) == (damage == "garbage")


def test_pixels_that_do_not_fit_on_the_disk_are_an_error_before_anything_is_decoded(
    make_folder: MakeFolder, run_dir: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = find_images(make_folder({"cat": 3, "dog": 3}))
    usage = shutil.disk_usage(run_dir.root.parent.parent)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=1000))
    with pytest.raises(DatasetError, match=r"space for the pixels of 6 images.*image_size=16"):
        decode_images(found, run_dir, image_size=16)


def test_a_lower_limit_holds_for_known_images_too(make_folder: MakeFolder, run_dir: RunDirectory) -> None:
    root = make_folder({"cat": 3, "dog": 3})
    Image.new("L", (1200, 1000)).save(root / "cat" / "large.png")
    found = find_images(root)
    assert not decode_images(found, run_dir, image_size=16, max_megapixels=2).set_aside
    set_aside = decode_images(found, run_dir, image_size=16, max_megapixels=1).set_aside
    assert [path for path, _ in set_aside] == ["cat/large.png"]


def test_where_there_is_no_shared_memory_threads_do_the_work() -> None:
    mount = 'mount -t tmpfs -o ro none /dev/shm && exec "$@"'
    hidden = ["unshare", "--mount", "--map-root-user", "sh", "-c", mount, "sh"]
    if subprocess.run([*hidden, "true"], capture_output=True, check=False).returncode:
        pytest.skip("namespaces are refused here")
    code = "from scenebook.data.pools import open_pool\n"
    code += "with open_pool(9, worth_processes=1) as (pool, workers): print(pool.submit(abs, -7).result())"
    done = subprocess.run([*hidden, sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == "7\n", done.stderr


def test_many_images_are_decoded_by_processes_with_the_same_result(
    make_folder: MakeFolder, run_dir: RunDirectory, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    found = find_images(make_folder({"cat": 70, "dog": 70}))
    monkeypatch.setenv("SCENEBOOK_CACHE", str(tmp_path / "one"))
    by_threads = decode_images(found, run_dir, image_size=16)
    monkeypatch.setenv("SCENEBOOK_CACHE", str(tmp_path / "two"))
    monkeypatch.setattr("scenebook.data.storing._WORTH_PROCESSES", 1)
    by_processes = decode_images(found, RunDirectory(tmp_path / "runs" / "two"), image_size=16)
    assert by_processes.table.equals(by_threads.table)
    assert (np.load(by_processes.file) == np.load(by_threads.file)).all()
