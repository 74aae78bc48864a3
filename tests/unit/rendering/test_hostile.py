"""Text from data stays text: whatever it is, both files say it, and nothing of it runs or is fetched."""

from __future__ import annotations

import base64
import os
import re
import socket
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from scenebook.core.sentences import as_utf8
from scenebook.rendering.outputs import strip_terminal_codes
from tests.unit.rendering.conftest import page_of
from tests.unit.rendering.hostile import NAMED, names, on_page, render_texts, same_on_paper, words
from tests.unit.rendering.tagged import read_tagged

MANY = int(os.environ.get("SCENEBOOK_HOSTILE_EXAMPLES", "0"))
"""`make hostile` sets it. Each example is a report of its own, on up to 12 texts in 8 places."""
SECONDS = 30.0
quick = settings(
    max_examples=MANY or 3,
    deadline=None,
    derandomize=not MANY,
    # To make an example smaller takes minutes: `make hostile` does it.
    phases=[Phase.explicit, Phase.generate, Phase.shrink] if MANY else [Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def check_report(folder: Path, names: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Renders a report on texts and reads all of them back."""
    started = time.monotonic()
    rendered = render_texts(folder, names, monkeypatch)
    assert time.monotonic() - started < SECONDS
    assert all("has a glyph" in warning for warning in rendered.warnings), rendered.warnings
    check_page(page_of(rendered), names)
    check_paper(rendered.pdf.read_bytes(), names)


def check_page(page: BeautifulSoup, names: list[str]) -> None:
    def read(selector: str) -> list[str]:
        for number in page.select(f"{selector} .number"):
            number.extract()
        return [on_page(tag.get_text()) for tag in page.select(selector)]

    wanted = [on_page(name) for name in names]
    assert page.find_all(["script", "iframe"]) == []
    assert read("main section > p")[: len(names)] == wanted
    assert read("[id='tbl:cells'] tbody tr > *") == wanted
    assert read("[id='tbl:header'] thead th") == [f"{name} {number}" for number, name in enumerate(wanted)]
    assert read(".image-caption") == wanted
    assert read(".bar-label") == wanted
    assert read("main figure[id^='fig:f'] > figcaption") == wanted
    assert [on_page(str(tag["alt"])) for tag in page.select("main figure[id^='fig:f'] img")] == wanted
    assert read("pre.output") == [on_page(strip_terminal_codes(as_utf8(name))) for name in names]
    assert read("main h3") == wanted


def check_paper(content: bytes, names: list[str]) -> None:
    root = read_tagged(content)
    (document,) = root.find("Document")
    unique = [f"{name} {number}" for number, name in enumerate(names)]
    said = [piece.text for piece in document.pieces if not isinstance(piece, str) and piece.kind == "P"]
    headings = [heading.text for heading in root.find("H2")]
    figures = root.find("Figure")
    cells, header = root.find("Table")[:2]
    captions = [caption.text for caption in root.find("Caption")]
    printed = [strip_terminal_codes(as_utf8(name)) for name in names]
    places = {
        "sentence": (names, said[: len(names)]),
        "cell": (names, [cell.text for cell in cells.find("TD")]),
        "header": (unique, [cell.text for cell in header.find("TH")]),
        "image": (["".join(f"{name}{name}50%" for name in names)], [figures[0].text]),
        "caption": ([f"Fig. {number}.{name}" for number, name in enumerate(names, 2)], captions[3 : 3 + len(names)]),
        "alternative": (names, [figure.alt or "" for figure in figures[1:]]),
        "heading": ([f"{_letter(number)}.{name}" for number, name in enumerate(names)], headings),
        "printed": (printed, [code.text for code in root.find("Code")]),
    }
    for place, (wanted, read) in places.items():
        assert len(wanted) == len(read), place
        for one, other in zip(wanted, read, strict=True):
            assert same_on_paper(one, other), f"{place}: {one!a} reads {other!a}"


def _letter(number: int) -> str:
    return chr(ord("A") + number)


@pytest.mark.parametrize("start", range(0, len(NAMED), 20))
def test_texts_with_a_meaning_elsewhere_are_text_here(
    start: int, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_report(folder, [f"{name}x" for name in NAMED[start : start + 20]], monkeypatch)


@quick
@given(names=names)
def test_any_text_reads_as_it_was_written(names: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    with tempfile.TemporaryDirectory() as folder:
        check_report(Path(folder), names, monkeypatch)


@quick
@given(cells=st.lists(st.lists(words, min_size=1, max_size=4).map("\n".join), min_size=1, max_size=20))
def test_any_markdown_makes_a_report_that_runs_nothing(cells: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    # Labels are asked for and given: a reference to nothing, or two of a name, is an error of its own.
    cells = [re.sub(r"fig:|eq:|@\w+", "x", cell) for cell in cells]
    with tempfile.TemporaryDirectory() as folder:
        started = time.monotonic()
        rendered = render_texts(Path(folder), ["name"], monkeypatch, [f"{cell}\n\nThe end." for cell in cells])
        assert time.monotonic() - started < SECONDS
        page = page_of(rendered)
        assert page.find_all(["script", "iframe", "object", "form", "link"]) == []
        assert not [key for tag in page.find_all(True) for key in tag.attrs if key.startswith("on") or key == "style"]
        assert rendered.pdf.read_bytes().startswith(b"%PDF")


def test_nothing_is_fetched_and_nothing_outside_the_run_is_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = folder / "secret.svg"
    secret.write_text('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><text>canary</text></svg>')
    run = folder / "run"
    run.mkdir()
    (run / "link.svg").symlink_to(secret)
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        web = f"http://127.0.0.1:{server.getsockname()[1]}"
        addresses = (str(secret), "../secret.svg", f"file://{secret}", "link.svg", f"{web}/x.svg", f"{web}/x.typ")
        attempts = (
            "![a]({})", "<img src='{}'>", "<iframe src='{}'></iframe>", "\\input{{{}}}", '#image("{}")',
            '```{{=typst}}\n#read("{}")\n```', '`#read("{}")`{{=typst}}', "[r]: {}",
        )  # fmt: skip
        cells = ["\n\n".join(attempt.format(address) for attempt in attempts) for address in addresses]
        drawing = f'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><image href="{web}/y.png"/></svg>'
        (run / "drawing.svg").write_text(drawing)
        cells.append("![drawing](drawing.svg)")
        rendered = render_texts(run, [*cells, drawing], monkeypatch, cells)
        with pytest.raises(BlockingIOError):
            server.accept()
    assert "canary" not in rendered.html.read_text(encoding="utf-8")
    encoded = base64.b64encode(secret.read_bytes()).decode()
    assert not [tag for tag in page_of(rendered).select("img") if encoded in str(tag["src"])]
    assert "canary" not in read_tagged(rendered.pdf.read_bytes()).text
    assert sum("is not part of the run" in warning for warning in rendered.warnings) == 6


def test_characters_without_a_glyph_are_boxes_and_a_warning(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rendered = render_texts(folder, ["山川"], monkeypatch)
    (warning,) = rendered.warnings
    assert "no font has a glyph for 山 (U+5C71), 川 (U+5DDD)" in warning
    assert "Noto Sans CJK SC for Chinese" in warning
    # Both are the same box to the eye, and themselves to whoever copies or hears them.
    root = read_tagged(rendered.pdf.read_bytes())
    assert root.find("TD")[0].text == "山川"


def test_a_line_from_right_to_left_is_drawn_from_left_to_right(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rendered = render_texts(folder, ["שלום"], monkeypatch)
    assert read_tagged(rendered.pdf.read_bytes()).find("TD")[0].text == "שלום"[::-1]
    assert page_of(rendered).select("[id='tbl:cells'] tbody tr > *")[0]["dir"] == "auto"
