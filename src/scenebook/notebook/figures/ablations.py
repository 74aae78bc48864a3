"""The histories of all variants of a recipe, a panel each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from scenebook.core.errors import InputError
from scenebook.core.wording import printable, shorten_all
from scenebook.notebook.figures import style
from scenebook.notebook.figures.base import Display
from scenebook.study.plan import BASE
from scenebook.study.summaries import NOT_RUN, Summary

MOST_PANELS = 36
"""Of more variants, the first are drawn."""
_TITLE_SIZE, _TICK_SIZE = 6.5, 6.0  # points
_PALE = "#9a9a9a"
_LONG = 1.5


@dataclass(frozen=True)
class Histories:
    """The accuracies of one variant by epoch, in `[0, 1]`.

    Attributes:
        title: The variant.
        training: float64 `(seeds, epochs)`, means over the epoch's batches; without a seed where training failed.
        validation: float64 `(seeds, epochs)`.
        note: What has to be said in the panel.
    """

    title: str
    training: np.ndarray
    validation: np.ndarray
    note: str = ""


@dataclass(eq=False)
class AblationHistoriesDisplay(Display):
    """Accuracy by epoch, a panel a variant: means over the seeds as thick lines, the seeds as thin ones.

    The base is in each other panel too, in grey. All panels have the same axes. Where some variants train much longer
    than others, epochs are drawn on a logarithmic scale, so that the others keep their room.

    Attributes:
        panels: Those that are drawn, in their order.
        base: The base, or `None`.
        left_out: How many variants are not drawn.
        ax_: The axes of the panels, after `plot`.
    """

    panels: list[Histories]
    base: Histories | None
    left_out: int

    @classmethod
    def from_panels(cls, panels: Sequence[Histories], base: int | None = None) -> Self:
        """Returns the display of variants.

        Args:
            panels: A panel a variant, in their order.
            base: Which of them is the base; `None` for none.

        Raises:
            InputError: No variant has a history.
        """
        if not any(panel.validation.size for panel in panels):
            raise InputError("Expected at least one variant with a history.", received={"panels": len(panels)})
        drawn = list(panels[:MOST_PANELS])
        named = panels[base] if base is not None and panels[base].validation.size else None
        return cls(drawn, named, len(panels) - len(drawn))

    @classmethod
    def from_summaries(cls, summaries: Sequence[Summary]) -> Self:
        """Returns the display of a study; variants that were not run are left out."""
        run = [one for one in summaries if one.status != NOT_RUN]
        base = next((number for number, one in enumerate(run) if one.variant.name == BASE), None)
        return cls.from_panels([_make_histories(summary) for summary in run], base)

    @property
    def is_logarithmic(self) -> bool:
        """Whether some variants train so much longer than others that epochs need a logarithmic scale."""
        epochs = [panel.validation.shape[1] for panel in self.panels if panel.validation.size]
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
        for ax, panel, title in zip(axes, self.panels, self._shorten_titles(width), strict=False):
            ax.set_title(title, size=_TITLE_SIZE, pad=3)
            self._draw_panel(ax, panel, width)
        self._set_axes(axes, columns)
        part = axes[0].figure
        part.supxlabel("epoch (logarithmic scale)" if self.is_logarithmic else "epoch", size=style.SMALL_SIZE)
        part.supylabel("accuracy (%)", size=style.SMALL_SIZE)
        looks = {"handlelength": 2.2, "columnspacing": 1.4, "borderpad": 0.8}
        part.legend(handles=self._make_entries(), loc="outside upper left", ncols=4, **looks)
        self.ax_ = self.ax_.flat[: len(self.panels)]

    def _shorten_titles(self, width: float) -> list[str]:
        limit = max(12, int(width * 72 / (0.45 * _TITLE_SIZE)))
        titles = shorten_all([printable(panel.title) for panel in self.panels], limit)
        return [style.fit(title, width, _TITLE_SIZE) for title in titles]

    def _draw_panel(self, ax: Axes, panel: Histories, width: float) -> None:
        if self.base is not None and panel is not self.base:
            _draw_mean(ax, self.base, _PALE, _PALE, 0.8)
        if panel.validation.size:
            epochs = np.arange(1, panel.validation.shape[1] + 1)
            if len(panel.validation) > 1:
                ax.plot(epochs, panel.training.T, "--", color=style.BLUE, linewidth=0.5, alpha=0.6)
                ax.plot(epochs, panel.validation.T, "-", color=style.ORANGE, linewidth=0.5, alpha=0.6)
            _draw_mean(ax, panel, style.BLUE, style.ORANGE, 1.2)
        if panel.note:
            note = style.fit(printable(panel.note), width, _TICK_SIZE)
            ax.text(0.97, 0.05, note, transform=ax.transAxes, ha="right", size=_TICK_SIZE)
        ax.grid(axis="y")

    def _set_axes(self, axes: Sequence[Axes], columns: int) -> None:
        drawn = [panel for panel in self.panels if panel.validation.size]
        last = max(panel.validation.shape[1] for panel in drawn)
        lowest = min(float(np.nanmin([panel.training.min(), panel.validation.min()])) for panel in drawn)
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
            ax.tick_params(labelsize=_TICK_SIZE)
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
            entries.append(Line2D([], [], color=_PALE, linewidth=0.8, label="both of the base"))
        if any(len(panel.validation) > 1 for panel in self.panels):
            entries.append(Line2D([], [], color=style.ORANGE, linewidth=0.5, alpha=0.6, label="single seeds"))
        return entries


def _draw_mean(ax: Axes, panel: Histories, training: str, validation: str, width: float) -> None:
    epochs = np.arange(1, panel.validation.shape[1] + 1)
    marker = "." if len(epochs) == 1 else ""
    ax.plot(epochs, panel.training.mean(axis=0), "--", color=training, linewidth=width, marker=marker)
    ax.plot(epochs, panel.validation.mean(axis=0), "-", color=validation, linewidth=width, marker=marker)


def _make_histories(summary: Summary) -> Histories:
    curves = {
        column: np.array([record.history[column].to_numpy(float) for record in summary.done])
        for column in ("accuracy", "val_accuracy")
    }
    return Histories(summary.title, curves["accuracy"], curves["val_accuracy"], summary.note)


def _describe_panel(panel: Histories) -> str:
    title = printable(panel.title)
    if not panel.validation.size:
        return f"{title}: {printable(panel.note)}"
    ends = {
        name: f"{curves[0]:.0%} to {curves[-1]:.0%}"
        for name, curves in (("validation", panel.validation.mean(axis=0)), ("training", panel.training.mean(axis=0)))
    }
    note = f", {printable(panel.note)}" if panel.note else ""
    epochs = panel.validation.shape[1]
    return f"{title}{note}: over {epochs} epochs validation {ends['validation']}, training {ends['training']}"
