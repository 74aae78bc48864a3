from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from scenebook.core.errors import InputError
from scenebook.notebook.figures import style
from scenebook.notebook.figures.coverage import CoverageDisplay


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
        "Accuracy on the surest images, by the share that is answered: 80.0% at 100%; 82.0% at 90%; 84.0% at 80%; "
        "86.0% at 70%; 88.0% at 60%; 90.0% at 50%."
    )
    assert CoverageDisplay.from_curve(make_curve(3)).describe().endswith("answered: 80.0% at 100%.")


@pytest.mark.parametrize("curve", [make_curve(5).iloc[:0], make_curve(5).drop(columns="low")])
def test_a_curve_that_lacks_something_is_an_error(curve: pd.DataFrame) -> None:
    with pytest.raises(InputError, match=r"Expected a curve of at least one row, with the columns n, .*Received: "):
        CoverageDisplay.from_curve(curve)
