"""A report on texts from anywhere: each is put wherever text of data may stand, and read back from both files."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pandas as pd
import pytest
from hypothesis import strategies as st

from scenebook.core.run_directory import RunDirectory
from scenebook.core.sentences import as_utf8, clean_text, escape, without_marks
from scenebook.notebook import display as notebook
from scenebook.notebook.display import say, show_figure, show_pictures, show_table
from scenebook.notebook.grids import Bar
from scenebook.rendering.report import RenderedReport
from tests.unit.rendering.conftest import make_report

NAMED = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(2)>',
    '<iframe src="http://127.0.0.1:9/"></iframe>',
    "<!-- -->",
    "</style></title>",
    "&amp; &#65; &copy;",
    "#panic()",
    '#panic("x")',
    '#import "/etc/passwd"',
    "$x$ 5$ $$y$$",
    "@x",
    "[@fig:x]",
    "[@he2016]",
    "{#sec:x}",
    "{#fig:x .y}",
    "%",
    "50% off %",
    "\\input{/etc/passwd}",
    "\\label{eq:x}",
    "\\begin{equation}x\\end{equation}",
    "[" * 50,
    "(" * 50,
    "`a` ``b``",
    "```",
    "~~~",
    "---",
    "-- ... 'q' \"q\"",
    "***",
    "*a* _b_ **c** ~~d~~",
    "1. x",
    "1) x",
    "- x",
    "+ x",
    "# x",
    "> x",
    "| a | b |",
    ": x",
    "[^1]: x",
    "[x]: /y",
    "[x](y)",
    "![x](/etc/passwd)",
    "<b>x</b>",
    "{n}",
    "{{n}}",
    "{n.value!r}",
    "a" * 255,
    "ab/" * 85,
    "word " * 60,
    "\\",
    "\\\\",
    "//x /* y */",
    "https://example.org/?a=b&c#d",
    "a@b.org",
    "مرحبا بالعالم",
    "שלום 123 עולם",
    "山川 草木",
    "さくら",
    "한국어",
    "한",
    "हिन्दी",
    "ไทย",
    "🏔 👩‍🌾 🇩🇪 1️⃣",
    "e\u0301 A\u030a \u212b q\u0323",
    "Z\u0351\u036b\u0489",
    "\u0301x",
    "\ufeffx",
    "x\u200by",
    "\u202ex\u202c",
    b"caf\xe9 \xff.jpg".decode("utf-8", "surrogateescape"),
    "\ud83d x",
    "x\x00\x07\x1b[31my",
    "x\u2028y\u2029z",
    "x\u00a0y\u3000z",
    "x\ty",
    "x\r\ny",
    "Straße ﬁn İı",
    "𝒳 ∑ ≤ →",
    "\ufdd0\ufdd5 \U0001fffe x",
    "\ue000 \U000f0001 x",
)
"""Texts that once meant something else to one of the languages that a report passes through, or to its fonts."""
_SCRIPTS = "aZ09 .,;:!?/\\-_#$%&@*+=~^|'\"`<>()[]{}éßΩжשم山あ한हท🏔\u0301\u0308\u200b\u200f\u00ad\u00a0\n\t\udce9"

words = st.one_of(
    st.sampled_from(NAMED),
    st.text(alphabet=_SCRIPTS, max_size=40),
    st.text(max_size=25),
    st.text(alphabet="[](){}`*_$<>&\\#@~^!-+=|\"'", max_size=60),
    st.text(min_size=250, max_size=300),
)
names = st.lists(
    st.lists(words, min_size=1, max_size=2).map(" ".join).filter(lambda text: is_visible(text)), min_size=1, max_size=12
)


def is_visible(text: str) -> bool:
    """True when something of a text can be seen on paper."""
    return any(unicodedata.category(character)[0] not in "CMZ" for character in clean_text(text))


@dataclass(frozen=True)
class Hostile:
    """A rendered report and what must be read in it."""

    texts: list[str]
    rendered: RenderedReport


def write_notebook(folder: Path, names: Sequence[str], monkeypatch: pytest.MonkeyPatch, extra: Sequence[str]) -> Path:
    """Writes the notebook that a kernel would have left: the package's own functions show every text."""
    shown: list[dict[str, Any]] = []
    image = np.full((150, 150, 3), 120, np.uint8)
    with monkeypatch.context() as patch:
        patch.setattr(notebook, "display", lambda data, raw: shown.append(data))
        patch.setitem(notebook._open, "run_dir", RunDirectory(folder))
        for name in names:
            say("{name}", name=name)
        unique = [f"{name} {number}" for number, name in enumerate(names)]
        show_table(pd.DataFrame({"n": names}), label="tbl:cells", caption="Cells")
        show_table(pd.DataFrame([range(len(unique))], columns=unique), label="tbl:header", caption="Header")
        images = [image] * len(names)
        bars = [[Bar(name, 0.5)] for name in names]
        show_pictures(
            images, captions=list(names), label="fig:grid", caption="Grid", alt=names[0], columns=6, bars=bars
        )
        for number, name in enumerate(names):
            fig = plt.figure(figsize=(1, 1))
            show_figure(fig, label=f"fig:f{number}", caption=escape(name), alt=name)
    outputs = [nbformat.v4.new_output("display_data", data=data) for data in shown]
    cells = [nbformat.v4.new_markdown_cell("# Title\n\n## Results"), nbformat.v4.new_code_cell("show", outputs=outputs)]
    for name in names:
        printed = nbformat.v4.new_output("stream", name="stdout", text=as_utf8(name) + "\n")
        cells.append(nbformat.v4.new_code_cell("print(name)", outputs=[printed]))
        cells.append(nbformat.v4.new_markdown_cell(f"### {escape(name)}\n\nText."))
    cells += [nbformat.v4.new_markdown_cell(as_utf8(source)) for source in extra]
    path = folder / "hostile.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    return path


