"""Where a network is cut for training: between the frozen layers and those that are fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from matplotlib.axes import Axes

from scenebook.core.wording import count_noun
from scenebook.notebook.figures import style
from scenebook.notebook.figures.network import FROZEN, TRAINED, add_box, draw_arrow

_HEIGHT, _TOP, _BOX, _WIDTH, _CUT = 1.12, 0.2, 0.5, 1.22, 1.7  # inches
_SIZE = 6.5  # points
_TENSORS = 2
"""So many tensors are written out; of more, their number."""


@dataclass(eq=False)
class CutDisplay(style.Display):
    """Frozen layers and trainable layers side by side, what goes between them, and how far the gradient comes back.

    Attributes:
        base: The number of layers and of weights of the frozen part.
        tail: The same of the part that is fit.
        shapes: The tensors between them, without the axis of the images.
        ax_: The axes, after `plot`, in inches from the top left corner.
    """

    base: tuple[int, int]
    tail: tuple[int, int]
    shapes: list[tuple[int, ...]]

    @classmethod
    def from_parts(cls, base: tuple[int, int], tail: tuple[int, int], shapes: Sequence[tuple[int, ...]]) -> Self:
        """Returns the display of both parts, each with its layers and weights, and of the tensors between them."""
        return cls(base, tail, list(shapes))

    def describe(self) -> str:
        return "Diagram: numbers go from frozen to trainable layers; the gradient of the loss comes back to the cut."

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
        fitted = style.fit(text, _WIDTH - 0.06, _SIZE)
        ax.text(left + _WIDTH / 2, y, fitted, ha="center", va="center", size=_SIZE, weight=weight)
    ax.text(left + _WIDTH / 2, _TOP - 0.06, when, ha="center", va="bottom", size=_SIZE)
