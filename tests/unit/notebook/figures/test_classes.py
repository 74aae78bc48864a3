from __future__ import annotations

import itertools
from xml.etree import ElementTree

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex

from scenebook.core.errors import InputError
from scenebook.core.project import project_root
from scenebook.core.wording import printable
from scenebook.evaluation.claims.loading import load_claims
from scenebook.notebook.figures import style
from scenebook.notebook.figures.classes import ClassCountsDisplay, ConfusionDisplay


def make_counts(num_classes: int) -> pd.DataFrame:
    rng = np.random.default_rng(num_classes)
    return pd.DataFrame(
        {
            split: rng.integers(1, most, num_classes)
            for split, most in [("train", 900), ("validation", 90), ("test", 300)]
        },
        index=[f"class {number}" for number in range(num_classes)],
    )


def widths(display: ClassCountsDisplay) -> np.ndarray:
    return np.array([[bar.get_width() for bar in bars] for bars in display.ax_.containers])


def row_names(display: ClassCountsDisplay) -> list[str]:
    return [label.get_text() for label in display.ax_.get_yticklabels()]


@pytest.mark.parametrize("num_classes", [2, 6, 12, 13, 40])
def test_every_class_has_its_count_in_every_split(num_classes: int) -> None:
    counts = make_counts(num_classes)
    display = ClassCountsDisplay.from_counts(counts).plot()
    np.testing.assert_array_equal(widths(display), counts.to_numpy().T)
    assert row_names(display) == list(counts.index)
    assert display.ax_.yaxis_inverted(), "the first class is at the top"
    assert display.ax_.get_legend_handles_labels()[1] == ["train", "validation", "test"]


def test_numbers_stand_at_the_bars() -> None:
    few = ClassCountsDisplay.from_counts(pd.DataFrame({"train": [1234, 5], "test": [0, 7]}, index=["a", "b"])).plot()
    assert [text.get_text() for text in few.ax_.texts] == ["1,234", "5", "0", "7"]
    counts = make_counts(20)
    many = ClassCountsDisplay.from_counts(counts).plot()
    assert [text.get_text() for text in many.ax_.texts] == [
        str(total) for total in counts.sum(axis=1).map("{:,}".format)
    ]


@pytest.mark.parametrize("num_classes", [41, 1000])
def test_many_classes_are_shown_by_their_extremes(num_classes: int) -> None:
    counts = make_counts(num_classes)
    display = ClassCountsDisplay.from_counts(counts).plot()
    totals = counts.sum(axis=1).sort_values(ascending=False)
    shown = display.shown.sum(axis=1)
    np.testing.assert_array_equal(shown, [*totals.iloc[:20], *totals.iloc[-20:]])
    assert display.left_out == num_classes - 40
    notes = [text.get_text() for text in display.ax_.texts if "more classes" in text.get_text()]
    assert notes == [
        f"{num_classes - 40} more classes of {totals.iloc[20:-20].min():,} to {totals.iloc[20:-20].max():,} images"
    ]
    assert display.figure_.get_figheight() < 9


def test_splits_keep_their_colours_whatever_their_order() -> None:
    counts = make_counts(3)
    colors = [
        {
            bars.get_label(): bars[0].get_facecolor()
            for bars in ClassCountsDisplay.from_counts(frame).plot().ax_.containers
        }
        for frame in (counts, counts[["test", "train"]])
    ]
    assert colors[0]["train"] == colors[1]["train"]
    assert len(set(colors[0].values())) == 3


def test_long_and_hostile_names_show_as_text_and_leave_room() -> None:
    names = ["$x$", "<b>", "x" * 255, "y\0", f"{'z' * 100}1", f"{'z' * 100}2"]
    drawn = ClassCountsDisplay.from_counts(make_counts(6)[["train", "test"]].set_axis(names)).plot()
    drawn.figure_.canvas.draw()
    assert row_names(drawn)[:2] == ["$x$", "<b>"]
    assert len(set(row_names(drawn))) == 6
    assert not any(label.get_parse_math() for label in drawn.ax_.get_yticklabels())
    assert drawn.ax_.get_position().width > 0.4


def test_all_classes_may_be_empty() -> None:
    ClassCountsDisplay.from_counts(pd.DataFrame({"train": [0, 0]}, index=["a", "b"])).plot().figure_.canvas.draw()


