from __future__ import annotations

from scenebook.rendering.document import Prose
from scenebook.rendering.pandoc import each_node, plain_text

from .conftest import assembled


def test_attachments_and_files_of_the_run_are_shown_and_nothing_else_is_read() -> None:
    report = assembled("images/notebooks")
    prose = next(block for block in report.blocks() if isinstance(block, Prose))
    images = [node["c"] for node in each_node(prose.body.tree) if node["t"] == "ReportImage"]
    assert [(image.alt, image.suffix) for image in images] == [("attached", "png"), ("of the run", "svg")]
    assert plain_text(prose.body.tree) == "[image: outside] [image: remote]"
    assert len(report.warnings) == 2
    assert "images, cell 1: the image '../../../outside.svg' is not part of the run" in report.warnings[0]
