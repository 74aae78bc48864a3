"""All figures have one interface, that of scikit-learn's displays."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from scenebook.notebook import figures
from scenebook.notebook.figures import style
from scenebook.notebook.figures.ablations import AblationDifferencesDisplay, AblationHistoriesDisplay
from scenebook.notebook.figures.backbones import BackbonesDisplay
from scenebook.notebook.figures.classes import ClassCountsDisplay, ConfusionDisplay
from scenebook.notebook.figures.network import NetworkDisplay
from scenebook.notebook.figures.style import Display
from scenebook.notebook.figures.training import CutDisplay, HistoriesDisplay, HistoryDisplay
from scenebook.notebook.figures.trust import CoverageDisplay, ProjectionDisplay, ReliabilityDisplay
from tests.unit.notebook.figures.test_ablations import make_panels, make_row
from tests.unit.notebook.figures.test_classes import make_counts
from tests.unit.notebook.figures.test_network import draw, make_small
from tests.unit.notebook.figures.test_trust import make_bins, make_curve, make_display
from tests.unit.study.test_summaries import make_summaries

HISTORY = pd.DataFrame({"epoch": [1, 2], "loss": [0.9, 0.5], "val_loss": [0.8, 0.6]})
EXAMPLES: dict[type[Display], Callable[[], Display]] = {
    AblationHistoriesDisplay: lambda: AblationHistoriesDisplay.from_summaries(make_panels(3)),
    AblationDifferencesDisplay: lambda: AblationDifferencesDisplay.from_summaries([make_row(), make_row(0.05)]),
    BackbonesDisplay: lambda: BackbonesDisplay.from_summaries(make_summaries(), "ResNet50"),
    ClassCountsDisplay: lambda: ClassCountsDisplay.from_counts(make_counts(3)),
    ConfusionDisplay: lambda: ConfusionDisplay.from_matrix(np.array([[4, 1], [0, 5]]), ["cat", "dog"]),
    CoverageDisplay: lambda: CoverageDisplay.from_curve(make_curve(100)),
    CutDisplay: lambda: CutDisplay((172, 23_000), (1, 6_300), [(5, 5, 2048)]),
    HistoryDisplay: lambda: HistoryDisplay.from_history(HISTORY),
    HistoriesDisplay: lambda: HistoriesDisplay.from_history(HISTORY.assign(accuracy=[0.5, 0.7])),
    NetworkDisplay: lambda: draw(make_small()),
    ProjectionDisplay: make_display,
    ReliabilityDisplay: lambda: ReliabilityDisplay(make_bins(), make_bins(30)),
}


def list_displays() -> set[type]:
    modules = [
        importlib.import_module(f"{figures.__name__}.{found.name}") for found in pkgutil.iter_modules(figures.__path__)
    ]
    classes = {value for module in modules for _, value in inspect.getmembers(module, inspect.isclass)}
    return {one for one in classes if one.__name__.endswith("Display") and one is not Display}


def test_every_display_has_an_example_here() -> None:
    assert list_displays() == set(EXAMPLES)


@pytest.mark.parametrize("kind", EXAMPLES, ids=lambda kind: kind.__name__)
def test_it_draws_in_a_figure_of_its_own_or_in_axes_that_it_is_given(kind: type[Display]) -> None:
    display = EXAMPLES[kind]()
    assert len(display.describe()) > 20
    assert display.plot() is display
    own = display.figure_
    assert {one.get_figure(root=True) for one in np.ravel(display.ax_)} == {own}
    with style.use():
        given, axes = plt.subplots(1, 2, figsize=(9, 4))
    display.plot(axes[1])
    assert display.figure_ is given is not own
    assert all(one.get_figure(root=True) is given for one in np.ravel(display.ax_))
    given.canvas.draw()