@pytest.mark.parametrize(
    ("sizes", "telling"), [([225] * 6, False), ([225, 200, 180], False), ([300, 150], True), ([10] * 13, True)]
)
def test_bars_are_telling_where_classes_are_many_or_unequal(sizes: list[int], telling: bool) -> None:
    counts = pd.DataFrame({"train": sizes}, index=[f"class {number}" for number in range(len(sizes))])
    assert ClassCountsDisplay.from_counts(counts).is_telling is telling


def test_the_description_holds_every_number_that_is_shown() -> None:
    counts = pd.DataFrame({"train": [1200, 7], "test": [3, 0]}, index=["sea", "a; b"])
    assert ClassCountsDisplay.from_counts(counts).describe() == (
        "Bars of the number of images of each class: sea 1,200 train, 3 test; a; b 7 train, 0 test."
    )
    many = pd.DataFrame({"train": range(1, 51)}, index=[f"class {number}" for number in range(50)])
    assert ClassCountsDisplay.from_counts(many).describe().endswith("; 10 more classes lie between these.")


PAPER = np.array(load_claims(project_root() / "report" / "claims.yaml").paper.confusion_matrix)
SCENES = ["buildings", "forest", "glacier", "mountain", "sea", "street"]
SVG = "http://www.w3.org/2000/svg"


def diagonal(num_classes: int, count: int = 1234) -> np.ndarray:
    return np.eye(num_classes, dtype=np.int64) * count


def labels_of(display: ConfusionDisplay) -> list[str]:
    return [label.get_text() for label in display.ax_.get_yticklabels()]


def test_cells_show_counts_and_shades_show_shares_of_their_row_the_true_class() -> None:
    display = ConfusionDisplay.from_matrix(PAPER, SCENES).plot()
    assert [text.get_text() for text in display.ax_.texts] == [str(count) for count in PAPER.ravel()]
    np.testing.assert_allclose(display.percentages.sum(axis=1), 100)
    assert display.percentages[2, 3] == pytest.approx(100 * 242 / 1330)
    shades = display.ax_.collections[0]
    values = shades.get_array()
    assert values is not None
    np.testing.assert_allclose(values.ravel(), display.percentages.ravel())
    assert shades.get_clim() == (0, 100)
    assert display.ax_.get_ylabel() == "true class"
    assert display.ax_.get_xlabel() == "predicted class"
    assert labels_of(display) == [label.get_text() for label in display.ax_.get_xticklabels()] == SCENES
    assert display.ax_.yaxis_inverted(), "the first class is at the top"


def test_class_without_images_has_shares_of_zero() -> None:
    display = ConfusionDisplay.from_matrix(np.array([[5, 1], [0, 0]]), ["cat", "dog"]).plot()
    np.testing.assert_array_equal(display.percentages[1], [0, 0])


def test_zeros_are_muted() -> None:
    display = ConfusionDisplay.from_matrix(np.array([[5, 0], [1, 3]]), ["cat", "dog"]).plot()
    grey = [text.get_text() for text in display.ax_.texts if to_hex(text.get_color()) == style.GREY]
    assert grey == ["0"]


@pytest.mark.parametrize("num_classes", [2, 16])
def test_every_count_can_be_read_on_its_shade(num_classes: int) -> None:
    shares = np.linspace(0, 100, num_classes).round().astype(int)
    # Rows of two shares that add up to 100: each shade from the palest to the darkest.
    matrix = np.zeros((num_classes, num_classes), dtype=int)
    matrix[:, 0], matrix[:, 1] = shares, 100 - shares
    display = ConfusionDisplay.from_matrix(matrix, [f"class {number}" for number in range(num_classes)]).plot()
    display.figure_.canvas.draw()
    cells = np.atleast_2d(display.ax_.collections[0].get_facecolor())
    assert len(display.ax_.texts) == len(cells) == num_classes**2
    for text, cell in zip(display.ax_.texts, cells, strict=True):
        assert style.contrast(text.get_color(), cell) >= 4.5


@pytest.mark.filterwarnings("error")
def test_names_of_any_script_stay_text_without_a_warning() -> None:
    names = ["山景", "🏔 peak", "שלום עולם", "e\u0301te\u0301", "$x$_1 \\alpha", "long " * 14]
    svg = style.to_svg(ConfusionDisplay.from_matrix(diagonal(6), names).plot().figure_)
    texts = ["".join(element.itertext()) for element in ElementTree.fromstring(svg).iter(f"{{{SVG}}}text")]
    for name in names[:-1]:
        assert texts.count(name) == 2, name
    assert "font-family: 'DejaVu Sans', sans-serif" in svg, "a browser takes from the system what this font lacks"


