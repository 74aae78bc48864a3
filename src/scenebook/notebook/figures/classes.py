"""Images by class and split, and the confusion matrix."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from scenebook.core.errors import InputError
from scenebook.core.wording import printable, shorten_all
from scenebook.evaluation.metrics.classification import list_confusions
from scenebook.notebook.figures import style

_LEAST_CELL = 0.22
"""Inches. Where a column has less room for each class, the figure takes both columns."""
_HIGHEST_CELL = 0.36
_LOWEST_BODY = 1.5  # room for what explains the shades
_LABEL_LIMIT = 1.3
_BAR = 0.75
_DIGIT = 0.62  # width of a digit in DejaVu Sans, in ems


@dataclass(frozen=True)
class _Layout:
    """Width and height of the figure and of a cell, in inches; the labels, their size in points, and by how many
    degrees those of the columns are turned."""

    figure: tuple[float, float]
    cell: tuple[float, float]
    labels: list[str]
    size: float
    turn: int


@dataclass(eq=False)
class ConfusionDisplay(style.Display):
    """Counts in cells, shares of the true class as shades.

    Attributes:
        matrix: int64 `(num_classes, num_classes)`; rows are true classes, columns predicted ones.
        annotations_: The texts of the cells, after `plot`; `None` where there is no room for any.
    """

    matrix: np.ndarray
    class_names: list[str]

    @classmethod
    def from_matrix(cls, matrix: np.ndarray | pd.DataFrame, class_names: Sequence[str]) -> Self:
        """Returns the display of a matrix of ints, rows for true classes and columns for predicted ones.

        Raises:
            InputError: The matrix is not square, holds negative counts, or does not fit the names.
        """
        counts = np.asarray(matrix)
        if counts.shape != (len(class_names),) * 2 or not len(class_names) or (counts < 0).any():
            raise InputError(
                "Expected a square matrix of counts with a name for each row.",
                received={"shape": counts.shape, "names": len(class_names)},
            )
        return cls(counts.astype(np.int64), [printable(name) for name in class_names])

    @property
    def percentages(self) -> np.ndarray:
        """float64 `(num_classes, num_classes)` in `[0, 100]`: each row's shares; zeros for a class without images."""
        return 100 * self.matrix / np.maximum(self.matrix.sum(axis=1, keepdims=True), 1)

    @property
    def wide(self) -> bool:
        return _arrange(self.class_names, style.COLUMN_WIDTH).cell[0] < _LEAST_CELL

    @property
    def shows(self) -> str:
        """What the cells of the drawn figure show, for its caption: counts only where there is room for them."""
        share = "their share of the row"
        return f"counts, shaded by {share}" if self.annotations_ is not None else f"shades for {share}"

    def describe(self) -> str:
        errors = "; ".join(
            f"{true} misclassified as {predicted} {count} times"
            for true, predicted, count in list_confusions(pd.DataFrame(self.matrix, columns=self.class_names))
        )
        return (
            f"Confusion matrix of {len(self.matrix)} classes and {self.matrix.sum()} images; {self.matrix.trace()} of "
            f"them on the diagonal. Most frequent errors: {errors or 'none'}."
        )

    def plot(self, ax: Axes | None = None, *, colorbar: bool = True) -> Self:
        """Draws the matrix, with a `colorbar` that explains the shades."""
        self._colorbar = colorbar
        return super().plot(ax)

    def _layout(self) -> _Layout:
        return _arrange(self.class_names, style.WIDE_WIDTH if self.wide else style.COLUMN_WIDTH)

    def _size(self) -> tuple[float, float]:
        return self._layout().figure

    def _draw(self) -> None:
        import seaborn as sns  # takes most of a second

        ax, layout = self.ax_, self._layout()
        annotations, size = _fit_counts(self.matrix, layout.cell)
        sns.heatmap(
            self.percentages, ax=ax, vmin=0, vmax=100, cmap=style.SHADES,
            annot=False if annotations is None else annotations, fmt="", annot_kws={"size": size},
            cbar=self._colorbar, cbar_kws={"fraction": 0.04, "pad": 0.02, "aspect": 35},
            linewidths=0.4 if len(self.class_names) <= 40 else 0, linecolor="white",
            rasterized=len(self.class_names) > 60,
        )  # fmt: skip
        bar = ax.collections[0].colorbar
        if bar is not None:
            bar.set_label("share of the true class (%)", size=style.SMALL_SIZE)
        self._color_counts(ax)
        self.annotations_ = annotations
        # Where rows are lower than a letter, every second, third, ... class has its name shown.
        step = max(1, int(np.ceil(layout.size * 1.1 / (layout.cell[1] * 72))))
        positions = np.arange(0, len(layout.labels), step)
        shown = [layout.labels[position] for position in positions]
        ax.set_yticks(positions + 0.5, shown, size=layout.size, rotation=0)
        slanted: dict[str, Any] = {"ha": "right", "rotation_mode": "anchor"} if layout.turn == 45 else {}
        ax.set_xticks(positions + 0.5, shown, size=layout.size, rotation=layout.turn, **slanted)
        ax.tick_params(length=0, pad=2)
        ax.set_xlabel("predicted class")
        ax.set_ylabel("true class")

    def _color_counts(self, ax: Axes) -> None:
        """Writes each count in black or white, whichever can be read better on its cell, and zeros in a quiet grey."""
        shades = mpl.colormaps[style.SHADES]
        for text, count, share in zip(ax.texts, self.matrix.flat, self.percentages.flat, strict=False):
            cell = shades(share / 100)
            best = "black" if style.contrast("black", cell) > style.contrast("white", cell) else "white"
            muted = count == 0 and style.contrast(style.GREY, cell) >= style.LEAST_CONTRAST
            text.set_color(style.GREY if muted else best)


