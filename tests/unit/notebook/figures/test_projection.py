from __future__ import annotations

import numpy as np
import pandas as pd

from scenebook.notebook.figures import style
from scenebook.notebook.figures.trust import MOST_POINTS, ProjectionDisplay


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