@pytest.mark.parametrize("num_classes", [2, 11, 16])
def test_all_counts_and_names_can_be_read_from_2_to_16_classes(num_classes: int) -> None:
    names = [f"class_number_{number}" for number in range(num_classes)]
    display = ConfusionDisplay.from_matrix(diagonal(num_classes), names).plot()
    assert len(display.ax_.texts) == num_classes**2
    assert display.ax_.texts[0].get_text() == "1234"
    assert min(float(text.get_fontsize()) for text in display.ax_.texts) >= style.SMALLEST_SIZE
    assert labels_of(display) == names
    display.figure_.canvas.draw()
    cell = display.ax_.get_window_extent().width / num_classes
    assert max(text.get_window_extent().width for text in display.ax_.texts) < cell


@pytest.mark.parametrize("num_classes", [2, 12, 30])
def test_labels_do_not_overlap_and_stay_inside_the_figure(num_classes: int) -> None:
    names = [f"a rather long name, number {number}, that somebody chose" for number in range(num_classes)]
    display = ConfusionDisplay.from_matrix(diagonal(num_classes, 0), names).plot()
    figure = display.figure_
    figure.canvas.draw()
    rows = sorted((label.get_window_extent() for label in display.ax_.get_yticklabels()), key=lambda box: box.y0)
    assert all(lower.y1 <= upper.y0 + 1 for lower, upper in itertools.pairwise(rows))
    tight = figure.get_tightbbox()
    assert tight.x0 > -0.02
    assert tight.width < figure.get_figwidth() + 0.04
    assert len(set(labels_of(display))) == num_classes


def test_wide_only_where_a_column_is_too_narrow() -> None:
    assert not ConfusionDisplay.from_matrix(PAPER, SCENES).wide
    assert ConfusionDisplay.from_matrix(diagonal(30), [f"class {number}" for number in range(30)]).wide
    assert ConfusionDisplay.from_matrix(diagonal(6), [f"{'long name ' * 5}{number}" for number in range(6)]).wide


def test_large_counts_are_shortened_before_they_are_dropped() -> None:
    names = [f"class {number}" for number in range(22)]
    display = ConfusionDisplay.from_matrix(diagonal(22, 23_456), names).plot()
    assert display.annotations_ is not None
    assert display.annotations_[0, 0] == "23k"


def test_a_thousand_classes_draw_with_a_part_of_their_names_and_without_counts() -> None:
    display = ConfusionDisplay.from_matrix(diagonal(1000, 50), [f"class {number}" for number in range(1000)]).plot()
    assert 10 < len(labels_of(display)) < 200
    assert display.annotations_ is None
    assert not display.ax_.texts


def test_names_show_as_text() -> None:
    names = ["$x$", "$\\frac{1}$", "<b>alert(1)</b>", "a & b", "%s {0}", "_under", "x\0y\n"]
    display = ConfusionDisplay.from_matrix(diagonal(len(names)), names).plot()
    shown = [printable(name) for name in names]
    assert labels_of(display) == shown
    root = ElementTree.fromstring(style.to_svg(display.figure_))
    texts = [" ".join("".join(element.itertext()).split()) for element in root.iter(f"{{{SVG}}}text")]
    assert [texts.count(" ".join(name.split())) for name in shown] == [2] * len(names)


def test_the_description_tells_the_size_the_diagonal_and_the_commonest_errors() -> None:
    text = ConfusionDisplay.from_matrix(np.array([[5, 3, 1], [0, 7, 0], [0, 0, 2]]), ["a", "b", "c"]).describe()
    assert "3 classes and 18 images; 14 of them on the diagonal" in text
    assert text.endswith("a misclassified as b 3 times; a misclassified as c 1 times.")
    assert ConfusionDisplay.from_matrix(diagonal(2), ["a", "b"]).describe().endswith("none.")


def test_draws_into_given_axes() -> None:
    ax = plt.figure(figsize=(3, 3)).subplots()
    display = ConfusionDisplay.from_matrix(diagonal(3), ["a", "b", "c"]).plot(ax, colorbar=False)
    assert display.ax_ is ax
    assert display.figure_ is ax.figure
    assert len(display.figure_.axes) == 1


@pytest.mark.parametrize("matrix", [[[1, 2]], [[1, -1], [0, 1]], [[1, 2, 3]] * 3, []])
def test_matrix_that_does_not_fit_its_names_is_an_error(matrix: list[list[int]]) -> None:
    with pytest.raises(InputError, match=r"Expected a square matrix of counts .*Received: shape="):
        ConfusionDisplay.from_matrix(np.array(matrix), ["a", "b"])
