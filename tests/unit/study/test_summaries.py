from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from scenebook.core.errors import ScenebookError
from scenebook.evaluation.metrics.intervals import compare_paired
from scenebook.notebook.figures.backbones import BackbonesDisplay
from scenebook.notebook.prose.backbones import tell_backbones
from scenebook.study.results import select_backbones, tabulate_backbones
from scenebook.study.summaries import Summary, summarize_variants
from tests.unit.study.study import make_base, make_failed, make_record, make_records, make_variant

PLAN = [make_base(), make_variant("v", "epochs")]


def summarize_one(*records: object) -> Summary:
    return summarize_variants(PLAN, [*make_records("base"), *records])[1]  # type: ignore[list-item]


def test_a_variant_is_compared_on_the_images_of_all_seeds_that_it_has() -> None:
    variant, base = make_records("v", seeds=2, validation=0.8, draw=1), make_records("base")
    found = summarize_variants(PLAN, [*reversed(base), *reversed(variant)])[1].comparison
    assert found is not None
    right, base_right = (np.concatenate([one.val_right for one in records[:2]]) for records in (variant, base))
    expected = compare_paired(right, base_right)
    assert (found.accuracy, found.p, found.images) == (expected["difference"], expected["p"], 300)
    np.testing.assert_allclose(found.accuracies, [-0.05, -0.05], atol=0.007)


def test_the_base_is_compared_with_nothing() -> None:
    assert summarize_variants(PLAN, make_records("base"))[0].comparison is None
    assert summarize_variants(PLAN, make_records("v"))[1].comparison is None


def test_seeds_that_the_base_lacks_are_not_compared() -> None:
    summaries = summarize_variants(PLAN, [make_record("base", 2), *make_records("v")])
    assert summaries[1].comparison is not None
    assert summaries[1].comparison.images == 150
    assert summarize_variants(PLAN, [make_record("base", 2), make_record("v", 0)])[1].comparison is None


def test_the_status_tells_what_is_missing() -> None:
    assert summarize_one(*make_records("v")).status == "done"
    assert summarize_one(*make_records("v", seeds=2)).status == "incomplete"
    assert summarize_one(make_record("v"), make_failed("v", 1), make_failed("v", 2)).status == "incomplete"
    assert summarize_one(make_failed("v")).status == "failed"
    assert summarize_one().status == "not run"


def test_notes_and_errors_say_what_went_wrong() -> None:
    assert summarize_one(*make_records("v")).note == ""
    assert summarize_one(make_record("v", 1)).note == "1 of 3 seeds"
    assert summarize_one(make_failed("v")).note == "diverged"
    broken = summarize_one(make_failed("v", 1, "ValueError: no"), make_failed("v", 0))
    assert broken.note == "diverged"
    assert broken.diverged == 1
    assert broken.error.startswith("seed 0: DivergedError: Expected")
    assert broken.error.endswith("; seed 1: ValueError: no")
    assert summarize_one(make_failed("v", 1, "ValueError: no")).note == "failed"


def test_records_of_variants_that_the_plan_lacks_are_left_out() -> None:
    assert len(summarize_variants(PLAN, [*make_records("base"), *make_records("other")])) == 2


def test_other_images_for_the_same_seed_are_an_error() -> None:
    base, other = make_record("base"), make_record("v")
    moved = replace(other, val_paths=[*other.val_paths[1:], other.val_paths[0]])
    with pytest.raises(ScenebookError, match=r"the same images for the same seed\. Received: variant='v', seed=0"):
        summarize_variants(PLAN, [base, moved])


def test_what_the_test_leaves_to_chance_is_left_to_chance() -> None:
    # Of 150 images the variant loses 6 and gains none: the interval leaves 0 out, McNemar's exact p is 0.031.
    base = make_record("base", validation=1)
    right = base.val_right.copy()
    right[:6] = False
    found = summarize_variants(PLAN, [base, replace(make_record("v", validation=1), val_right=right)])[1].comparison
    assert found is not None
    assert found.accuracy_direction == -1
    right[5] = True
    found = summarize_variants(PLAN, [base, replace(make_record("v", validation=1), val_right=right)])[1].comparison
    assert found is not None
    assert found.accuracy["high"] < 0
    assert found.p == pytest.approx(0.0625)
    assert found.accuracy_direction == 0


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