def _arrange(class_names: Sequence[str], width: float) -> _Layout:
    num_classes = len(class_names)
    room = width - _LABEL_LIMIT - _BAR
    size = float(np.clip(room / num_classes * 72 * 0.9, style.SMALLEST_SIZE, style.SMALL_SIZE))
    labels = shorten_all(class_names, int(_LABEL_LIMIT * 72 / (0.6 * size)))
    longest = max(style.text_width(label, size) for label in labels)
    across = (width - longest - 0.1 - _BAR) / num_classes
    down = min(across, _HIGHEST_CELL)
    turn = 0 if longest < 0.95 * across else 45 if num_classes <= 12 else 90
    below = {0: 0.15, 45: 0.75 * longest + 0.1, 90: longest}[turn]
    height = max(down * num_classes, _LOWEST_BODY) + below + 0.35
    return _Layout((width, height), (across, down), labels, size, turn)


def _fit_counts(matrix: np.ndarray, cell: tuple[float, float]) -> tuple[np.ndarray | None, float]:
    """Returns the cells' texts and their size in points: whole counts if these can be read, else thousands, else none.

    `cell` holds the width and height of a cell in inches.
    """
    highest = 0.75 * cell[1] * 72
    if highest < style.SMALLEST_SIZE:
        return None, highest
    for write in (str, _in_thousands):
        texts = np.array([[write(int(count)) for count in row] for row in matrix])
        filling = cell[0] * 72 / (_DIGIT * max(len(text) for text in texts.flat))
        if 0.92 * filling >= style.SMALLEST_SIZE:
            return texts, min(style.FONT_SIZE, highest, max(style.SMALLEST_SIZE, 0.82 * filling))
    return None, style.SMALLEST_SIZE


def _in_thousands(count: int) -> str:
    for power, sign in ((1_000_000, "M"), (1_000, "k")):
        if count >= power:
            return f"{count / power:.{int(count < 10 * power)}f}{sign}"
    return str(count)


MOST_ROWS = 40  # more classes than this are shown by their extremes
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
