"""What all figures have in common, in the manner of scikit-learn's displays."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Self

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from scenebook.notebook.figures import style


class Display(ABC):
    """Data that can be drawn: a class method `from_*` checks them, `plot` draws them, `describe` puts them in words.

    Attributes:
        figure_: The figure, after `plot`.
        ax_: Its axes, after `plot`; an array of axes where the figure has several.
    """

    figure_: Figure
    ax_: Any
    _grid: ClassVar[Mapping[str, Any] | None] = None
    """What `subplots` is given, where the figure has several axes."""

    def plot(self, ax: Axes | None = None) -> Self:
        """Draws the figure.

        Args:
            ax: Where to draw, made by `subplots`; by default a new figure of the size that the data need. A figure
                that has several axes puts them in the place of this one.
        """
        with style.use():
            if self._grid is not None:
                self.ax_ = _make_part(ax, self._size()).subplots(**self._grid)
            else:
                self.ax_ = ax if ax is not None else style.make_axes(*self._size())
            self._draw()
            for one in np.ravel(self.ax_):
                style.set_plain_text(one)
        self.figure_ = np.ravel(self.ax_)[0].get_figure(root=True)
        return self

    @abstractmethod
    def describe(self) -> str:
        """Returns what the figure shows, for readers who cannot see it."""

    @abstractmethod
    def _size(self) -> tuple[float, float]:
        """Returns width and height of a new figure in inches."""

    @abstractmethod
    def _draw(self) -> None:
        """Draws on `ax_`."""


def _make_part(ax: Axes | None, size: tuple[float, float]) -> Any:
    """Returns a new figure, or a part of one that takes the place of the axes."""
    if ax is None:
        return plt.figure(figsize=size)
    figure, place = ax.get_figure(root=True), ax.get_subplotspec()
    ax.remove()
    return figure.add_subfigure(place)  # type: ignore[union-attr, arg-type]
