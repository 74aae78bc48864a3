"""The network: a chain of stages, and one residual block in detail."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.patches import Circle, FancyBboxPatch, Patch

from scenebook.core.wording import count_noun, printable
from scenebook.network.architecture import LayerSummary, NetworkStage, NetworkSummary, ResidualBlock
from scenebook.notebook.figures import style

FROZEN, TRAINED, PARTLY, PLAIN = "#cfe0ee", "#f5bd78", "#fbe8cf", "#f4f4f4"
_LABELS = {FROZEN: "frozen", PARTLY: "partly trained", TRAINED: "trained", PLAIN: "no parameters"}
_BOX, _PITCH, _TOP, _LEGEND = 0.29, 0.345, 0.26, 0.25  # inches
_CHAIN, _GAP = 3.15, 0.3
_SIDE, _LANE = 1.65, 0.5  # room beside the main path: for the shortcut's layers, for its line alone
_RING = 0.1
_MOST_LAYERS = 14
_TITLE, _DETAIL = 7.5, 7.1  # points


_Lines = tuple[tuple[str, str], tuple[str, str]]
"""The texts of a box: two lines, each with what stands on its left and on its right."""


@dataclass(eq=False)
class NetworkDisplay(style.Display):
    """The chain of stages from input to head; beside it the last residual block with its layers and its shortcut.

    Frozen and trained weights have different colours. A network without a residual block shows the chain alone.
    """

    network: NetworkSummary

    @property
    def wide(self) -> bool:
        return self.network.block is not None

    def describe(self) -> str:
        stages = ", ".join(stage.title for stage in self.network.stages)
        block = self.network.block
        detail = f", and its last residual block, {block.name}, in detail" if block else ""
        return f"Diagram of the network's stages: {stages}{detail}."

    @property
    def _height(self) -> float:
        return _PITCH * max(len(self.network.stages), len(_visible_layers(self.network.block)))

    def _size(self) -> tuple[float, float]:
        return style.WIDE_WIDTH if self.wide else style.COLUMN_WIDTH, _TOP + self._height + _LEGEND

    def _draw(self) -> None:
        ax = self.ax_
        width, height = self._size()
        ax.set(xlim=(0, width), ylim=(height, 0), aspect="equal")
        ax.axis("off")
        left = 0.05 if self.wide else (width - _CHAIN) / 2
        _write_title(ax, left, printable(self.network.name))
        pitch = self._height / len(self.network.stages)
        for number, stage in enumerate(self.network.stages):
            top = _TOP + number * pitch
            _draw_box(ax, left, top, _CHAIN, _color(stage.layers), _describe_stage(stage))
            if number:
                draw_arrow(ax, left + _CHAIN / 2, top - pitch + _BOX, left + _CHAIN / 2, top)
        if self.network.block is not None:
            self._draw_block(ax, self.network.block, pitch)
        self._draw_legend(ax)

    def _draw_legend(self, ax: Axes) -> None:
        used = {_color(stage.layers) for stage in self.network.stages}
        used |= {_color([layer]) for layer in _visible_layers(self.network.block)[1:] if layer is not None}
        colors = {color: label for color, label in _LABELS.items() if color in used}
        patches = [Patch(facecolor=color, edgecolor=style.GREY, label=label) for color, label in colors.items()]
        looks = {"borderaxespad": 0, "handlelength": 1.2, "borderpad": 0.2}
        ax.legend(handles=patches, loc="lower left", ncols=len(patches), **looks)

    def _draw_block(self, ax: Axes, block: ResidualBlock, chain_pitch: float) -> None:
        layers, height = _visible_layers(block), self._height
        left, right = 0.05 + _CHAIN + _GAP, style.WIDE_WIDTH - 0.05
        self._draw_zoom(ax, block, left - 0.12, chain_pitch, height)
        _write_title(ax, left, f"residual block {printable(block.name)}")
        width = right - left - (_SIDE if block.shortcut else _LANE)
        middle = left + width / 2
        tops = [_TOP + number * height / len(layers) for number in range(len(layers))]
        bottom = tops[0]
        for number, (layer, top) in enumerate(zip(layers, tops, strict=True)):
            half = _RING if layer is block.addition else _BOX / 2
            centre = top + _BOX / 2
            if layer is None:
                hidden = f"{sum(one not in layers for one in block.main)} more layers"
                ax.text(middle, centre, hidden, ha="center", va="center", size=_DETAIL)
            elif layer is block.addition:
                _draw_addition(ax, middle, centre, layer)
            else:
                lines = _describe_layer(layer, is_source=number == 0, narrow=bool(block.shortcut))
                _draw_box(ax, left, top, width, _color([layer]) if number else PLAIN, lines)
            if number:
                draw_arrow(ax, middle, bottom, middle, centre - half)
            bottom = centre + half
        added = tops[layers.index(block.addition)]
        self._draw_shortcut(ax, block, left + width, right, tops[0], added, middle)

    def _draw_zoom(self, ax: Axes, block: ResidualBlock, right: float, pitch: float, height: float) -> None:
        number = next(n for n, stage in enumerate(self.network.stages) if block.addition in stage.layers)
        top = _TOP + number * pitch
        for start, end in ((top, _TOP), (top + _BOX, _TOP + height - _PITCH + _BOX)):
            ax.plot([0.05 + _CHAIN, right], [start, end], color=style.GREY, linewidth=0.6, linestyle=(0, (3, 2)))
        ax.plot([right, right], [_TOP, _TOP + height - _PITCH + _BOX], color=style.GREY, linewidth=0.6)

    def _draw_shortcut(self, ax: Axes, block: ResidualBlock, left: float, right: float, top: float, bottom: float,
                       middle: float) -> None:  # fmt: skip
        start, end = top + _BOX / 2, bottom + _BOX / 2
        lane = (left + 0.15 + right) / 2 if block.shortcut else left + _LANE / 2
        ax.plot([left, lane, lane], [start, start, end], color=style.INK, linewidth=0.9, zorder=0.5)
        draw_arrow(ax, lane, end, middle + _RING, end)
        if not block.shortcut:
            ax.text(lane + 0.06, (start + end) / 2, "identity", size=_DETAIL, rotation=-90, va="center")
            return
        shown = block.shortcut[:4]
        for number, layer in enumerate(shown, start=1):
            y = start + (end - start) * number / (len(shown) + 1)
            lines = (layer.name, ""), (layer.detail, "")
            _draw_box(ax, left + 0.15, y - _BOX / 2, right - left - 0.15, _color([layer]), lines)


def _visible_layers(block: ResidualBlock | None) -> list[LayerSummary | None]:
    """Returns the rows of the block's figure; `None` stands for layers of a long path that are left out."""
    if block is None:
        return []
    ending = [block.addition] if block.activation is None else [block.addition, block.activation]
    main: list[LayerSummary | None] = list(block.main)
    room = _MOST_LAYERS - 1 - len(ending)
    if len(main) > room:
        main[room // 2 : len(main) - (room - 1 - room // 2)] = [None]
    return [block.source, *main, *ending]


def _color(layers: Sequence[LayerSummary]) -> str:
    """Batch normalisation is never more than partly trained: its stored mean and variance are no trained weights."""
    parameters = sum(layer.parameters for layer in layers)
    trained = sum(layer.trainable_parameters for layer in layers)
    if not parameters:
        return PLAIN
    return FROZEN if not trained else TRAINED if trained == parameters else PARTLY


def _describe_stage(stage: NetworkStage) -> _Lines:
    parts = [
        count_noun(count, noun)
        for count, noun in ((stage.blocks, "block"), (stage.convolutions, "convolution"))
        if count
    ]
    if not parts:
        parts = [detail for detail in dict.fromkeys(layer.detail for layer in stage.layers) if detail != stage.title]
    return (stage.title, _shape_text(stage.output_shape)), (", ".join(parts), _count_text(stage))


def _describe_layer(layer: LayerSummary, *, is_source: bool, narrow: bool) -> _Lines:
    """A narrow box has its shape on the second line and no number of parameters."""
    detail, shape = "enters the block" if is_source else layer.detail, _shape_text(layer.output_shape)
    if narrow:
        return (layer.name, ""), (detail, shape)
    return (layer.name, shape), (detail, "" if is_source else _count_text(layer))


def _count_text(part: NetworkStage | LayerSummary) -> str:
    if not part.parameters:
        return ""
    if 0 < part.trainable_parameters < part.parameters:
        return f"{part.trainable_parameters:,} of {part.parameters:,} trained"
    return f"{part.parameters:,} parameters"


def _shape_text(shape: Sequence[int | None]) -> str:
    return " × ".join("?" if size is None else f"{size}" for size in shape)


def add_box(ax: Axes, left: float, top: float, width: float, height: float, color: str) -> None:
    """Adds a rounded box; all sizes in the units of the axes."""
    looks: Any = {"boxstyle": "round,pad=0,rounding_size=0.04", "edgecolor": style.GREY, "linewidth": 0.6}
    ax.add_patch(FancyBboxPatch((left, top), width, height, facecolor=color, **looks))


def _draw_box(ax: Axes, left: float, top: float, width: float, color: str, lines: _Lines) -> None:
    add_box(ax, left, top, width, _BOX, color)
    upper, lower = lines
    if not any(lower):
        _write_pair(ax, left, width, top + _BOX / 2, upper, _TITLE)
        return
    _write_pair(ax, left, width, top + 0.092, upper, _TITLE)
    _write_pair(ax, left, width, top + 0.208, lower, _DETAIL)


def _write_pair(ax: Axes, left: float, width: float, y: float, texts: tuple[str, str], size: float) -> None:
    """Writes two texts at both ends of a line; the first gives way."""
    start, end = texts
    room = width - 0.12 - (style.text_width(end, size) + 0.08 if end else 0)
    ax.text(left + 0.06, y, style.fit(printable(start), room, size), size=size, va="center")
    if end:
        ax.text(left + width - 0.06, y, end, size=size, va="center", ha="right")


def _write_title(ax: Axes, left: float, text: str) -> None:
    fitted = style.fit(text, 0.9 * _CHAIN, style.FONT_SIZE)
    ax.text(left, _TOP - 0.14, fitted, size=style.FONT_SIZE, weight="bold", va="center")


def _draw_addition(ax: Axes, x: float, y: float, layer: LayerSummary) -> None:
    ax.add_patch(Circle((x, y), _RING, facecolor="white", edgecolor=style.INK, linewidth=0.9))
    ax.plot([x - 0.055, x + 0.055], [y, y], color=style.INK, linewidth=0.9)
    ax.plot([x, x], [y - 0.055, y + 0.055], color=style.INK, linewidth=0.9)
    # Above the shortcut's last stretch, which comes from the right.
    ax.text(x + 0.14, y - 0.07, style.fit(printable(layer.name), 1.2, _TITLE), size=_TITLE, va="center")


def draw_arrow(ax: Axes, x0: float, y0: float, x1: float, y1: float, **looks: Any) -> None:
    """Draws an arrow from `(x0, y0)` to `(x1, y1)`; `looks` are further properties of its line."""
    looks |= {"arrowstyle": "-|>,head_length=0.25,head_width=0.12", "color": style.INK, "linewidth": 0.9}
    ax.annotate("", xy=(x1, y1), xytext=(x0, y0), arrowprops={**looks, "shrinkA": 0, "shrinkB": 0})
