"""Captions and references as Jupyter shows them: by name, where the report has numbers."""

from __future__ import annotations

import html
import re

_KINDS = {"fig": "Figure", "tbl": "Table", "eq": "Equation", "sec": "Section"}


def to_caption(label: str, caption: str) -> str:
    """Returns a caption as HTML, which begins with the name by which sentences refer to the figure.

    Args:
        label: `fig:name` or `tbl:name`.
        caption: Markdown; what marks it as text is left out, the rest is shown as it is.
    """
    plain = re.sub(r"\\([^\w\s])", r"\1", name_references(f"[@{label}]. {caption}"))
    return f"<figcaption>{html.escape(plain)}</figcaption>"


def name_references(text: str, mark: str = "") -> str:
    """Returns Markdown with `Figure confusion` for `[@fig:confusion]`, between marks such as `*`."""

    def name(found: re.Match[str]) -> str:
        return f"{mark}{_KINDS.get(found[1], found[1])} {found[2]}{mark}"

    return re.sub(r"\[@(\w+):([a-z0-9-]+)\]", name, text)
