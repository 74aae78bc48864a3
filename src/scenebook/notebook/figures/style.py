"""One look and one interface for all figures, made for a column of a paper, readable without seeing all colours.

Text stays text in SVG files, in a font that matplotlib brings along, so that the PDF compiler finds it without any
font of the system. Names of classes and files come from other people's data: they are shown as they are, never read as
mathematical notation.
"""

from __future__ import annotations

import io
import unicodedata
import warnings
from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any, ClassVar, Self

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.text import Text

from scenebook.core.wording import shorten

COLUMN_WIDTH = 3.34
"""Width of a column in inches: what is wider would be made smaller, and its text with it."""
WIDE_WIDTH = 6.9  # width of both columns in inches
FONT_SIZE = 8.0
SMALL_SIZE = 7.2
SMALLEST_SIZE = 7.0
"""Points, as printed. Below the last one nothing is written."""

# seaborn's palette `colorblind`. It is not asked for: a notebook without a heat map need not import it.
_COLORS = ("#0173b2", "#de8f05", "#029e73", "#d55e00", "#cc78bc", "#ca9161", "#fbafe4", "#949494", "#ece133", "#56b4e9")
BLUE, ORANGE, GREEN, RED = _COLORS[:4]
GREY = "#6b6b6b"
INK = "#1a1a1a"
SHADES = "Blues"
LEAST_CONTRAST = 4.5  # of text on its background (WCAG 2.1, level AA)

_LOOK: Any = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": FONT_SIZE,
    "axes.titlesize": FONT_SIZE,
    "axes.labelsize": FONT_SIZE,
    "xtick.labelsize": SMALL_SIZE,
    "ytick.labelsize": SMALL_SIZE,
    "legend.fontsize": SMALL_SIZE,
    "legend.frameon": False,
    "text.color": INK,
    "text.parse_math": False,
    "text.usetex": False,
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.prop_cycle": cycler(color=_COLORS),
    "axes.formatter.use_mathtext": False,
    "axes.unicode_minus": True,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.5,
    "lines.linewidth": 1.2,
    "lines.markersize": 3.5,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "patch.linewidth": 0.6,
    "hatch.linewidth": 0.6,
    "figure.figsize": (COLUMN_WIDTH, 2.4),
    "figure.dpi": 150,
    "figure.facecolor": "white",
    "figure.constrained_layout.use": True,
    "figure.constrained_layout.h_pad": 0.03,
    "figure.constrained_layout.w_pad": 0.03,
    "savefig.dpi": 300,
    "savefig.pad_inches": 0.02,
    "svg.fonttype": "none",
    # Ids in an SVG are drawn at random unless they are salted: the same figure is the same bytes.
    "svg.hashsalt": "scenebook",
}


def apply() -> None:
    """Makes this the look of all figures drawn from now on, whatever a `matplotlibrc` says; notebooks do so once."""
    mpl.rcdefaults()
    mpl.rcParams.update(_LOOK)


def use() -> AbstractContextManager[None]:
    """Makes this the look of the figures drawn inside `with use():`."""
    return mpl.rc_context(_LOOK)


class Display(ABC):
    """Data that can be drawn: `plot` draws them, `describe` puts them in words; `from_*` takes those to be prepared.

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
        with use():
            if self._grid is not None:
                self.ax_ = _make_part(ax, self._size()).subplots(**self._grid)
            else:
                self.ax_ = ax if ax is not None else plt.figure(figsize=self._size()).subplots()
            self._draw()
            for one in np.ravel(self.ax_):
                set_plain_text(one)
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
    if ax is None:
        return plt.figure(figsize=size)
    figure, place = ax.get_figure(root=True), ax.get_subplotspec()
    ax.remove()
    return figure.add_subfigure(place)  # type: ignore[union-attr, arg-type]


def to_svg(figure: Figure) -> str:
    """Returns a figure as SVG, its texts as text."""
    buffer = io.BytesIO()
    with use(), warnings.catch_warnings():
        # A browser takes such a letter from a font of the system; the PDF, which has no others, warns of it itself.
        warnings.filterwarnings("ignore", r"Glyph \d+ .* missing from font", UserWarning)
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None}, bbox_inches="tight")
    return buffer.getvalue().decode("utf-8")


def contrast(one: Any, other: Any) -> float:
    """Returns the contrast ratio of two colours, from 1 to 21, as WCAG 2.1 defines it."""
    dark, light = sorted((_luminance(one), _luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def _luminance(color: Any) -> float:
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(color)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def put_legend_on_top(ax: Axes, *entries: Any, columns: int, **looks: Any) -> None:
    """Puts a legend above the axes, at their left edge."""
    ax.legend(*entries, loc="lower left", bbox_to_anchor=(0, 1), ncols=columns, borderaxespad=0.2, **looks)


def set_plain_text(ax: Axes) -> None:
    """Makes sure that no text of the axes is read as mathematical notation, labels made elsewhere included."""
    for text in ax.findobj(Text):
        text.set_parse_math(False)


def text_width(text: str, size: float) -> float:
    """Estimates the width of one line of text in inches, at `size` points in DejaVu Sans, without drawing it."""
    return sum(_sign_width(sign) for sign in text) * size / 72


def _sign_width(sign: str) -> float:
    if unicodedata.east_asian_width(sign) in "WF":
        return 1.15
    if sign in " .,:;'|!ijltfrI()[]/-":
        return 0.36
    return 0.95 if sign in "mwMW@%×—…" else 0.64


def fit(text: str, width: float, size: float) -> str:
    """Returns a text, shortened in its middle where it is wider than `width` inches at `size` points."""
    limit = len(text)
    while limit > 6 and text_width(shorten(text, limit), size) > width:
        limit -= 1
    return shorten(text, limit)
