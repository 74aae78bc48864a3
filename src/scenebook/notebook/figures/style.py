"""One look for all figures: made for a column of a two-column paper, readable by people who do not see all colours.

Text stays text in SVG files, in a font that matplotlib brings along, so that the PDF compiler finds it without any
font of the system. Names of classes and files come from other people's data: they are shown as they are, never read as
mathematical notation.
"""

from __future__ import annotations

import io
import unicodedata
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import seaborn as sns
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.text import Text

from scenebook.core.wording import shorten

COLUMN_WIDTH = 3.4
"""Width of a column in inches."""
WIDE_WIDTH = 7.0
"""Width of both columns in inches."""
FONT_SIZE = 8.0
SMALL_SIZE = 7.0
SMALLEST_SIZE = 4.5
"""Points. Below the last one nobody reads a number in print."""

_COLORS = sns.color_palette("colorblind").as_hex()
BLUE, ORANGE, GREEN, RED = _COLORS[0], _COLORS[1], _COLORS[2], _COLORS[3]
GREY = "#6b6b6b"
INK = "#1a1a1a"
SHADES = "Blues"
LEAST_CONTRAST = 4.5
"""Of text on its background (WCAG 2.1, level AA)."""

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
    """Makes this the look of all figures drawn from now on; notebooks do so once."""
    mpl.rcParams.update(_LOOK)


@contextmanager
def use() -> Iterator[None]:
    """Makes this the look of the figures drawn inside `with use():`."""
    with mpl.rc_context(_LOOK):
        yield


def make_axes(width: float, height: float) -> Axes:
    """Returns the axes of a new figure of that size in inches."""
    _, ax = plt.subplots(figsize=(width, height))
    return ax


def to_svg(figure: Figure) -> str:
    """Returns a figure as SVG, its texts as text.

    A letter that matplotlib's font lacks is none of its business: a browser takes it from a font of the system, and
    the PDF, which has no others, warns of it itself.
    """
    buffer = io.BytesIO()
    with use(), warnings.catch_warnings():
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
    """Estimates the width of a text in inches, without drawing it.

    Args:
        text: One line.
        size: Points, in DejaVu Sans.
    """
    return sum(_sign_width(sign) for sign in text) * size / 72


def _sign_width(sign: str) -> float:
    """Returns a sign's width in ems, roughly: East Asian signs are square."""
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
