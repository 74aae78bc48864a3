"""`python -m scenebook.rendering.first_page report.pdf page.png`: the first page of a report as an image.

Typst reads PDF files as images, so that no further tool is needed.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import typst

from scenebook.core.run_directory import write_bytes

PIXELS_PER_INCH = 110


def draw_page(pdf: bytes, page: int = 1, pixels_per_inch: float = PIXELS_PER_INCH) -> bytes:
    """Returns a page of a PDF as a PNG file.

    Args:
        pdf: Any PDF.
        page: From 1 on.
        pixels_per_inch: Of the image.
    """
    with tempfile.TemporaryDirectory(prefix="scenebook-") as folder:
        (Path(folder) / "report.pdf").write_bytes(pdf)
        source = Path(folder) / "main.typ"
        source.write_text(
            "#set page(width: auto, height: auto, margin: 0pt, fill: white)\n"
            f'#image("report.pdf", page: {int(page)})\n',
            encoding="utf-8",
        )
        content = typst.Compiler(str(source), root=folder).compile(format="png", ppi=pixels_per_inch)
    if not isinstance(content, bytes):
        raise TypeError(f"expected one page, received {type(content).__name__}")
    return content


if __name__ == "__main__":
    write_bytes(Path(sys.argv[2]), draw_page(Path(sys.argv[1]).read_bytes()))
