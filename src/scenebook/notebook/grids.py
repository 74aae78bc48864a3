"""Grids of photographs with probabilities as bars: what the report is told of them, and what Jupyter shows."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

_GAP = 2  # pixels


class Bar(NamedTuple):
    """A class, as plain text, with its probability, in `[0, 1]`, and whether it is the image's own class."""

    label: str
    share: float
    is_true: bool = False


def to_html(record: Mapping[str, Any]) -> str:
    """Returns a grid of photographs as Jupyter shows it."""
    cells = [
        f'<figure style="margin:4px"><img src="data:image/jpeg;base64,{item["jpeg"]}" style="width:100%"'
        f' alt="{html.escape(item["alt"])}"><figcaption>{html.escape(item["caption"])}</figcaption>'
        + "".join(map(_to_meter, item.get("bars", ())))
        + "</figure>"
        for item in record["items"]
    ]
    text, rest = "", iter(cells)
    style = f"display:grid;grid-template-columns:repeat({record['columns']},minmax(0,160px))"
    for row in record["rows"] or [{"heading": "", "count": len(cells)}]:
        text += f"<p>{html.escape(row['heading'])}</p>" if row["heading"] else ""
        text += f'<div style="{style}">{"".join(islice(rest, row["count"]))}</div>'
    return text


def _to_meter(bar: Mapping[str, Any]) -> str:
    text = html.escape(f"{bar['text']} {bar['label']}")
    shown = f"<b>{text}</b>" if bar["is_true"] else text
    return f'<div><meter value="{bar["share"]}"></meter> {shown}</div>'


def columns_for(count: int) -> int:
    """Returns how many of `count` images stand in a row: at most 6, and no row is much shorter than the others."""
    rows = -(-count // 6)
    return -(-count // max(rows, 1))


def tile(images: Sequence[np.ndarray], labels: Sequence[str], *, columns: int) -> dict[str, np.ndarray]:
    """Puts the images of each class, uint8 `(height, width, 3)` of one size, together into one.

    `labels` are their classes, `columns` says how many stand in a row. The results, by class, are of one size: white
    where a class has fewer images than another, and in the `_GAP` between images.
    """
    by_class: dict[str, list[np.ndarray]] = {}
    for image, label in zip(images, labels, strict=True):
        by_class.setdefault(label, []).append(image)
    rows = -(-max(map(len, by_class.values()), default=0) // columns)
    tiles = {}
    for label, members in by_class.items():
        height, width = members[0].shape[:2]
        sheet = np.full((rows * (height + _GAP) - _GAP, columns * (width + _GAP) - _GAP, 3), 255, dtype=np.uint8)
        for number, image in enumerate(members):
            top, left = number // columns * (height + _GAP), number % columns * (width + _GAP)
            sheet[top : top + height, left : left + width] = image
        tiles[label] = sheet
    return tiles


def bars_of(predictions: pd.DataFrame, class_names: Sequence[str]) -> list[list[Bar]]:
    """Returns the three likeliest classes of each image, the likeliest first, and always the true one, at least as the
    last.

    `predictions` has the columns label and `p_<class>`; the order of `class_names` is that of equally likely ones.
    """
    probs = predictions[[f"p_{name}" for name in class_names]].to_numpy(dtype=float)
    order = np.argsort(-probs, axis=1, kind="stable")
    rows = []
    for label, shares, ranked in zip(predictions["label"], probs, order, strict=True):
        shown = [int(position) for position in ranked[:3]]
        true = class_names.index(label)
        if true not in shown:
            shown[-1] = true
        rows.append([Bar(class_names[at], float(shares[at]), at == true) for at in shown])
    return rows
