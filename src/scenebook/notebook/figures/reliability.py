"""Confidence against accuracy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, PercentFormatter

from scenebook.core.errors import InputError
from scenebook.notebook.figures import style
from scenebook.notebook.figures.base import Display

_COLUMNS = ["from", "to", "n", "right", "confidence", "accuracy", "low", "high"]


@dataclass(eq=False)
class ReliabilityDisplay(Display):
    """Accuracy by bins of confidence, with Wilson's intervals, over the number of images in each bin.

    Attributes:
        bins: A row a bin that holds images.
        bins_after: The same after a correction, drawn beside it, or `None`.
        ax_: The axes of the accuracies and those of the counts, after `plot`.
    """

    bins: pd.DataFrame
    bins_after: pd.DataFrame | None

    _grid: ClassVar = {"nrows": 2, "sharex": True, "height_ratios": [3, 1]}

    @classmethod
    def from_bins(cls, bins: pd.DataFrame, bins_after: pd.DataFrame | None = None) -> Self:
        """Returns the display of one or two tables.

        Args:
            bins: A row a bin that holds images: from, to, n, right, confidence, accuracy, low, high, as
                `compute_reliability_bins` gives them.
            bins_after: The same after a correction, or `None`.

        Raises:
            InputError: There is no bin, or a column is missing.
        """
        for table in (bins, bins_after):
            if table is not None and (table.empty or not set(_COLUMNS) <= set(table.columns)):
                raise InputError(
                    f"Expected at least one bin, with the columns {', '.join(_COLUMNS)}.",
                    received={"columns": list(table.columns), "bins": len(table)},
                )
        return cls(bins, bins_after)

    def describe(self) -> str:
        text = f"Accuracy by confidence: {_list_bins(self.bins)}."
        return text if self.bins_after is None else f"{text} With the temperature: {_list_bins(self.bins_after)}."

    def _size(self) -> tuple[float, float]:
        return style.COLUMN_WIDTH, 3.1

    def _draw(self) -> None:
        ax, counts_ax = self.ax_
        ax.plot([0, 1], [0, 1], ":", color=style.GREY, linewidth=1, label="calibrated")
        _draw_bins(ax, self.bins, "o", style.BLUE, "as trained")
        if self.bins_after is not None:
            _draw_bins(ax, self.bins_after, "s", style.ORANGE, "with temperature")
        self._draw_counts(counts_ax)
        ax.set(xlim=(0, 1.02), ylim=(0, 1.03), ylabel="accuracy")
        counts_ax.set(xlabel="confidence", ylabel="images")
        for axis in (ax.yaxis, counts_ax.xaxis):
            axis.set_major_formatter(PercentFormatter(1, decimals=0))
        counts_ax.yaxis.set_major_locator(MaxNLocator(nbins=3, integer=True, min_n_ticks=1))
        counts_ax.yaxis.set_major_formatter("{x:,.0f}")
        ax.grid()
        counts_ax.grid(axis="x")
        style.put_legend_on_top(ax, columns=3, columnspacing=1.0, handlelength=1.2, handletextpad=0.4)

    def _draw_counts(self, ax: Axes) -> None:
        both = self.bins_after is not None
        for table, color, side in ((self.bins, style.BLUE, 0), (self.bins_after, style.ORANGE, 1)):
            if table is not None:
                width = (table["to"] - table["from"]) * (0.42 if both else 0.84)
                left = (table["from"] + table["to"]) / 2 + width * (side - 1 if both else -0.5)
                ax.bar(
                    left, table["n"], width, align="edge", color=color, hatch="////" if side else "", edgecolor="white"
                )


def _draw_bins(ax: Axes, bins: pd.DataFrame, marker: str, color: str, label: str) -> None:
    below = np.maximum(bins["accuracy"] - bins["low"], 0)
    above = np.maximum(bins["high"] - bins["accuracy"], 0)
    ax.errorbar(
        bins["confidence"], bins["accuracy"], yerr=[below, above], fmt=marker, color=color, label=label,
        elinewidth=0.8, capsize=2, capthick=0.8,
    )  # fmt: skip


def _list_bins(bins: pd.DataFrame) -> str:
    return "; ".join(
        f"confidence {row['from']:.0%} to {row['to']:.0%}: {row['accuracy']:.0%} of {int(row['n']):,} right"
        for _, row in bins.iterrows()
    )
