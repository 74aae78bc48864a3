"""What confidence is worth, and a map of the images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, PercentFormatter

from scenebook.core.wording import count_noun, printable, shorten_all
from scenebook.notebook.figures import style

MOST_COLORED = 8  # of more classes, those with the most errors are coloured
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
        return len(self.points) - len(self.shown)

    @property
    def others(self) -> int:
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


_LEAST_IMAGES = 20
_MOST_STEPS = 150
_DESCRIBED = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5)


@dataclass(eq=False)
class ReliabilityDisplay(style.Display):
    """Accuracy by bins of confidence, with Wilson's intervals, over the number of images in each bin.

    `bins`, from `compute_reliability_bins`, are drawn beside those after a correction, if there is one.
    """

    bins: pd.DataFrame
    bins_after: pd.DataFrame | None = None

    _grid: ClassVar = {"nrows": 2, "sharex": True, "height_ratios": [3, 1]}

    def describe(self) -> str:
        text = f"Accuracy by confidence: {_list_bins(self.bins)}."
        return text if self.bins_after is None else f"{text} With the temperature: {_list_bins(self.bins_after)}."

    def _size(self) -> tuple[float, float]:
        return style.COLUMN_WIDTH, 3.1

    def _draw(self) -> None:
        ax, counts_ax = self.ax_
        ax.plot([0, 1], [0, 1], ":", color=style.GREY, linewidth=1, label="calibrated")
        _draw_bins(ax, self.bins, "o", style.BLUE, "as trained")
        if self.bins_after is None:
            _draw_counts(counts_ax, self.bins, style.BLUE, width=0.84, offset=-0.5)
        else:
            _draw_bins(ax, self.bins_after, "s", style.ORANGE, "with temperature")
            _draw_counts(counts_ax, self.bins, style.BLUE, width=0.42, offset=-1)
            _draw_counts(counts_ax, self.bins_after, style.ORANGE, width=0.42, offset=0, hatch="////")
        drawn = pd.concat([bins for bins in (self.bins, self.bins_after) if bins is not None])
        ax.set(xlim=(drawn["from"].min(), 1.02), ylabel="accuracy")
        ax.set_ylim(max(0.0, min(drawn["low"].min(), drawn["from"].min()) - 0.03), 1.03)
        counts_ax.set(xlabel="confidence", ylabel="images")
        for axis in (ax.yaxis, counts_ax.xaxis):
            axis.set_major_formatter(PercentFormatter(1, decimals=0))
        counts_ax.yaxis.set_major_locator(MaxNLocator(nbins=3, integer=True, min_n_ticks=1))
        counts_ax.yaxis.set_major_formatter("{x:,.0f}")
        ax.grid()
        counts_ax.grid(axis="x")
        style.put_legend_on_top(ax, columns=3, columnspacing=1.0, handlelength=1.2, handletextpad=0.4)


def _draw_bins(ax: Axes, bins: pd.DataFrame, marker: str, color: str, label: str) -> None:
    reach = [(bins["accuracy"] - bins["low"]).clip(lower=0), (bins["high"] - bins["accuracy"]).clip(lower=0)]
    looks: Any = {"elinewidth": 0.8, "capsize": 2, "capthick": 0.8}
    ax.errorbar(bins["confidence"], bins["accuracy"], reach, fmt=marker, color=color, label=label, **looks)


def _draw_counts(ax: Axes, bins: pd.DataFrame, color: str, *, width: float, offset: float, hatch: str = "") -> None:
    """Draws bars as wide as a share of their bins; `offset`, in widths, is where they begin, from the bin's middle."""
    widths = (bins["to"] - bins["from"]) * width
    left = (bins["from"] + bins["to"]) / 2 + widths * offset
    ax.bar(left, bins["n"], widths, align="edge", color=color, hatch=hatch, edgecolor="white")


def _list_bins(bins: pd.DataFrame) -> str:
    return "; ".join(
        f"confidence {row['from']:.0%} to {row['to']:.0%}: {row['accuracy']:.0%} of {int(row['n']):,} right"
        for _, row in bins.iterrows()
    )


@dataclass(eq=False)
class CoverageDisplay(style.Display):
    """The accuracy on the images with the highest confidence, by their share of all images, with its interval.

    The first few images say next to nothing and are left out; of many points some are drawn.
    """

    curve: pd.DataFrame

    @classmethod
    def from_curve(cls, curve: pd.DataFrame) -> Self:
        """Returns the display of a curve of `compute_coverage`: a row a threshold, coverage rising to 1."""
        told = curve[curve["n"] >= min(_LEAST_IMAGES, curve["n"].max())]
        rows = np.unique(np.linspace(0, len(told) - 1, min(len(told), _MOST_STEPS)).round().astype(int))
        return cls(told.iloc[rows].reset_index(drop=True))

    def describe(self) -> str:
        found = np.searchsorted(self.curve["coverage"].to_numpy(), np.array(_DESCRIBED) - 1e-9)
        rows = self.curve.iloc[list(dict.fromkeys(found.tolist()))]
        points = "; ".join(f"{row['accuracy']:.1%} at {row['coverage']:.0%}" for _, row in rows.iterrows())
        return f"Accuracy on the images with the highest confidence, by their share of all images: {points}."

    def _size(self) -> tuple[float, float]:
        return style.COLUMN_WIDTH, 2.1

    def _draw(self) -> None:
        ax, curve = self.ax_, self.curve
        marker = "o" if len(curve) <= 30 else ""
        band = ax.fill_between(curve["coverage"], curve["low"], curve["high"], color=style.BLUE, alpha=0.2, linewidth=0)
        (line,) = ax.plot(curve["coverage"], curve["accuracy"], color=style.BLUE, marker=marker)
        whole = float(curve["accuracy"].iloc[-1])
        level = ax.axhline(whole, linestyle=":", color=style.GREY, linewidth=1)
        ax.set(xlim=(0, 1.02), xlabel="share of all images", ylabel="accuracy")
        ax.set_ylim(bottom=max(0.0, min(curve["low"].min(), whole) - 0.03), top=1.01)
        for axis in (ax.xaxis, ax.yaxis):
            axis.set_major_formatter(PercentFormatter(1, decimals=0))
        ax.grid(axis="y")
        entries = [(band, line), level], ["highest confidence, 95% interval", "all images"]
        style.put_legend_on_top(ax, *entries, columns=2, columnspacing=1.2, handlelength=1.8)
