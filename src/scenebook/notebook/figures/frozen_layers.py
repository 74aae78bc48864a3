"""Where a network is cut for training: between the frozen layers and those that are fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch

from scenebook.core.wording import count_noun
from scenebook.notebook.figures import style
from scenebook.notebook.figures.base import Display
from scenebook.notebook.figures.network import FROZEN, TRAINED

_HEIGHT, _TOP, _BOX, _WIDTH, _CUT = 1.12, 0.2, 0.5, 1.22, 1.7  # inches
_SIZE = 6.5  # points
_TENSORS = 2
"""So many tensors are written out; of more, their number."""


@dataclass(frozen=True)
class Part:
    """One part of a cut network.

    Attributes:
        layers: How many layers it has.
        parameters: How many weights they have.
    """

    layers: int
    parameters: int


@dataclass(eq=False)
class CutDisplay(Display):
    """Frozen layers and trainable layers side by side, what goes between them, and how far the gradient comes back.

    Attributes:
        base: The frozen part.
        tail: The part that is fit.
        shapes: The tensors between them, without the axis of the images.
        ax_: The axes, after `plot`, in inches from the top left corner.
    """

    base: Part
    tail: Part
    shapes: list[tuple[int, ...]]

    @classmethod
    def from_parts(cls, base: Part, tail: Part, shapes: Sequence[tuple[int, ...]]) -> Self:
        """Returns the display of both parts and of the tensors that pass between them."""
        return cls(base, tail, list(shapes))

    def describe(self) -> str:
        return "Diagram: numbers go from frozen to trainable layers; the gradient of the loss comes back to the cut."

    @property
    def texts(self) -> list[str]:
        """All texts of the figure, after `plot`."""
        return [text.get_text() for text in self.ax_.texts]

    def _size(self) -> tuple[float, float]:
        return style.COLUMN_WIDTH, _HEIGHT

    def _draw(self) -> None:
        ax: Axes = self.ax_
        ax.set(xlim=(0, style.COLUMN_WIDTH), ylim=(_HEIGHT, 0), aspect="equal")
        ax.axis("off")
        right = style.COLUMN_WIDTH - _WIDTH - 0.05
        _draw_part(ax, 0.05, "frozen layers", self.base, FROZEN, "once for each view")
        _draw_part(ax, right, "trainable layers", self.tail, TRAINED, "in every step")
        middle = _TOP + _BOX / 2
        _draw_arrow(ax, 0.05 + _WIDTH, right, middle, dashed=False)
        for number, text in enumerate(self._describe_tensors()):
            ax.text(_CUT, middle - 0.08 - 0.13 * number, text, ha="center", va="bottom", size=_SIZE)
        self._draw_gradient(ax, right)

    def _describe_tensors(self) -> list[str]:
        if len(self.shapes) > _TENSORS:
            return [count_noun(len(self.shapes), "tensor")]
        return [" × ".join(f"{size}" for size in shape) for shape in self.shapes]

    @staticmethod
    def _draw_gradient(ax: Axes, right: float) -> None:
        """The way back, which ends where nothing further upstream learns."""
        y = _TOP + _BOX + 0.2
        ax.plot([_CUT, _CUT], [_TOP + _BOX / 2 + 0.08, y + 0.1], color=style.INK, linewidth=1.2)
        _draw_arrow(ax, right + _WIDTH, _CUT, y, dashed=True)
        ax.text((_CUT + right + _WIDTH) / 2, y + 0.06, "gradient of the loss", ha="center", va="top", size=_SIZE)


def _draw_part(ax: Axes, left: float, title: str, part: Part, color: str, when: str) -> None:
    box = FancyBboxPatch(
        (left, _TOP), _WIDTH, _BOX, boxstyle="round,pad=0,rounding_size=0.04", facecolor=color, edgecolor=style.GREY,
        linewidth=0.6,
    )  # fmt: skip
    ax.add_patch(box)
    lines = (title, count_noun(part.layers, "layer"), f"{part.parameters:,} parameters")
    for number, text in enumerate(lines):
        weight = "bold" if number == 0 else "normal"
        y = _TOP + 0.11 + 0.14 * number
        fitted = style.fit(text, _WIDTH - 0.06, _SIZE)
        ax.text(left + _WIDTH / 2, y, fitted, ha="center", va="center", size=_SIZE, weight=weight)
    ax.text(left + _WIDTH / 2, _TOP - 0.06, when, ha="center", va="bottom", size=_SIZE)


def _draw_arrow(ax: Axes, start: float, end: float, y: float, *, dashed: bool) -> None:
    looks = {"color": style.INK, "linewidth": 0.9, "shrinkA": 0, "shrinkB": 0}
    looks |= {"arrowstyle": "-|>,head_length=0.25,head_width=0.12", "linestyle": (0, (3, 2)) if dashed else "-"}
    ax.annotate("", xy=(end, y), xytext=(start, y), arrowprops=looks)
