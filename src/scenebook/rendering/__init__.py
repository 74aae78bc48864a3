"""The executed notebooks of a run as one HTML page and one PDF, through nbconvert.

`render_report` is the way in. Its parts, in the order in which a report passes through them: `front_matter` (title
block), `assemble` with `outputs`, `bundles`, `tables`, `images` and `markdown` (notebooks to a report as data, see
`document`), `numbering` (one pass for both files), then `html` and `pdf`, the exporters.
"""

from __future__ import annotations

from scenebook.rendering.report import RenderedReport, StageNotebook, render_report

__all__ = ["RenderedReport", "StageNotebook", "render_report"]
