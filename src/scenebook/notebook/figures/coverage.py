"""Accuracy against the share of images that are answered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd
from matplotlib.ticker import PercentFormatter

from scenebook.core.errors import InputError
from scenebook.notebook.figures import style
from scenebook.notebook.figures.base import Display

_COLUMNS = ["n", "coverage", "accuracy", "low", "high"]
_LEAST_IMAGES = 20
_MOST_POINTS = 150
_DESCRIBED = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5)


@dataclass(eq=False)
class CoverageDisplay(Display):
    """The accuracy on the images that a network is surest of, by how many these are, with its interval.

    The first few images say next to nothing and are left out; of many points some are drawn.

    Attributes:
        curve: The rows that are drawn.
    """

    curve: pd.DataFrame

    @classmethod
    def from_curve(cls, curve: pd.DataFrame) -> Self:
        """Returns the display of a curve.

        Args:
            curve: A row a threshold, coverage rising to 1: n, coverage, accuracy, low, high, as `compute_coverage`
                gives them.

        Raises:
            InputError: There is no row, or a column is missing.
        """
        if curve.empty or not set(_COLUMNS) <= set(curve.columns):
            raise InputError(
                f"Expected a curve of at least one row, with the columns {', '.join(_COLUMNS)}.",
                received={"columns": list(curve.columns), "rows": len(curve)},
            )
        told = curve[curve["n"] >= min(_LEAST_IMAGES, curve["n"].max())]
        rows = np.unique(np.linspace(0, len(told) - 1, min(len(told), _MOST_POINTS)).round().astype(int))
        return cls(told.iloc[rows].reset_index(drop=True))

    def describe(self) -> str:
        found = np.searchsorted(self.curve["coverage"].to_numpy(), np.array(_DESCRIBED) - 1e-9)
        rows = self.curve.iloc[list(dict.fromkeys(found.tolist()))]
        points = "; ".join(f"{row['accuracy']:.1%} at {row['coverage']:.0%}" for _, row in rows.iterrows())
        return f"Accuracy on the surest images, by the share that is answered: {points}."

    def _size(self) -> tuple[float, float]:
        return style.COLUMN_WIDTH, 2.1

    def _draw(self) -> None:
        ax, curve = self.ax_, self.curve
        marker = "o" if len(curve) <= 30 else ""
        band = ax.fill_between(curve["coverage"], curve["low"], curve["high"], color=style.BLUE, alpha=0.2, linewidth=0)
        (line,) = ax.plot(curve["coverage"], curve["accuracy"], color=style.BLUE, marker=marker)
        whole = float(curve["accuracy"].iloc[-1])
        level = ax.axhline(whole, linestyle=":", color=style.GREY, linewidth=1)
        ax.set(xlim=(0, 1.02), xlabel="share of images answered", ylabel="accuracy")
        ax.set_ylim(bottom=max(0.0, min(curve["low"].min(), whole) - 0.03), top=1.01)
        for axis in (ax.xaxis, ax.yaxis):
            axis.set_major_formatter(PercentFormatter(1, decimals=0))
        ax.grid(axis="y")
        entries = [(band, line), level], ["surest answers, 95% interval", "all answers"]
        style.put_legend_on_top(ax, *entries, columns=2, columnspacing=1.2, handlelength=1.8)
