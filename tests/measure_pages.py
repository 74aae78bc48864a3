"""Says how long a report of 100 pages takes to render: `python tests/measure_pages.py`. The aim is a minute.

A measurement and no test, because the machine decides it: processor seconds are given beside those of the clock.
"""

from __future__ import annotations

import resource
import tempfile
import time
from pathlib import Path

import nbformat
from pypdf import PdfReader

from scenebook.rendering.report import StageNotebook, render_report

PROSE = "A sentence of a report that goes on for a while, with *words* set in **type** and maths $x^2_i$. " * 12
SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="240" height="150">'
    '<rect width="240" height="150" fill="#{:06x}"/></svg>'
)
TABLE = "<table><tr><th>class</th><th>n</th></tr>" + "<tr><td>forest</td><td>12</td></tr>" * 12 + "</table>"


def make_notebook(sections: int) -> nbformat.NotebookNode:
    """Returns a notebook whose sections each fill about a page of two columns."""
    cells = [nbformat.v4.new_markdown_cell("# Title\n\n## Results")]
    for number in range(sections):
        equation = f"$$\\sum_{{i=1}}^{{{number}}} x_i = {number} \\label{{eq:e{number}}}$$"
        prose = f"{PROSE}\n\n{PROSE}\n\n{equation}\n\nAs [@eq:e{number}] says. {PROSE}"
        cells.append(nbformat.v4.new_markdown_cell(f"### Part {number}\n\n{prose}\n\n{PROSE}"))
        data = ({"image/svg+xml": SVG.format(number)}, {"text/html": TABLE, "text/plain": "table"})
        outputs = [nbformat.v4.new_output("display_data", data=item) for item in data]
        cells.append(nbformat.v4.new_code_cell("show()", outputs=outputs))
    return nbformat.v4.new_notebook(cells=cells)


def processor_seconds() -> float:
    """Returns the processor time of this process and of those that it started."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def main() -> None:
    """Renders one report and prints what it took."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        nbformat.write(make_notebook(120), folder / "long.ipynb")
        (folder / "front.yaml").write_text("title: Title\nauthors: [{name: Ada}]\n", encoding="utf-8")
        clock, processor = time.monotonic(), processor_seconds()
        rendered = render_report(
            folder,
            stages=[StageNotebook("long", folder / "long.ipynb", "done")],
            build_dir=folder / "build",
            front_matter_path=folder / "front.yaml",
            provenance=None,
        )
        clock, processor = time.monotonic() - clock, processor_seconds() - processor
        pages = len(PdfReader(rendered.pdf).pages)
        print(f"{pages} pages in {clock:.1f} s, {processor:.1f} s of processor time; {len(rendered.warnings)} warnings")


if __name__ == "__main__":
    main()