def render_texts(
    folder: Path, names: Sequence[str], monkeypatch: pytest.MonkeyPatch, extra: Sequence[str] = ()
) -> RenderedReport:
    """Renders a report on texts.

    Args:
        folder: A new folder.
        names: Shown as data: in sentences, tables, captions, alternative texts, headings and printed lines.
        monkeypatch: Takes the place of a kernel.
        extra: Markdown cells, as they are.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = write_notebook(folder, names, monkeypatch, extra)
    return make_report(folder, [path], "title: Title\nauthors: [{name: Ada}]\nfonts: []\n")


def on_page(text: str) -> str:
    """What a browser shows of a text: white space is one space, and control characters are none.

    Zero-width spaces go on both sides. So do byte order marks, which readers of HTML drop where a text begins with one,
    and the signs that Unicode keeps free with which `say` marks its values.
    """
    return " ".join(without_marks(clean_text(text)).translate({0x200B: None, 0xFEFF: None}).split())


def on_paper(text: str) -> str:
    """What can be compared of a text and of what a PDF says.

    Left out, each for a reason:

    - white space: lines are broken anew;
    - zero-width spaces and soft hyphens: put into long words, and at the end of lines, so that these can break;
    - other format characters and control characters: they steer shaping and direction, and are no glyphs;
    - a letter with marks that comes again at once: Typst gives all of its text to each glyph that it places apart.
    """
    clusters: list[str] = []
    for character in on_page(text):
        kind = unicodedata.category(character)
        if kind[0] == "M" and clusters:
            clusters[-1] += character
        elif kind not in {"Cf", "Cc", "Zs", "Zl", "Zp"}:
            clusters.append(character)
    following = [*clusters[1:], ""]
    return "".join(
        one for one, after in zip(clusters, following, strict=True) if len(one) == 1 or not after.startswith(one)
    )


def runs_both_ways(text: str) -> bool:
    """True for a text with letters from right to left: a PDF holds its lines as they are drawn, from left to right."""
    return any(unicodedata.bidirectional(c) in {"R", "AL", "AN", "RLE", "RLO", "RLI"} for c in text)


def same_on_paper(text: str, read: str) -> bool:
    """True when a PDF says a text."""
    wanted, found = on_paper(text), on_paper(read)
    return sorted(wanted) == sorted(found) if runs_both_ways(text) else wanted == found
