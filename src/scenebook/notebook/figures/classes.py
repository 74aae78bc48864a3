"""The number of images by class and split."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from scenebook.core.wording import printable, shorten_all
from scenebook.notebook.figures import style

MOST_ROWS = 40
"""More classes than this are shown by their extremes."""
_SIDE_BY_SIDE = 12
_EQUAL = 1.5
_LABEL_CHARACTERS = 24
_SPLIT_COLORS = {"train": style.BLUE, "validation": style.ORANGE, "test": style.GREEN}


@dataclass(eq=False)
class ClassCountsDisplay(style.Display):
    """Images a class and split, as horizontal bars.

    Up to 12 classes have a bar a split; up to 40 have one bar, divided by split; of more, the 20 largest and the 20
    smallest are `shown`, and a line between them says what is left out.
    """

    counts: pd.DataFrame
    shown: pd.DataFrame

    @classmethod
    def from_counts(cls, counts: pd.DataFrame) -> Self:
        """Returns the display of counts with a row a class and a column a split."""
        counts = counts.set_axis([printable(name) for name in counts.index], axis=0)
        if len(counts) <= MOST_ROWS:
            return cls(counts, counts)
        order = np.argsort(-counts.sum(axis=1).to_numpy(), kind="stable")
        return cls(counts, counts.iloc[[*order[: MOST_ROWS // 2], *order[-(MOST_ROWS // 2) :]]])

    @property
    def left_out(self) -> int:
        """How many classes are not drawn."""
        return len(self.counts) - len(self.shown)

    @property
    def is_telling(self) -> bool:
        """Whether bars tell more than a table: of many classes, or where one is 1.5 times as large as another."""
        totals = self.counts.sum(axis=1)
        return len(totals) > _SIDE_BY_SIDE or bool(totals.max() > _EQUAL * totals.min())

    def describe(self) -> str:
        rows = [
            f"{name} " + ", ".join(f"{count:,} {split}" for split, count in row.items())
            for name, row in self.shown.iterrows()
        ]
        more = f"; {self.left_out:,} more classes lie between these" if self.left_out else ""
        return f"Bars of the number of images of each class: {'; '.join(rows)}{more}."

    @property
    def _is_side_by_side(self) -> bool:
        return len(self.shown) <= _SIDE_BY_SIDE

    def _size(self) -> tuple[float, float]:
        row = 0.1 * len(self.shown.columns) + 0.1 if self._is_side_by_side else 0.15
        return style.COLUMN_WIDTH, row * (self._positions()[-1] + 1) + 0.65

    def _draw(self) -> None:
        ax, rows, counts = self.ax_, self._positions(), self.shown.to_numpy()
        if self._is_side_by_side:
            self._draw_side_by_side(ax, rows)
        else:
            self._draw_stacked(ax, rows)
        size = style.SMALL_SIZE if self._is_side_by_side else style.SMALLEST_SIZE
        ax.set_yticks(rows, shorten_all(list(self.shown.index), _LABEL_CHARACTERS), size=size)
        ax.set_ylim(rows[-1] + 0.6, rows[0] - 0.6)
        ax.tick_params(axis="y", length=0)
        if self.left_out:
            hidden = self.counts.sum(axis=1).sort_values().iloc[MOST_ROWS // 2 : -MOST_ROWS // 2]
            note = f"{self.left_out:,} more classes of {hidden.min():,.0f} to {hidden.max():,.0f} images"
            middle = (rows[len(rows) // 2 - 1] + rows[len(rows) // 2]) / 2
            looks = {"va": "center", "fontsize": style.SMALLEST_SIZE, "color": style.GREY}
            ax.text(0.02, middle, note, transform=ax.get_yaxis_transform(), **looks)
        longest = float(counts.max() if self._is_side_by_side else counts.sum(axis=1).max())
        ax.set_xlim(0, max(1.0, 1.18 * longest))
        ax.xaxis.set_major_locator(MaxNLocator(nbins=4, integer=True))
        ax.xaxis.set_major_formatter("{x:,.0f}")
        ax.set_xlabel("images")
        ax.grid(axis="x")
        style.put_legend_on_top(ax, columns=min(len(self.shown.columns), 3), columnspacing=1.2, handlelength=1.2)

    def _positions(self) -> np.ndarray:
        """Returns the row of each class, with two rows free in the middle where classes are left out."""
        rows = np.arange(len(self.shown), dtype=float)
        return rows + 2 * (rows >= len(rows) // 2) if self.left_out else rows

    def _draw_side_by_side(self, ax: Axes, rows: np.ndarray) -> None:
        height = 0.8 / len(self.shown.columns)
        for number, (split, color) in enumerate(self._split_colors().items()):
            offset = (number + 0.5) * height - 0.4
            bars = ax.barh(rows + offset, self.shown[split], height, color=color, label=printable(split))
            ax.bar_label(bars, fmt="{:,.0f}", padding=2, fontsize=style.SMALLEST_SIZE)

    def _draw_stacked(self, ax: Axes, rows: np.ndarray) -> None:
        before = np.zeros(len(rows))
        for split, color in self._split_colors().items():
            counts = self.shown[split].to_numpy(dtype=float)
            bars = ax.barh(rows, counts, 0.75, left=before, color=color, label=printable(split))
            before += counts
        ax.bar_label(bars, [f"{total:,.0f}" for total in before], padding=2, fontsize=style.SMALLEST_SIZE)

    def _split_colors(self) -> dict[str, str]:
        spare = iter([style.RED, style.GREY, "#56b4e9", "#949494"] * len(self.shown.columns))
        return {split: _SPLIT_COLORS.get(split) or next(spare) for split in self.shown.columns}
