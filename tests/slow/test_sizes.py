"""Whole runs on folders of very many classes, and of classes with hardly any images: `make sizes` makes them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from bs4 import BeautifulSoup
from PIL import Image
from pypdf import PdfReader

from tests.processes import Finished, run_command

pytestmark = pytest.mark.slow

SMALL = {
    "sample": "image_size=32 head_units=4 epochs=1",
    "quick": "image_size=32",
    "recommended": "image_size=32 fine_tune_epochs=1 fine_tune_layers=9 views=1",
}
MOST_PAGES = 20


def write_classes(root: Path, classes: int, train: int, test: int, size: int = 32) -> Path:
    """Writes tiny images whose colours differ from class to class; without test images, no test folder either."""
    rng = np.random.default_rng(0)
    for number in range(classes):
        hue = rng.integers(0, 255, 3)
        for split, count in {"train": train, "test": test}.items() if test else [("", train)]:
            folder = root / split / f"a class {number:04d}"
            folder.mkdir(parents=True, exist_ok=True)
            for image in range(count):
                # Smoother ones would count as copies of one another.
                coarse = (0.4 * hue + 0.6 * rng.integers(0, 255, (8, 8, 3))).astype(np.uint8)
                Image.fromarray(coarse).resize((size, size), Image.Resampling.BICUBIC).save(folder / f"{image}.png")
    return root


def report(folder: Path, profile: str, settings: str) -> Finished:
    data = str(folder / "images")
    command = ("report", "--profile", profile, "--dataset", data, "--run", "sizes", "--set", settings)
    return run_command(folder, "sizes", *command)


# The fewest images that are accepted, and those that are not, with every profile; more of them with one each.
FEW = [(2, 1, 0, 3), (2, 2, 0, 3), (3, 1, 2, 3), (2, 3, 0, 1), (2, 2, 1, 3)]
MORE = [("quick", 3, 4, 0, 3), ("sample", 5, 3, 0, 5), ("recommended", 4, 5, 1, 7)]


@pytest.mark.parametrize(
    ("profile", "classes", "train", "test", "batch"),
    [*((profile, *counts) for profile in SMALL for counts in FEW), *MORE],
)
def test_what_is_accepted_ends_with_a_report(
    tmp_path: Path, profile: str, classes: int, train: int, test: int, batch: int
) -> None:
    write_classes(tmp_path / "images", classes, train, test)
    batch_size = f" batch_size={batch}" if profile != "quick" else ""
    done = report(tmp_path, profile, SMALL[profile] + batch_size)
    if train < (2 if test else 3):  # one each for training and validation, and for test if it is cut
        assert done.returncode == 2, done.output
        assert "Expected at least" in done.output
        assert not done.run_dir.path("data/images.npy").exists()
    else:
        assert done.returncode == 0, done.output
        assert (done.build_dir / "report.pdf").is_file()
        assert "retracing" not in (done.build_dir / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("classes", [30, 300, 1000])
def test_lists_stay_short_however_many_classes_there_are(tmp_path: Path, classes: int) -> None:
    write_classes(tmp_path / "images", classes, train=3, test=1)
    done = report(tmp_path, "quick", SMALL["quick"])
    assert done.returncode == 0, done.output
    page = BeautifulSoup((done.build_dir / "report.html").read_text(encoding="utf-8"), "html.parser")
    for told in page.select("main p, main figcaption, main td"):
        assert told.get_text().count("a class ") < 40, told.get_text()[:600]
    for image in page.select("main img"):
        assert str(image["alt"]).count("a class ") < 130
    assert all(len(grid.select("li")) < 150 for grid in page.select("main ul.images"))
    assert len(PdfReader(done.build_dir / "report.pdf").pages) <= MOST_PAGES
