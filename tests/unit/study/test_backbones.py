"""Backbones side by side: a row and a mark each, and a row that says why one is missing."""

from __future__ import annotations

import numpy as np
import pytest

from scenebook.notebook.figures.backbones import BackbonesDisplay
from scenebook.notebook.prose.backbones import tell_backbones
from scenebook.study.results import select_backbones, tabulate_backbones
from scenebook.study.summaries import Summary, summarize_variants
from tests.unit.study.study import make_base, make_failed, make_records, make_variant

ERROR = "WeightsError: Expected to download the ImageNet weights of VGG16."


def make_summaries() -> list[Summary]:
    """The base, another backbone, and one that is missing."""
    change = {"backbone": "MobileNet", "weights": "imagenet"}
    variants = [make_base(), make_variant("small", change=change), make_variant("absent", seeds=1, change=change)]
    records = [
        *make_records("base", images_per_second=40.0),
        *make_records("small", validation=0.7, draw=1, images_per_second=160.0, settings=change),
        make_failed("absent", error=ERROR),
    ]
    return summarize_variants(variants, records)


@pytest.fixture(scope="module")
def summaries() -> list[Summary]:
    return make_summaries()


def test_the_table_has_accuracy_speed_and_size_and_says_what_is_missing(summaries: list[Summary]) -> None:
    table = tabulate_backbones(summaries, "ResNet50").set_index("backbone")
    assert list(table.index) == ["ResNet50 (base)", "small", "absent"]
    assert table["accuracy (%)"]["small"].startswith("70.0 (")
    assert table["images a second"].tolist()[:2] == ["40", "160"]
    assert table["parameters (millions)"]["ResNet50 (base)"] == "76.0"
    assert table["p"]["small"] == "< 0.001"
    assert table["accuracy (%)"]["absent"].startswith("failed: WeightsError")


def test_the_figure_has_a_mark_with_its_interval_for_each_that_was_trained(summaries: list[Summary]) -> None:
    display = BackbonesDisplay.from_summaries(summaries, "ResNet50").plot()
    first, second = display.ax_
    marks = np.array([container.lines[0].get_xydata()[0] for container in first.containers])
    assert marks.ravel().tolist() == pytest.approx([40, 100 * summaries[0].accuracy["value"], 160, 70])
    assert [container.lines[0].get_xdata()[0] for container in second.containers] == pytest.approx(
        [76.02] * 2, abs=0.01
    )
    assert "small: 70.0%" in display.describe()


def test_the_sentence_names_the_most_accurate_and_the_fastest(summaries: list[Summary]) -> None:
    _, values = tell_backbones(summaries, "ResNet50")
    assert (values["best"], values["fastest"], values["rate"]) == ("ResNet50 (base)", "small", 160)


def test_a_study_without_other_backbones_has_none() -> None:
    variants = [make_base(), make_variant("hot")]
    assert select_backbones(summarize_variants(variants, make_records("base"))) == []
