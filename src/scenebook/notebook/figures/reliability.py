"""Confidence against accuracy."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from scenebook.core.errors import InputError
from scenebook.notebook.figures import style

_COLUMNS = ["from", "to", "n", "right", "confidence", "accuracy", "low", "high"]


class ReliabilityDisplay:
    """Accuracy by bins of confidence, with Wilson's intervals, over the number of images in each bin.

    Args:
        bins: A row a bin that holds images: from, to, n, right, confidence, accuracy, low, high, as
            `compute_reliability_bins` gives them.
        bins_after: The same after a correction, drawn beside it, or `None`.

    Attributes:
        bins: As given.
        bins_after: As given.
        figure_: The figure, after `plot`.
        ax_: The axes of the accuracies, after `plot`.
        counts_ax_: The axes of the counts, after `plot`.

    Raises:
        InputError: There is no bin, or a column is missing.
    """

    figure_: Figure
    ax_: Axes
    counts_ax_: Axes

    def __init__(self, bins: pd.DataFrame, bins_after: pd.DataFrame | None = None) -> None:
        for table in (bins, bins_after):
            if table is not None and (table.empty or not set(_COLUMNS) <= set(table.columns)):
                raise InputError(
                    f"Expected at least one bin, with the columns {', '.join(_COLUMNS)}.",
                    received={"columns": list(table.columns), "bins": len(table)},
                )
        self.bins = bins
        self.bins_after = bins_after

    def describe(self) -> str:
        """Returns what the figure shows, for readers who cannot see it."""
        text = f"Accuracy by confidence: {_list_bins(self.bins)}."
        return text if self.bins_after is None else f"{text} With the temperature: {_list_bins(self.bins_after)}."

    def plot(self) -> ReliabilityDisplay:
        """Draws both axes as a new figure as wide as a column."""
        with style.use():
            figure, (ax, counts_ax) = plt.subplots(
                2, 1, sharex=True, figsize=(style.COLUMN_WIDTH, 3.1), height_ratios=[3, 1]
            )
            ax.plot([0, 1], [0, 1], ":", color=style.GREY, linewidth=1, label="calibrated")
            _draw(ax, self.bins, "o", style.BLUE, "as trained")
            if self.bins_after is not None:
                _draw(ax, self.bins_after, "s", style.ORANGE, "with temperature")
            self._draw_counts(counts_ax)
            _set_axes(ax, counts_ax)
            style.set_plain_text(ax)
            style.set_plain_text(counts_ax)
        self.figure_, self.ax_, self.counts_ax_ = figure, ax, counts_ax
        return self

    def _draw_counts(self, ax: Axes) -> None:
        both = self.bins_after is not None
        for table, color, side in ((self.bins, style.BLUE, 0), (self.bins_after, style.ORANGE, 1)):
            if table is not None:
                width = (table["to"] - table["from"]) * (0.42 if both else 0.84)
                left = (table["from"] + table["to"]) / 2 + width * (side - 1 if both else -0.5)
                ax.bar(
                    left, table["n"], width, align="edge", color=color, hatch="////" if side else "", edgecolor="white"
                )


def _draw(ax: Axes, bins: pd.DataFrame, marker: str, color: str, label: str) -> None:
    below = np.maximum(bins["accuracy"] - bins["low"], 0)
    above = np.maximum(bins["high"] - bins["accuracy"], 0)
    ax.errorbar(
        bins["confidence"], bins["accuracy"], yerr=[below, above], fmt=marker, color=color, label=label,
        elinewidth=0.8, capsize=2, capthick=0.8,
    )  # fmt: skip


def _set_axes(ax: Axes, counts_ax: Axes) -> None:
    ax.set(xlim=(0, 1.02), ylim=(0, 1.03), ylabel="accuracy")
    counts_ax.set(xlabel="confidence", ylabel="images")
    for axis in (ax.yaxis, counts_ax.xaxis):
        axis.set_major_formatter(PercentFormatter(1, decimals=0))
    counts_ax.yaxis.set_major_locator(MaxNLocator(nbins=3, integer=True, min_n_ticks=1))
    counts_ax.yaxis.set_major_formatter("{x:,.0f}")
    ax.grid()
    counts_ax.grid(axis="x")
    ax.legend(
        loc="lower left",
        bbox_to_anchor=(0, 1),
        ncols=3,
        borderaxespad=0.2,
        columnspacing=1.0,
        handlelength=1.2,
        handletextpad=0.4,
    )


def _list_bins(bins: pd.DataFrame) -> str:
    return "; ".join(
        f"confidence {row['from']:.0%} to {row['to']:.0%}: {row['accuracy']:.0%} of {int(row['n']):,} right"
        for _, row in bins.iterrows()
    )
