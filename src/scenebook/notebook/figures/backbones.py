"""Backbones side by side: accuracy against speed, and against size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple, Self

import numpy as np
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from scenebook.core.wording import printable, shorten_all
from scenebook.evaluation.metrics.intervals import Score
from scenebook.notebook.figures import style
from scenebook.notebook.figures.trust import MARK_COLORS
from scenebook.study.results import select_backbones, title_backbone
from scenebook.study.summaries import Summary

_MARKERS = "osD^vP*X<>"
_LABEL_CHARACTERS = 26


class _Point(NamedTuple):
    title: str
    score: Score
    rate: float
    millions: float


@dataclass(eq=False)
class BackbonesDisplay(style.Display):
    """Accuracy with its interval against images a second (left) and parameters (right), a mark a backbone.

    Both scales across are logarithmic. The base comes first.
    """

    points: list[_Point]

    _grid: ClassVar = {"ncols": 2, "sharey": True}

    @classmethod
    def from_summaries(cls, summaries: Sequence[Summary], backbone: str) -> Self:
        """Returns the display of a study; `backbone` is the run's. What failed is left out."""
        done = [one for one in select_backbones(summaries) if one.done]
        titles = [title_backbone(one, backbone) for one in done]
        facts = [(one.accuracy, one.images_per_second, one.done[0].total_params / 1e6) for one in done]
        return cls([_Point(title, *known) for title, known in zip(titles, facts, strict=True)])

    def describe(self) -> str:
        rows = [
            f"{printable(one.title)}: {one.score['value']:.1%} ({one.score['low']:.1%} to {one.score['high']:.1%}), "
            f"{one.rate:,.0f} images a second, {one.millions:.1f} million parameters"
            for one in self.points
        ]
        return f"Accuracy of each backbone against its speed and its size. {'; '.join(rows)}."

    def _size(self) -> tuple[float, float]:
        return style.WIDE_WIDTH, 2.3 + 0.16 * -(-len(self.points) // 3)

    def _draw(self) -> None:
        first, second = self.ax_
        titles = shorten_all([printable(one.title) for one in self.points], _LABEL_CHARACTERS)
        for number, (one, title) in enumerate(zip(self.points, titles, strict=True)):
            value, low, high = (100 * one.score[bound] for bound in ("value", "low", "high"))
            looks = {
                "fmt": _MARKERS[number % len(_MARKERS)],
                "color": MARK_COLORS[number % len(MARK_COLORS)],
                "yerr": [[value - low], [high - value]],
                "elinewidth": 0.8,
                "markersize": 5,
            }
            for ax, place in ((first, one.rate), (second, one.millions)):
                if not np.isnan(place):
                    ax.errorbar(place, value, label=title, **looks)
        first.set_xlabel("images a second (logarithmic)")
        second.set_xlabel("parameters, in millions (logarithmic)")
        first.set_ylabel("accuracy on held-out images (%)")
        for ax in (first, second):
            ax.set_xscale("log")
            ax.margins(x=0.1)
            ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            ax.xaxis.set_major_formatter(FuncFormatter(lambda place, _: f"{place:g}"))
            ax.xaxis.set_minor_formatter(NullFormatter())
            ax.grid(axis="y")
        handles, labels = second.get_legend_handles_labels()
        looks = {"loc": "outside upper left", "ncols": 3, "handletextpad": 0.3, "columnspacing": 1.2}
        second.figure.legend(handles, labels, **looks)
