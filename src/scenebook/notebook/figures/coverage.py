"""Accuracy against the share of images that are answered."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from scenebook.core.errors import InputError
from scenebook.notebook.figures import style

_COLUMNS = ["n", "coverage", "accuracy", "low", "high"]
_LEAST_IMAGES = 20
_MOST_POINTS = 150
_DESCRIBED = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5)


class CoverageDisplay:
    """The accuracy on the images that a network is surest of, by how many these are, with its interval.

    The first few images say next to nothing and are left out; of many points some are drawn.

    Args:
        curve: A row a threshold, coverage rising to 1: n, coverage, accuracy, low, high, as `compute_coverage`
            gives them.

    Attributes:
        curve: The rows that are drawn.
        figure_: The figure, after `plot`.
        ax_: Its axes, after `plot`.

    Raises:
        InputError: There is no row, or a column is missing.
    """

    figure_: Figure
    ax_: Axes

    def __init__(self, curve: pd.DataFrame) -> None:
        if curve.empty or not set(_COLUMNS) <= set(curve.columns):
            raise InputError(
                f"Expected a curve of at least one row, with the columns {', '.join(_COLUMNS)}.",
                received={"columns": list(curve.columns), "rows": len(curve)},
            )
        told = curve[curve["n"] >= min(_LEAST_IMAGES, curve["n"].max())]
        rows = np.unique(np.linspace(0, len(told) - 1, min(len(told), _MOST_POINTS)).round().astype(int))
        self.curve = told.iloc[rows].reset_index(drop=True)

    def describe(self) -> str:
        """Returns what the curve shows, for readers who cannot see it."""
        found = np.searchsorted(self.curve["coverage"].to_numpy(), np.array(_DESCRIBED) - 1e-9)
        rows = self.curve.iloc[list(dict.fromkeys(found.tolist()))]
        points = "; ".join(f"{row['accuracy']:.1%} at {row['coverage']:.0%}" for _, row in rows.iterrows())
        return f"Accuracy on the surest images, by the share that is answered: {points}."

    def plot(self, ax: Axes | None = None) -> CoverageDisplay:
        """Draws the curve.

        Args:
            ax: Where to draw; by default a new figure as wide as a column.
        """
        curve = self.curve
        with style.use():
            ax = ax or style.make_axes(style.COLUMN_WIDTH, 2.1)
            marker = "o" if len(curve) <= 30 else ""
            band = ax.fill_between(
                curve["coverage"], curve["low"], curve["high"], color=style.BLUE, alpha=0.2, linewidth=0
            )
            (line,) = ax.plot(curve["coverage"], curve["accuracy"], color=style.BLUE, marker=marker)
            whole = float(curve["accuracy"].iloc[-1])
            level = ax.axhline(whole, linestyle=":", color=style.GREY, linewidth=1)
            ax.set(xlim=(0, 1.02), xlabel="share of images answered", ylabel="accuracy")
            ax.set_ylim(bottom=max(0.0, min(curve["low"].min(), whole) - 0.03), top=1.01)
            for axis in (ax.xaxis, ax.yaxis):
                axis.set_major_formatter(PercentFormatter(1, decimals=0))
            ax.grid(axis="y")
            ax.legend(
                [(band, line), level], ["surest answers, 95% interval", "all answers"], loc="lower left",
                bbox_to_anchor=(0, 1), ncols=2, borderaxespad=0.2, columnspacing=1.2, handlelength=1.8,
            )  # fmt: skip
            style.set_plain_text(ax)
        self.figure_, self.ax_ = ax.figure, ax  # type: ignore[assignment]
        return self
