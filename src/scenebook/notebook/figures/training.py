"""How a network is cut for training, and what training did, epoch by epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from scenebook.core.wording import count_noun
from scenebook.notebook.figures import style
from scenebook.notebook.figures.network import FROZEN, TRAINED, add_box, draw_arrow

_HEIGHT, _TOP, _BOX, _WIDTH, _CUT = 1.12, 0.2, 0.5, 1.22, 1.7  # inches
_SIZE = 7.1  # points
_TENSORS = 2  # so many tensors are written out; of more, their number


@dataclass(eq=False)
class CutDisplay(style.Display):
    """Frozen layers and trainable layers side by side, what goes between them, and how far the gradient comes back.

    `base` and `tail` are the numbers of layers and of weights of both parts; `shapes` are those of the tensors between
    them, without the axis of the images.
    """

    base: tuple[int, int]
    tail: tuple[int, int]
    shapes: Sequence[tuple[int, ...]]

    def describe(self) -> str:
        return "Diagram: numbers pass from frozen to trainable layers; the gradient returns to the cut."

    def _size(self) -> tuple[float, float]:
        return style.COLUMN_WIDTH, _HEIGHT

    def _draw(self) -> None:
        ax: Axes = self.ax_
        ax.set(xlim=(0, style.COLUMN_WIDTH), ylim=(_HEIGHT, 0), aspect="equal")
        ax.axis("off")
        right = style.COLUMN_WIDTH - _WIDTH - 0.05
        _draw_part(ax, 0.05, "frozen layers", self.base, FROZEN, "once for each version")
        _draw_part(ax, right, "trainable layers", self.tail, TRAINED, "in every step")
        middle = _TOP + _BOX / 2
        draw_arrow(ax, 0.05 + _WIDTH, middle, right, middle, linestyle="-")
        tensors = [" × ".join(map(str, shape)) for shape in self.shapes]
        if len(tensors) > _TENSORS:
            tensors = [count_noun(len(tensors), "tensor")]
        for number, text in enumerate(tensors):
            ax.text(_CUT, middle - 0.08 - 0.13 * number, text, ha="center", va="bottom", size=_SIZE)
        # The way back ends where nothing further upstream learns.
        y = _TOP + _BOX + 0.2
        ax.plot([_CUT, _CUT], [_TOP + _BOX / 2 + 0.08, y + 0.1], color=style.INK, linewidth=1.2)
        draw_arrow(ax, right + _WIDTH, y, _CUT, y, linestyle=(0, (3, 2)))
        ax.text((_CUT + right + _WIDTH) / 2, y + 0.06, "gradient of the loss", ha="center", va="top", size=_SIZE)


def _draw_part(ax: Axes, left: float, title: str, part: tuple[int, int], color: str, when: str) -> None:
    layers, parameters = part
    add_box(ax, left, _TOP, _WIDTH, _BOX, color)
    for number, text in enumerate((title, count_noun(layers, "layer"), f"{parameters:,} parameters")):
        weight = "bold" if number == 0 else "normal"
        y = _TOP + 0.11 + 0.14 * number
        fitted = style.fit(text, _WIDTH - 0.02, _SIZE)
        ax.text(left + _WIDTH / 2, y, fitted, ha="center", va="center", size=_SIZE, weight=weight)
    ax.text(left + _WIDTH / 2, _TOP - 0.06, when, ha="center", va="bottom", size=_SIZE)


@dataclass(eq=False)
class HistoryDisplay(style.Display):
    """Loss or accuracy, the `metric`, on training and validation images by epoch, float64 `(epochs,)`.

    The second phase begins between two epochs, or never.
    """

    metric: str
    epochs: np.ndarray
    training: np.ndarray
    validation: np.ndarray | None
    second_phase: float | None = None

    @classmethod
    def from_history(
        cls,
        history: pd.DataFrame,
        metric: Literal["loss", "accuracy"] = "loss",
        phases: Sequence[Mapping[str, Any]] = (),
    ) -> Self:
        """Returns the display of one metric.

        The history has one row or more, each an epoch: the metric, `val_` and its name where there was a validation
        split, and perhaps `epoch`, counted from 1. Each phase of the training has its `first_epoch`, counted from 0.
        """
        epochs = history["epoch"] if "epoch" in history.columns else np.arange(1, len(history) + 1)
        training = history[metric].to_numpy(np.float64)
        measured = f"val_{metric}" in history.columns and history[f"val_{metric}"].notna().any()
        validation = history[f"val_{metric}"].to_numpy(np.float64) if measured else None
        second = phases[1]["first_epoch"] + 0.5 if len(phases) > 1 else None
        return cls(metric, np.asarray(epochs, dtype=np.int64), training, validation, second)

    def describe(self) -> str:
        told = [f"{count_noun(len(self.epochs), 'epoch')}."]
        for name, values in (("Training", self.training), ("Validation", self.validation)):
            told.append(f"{name} {self.metric} {self._describe_curve(values)}")
        if self.second_phase is not None:
            told.append(f"The second phase begins after epoch {int(self.second_phase)}.")
        return " ".join(told)

    def _describe_curve(self, values: np.ndarray | None) -> str:
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
        if self.second_phase is not None:
            ax.axvline(self.second_phase, color=style.GREY, linestyle=":", label="second phase")
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
        style.put_legend_on_top(ax, columns=2 if self.second_phase is None else 3, handlelength=2.5)


@dataclass(eq=False)
class HistoriesDisplay(style.Display):
    """Loss and accuracy side by side."""

    parts: tuple[HistoryDisplay, HistoryDisplay]
    _grid: ClassVar = {"ncols": 2}

    @classmethod
    def from_history(cls, history: pd.DataFrame, phases: Sequence[Mapping[str, Any]] = ()) -> Self:
        """Returns the display of both metrics, each as `HistoryDisplay.from_history` does."""
        metrics: tuple[Literal["loss"], Literal["accuracy"]] = ("loss", "accuracy")
        loss, accuracy = (HistoryDisplay.from_history(history, metric, phases) for metric in metrics)
        return cls((loss, accuracy))

    def describe(self) -> str:
        return " ".join(["Two plots, loss and accuracy by epoch.", *(part.describe() for part in self.parts)])

    def _size(self) -> tuple[float, float]:
        return style.WIDE_WIDTH, 2.1

    def _draw(self) -> None:
        for part, ax in zip(self.parts, self.ax_, strict=True):
            part.plot(ax)
