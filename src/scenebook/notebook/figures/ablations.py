"""The variants of a recipe: their histories, a panel each, and how far they lie from the base."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from scenebook.core.wording import printable, shorten_all
from scenebook.evaluation.metrics.intervals import Score
from scenebook.notebook.figures import style
from scenebook.study.plan import BASE
from scenebook.study.summaries import NOT_RUN, Summary

MOST_PANELS = 36  # of more variants, the first are drawn
_TITLE_SIZE, _NOTE_SIZE = 7.5, 7.1  # points
_PALE_LINE, _PALE_MARK = "#9a9a9a", "#a8a8a8"
_LONG = 1.5
_LABEL_WIDTH = 1.75  # inches
_LABEL_CHARACTERS = 30
_FAR = 2.5
"""What lies so many times farther from 0 than the rest is drawn as an arrow, so that the rest can be told apart."""


@dataclass(eq=False)
class AblationHistoriesDisplay(style.Display):
    """Accuracy by epoch, a panel a variant: means over the seeds as thick lines, the seeds as thin ones.

    The base, where it has a history, is in each other panel too, in grey. All panels have the same axes. Where some
    variants train much longer than others, epochs are drawn on a logarithmic scale, so that the others keep their room.
    """

    panels: list[Summary]
    base: Summary | None
    left_out: int

    @classmethod
    def from_summaries(cls, summaries: Sequence[Summary]) -> Self:
        """Returns the display of a study in which a variant is done; those that were not run are left out."""
        run = [one for one in summaries if one.status != NOT_RUN]
        base = next((one for one in run if one.variant.name == BASE and one.done), None)
        return cls(run[:MOST_PANELS], base, len(run[MOST_PANELS:]))

    @property
    def is_logarithmic(self) -> bool:
        epochs = [max(1, *(len(record.history) for record in panel.done)) for panel in self.panels if panel.done]
        return max(epochs) > _LONG * min(epochs)

    def describe(self) -> str:
        more = f" {self.left_out} more variants are not drawn." if self.left_out else ""
        return f"Accuracy by epoch of each variant. {'; '.join(map(_describe_panel, self.panels))}.{more}"

    @property
    def _grid(self) -> dict[str, Any]:  # type: ignore[override]
        count = len(self.panels)
        columns = max(3, min(count, 4)) if count <= 12 else 5 if count <= 25 else 6
        return {"nrows": -(-count // columns), "ncols": columns, "sharex": True, "sharey": True, "squeeze": False}

    def _size(self) -> tuple[float, float]:
        return style.WIDE_WIDTH, 1.12 * self._grid["nrows"] + 0.6

    def _draw(self) -> None:
        columns = self._grid["ncols"]
        axes = list(self.ax_.flat)
        width = style.WIDE_WIDTH / columns - 0.25
        limit = max(12, int(width * 72 / (0.45 * _TITLE_SIZE)))
        titles = shorten_all([printable(panel.title) for panel in self.panels], limit)
        for ax, panel, title in zip(axes, self.panels, titles, strict=False):
            ax.set_title(style.fit(title, width, _TITLE_SIZE), size=_TITLE_SIZE, pad=3)
            self._draw_panel(ax, panel, width)
        self._set_axes(axes, columns)
        part = axes[0].figure
        part.supxlabel("epoch (logarithmic scale)" if self.is_logarithmic else "epoch", size=style.SMALL_SIZE)
        part.supylabel("accuracy (%)", size=style.SMALL_SIZE)
        looks = {"handlelength": 2.2, "columnspacing": 1.4, "borderpad": 0.8}
        part.legend(handles=self._make_entries(), loc="outside upper left", ncols=4, **looks)
        self.ax_ = self.ax_.flat[: len(self.panels)]

    def _draw_panel(self, ax: Axes, panel: Summary, width: float) -> None:
        if self.base is not None and panel is not self.base:
            _draw_mean(ax, self.base, _PALE_LINE, _PALE_LINE, 0.8)
        if panel.done:
            if len(panel.done) > 1:
                training, validation = _read_curves(panel)
                epochs = np.arange(1, training.shape[1] + 1)
                ax.plot(epochs, training.T, "--", color=style.BLUE, linewidth=0.5, alpha=0.6)
                ax.plot(epochs, validation.T, "-", color=style.ORANGE, linewidth=0.5, alpha=0.6)
            _draw_mean(ax, panel, style.BLUE, style.ORANGE, 1.2)
        if panel.note:
            note = style.fit(panel.note, width, _NOTE_SIZE)
            ax.text(0.97, 0.05, note, transform=ax.transAxes, ha="right", size=_NOTE_SIZE)
        ax.grid(axis="y")

    def _set_axes(self, axes: Sequence[Axes], columns: int) -> None:
        curves = [curve for panel in self.panels if panel.done for curve in _read_curves(panel)]
        last = max(curve.shape[1] for curve in curves)
        lowest = min(float(np.nanmin(curve)) for curve in curves)
        if self.is_logarithmic:
            axes[0].set_xscale("log", base=2)
            axes[0].set_xlim(0.93, last * 1.08)
            axes[0].set_xticks([2**power for power in range(last.bit_length())])
            axes[0].xaxis.set_major_formatter("{x:g}")
        else:
            axes[0].set_xlim(1 - min(0.4, 0.04 * last), last * 1.03)
            axes[0].xaxis.set_major_locator(MaxNLocator(nbins=4, integer=True, min_n_ticks=1))
        axes[0].set_ylim(max(0.0, lowest - 0.03), 1.02)
        axes[0].yaxis.set_major_locator(MaxNLocator(nbins=4))
        axes[0].yaxis.set_major_formatter(lambda share, _: f"{round(100 * share, 6):g}")
        for number, ax in enumerate(axes):
            ax.tick_params(labelsize=_NOTE_SIZE)
            if number >= len(self.panels):
                ax.set_visible(False)
            elif number + columns >= len(self.panels):
                # Below it stands nothing, so that the ticks of its column are its own.
                ax.tick_params(labelbottom=True)

    def _make_entries(self) -> list[Line2D]:
        entries = [
            Line2D([], [], color=style.ORANGE, linewidth=1.2, label="validation"),
            Line2D([], [], color=style.BLUE, linewidth=1.2, linestyle="--", label="training"),
        ]
        if self.base is not None and len(self.panels) > 1:
            entries.append(Line2D([], [], color=_PALE_LINE, linewidth=0.8, label="both of the base"))
        if any(len(panel.done) > 1 for panel in self.panels):
            entries.append(Line2D([], [], color=style.ORANGE, linewidth=0.5, alpha=0.6, label="single seeds"))
        return entries


def _read_curves(summary: Summary) -> tuple[np.ndarray, np.ndarray]:
    """Returns the accuracies on training and validation images, each float64 `(seeds, epochs)`, of one that is done.

    What has ended before others is NaN from there on; what is trained in no epochs has one point.
    """
    training = [_list_points(record.history, "accuracy", record.train_right) for record in summary.done]
    validation = [_list_points(record.history, "val_accuracy", record.val_right) for record in summary.done]
    return pd.DataFrame(training).to_numpy(), pd.DataFrame(validation).to_numpy()


def _list_points(history: pd.DataFrame, column: str, right: np.ndarray) -> pd.Series:
    return pd.Series(history[column].to_numpy(float) if len(history) else [right.mean()])


def _draw_mean(ax: Axes, panel: Summary, training: str, validation: str, width: float) -> None:
    means = [np.nanmean(curves, axis=0) for curves in _read_curves(panel)]
    epochs = np.arange(1, len(means[0]) + 1)
    marker = "." if len(epochs) == 1 else ""
    ax.plot(epochs, means[0], "--", color=training, linewidth=width, marker=marker)
    ax.plot(epochs, means[1], "-", color=validation, linewidth=width, marker=marker)


def _describe_panel(panel: Summary) -> str:
    title = printable(panel.title)
    if not panel.done:
        return f"{title}: {panel.note}"
    means = [np.nanmean(curves, axis=0) for curves in _read_curves(panel)]
    training, validation = (f"{curve[0]:.0%} to {curve[-1]:.0%}" for curve in means)
    note = f", {panel.note}" if panel.note else ""
    return f"{title}{note}: over {len(means[0])} epochs validation {validation}, training {training}"


@dataclass(eq=False)
class AblationDifferencesDisplay(style.Display):
    """Differences of variants from the base, in accuracy and in over-fitting gap, a row a variant.

    Shares are drawn as percentage points. A mark is filled where the difference is shown, and hollow where it may be
    chance; ticks are single seeds. What lies far outside the others is an arrow with its value.
    """

    rows: list[Summary]

    _grid: ClassVar = {"ncols": 2, "sharey": True}

    @classmethod
    def from_summaries(cls, summaries: Sequence[Summary]) -> Self:
        """Returns the display of a study with at least one comparison; variants that were not run are left out."""
        return cls([one for one in summaries if one.variant.name != BASE and one.status != NOT_RUN])

    def describe(self) -> str:
        rows = [f"{printable(row.title)}: {_describe_difference(row)}" for row in self.rows]
        return f"Differences from the base in percentage points, with 95% intervals. {'; '.join(rows)}."

    def _size(self) -> tuple[float, float]:
        return style.WIDE_WIDTH, 0.17 * len(self.rows) + 0.75

    def _draw(self) -> None:
        first, second = self.ax_
        compared = [(y, row.comparison) for y, row in enumerate(self.rows) if row.comparison]
        _draw_scores(first, [(y, one.accuracy, bool(one.accuracy_direction), one.accuracies) for y, one in compared])
        _draw_scores(second, [(y, one.gap, bool(one.gap_direction), one.gaps) for y, one in compared])
        self._label_rows(first)
        second.tick_params(axis="y", length=0)
        first.set_xlabel("difference in validation accuracy (points)")
        second.set_xlabel("difference in over-fitting gap (points)")
        mark: dict[str, Any] = {"color": style.BLUE, "marker": "o", "markersize": 4}
        entries = [
            Line2D([], [], linewidth=1.1, label="shown to differ", **mark),
            Line2D([], [], linewidth=1.1, markerfacecolor="white", label="undecided", **mark),
            Line2D([], [], color=_PALE_MARK, marker="|", markersize=6, linestyle="", label="one seed"),
        ]
        looks = {"columnspacing": 1.2, "handletextpad": 0.4, "handlelength": 1.6}
        style.put_legend_on_top(first, handles=entries, columns=3, **looks)

    def _label_rows(self, ax: Axes) -> None:
        titles = shorten_all([printable(row.title) for row in self.rows], _LABEL_CHARACTERS)
        fitting = [style.fit(title, _LABEL_WIDTH, style.SMALL_SIZE) for title in titles]
        ax.set_yticks(range(len(self.rows)), fitting)
        ax.set_ylim(len(self.rows) - 0.4, -0.6)
        ax.tick_params(axis="y", length=0)
        for y, row in enumerate(self.rows):
            if row.comparison is None:
                note = style.fit(_describe_difference(row), 2.0, _NOTE_SIZE)
                ax.text(0.02, y, note, transform=ax.get_yaxis_transform(), va="center", size=_NOTE_SIZE)


def _draw_scores(ax: Axes, rows: Sequence[tuple[int, Score, bool, np.ndarray]]) -> None:
    # The axis reaches to either side, in points, to the farthest bound that is not far from the rest.
    bounds = np.sort([100 * max(abs(score["low"]), abs(score["high"])) for _, score, _, _ in rows])
    reach = max(1.0, float(bounds[bounds <= _FAR * max(float(np.median(bounds)), 1.0)][-1]))
    ax.axvline(0, color=style.GREY, linewidth=0.8)
    for y, score, shown, of_seeds in rows:
        value, low, high = (100 * score[bound] for bound in ("value", "low", "high"))
        if abs(value) > reach:
            _draw_arrow(ax, y, value, reach)
            continue
        if len(of_seeds) > 1:
            near = [100 * one for one in of_seeds if abs(100 * one) <= reach]
            ax.plot(near, [y] * len(near), "|", color=_PALE_MARK, ms=6)
        ax.plot([max(low, -reach), min(high, reach)], [y, y], color=style.BLUE, linewidth=1.1)
        ax.plot(value, y, "o", color=style.BLUE, ms=4, mfc=style.BLUE if shown else "white", zorder=3)
    ax.set_xlim(-1.08 * reach, 1.08 * reach)
    ax.xaxis.set_major_locator(MaxNLocator(nbins=7, steps=[1, 2, 5, 10]))
    ax.xaxis.set_major_formatter(lambda points, _: f"{points:+g}".replace("-", "−") if points else "0")
    ax.grid(axis="x")


def _draw_arrow(ax: Axes, y: float, value: float, reach: float) -> None:
    side = math.copysign(1, value)
    looks = {"arrowstyle": "-|>", "color": style.BLUE, "lw": 1.1}
    ax.annotate("", (side * reach, y), (side * 0.86 * reach, y), arrowprops=looks)
    text = f"{value:+.1f}".replace("-", "−")
    ax.text(side * 0.84 * reach, y, text, ha="right" if side > 0 else "left", va="center", size=_NOTE_SIZE)


def _describe_difference(row: Summary) -> str:
    if row.comparison is None:
        return row.note or "nothing to compare with"
    scores = {"accuracy": row.comparison.accuracy, "gap": row.comparison.gap}
    return ", ".join(
        f"{name} {100 * one['value']:+.1f} ({100 * one['low']:+.1f} to {100 * one['high']:+.1f})".replace("-", "−")
        for name, one in scores.items()
    )
