"""The confusion matrix."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from scenebook.errors import InputError
from scenebook.figures import style

_WIDE_FROM = 11
_LABEL_LIMIT = 1.3
_DIGIT = 0.62  # width of a digit in DejaVu Sans, in ems


class ConfusionDisplay:
    """Counts in cells, shares of the true class as shades.

    Args:
        matrix: Ints `(num_classes, num_classes)`; rows are true classes, columns predicted ones.
        class_names: A name a class, shown as they are.

    Attributes:
        matrix: int64 `(num_classes, num_classes)`.
        percentages: float64 `(num_classes, num_classes)` in `[0, 100]`: each row's shares; zeros for a class without
            pictures.
        class_names: Names, in one line each.
        wide: Whether the figure needs both columns.
        figure_: The figure, after `plot`.
        ax_: Its axes, after `plot`.
        annotations_: The texts of the cells, after `plot`; `None` where there is no room for any.

    Raises:
        InputError: The matrix is not square, holds negative counts, or does not fit the names.
    """

    figure_: Figure
    ax_: Axes
    annotations_: np.ndarray | None

    def __init__(self, matrix: np.ndarray, class_names: Sequence[str]) -> None:
        counts = np.asarray(matrix)
        if counts.shape != (len(class_names),) * 2 or not len(class_names) or (counts < 0).any():
            raise InputError(
                "Expected a square matrix of counts with a name a row.",
                received={"shape": counts.shape, "names": len(class_names)},
            )
        self.matrix = counts.astype(np.int64)
        totals = self.matrix.sum(axis=1, keepdims=True)
        self.percentages = 100 * self.matrix / np.maximum(totals, 1)
        self.class_names = [style.printable(name) for name in class_names]
        self.wide = len(self.class_names) >= _WIDE_FROM

    def plot(self, ax: Axes | None = None, *, colorbar: bool = True, cmap: str = style.SHADES) -> ConfusionDisplay:
        """Draws the matrix.

        Args:
            ax: Where to draw; by default a new figure of the size that the classes need.
            colorbar: Whether to explain the shades.
            cmap: Name of the shades.
        """
        num_classes = len(self.class_names)
        width = style.WIDE_WIDTH if self.wide else style.COLUMN_WIDTH
        labels, label_size, label_width = self._fit_labels(width)
        cell = max((width - label_width - (0.75 if colorbar else 0.3)) / num_classes, 0.001)
        turned = max(style.text_width(label, label_size) for label in labels) > 0.95 * cell
        with style.use():
            if ax is None:
                ax = style.make_axes(width, cell * num_classes + (label_width if turned else 0.15) + 0.35)
            annotations, size = _fit_counts(self.matrix, cell)
            sns.heatmap(
                self.percentages,
                ax=ax,
                vmin=0,
                vmax=100,
                cmap=cmap,
                annot=False if annotations is None else annotations,
                fmt="",
                annot_kws={"size": size},
                cbar=colorbar,
                cbar_kws={"fraction": 0.05, "pad": 0.02, "aspect": 30, "label": "share of the true class, %"},
                linewidths=0.4 if num_classes <= 40 else 0,
                linecolor="white",
                rasterized=num_classes > 60,
            )
            self._label(ax, labels, label_size, cell, turned)
            self._mute_zeros(ax, annotations)
            style.set_plain_text(ax)
        self.annotations_ = annotations
        self.figure_, self.ax_ = ax.figure, ax  # type: ignore[assignment]
        return self

    def _fit_labels(self, width: float) -> tuple[list[str], float, float]:
        """Returns the labels, their size in points and the room in inches that the longest one takes."""
        cell = (width - _LABEL_LIMIT) / len(self.class_names)
        size = float(np.clip(cell * 72 * 0.9, 5, style.SMALL_SIZE))
        limit = int(_LABEL_LIMIT * 72 / (0.6 * size))
        labels = style.shorten_all(self.class_names, limit)
        return labels, size, min(max(style.text_width(label, size) for label in labels), _LABEL_LIMIT) + 0.1

    def _label(self, ax: Axes, labels: list[str], size: float, cell: float, turned: bool) -> None:
        # Where rows are lower than a letter, every second, third, ... class has its name shown.
        step = max(1, int(np.ceil(size * 1.1 / (cell * 72))))
        positions = np.arange(0, len(labels), step)
        shown = [labels[position] for position in positions]
        ax.set_yticks(positions + 0.5, shown, size=size, rotation=0)
        diagonal = turned and len(labels) <= 12
        turn = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"} if diagonal else {"rotation": 90 * turned}
        ax.set_xticks(positions + 0.5, shown, size=size, **turn)
        ax.tick_params(length=0, pad=2)
        ax.set_xlabel("predicted class")
        ax.set_ylabel("true class")

    def _mute_zeros(self, ax: Axes, annotations: np.ndarray | None) -> None:
        if annotations is None:
            return
        for text, count in zip(ax.texts, self.matrix.flat, strict=True):
            if count == 0:
                text.set_color("#a6a6a6")


def _fit_counts(matrix: np.ndarray, cell: float) -> tuple[np.ndarray | None, float]:
    """Returns the cells' texts and their size in points: whole counts if these can be read, else thousands, else none.

    Args:
        matrix: Counts.
        cell: Width of a cell in inches.
    """
    for texts in (np.char.mod("%d", matrix), np.vectorize(_in_thousands)(matrix)):
        longest = max(len(text) for text in texts.flat)
        size = min(style.FONT_SIZE, 0.9 * cell * 72 / (_DIGIT * longest), 0.75 * cell * 72)
        if size >= style.SMALLEST_SIZE:
            return texts, size
    return None, style.SMALLEST_SIZE


def _in_thousands(count: int) -> str:
    """Returns 999 as `999`, 1234 as `1k` and 12345678 as `12M`."""
    for power, sign in ((1_000_000, "M"), (1_000, "k")):
        if count >= power:
            return f"{count / power:.0f}{sign}"
    return str(count)
