"""How far the variants of a recipe lie from the base, with intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from scenebook.core.errors import InputError
from scenebook.core.wording import printable, shorten_all
from scenebook.evaluation.metrics.intervals import Score
from scenebook.notebook.figures import style
from scenebook.notebook.figures.base import Display
from scenebook.study.plan import BASE
from scenebook.study.summaries import NOT_RUN, Summary

_NOTE_SIZE = 6.0  # points
_LABEL_WIDTH = 1.75  # inches
_LABEL_CHARACTERS = 30
_PALE = "#a8a8a8"
_FAR = 2.5
"""What lies so many times farther from 0 than the rest is drawn as an arrow, so that the rest can be told apart."""


@dataclass(frozen=True)
class Difference:
    """A variant's difference from the base; shares, drawn as percentage points.

    Attributes:
        title: The variant.
        accuracy: Of the validation accuracies, with its 95% interval; `None` where it could not be compared.
        gap: Of the over-fitting gaps, with its 95% interval; `None` likewise.
        accuracy_shown: Whether the difference in accuracy is more than chance explains.
        gap_shown: Whether that in the gap is.
        accuracies: The difference of each seed.
        gaps: The same of the gaps.
        note: What stands in the row where there is no difference.
    """

    title: str
    accuracy: Score | None
    gap: Score | None
    accuracy_shown: bool = False
    gap_shown: bool = False
    accuracies: Sequence[float] = ()
    gaps: Sequence[float] = ()
    note: str = ""


@dataclass(eq=False)
class AblationDifferencesDisplay(Display):
    """Differences of variants from the base, in accuracy and in over-fitting gap, a row a variant.

    A mark is filled where the difference is shown, and hollow where it may be chance; ticks are single seeds. What lies
    far outside the others is an arrow with its value.

    Attributes:
        rows: A row a variant, from top to bottom.
        ax_: The axes of the accuracies and those of the gaps, after `plot`.
    """

    rows: list[Difference]

    _grid: ClassVar = {"ncols": 2, "sharey": True}

    @classmethod
    def from_rows(cls, rows: Sequence[Difference]) -> Self:
        """Returns the display of differences.

        Raises:
            InputError: No variant could be compared.
        """
        if not any(row.accuracy for row in rows):
            raise InputError(
                "Expected at least one variant with a difference from the base.", received={"rows": len(rows)}
            )
        return cls(list(rows))

    @classmethod
    def from_summaries(cls, summaries: Sequence[Summary]) -> Self:
        """Returns the display of a study; variants that were not run are left out."""
        run = [one for one in summaries if one.variant.name != BASE and one.status != NOT_RUN]
        return cls.from_rows([_make_difference(summary) for summary in run])

    def describe(self) -> str:
        rows = [f"{printable(row.title)}: {_describe_difference(row)}" for row in self.rows]
        return f"Differences from the base in percentage points, with 95% intervals. {'; '.join(rows)}."

    def _size(self) -> tuple[float, float]:
        return style.WIDE_WIDTH, 0.17 * len(self.rows) + 0.75

    def _draw(self) -> None:
        first, second = self.ax_
        self._draw_scores(first, [(row.accuracy, row.accuracy_shown, row.accuracies) for row in self.rows])
        self._draw_scores(second, [(row.gap, row.gap_shown, row.gaps) for row in self.rows])
        self._label_rows(first)
        second.tick_params(axis="y", length=0)
        first.set_xlabel("difference in validation accuracy (points)")
        second.set_xlabel("difference in over-fitting gap (points)")
        looks = {"columnspacing": 1.2, "handletextpad": 0.4, "handlelength": 1.6}
        style.put_legend_on_top(first, handles=_make_entries(), columns=3, **looks)

    def _draw_scores(self, ax: Axes, columns: Sequence[tuple[Score | None, bool, Sequence[float]]]) -> None:
        reach = _find_reach([score for score, _, _ in columns if score is not None])
        ax.axvline(0, color=style.GREY, linewidth=0.8)
        for y, (score, shown, of_seeds) in enumerate(columns):
            if score is None:
                continue
            value, low, high = (100 * score[bound] for bound in ("value", "low", "high"))
            if abs(value) > reach:
                _draw_arrow(ax, y, value, reach)
                continue
            seeds = 100 * np.asarray(of_seeds)
            if len(seeds) > 1:
                ax.plot(seeds[abs(seeds) <= reach], [y] * int((abs(seeds) <= reach).sum()), "|", color=_PALE, ms=6)
            ax.plot([max(low, -reach), min(high, reach)], [y, y], color=style.BLUE, linewidth=1.1)
            ax.plot(value, y, "o", color=style.BLUE, ms=4, mfc=style.BLUE if shown else "white", zorder=3)
        ax.set_xlim(-1.08 * reach, 1.08 * reach)
        ax.xaxis.set_major_locator(MaxNLocator(nbins=7, steps=[1, 2, 5, 10]))
        ax.xaxis.set_major_formatter(lambda points, _: f"{points:+g}".replace("-", "−") if points else "0")
        ax.grid(axis="x")

    def _label_rows(self, ax: Axes) -> None:
        titles = shorten_all([printable(row.title) for row in self.rows], _LABEL_CHARACTERS)
        fitting = [style.fit(title, _LABEL_WIDTH, style.SMALL_SIZE) for title in titles]
        ax.set_yticks(range(len(self.rows)), fitting)
        ax.set_ylim(len(self.rows) - 0.4, -0.6)
        ax.tick_params(axis="y", length=0)
        for y, row in enumerate(self.rows):
            if row.accuracy is None and row.note:
                note = style.fit(printable(row.note), 2.0, _NOTE_SIZE)
                ax.text(0.02, y, note, transform=ax.get_yaxis_transform(), va="center", size=_NOTE_SIZE)


def _make_difference(summary: Summary) -> Difference:
    found = summary.comparison
    if found is None:
        return Difference(summary.title, None, None, note=summary.note or "nothing to compare with")
    return Difference(
        summary.title, found.accuracy, found.gap, bool(found.accuracy_direction), bool(found.gap_direction),
        found.accuracies.tolist(), found.gaps.tolist(),
    )  # fmt: skip


def _describe_difference(row: Difference) -> str:
    if row.accuracy is None or row.gap is None:
        return printable(row.note)
    scores = {"accuracy": row.accuracy, "gap": row.gap}
    return ", ".join(
        f"{name} {100 * one['value']:+.1f} ({100 * one['low']:+.1f} to {100 * one['high']:+.1f})".replace("-", "−")
        for name, one in scores.items()
    )


def _find_reach(scores: Sequence[Score]) -> float:
    """Returns how far the axis goes to either side, in points: to the farthest bound that is not far from the rest."""
    bounds = np.sort([100 * max(abs(score["low"]), abs(score["high"])) for score in scores])
    near = bounds[bounds <= _FAR * max(float(np.median(bounds)), 1.0)]
    return max(1.0, float(near[-1]))


def _draw_arrow(ax: Axes, y: float, value: float, reach: float) -> None:
    side = math.copysign(1, value)
    ax.annotate(
        "",
        (side * reach, y),
        (side * 0.86 * reach, y),
        arrowprops={"arrowstyle": "-|>", "color": style.BLUE, "lw": 1.1},
    )
    text = f"{value:+.1f}".replace("-", "−")
    ax.text(side * 0.84 * reach, y, text, ha="right" if side > 0 else "left", va="center", size=_NOTE_SIZE)


def _make_entries() -> list[Line2D]:
    mark: dict[str, Any] = {"color": style.BLUE, "marker": "o", "markersize": 4}
    return [
        Line2D([], [], linewidth=1.1, label="shown to differ", **mark),
        Line2D([], [], linewidth=1.1, markerfacecolor="white", label="undecided", **mark),
        Line2D([], [], color=_PALE, marker="|", markersize=6, linestyle="", label="one seed"),
    ]
