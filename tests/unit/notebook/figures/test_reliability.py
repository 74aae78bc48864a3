from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from scenebook.core.errors import InputError
from scenebook.notebook.figures import style
from scenebook.notebook.figures.reliability import ReliabilityDisplay


def make_bins(n: int = 40) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "from": [0.5, 0.9], "to": [0.6, 1.0], "n": [n, 2 * n], "right": [0, 2 * n], "confidence": [0.55, 0.97],
            "accuracy": [0.0, 1.0], "low": [0.0, 0.93], "high": [0.09, 1.0],
        }
    )  # fmt: skip


def test_accuracy_stands_at_the_mean_confidence_of_its_bin_with_its_interval() -> None:
    display = ReliabilityDisplay.from_bins(make_bins()).plot()
    points = display.ax_[0].containers[0]
    np.testing.assert_allclose(points[0].get_xydata(), [[0.55, 0.0], [0.97, 1.0]])
    segments = points[2][0].get_segments()
    np.testing.assert_allclose([part[:, 1] for part in segments], [[0.0, 0.09], [0.93, 1.0]])
    assert display.ax_[0].get_legend_handles_labels()[1] == ["calibrated", "as trained"]


def test_both_states_differ_by_more_than_colour_and_have_their_counts() -> None:
    display = ReliabilityDisplay.from_bins(make_bins(), make_bins(30)).plot()
    first, second = (container[0] for container in display.ax_[0].containers)
    assert first.get_marker() != second.get_marker()
    bars = [[bar.get_height() for bar in bars] for bars in display.ax_[1].containers]
    assert bars == [[40, 80], [30, 60]]
    assert display.ax_[1].containers[1][0].get_hatch()
    edges = [bar.get_x() for bars in display.ax_[1].containers for bar in bars]
    assert len(set(edges)) == 4


def test_the_same_bins_are_the_same_bytes() -> None:
    first, second = (
        style.to_svg(ReliabilityDisplay.from_bins(make_bins(), make_bins(3)).plot().figure_) for _ in range(2)
    )
    assert first == second


def test_the_description_holds_every_bin() -> None:
    text = ReliabilityDisplay.from_bins(make_bins(600), make_bins(1)).describe()
    assert text == (
        "Accuracy by confidence: confidence 50% to 60%: 0% of 600 right; confidence 90% to 100%: 100% of 1,200 right. "
        "With the temperature: confidence 50% to 60%: 0% of 1 right; confidence 90% to 100%: 100% of 2 right."
    )


@pytest.mark.parametrize("bins", [make_bins().iloc[:0], make_bins().drop(columns="low")])
def test_bins_that_lack_something_are_an_error(bins: pd.DataFrame) -> None:
    with pytest.raises(InputError, match=r"Expected at least one bin, with the columns from, .*Received: columns="):
        ReliabilityDisplay.from_bins(bins)
    with pytest.raises(InputError, match="Expected at least one bin"):
        ReliabilityDisplay.from_bins(make_bins(), bins)
