from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from scenebook.notebook.figures import style
from scenebook.notebook.figures.trust import MOST_POINTS, CoverageDisplay, ProjectionDisplay, ReliabilityDisplay


def make_bins(n: int = 40) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "from": [0.5, 0.9], "to": [0.6, 1.0], "n": [n, 2 * n], "right": [0, 2 * n], "confidence": [0.55, 0.97],
            "accuracy": [0.0, 1.0], "low": [0.0, 0.93], "high": [0.09, 1.0],
        }
    )  # fmt: skip


def test_accuracy_stands_at_the_mean_confidence_of_its_bin_with_its_interval() -> None:
    display = ReliabilityDisplay(make_bins()).plot()
    points = display.ax_[0].containers[0]
    np.testing.assert_allclose(points[0].get_xydata(), [[0.55, 0.0], [0.97, 1.0]])
    segments = points[2][0].get_segments()
    np.testing.assert_allclose([part[:, 1] for part in segments], [[0.0, 0.09], [0.93, 1.0]])
    assert display.ax_[0].get_legend_handles_labels()[1] == ["calibrated", "as trained"]


def test_both_states_differ_by_more_than_colour_and_have_their_counts() -> None:
    display = ReliabilityDisplay(make_bins(), make_bins(30)).plot()
    first, second = (container[0] for container in display.ax_[0].containers)
    assert first.get_marker() != second.get_marker()
    bars = [[bar.get_height() for bar in bars] for bars in display.ax_[1].containers]
    assert bars == [[40, 80], [30, 60]]
    assert display.ax_[1].containers[1][0].get_hatch()
    edges = [bar.get_x() for bars in display.ax_[1].containers for bar in bars]
    assert len(set(edges)) == 4


def test_the_same_bins_are_the_same_bytes() -> None:
    first, second = (style.to_svg(ReliabilityDisplay(make_bins(), make_bins(3)).plot().figure_) for _ in range(2))
    assert first == second


def test_the_description_holds_every_bin() -> None:
    text = ReliabilityDisplay(make_bins(600), make_bins(1)).describe()
    assert text == (
        "Accuracy by confidence: confidence 50% to 60%: 0% of 600 right; confidence 90% to 100%: 100% of 1,200 right. "
        "With the temperature: confidence 50% to 60%: 0% of 1 right; confidence 90% to 100%: 100% of 2 right."
    )


def make_curve(n: int, step: int = 1) -> pd.DataFrame:
    counts = np.arange(step, n + 1, step)
    accuracy = 1 - 0.2 * counts / n
    return pd.DataFrame(
        {"n": counts, "coverage": counts / n, "accuracy": accuracy, "low": accuracy - 0.05, "high": accuracy + 0.01}
    )


def test_the_curve_leaves_out_the_first_few_images_and_ends_with_all() -> None:
    curve = make_curve(100)
    display = CoverageDisplay.from_curve(curve).plot()
    line, level = display.ax_.get_lines()
    np.testing.assert_allclose(np.asarray(line.get_xydata()), curve[["coverage", "accuracy"]].iloc[19:])
    assert np.unique(np.asarray(level.get_ydata())).tolist() == [curve["accuracy"].iloc[-1]]


def test_many_points_are_thinned_and_keep_their_ends() -> None:
    display = CoverageDisplay.from_curve(make_curve(7301))
    assert len(display.curve) == 150
    assert (display.curve["n"].iloc[0], display.curve["n"].iloc[-1]) == (20, 7301)


@pytest.mark.parametrize("curve", [make_curve(1), make_curve(5), make_curve(40, step=40)])
def test_few_points_show_as_points(curve: pd.DataFrame) -> None:
    display = CoverageDisplay.from_curve(curve).plot()
    assert len(display.curve) == 1
    assert display.ax_.get_lines()[0].get_marker() == "o"
    display.figure_.canvas.draw()


