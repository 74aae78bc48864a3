"""Images as points on a map, coloured by class, errors marked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from scenebook.core.wording import count_noun, printable, shorten_all
from scenebook.notebook.figures import style

MOST_COLORED = 8
"""Of more classes, those with the most errors are coloured."""
MOST_POINTS = 1500
MARK_COLORS = (style.BLUE, style.ORANGE, style.GREEN, style.RED, "#cc78bc", "#8c6d31", "#56b4e9", "#4d4d4d")
_MARKERS = "os^Dv<>P"
_PALE = "#c4c4c4"
_LABEL_CHARACTERS = 18


@dataclass(eq=False)
class ProjectionDisplay(style.Display):
    """A map of images; colour and shape tell the class, a cross marks an error.

    Of more than `MOST_POINTS` images that many are `shown`, chosen by lot but always the same ones.

    Attributes:
        labels: int `(n,)`, indices into `class_names`; `wrong` is bool: whether the image is given another class.
        colored: The indices of the classes that have a colour, in the order of their names.
    """

    points: np.ndarray
    labels: np.ndarray
    wrong: np.ndarray
    class_names: list[str]
    shown: np.ndarray
    colored: list[int]

    @classmethod
    def from_table(cls, table: pd.DataFrame, class_names: Sequence[str]) -> Self:
        """Returns the map of a table with label, predicted, x and y, a row an image."""
        labels = table["label"].map({name: index for index, name in enumerate(class_names)}).to_numpy(dtype=np.int64)
        wrong = (table["label"] != table["predicted"]).to_numpy()
        shown = np.arange(len(table))
        if len(table) > MOST_POINTS:
            # By lot among all of them: with more of the wrong ones the map would look worse than the network is.
            shown = np.sort(np.random.default_rng(0).permutation(len(table))[:MOST_POINTS])
        errors = np.bincount(labels[wrong], minlength=len(class_names))
        colored = sorted(np.argsort(-errors, kind="stable")[:MOST_COLORED].tolist())
        points = table[["x", "y"]].to_numpy(dtype=float)
        return cls(points, labels, wrong, [printable(name) for name in class_names], shown, colored)

    @property
    def left_out(self) -> int:
        """How many images are not drawn."""
        return len(self.points) - len(self.shown)

    @property
    def others(self) -> int:
        """How many classes have no colour of their own."""
        return len(self.class_names) - len(self.colored)

    def describe(self) -> str:
        places = [
            f"{self.class_names[index]} around ({x:.1f}, {y:.1f})"
            for index in self.colored
            if (self.labels == index).any()
            for x, y in [self.points[self.labels == index].mean(axis=0)]
        ]
        return (
            f"Map of {len(self.points):,} images as points. On average, {'; '.join(places)}. "
            f"Crosses mark the {int(self.wrong.sum()):,} misclassified ones."
        )

    def _name_colored(self) -> tuple[list[str], int]:
        """Returns the coloured classes as the legend names them, and how many columns it has, at most 3."""
        names = shorten_all([self.class_names[index] for index in self.colored], _LABEL_CHARACTERS)
        widest = max(style.text_width(name, style.SMALL_SIZE) for name in [*names, _name_others(self.others)])
        return names, max(1, min(3, int((style.COLUMN_WIDTH - 0.35) / (widest + 0.3))))

    def _size(self) -> tuple[float, float]:
        names, columns = self._name_colored()
        return style.COLUMN_WIDTH, 3.0 + 0.16 * -(-(len(names) + 2) // columns)

    def _draw(self) -> None:
        ax = self.ax_
        names, columns = self._name_colored()
        handles = self._draw_classes(ax, names)
        x, y = self.points[self.shown[self.wrong[self.shown]]].T
        ax.scatter(x, y, s=16, c=style.INK, marker="x", linewidths=0.7, zorder=3)
        handles.append(_make_entry(style.INK, "x", "wrong"))
        looks = {"columnspacing": 1.0, "handletextpad": 0.2, "handlelength": 1.2}
        style.put_legend_on_top(ax, handles=handles, columns=columns, **looks)
        ax.set(xlabel="first direction", ylabel="second direction")
        ax.margins(0.04)

    def _draw_classes(self, ax: Axes, names: Sequence[str]) -> list[Line2D]:
        """Draws the points, the other classes below the coloured ones, and returns the entries of the legend."""
        handles = []
        for index, name, color, marker in zip(self.colored, names, MARK_COLORS, _MARKERS, strict=False):
            of_class = self.points[self.shown[self.labels[self.shown] == index]]
            ax.scatter(of_class[:, 0], of_class[:, 1], s=9, c=color, marker=marker, alpha=0.75, linewidths=0, zorder=2)
            handles.append(_make_entry(color, marker, name))
        if self.others:
            others = self.points[self.shown[~np.isin(self.labels[self.shown], self.colored)]]
            ax.scatter(others[:, 0], others[:, 1], s=5, c=_PALE, linewidths=0, zorder=1)
            handles.append(_make_entry(_PALE, "o", _name_others(self.others)))
        return handles


def _make_entry(color: str, marker: str, label: str) -> Line2D:
    return Line2D([], [], color=color, marker=marker, ls="", markersize=4, label=label)


def _name_others(count: int) -> str:
    return count_noun(count, "other class", "other classes") if count else ""
