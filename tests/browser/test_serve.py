"""The page that classifies what is dropped on it, in Chromium: what it shows, asks, and never runs."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from scenebook.inference.serving.answering import to_address

from ..unit.inference.test_serving import ABOUT, serving
from ..unit.rendering.hostile import NAMED
from .test_accessibility import violations
from .test_page import note_dialog

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

PIXELS = np.random.default_rng(0).integers(0, 256, (96, 96, 3), dtype=np.uint8)


def answer(content: bytes) -> dict[str, Any]:
    """What a network would say: classes and paths are texts from nowhere."""
    Image.open(io.BytesIO(content))
    image = to_address(PIXELS)
    return {
        "classes": [{"name": name, "probability": 1 / (number + 2)} for number, name in enumerate(NAMED)],
        "image": image,
        "map": image,
        "nearest": [{"image": image, "path": name, "label": name, "distance": 0.5} for name in NAMED[:6]],
        "distance": 0.9,
        "threshold": 0.8,
    }


@pytest.fixture(params=[False], ids=["its own policy"])
def page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    """The page, opened; with the parameter True its policy is set aside, which would refuse axe."""
    with serving(answer) as host:
        context = browser.new_context(viewport={"width": 900, "height": 1000}, bypass_csp=request.param)
        page = context.new_page()
        page.goto(f"http://{host}/")
        page.wait_for_load_state("networkidle")
        yield page
        context.close()


def drop(page: Page, content: bytes, name: str) -> None:
    """Drops a file on the box, as a hand would."""
    data = page.evaluate_handle(
        """([content, name]) => {
            const bytes = Uint8Array.from(atob(content), (sign) => sign.charCodeAt(0));
            const transfer = new DataTransfer();
            transfer.items.add(new File([bytes], name, {type: "image/png"}));
            return transfer;
        }""",
        [base64.b64encode(content).decode(), name],
    )
    page.dispatch_event("#drop", "drop", {"dataTransfer": data})


def wait_for_status(page: Page, words: str) -> None:
    page.locator("#status", has_text=words).wait_for()


def make_png() -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(PIXELS).save(buffer, "PNG")
    return buffer.getvalue()


def test_an_image_that_is_dropped_is_answered_with_class_map_and_nearest_images(page: Page, screenshots: Path) -> None:
    asked: list[str] = []
    said: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.on("dialog", lambda dialog: note_dialog(said, dialog))
    page.reload()
    page.wait_for_load_state("networkidle")
    assert page.inner_text("#run") == ABOUT["run"]
    assert not page.is_visible("#answer")
    drop(page, make_png(), "<img src=x onerror=alert(1)>.png")
    page.wait_for_selector("#answer:not([hidden])")
    assert page.inner_text("#status") == "<img src=x onerror=alert(1)>.png"
    assert page.text_content("#class") == f"{NAMED[0]}: 50.0%"
    assert [cell.text_content() for cell in page.query_selector_all("#classes th")] == list(NAMED[:10])
    assert (page.text_content("#others") or "").startswith(f"{len(NAMED) - 10} other")
    assert [item.text_content() for item in page.query_selector_all("#nearest b")] == list(NAMED[:6])
    assert page.is_visible("#unlike")
    shown = "it => it.complete && it.naturalWidth > 0"
    assert all(image.evaluate(shown) for image in page.query_selector_all("#answer img"))
    address = page.url
    assert all(url.startswith((address, "data:")) for url in asked)
    assert {f"{address}{name}" for name in ("page.js", "page.css", "about", "classify")} <= set(asked)
    assert said == []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        page.screenshot(path=screenshots / f"serve-{scheme}.png", full_page=True)
    root = "document.documentElement"
    page.set_viewport_size({"width": 320, "height": 600})
    assert page.evaluate(f"{root}.scrollWidth <= {root}.clientWidth")


@pytest.mark.parametrize("page", [True], indirect=True, ids=["axe"])
def test_axe_finds_nothing_on_the_page_and_its_answers(page: Page) -> None:
    assert violations(page) == []
    drop(page, make_png(), "one.png")
    page.wait_for_selector("#answer:not([hidden])")
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        assert violations(page) == []


def test_an_image_can_be_chosen_from_the_keyboard_and_what_is_none_is_told(page: Page, tmp_path: Path) -> None:
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "file"
    (tmp_path / "notes.txt").write_text("no image")
    page.set_input_files("#file", tmp_path / "notes.txt")
    wait_for_status(page, "cannot be read")
    assert not page.is_visible("#answer")
    (tmp_path / "one.png").write_bytes(make_png())
    page.set_input_files("#file", tmp_path / "one.png")
    page.wait_for_selector("#answer:not([hidden])")
    page.evaluate("mostBytes = 10")
    drop(page, make_png(), "large.png")
    wait_for_status(page, "too large")
    assert not page.is_visible("#answer")