def test_the_same_curve_is_the_same_bytes() -> None:
    first, second = (style.to_svg(CoverageDisplay.from_curve(make_curve(60)).plot().figure_) for _ in range(2))
    assert first == second


def test_the_description_says_what_some_shares_gain() -> None:
    text = CoverageDisplay.from_curve(make_curve(100)).describe()
    assert text == (
        "Accuracy on the images with the highest confidence, by their share of all images: "
        "80.0% at 100%; 82.0% at 90%; 84.0% at 80%; "
        "86.0% at 70%; 88.0% at 60%; 90.0% at 50%."
    )
    assert CoverageDisplay.from_curve(make_curve(3)).describe().endswith("of all images: 80.0% at 100%.")


def make_display(k: int = 3, n: int = 60, wrong: int = 5, name: str = "class {}") -> ProjectionDisplay:
    """A map of `n` images of `k` classes, the first of which are given another class."""
    names = [name.replace("{}", str(number)) for number in range(k)]
    points = np.random.default_rng(0).normal(size=(n, 2))
    labels = [names[number % k] for number in range(n)]
    predicted = [names[(number + (number < wrong)) % k] for number in range(n)]
    table = pd.DataFrame({"label": labels, "predicted": predicted, "x": points[:, 0], "y": points[:, 1]})
    return ProjectionDisplay.from_table(table, names)


def legend_of(display: ProjectionDisplay) -> list[str]:
    legend = display.plot().ax_.get_legend()
    assert legend is not None
    return [text.get_text() for text in legend.get_texts()]


def test_every_image_is_a_point_and_every_error_a_cross() -> None:
    display = make_display().plot()
    *classes, crosses = (np.asarray(drawn.get_offsets()) for drawn in display.ax_.collections)
    assert [len(points) for points in classes] == [20, 20, 20]
    np.testing.assert_array_equal(crosses, display.points[display.wrong])
    assert legend_of(display) == ["class 0", "class 1", "class 2", "wrong"]


def test_of_many_classes_those_with_most_errors_are_coloured() -> None:
    display = make_display(k=60, n=600, wrong=10)
    assert display.colored == list(range(8))
    assert legend_of(display)[-2:] == ["52 other classes", "wrong"]


def test_of_many_images_some_are_drawn_by_lot_and_always_the_same_ones() -> None:
    first, again = (make_display(n=5000, wrong=1000) for _ in range(2))
    assert len(first.shown) == MOST_POINTS
    assert first.left_out == 3500
    assert 0.17 < first.wrong[first.shown].mean() < 0.23
    np.testing.assert_array_equal(first.shown, again.shown)
    assert style.to_svg(first.plot().figure_) == style.to_svg(again.plot().figure_)


def test_long_names_leave_the_map_its_width() -> None:
    display = make_display(60, 120, 9, "class <b>{}</b> with a long name {}").plot()
    display.figure_.canvas.draw()
    assert display.ax_.get_position().width > 0.7


def test_all_right_all_wrong_and_one_image_are_drawn() -> None:
    for wrong in (0, 60):
        make_display(wrong=wrong).plot().figure_.canvas.draw()
    one = make_display(k=2, n=1, wrong=0)
    one.plot().figure_.canvas.draw()
    assert "class 1" not in one.describe().split("On average")[1].split("Crosses")[0]


def test_a_table_is_drawn_in_the_order_of_the_classes() -> None:
    table = pd.DataFrame({"label": ["$x$", "NA"], "predicted": ["NA", "NA"], "x": [0.0, 1.0], "y": [2.0, 3.0]})
    display = ProjectionDisplay.from_table(table, ["NA", "$x$"])
    assert display.labels.tolist() == [1, 0]
    assert display.wrong.tolist() == [True, False]
    assert legend_of(display) == ["NA", "$x$", "wrong"]
    assert "NA around (1.0, 3.0)" in display.describe()
    assert "Crosses mark the 1 " in display.describe()
