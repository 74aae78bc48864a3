"""What training did, epoch by epoch."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from scenebook.core.errors import InputError
from scenebook.notebook.figures import style


class HistoryDisplay:
    """Loss or accuracy on training and validation images by epoch.

    Args:
        history: A row an epoch, with the columns `epoch` (optional, counted from 1), `loss` or `accuracy`, and
            `val_loss` or `val_accuracy` where there was a validation split.
        metric: `loss` or `accuracy`.

    Attributes:
        metric: As given.
        epochs: int64 `(epochs,)`.
        training: float64 `(epochs,)`.
        validation: float64 `(epochs,)`, or `None`.
        figure_: The figure, after `plot`.
        ax_: Its axes, after `plot`.

    Raises:
        InputError: The history is empty or lacks the metric's column.
    """

    figure_: Figure
    ax_: Axes

    def __init__(self, history: pd.DataFrame, metric: Literal["loss", "accuracy"] = "loss") -> None:
        if metric not in history.columns or history.empty:
            raise InputError(
                f"Expected a history of at least one epoch with the column {metric}.",
                received={"columns": list(history.columns), "epochs": len(history)},
            )
        self.metric = metric
        epochs = history["epoch"] if "epoch" in history.columns else np.arange(1, len(history) + 1)
        self.epochs = np.asarray(epochs, dtype=np.int64)
        self.training = np.asarray(history[metric], dtype=np.float64)
        measured = f"val_{metric}" in history.columns and history[f"val_{metric}"].notna().any()
        self.validation = np.asarray(history[f"val_{metric}"], dtype=np.float64) if measured else None

    def plot(self, ax: Axes | None = None) -> HistoryDisplay:
        """Draws the curves.

        Args:
            ax: Where to draw; by default a new figure as wide as a column.
        """
        with style.use():
            ax = ax or style.make_axes(style.COLUMN_WIDTH, 2.2)
            marker = "o" if len(self.epochs) <= 30 else ""
            ax.plot(self.epochs, self.training, color=style.BLUE, marker=marker, label="training")
            if self.validation is not None:
                # Told apart by line and marker too, for print without colour.
                square = "s" if marker else ""
                ax.plot(self.epochs, self.validation, "--", color=style.ORANGE, marker=square, label="validation")
            self._set_axes(ax)
            ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, borderaxespad=0.2, handlelength=2.5)
            style.set_plain_text(ax)
        self.figure_, self.ax_ = ax.figure, ax  # type: ignore[assignment]
        return self

    def _set_axes(self, ax: Axes) -> None:
        first, last = int(self.epochs.min()), int(self.epochs.max())
        margin = max(0.4, 0.03 * (last - first))
        ax.set_xlim(first - margin, last + margin)
        # Whole epochs only, one of them included where there is just one.
        ax.xaxis.set_major_locator(MaxNLocator(nbins=10, integer=True, min_n_ticks=1))
        if first == last:
            ax.set_xticks([first])
        ax.set_xlabel("epoch")
        ax.set_ylabel("loss (cross-entropy)" if self.metric == "loss" else "accuracy (%)")
        if self.metric == "accuracy":
            ax.yaxis.set_major_formatter(lambda share, _: f"{round(100 * share, 6):g}")
        ax.grid(axis="y")
