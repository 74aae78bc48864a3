"""What a reader's browser does with the page: asks for it once, runs nothing of it, and shows all of it."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from scenebook.core.sentences import as_utf8
from scenebook.rendering.outputs import strip_terminal_codes

from ..unit.rendering.hostile import NAMED, on_page
from .conftest import HEIGHT, PAGES, SCREENS, WIDTHS, OpenPage, serve

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Dialog, FloatRect, Locator, Page


@pytest.mark.parametrize("name", PAGES)
def test_the_page_makes_one_request_logs_nothing_and_asks_nothing(
    name: str, browser: Browser, report_of: Callable[[str], Path]
) -> None:
    context = browser.new_context()
    page = context.new_page()
    requests: list[str] = []
    said: list[str] = []
    page.on("request", lambda request: requests.append(request.url) if not request.url.startswith("data:") else None)
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("dialog", lambda dialog: note_dialog(said, dialog))
    with serve(report_of(name)) as served:
        page.goto(served.address)
        # What loads late would load when a reader opens, points at and scrolls to everything.
        page.evaluate("document.querySelectorAll('details').forEach(it => it.open = true)")
        page.mouse.wheel(0, 100_000)
        page.wait_for_load_state("networkidle")
        for link in page.locator("main a[href^='#']").all()[:5]:
            link.evaluate("it => it.click()")
        page.wait_for_timeout(200)
        assert requests == [served.address]
    assert len(served.asked) == 1
    assert said == []
    assert len(context.pages) == 1
    context.close()


def note_dialog(said: list[str], dialog: Dialog) -> None:
    said.append("dialog")
    dialog.dismiss()


def test_a_page_that_runs_a_script_or_logs_would_be_noticed(browser: Browser, tmp_path: Path) -> None:
    (tmp_path / "x.html").write_text("<script>alert(1); console.error('x')</script><img src='y.png'>")
    context = browser.new_context()
    page = context.new_page()
    seen: list[str] = []
    page.on("request", lambda request: seen.append("request"))
    page.on("console", lambda message: seen.append(message.type))
    page.on("dialog", lambda dialog: note_dialog(seen, dialog))
    with serve(tmp_path / "x.html") as served:
        page.goto(served.address)
        page.wait_for_load_state("networkidle")
    assert {"/x.html", "/y.png"} <= set(served.asked)
    assert {"dialog", "error"} <= set(seen)
    context.close()


@pytest.mark.parametrize(("width", "scheme"), SCREENS)
@pytest.mark.parametrize("name", PAGES)
def test_nothing_is_wider_than_the_window(
    name: str, width: int, scheme: str, open_page: OpenPage, screenshots: Path
) -> None:
    page = open_page(name, width, scheme)
    root = "document.documentElement"
    assert page.evaluate(f"{root}.scrollWidth <= {root}.clientWidth"), too_wide(page, width)
    # What is cut off counts too: text must end within the window, or within a box that scrolls.
    assert too_wide(page, width) == []
    file = screenshots / f"{name.removesuffix('.ipynb').replace(' ', '-')}-{width}-{scheme}.png"
    height = page.evaluate(f"{root}.scrollHeight")
    # Chromium draws at most 16,384 pixels in one image.
    page.screenshot(path=file, full_page=height < 16_000)
    with Image.open(file) as image:
        assert image.width == width


def too_wide(page: Page, width: int) -> list[str]:
    """Lists what reaches beyond the window without a box of its own to scroll in."""
    found: list[str] = page.evaluate(
        """width => [...document.querySelectorAll('body *')].filter(it => {
            if (!it.getClientRects().length || it.getBoundingClientRect().right <= width + 1) return false;
            for (let box = it.parentElement; box; box = box.parentElement)
                if (['auto', 'scroll', 'hidden'].includes(getComputedStyle(box).overflowX)) return false;
            return true;
        }).map(it => it.outerHTML.slice(0, 120))""",
        width,
    )
    return found


def box_of(locator: Locator) -> FloatRect:
    """Where an element is in the window, in pixels."""
    box = locator.bounding_box()
    assert box is not None
    return box


@pytest.mark.parametrize("name", PAGES)
def test_contents_stay_beside_the_text_on_wide_screens(name: str, open_page: OpenPage) -> None:
    page = open_page(name, 1440)
    beside, text = box_of(page.locator("nav")), box_of(page.locator("main"))
    assert beside["x"] + beside["width"] <= text["x"]
    page.evaluate("scrollTo(0, document.documentElement.scrollHeight / 2)")
    assert 0 <= box_of(page.locator("nav a").first)["y"] < HEIGHT
    narrow = open_page(name, 768)
    above, below = box_of(narrow.locator("nav")), box_of(narrow.locator("main"))
    assert above["y"] + above["height"] <= below["y"]


@pytest.mark.parametrize("name", [page for page in PAGES if page != "hostile"])
def test_drawings_turn_dark_in_the_dark_and_images_keep_a_light_card(name: str, open_page: OpenPage) -> None:
    page = open_page(name, 1440, "dark")
    cards = page.locator("main figure .card").all()
    assert cards
    for card in cards:
        card.scroll_into_view_if_needed()
        picture = card.screenshot()
        if "drawing" in (card.get_attribute("class") or ""):
            assert max(pixel(picture, 4, 4)) < 60
            assert max(pixel(picture, 20, 20)) < 60, "the drawing's own paper"
        else:
            assert min(pixel(picture, 4, 4)) > 240
    assert max(pixel(page.screenshot(), 4, 4)) < 60
    assert min(pixel(open_page(name, 1440, "light").screenshot(), 4, 4)) > 240


def test_one_switch_shows_all_code_and_hides_it_again(open_page: OpenPage) -> None:
    page = open_page("whole-run", 1440)
    code = page.locator("main details pre")
    assert code.count() > 3
    assert not any(code.nth(number).is_visible() for number in range(code.count()))
    page.get_by_label("Show all code").check()
    assert all(code.nth(number).is_visible() for number in range(code.count()))
    page.get_by_label("Show all code").uncheck()
    assert not code.first.is_visible()


def test_the_supplement_is_folded_until_a_link_leads_into_it(open_page: OpenPage) -> None:
    page = open_page("supplement.ipynb", unfold=False)
    inside = page.locator(".supplement figure").first
    assert page.locator(".supplement h2").is_visible()
    assert not inside.is_visible()
    page.locator(f"main > section:not(.supplement) a[href='#{inside.get_attribute('id')}']").first.click()
    assert inside.is_visible()
    assert 0 <= box_of(inside)["y"] < HEIGHT
    page.locator(".supplement summary").first.click()
    assert not inside.is_visible()


def pixel(png: bytes, x: int, y: int) -> tuple[int, int, int]:
    red, green, blue = Image.open(io.BytesIO(png)).convert("RGB").getpixel((x, y))  # type: ignore[misc]
    return red, green, blue


@pytest.mark.parametrize("width", WIDTHS)
def test_a_image_of_a_grid_opens_larger_and_closes_again(width: int, open_page: OpenPage) -> None:
    page = open_page("hostile", width)
    link = page.locator(".images a.enlarge").first
    image = link.locator("img")
    link.scroll_into_view_if_needed()
    before = box_of(image)
    link.focus()
    page.keyboard.press("Enter")
    page.wait_for_function("document.querySelector('.images li:target') !== null")
    after = box_of(image)
    assert after["width"] > 1.5 * before["width"]
    assert 0 <= after["x"] <= width - after["width"]
    assert 0 <= after["y"] <= HEIGHT - after["height"]
    close = page.locator(".images li:target a.close")
    assert close.is_visible()
    close.click()
    assert box_of(image)["width"] == before["width"]


@pytest.mark.parametrize("name", PAGES)
def test_the_first_key_leads_past_the_contents(name: str, open_page: OpenPage) -> None:
    page = open_page(name)
    page.keyboard.press("Tab")
    skip = page.locator(":focus")
    assert skip.get_attribute("href") == "#main"
    assert min(box_of(skip)["x"], box_of(skip)["y"]) >= 0
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    assert box_of(page.locator("main"))["y"] < HEIGHT / 2


@pytest.mark.parametrize("name", PAGES)
def test_every_link_within_the_page_leads_somewhere(name: str, open_page: OpenPage) -> None:
    page = open_page(name)
    lost = page.evaluate(
        """[...document.querySelectorAll('a[href^="#"]')].map(it => decodeURIComponent(it.hash.slice(1)))
           .filter(id => !document.getElementById(id))"""
    )
    assert lost == []
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map(it => it.id)")
    assert len(ids) == len(set(ids))
    assert page.locator("a[href^='#']").count() > 3


def test_hostile_texts_read_as_they_were_written(open_page: OpenPage) -> None:
    page = open_page("hostile")

    def read(selector: str) -> list[str]:
        texts: list[str] = page.evaluate(
            """selector => [...document.querySelectorAll(selector)].map(it => {
                const copy = it.cloneNode(true);
                copy.querySelectorAll('.number').forEach(number => number.remove());
                return copy.textContent;
            })""",
            selector,
        )
        return [on_page(text) for text in texts]

    wanted = [on_page(name) for name in NAMED]
    assert read("main section > p")[: len(NAMED)] == wanted
    assert read("[id='tbl:cells'] tbody tr > *") == wanted
    assert read(".image-caption") == wanted
    assert read("main figure[id^='fig:f'] > figcaption") == wanted
    assert read("pre.output") == [on_page(strip_terminal_codes(as_utf8(name))) for name in NAMED]
    drawn = page.evaluate("[...document.images].map(it => it.complete && it.naturalWidth > 0)")
    assert drawn == [True] * len(drawn)
    assert len(drawn) >= 2 * len(NAMED)
