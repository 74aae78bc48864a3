"""What training did, epoch by epoch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator

from scenebook.core.errors import InputError
from scenebook.core.wording import count_noun
from scenebook.notebook.figures import style


@dataclass(eq=False)
class HistoryDisplay(style.Display):
    """Loss or accuracy on training and validation images by epoch.

    Attributes:
        metric: `loss` or `accuracy`.
        epochs: int64 `(epochs,)`.
        training: float64 `(epochs,)`.
        validation: float64 `(epochs,)`, or `None`.
    """

    metric: str
    epochs: np.ndarray
    training: np.ndarray
    validation: np.ndarray | None

    @classmethod
    def from_history(cls, history: pd.DataFrame, metric: Literal["loss", "accuracy"] = "loss") -> Self:
        """Returns the display of one metric.

        Args:
            history: A row an epoch, with the columns `epoch` (optional, counted from 1), `loss` or `accuracy`, and
                `val_loss` or `val_accuracy` where there was a validation split.
            metric: `loss` or `accuracy`.

        Raises:
            InputError: The history is empty or lacks the metric's column.
        """
        if metric not in history.columns or history.empty:
            raise InputError(
                f"Expected a history of at least one epoch with the column {metric}.",
                received={"columns": list(history.columns), "epochs": len(history)},
            )
        epochs = history["epoch"] if "epoch" in history.columns else np.arange(1, len(history) + 1)
        training = history[metric].to_numpy(np.float64)
        measured = f"val_{metric}" in history.columns and history[f"val_{metric}"].notna().any()
        validation = history[f"val_{metric}"].to_numpy(np.float64) if measured else None
        return cls(metric, np.asarray(epochs, dtype=np.int64), training, validation)

    def describe(self) -> str:
        told = [f"{count_noun(len(self.epochs), 'epoch')}."]
        for name, values in (("Training", self.training), ("Validation", self.validation)):
            told.append(f"{name} {self.metric} {self._describe_curve(values)}")
        return " ".join(told)

    def _describe_curve(self, values: np.ndarray | None) -> str:
        """Returns a curve's ends, its best epoch, and how often it turns back."""
        if values is None or not np.isfinite(values).any():
            return "has no values."
        known, rises = np.isfinite(values), self.metric == "accuracy"
        epochs, values = self.epochs[known], values[known]
        if len(values) == 1:
            return f"is {values[0]:.3f}."
        best = int(values.argmax() if rises else values.argmin())
        steps = np.diff(values) * (1 if rises else -1)
        back = int((steps < 0).sum())
        better, worse, most = ("rises", "falls", "highest") if rises else ("falls", "rises", "lowest")
        trend = f"{worse} again in {back} of {count_noun(len(steps), 'step')}" if back else f"never {worse}"
        return (
            f"{better if steps.sum() >= 0 else worse} from {values[0]:.3f} to {values[-1]:.3f}, is {most} in epoch "
            f"{int(epochs[best])} ({values[best]:.3f}) and {trend}."
        )

    def _size(self) -> tuple[float, float]:
        return style.COLUMN_WIDTH, 2.2

    def _draw(self) -> None:
        ax = self.ax_
        marker = "o" if len(self.epochs) <= 30 else ""
        ax.plot(self.epochs, self.training, color=style.BLUE, marker=marker, label="training")
        if self.validation is not None:
            # Told apart by line and marker too, for print without colour.
            square = "s" if marker else ""
            ax.plot(self.epochs, self.validation, "--", color=style.ORANGE, marker=square, label="validation")
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
        style.put_legend_on_top(ax, columns=2, handlelength=2.5)
