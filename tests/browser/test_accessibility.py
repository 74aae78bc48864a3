"""axe-core, by the company that the checks of most browsers' tools come from, finds nothing on the page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from .conftest import PAGES, SCREENS, OpenPage, missing

if TYPE_CHECKING:
    from playwright.sync_api import Page


def axe_file() -> Path:
    """The script of axe-core, as a package on PyPI carries it."""
    try:
        import axe_playwright_python
    except ImportError:
        missing("Expected the axe-playwright-python package, which carries axe-core. `make setup-dev` installs it.")
    return Path(axe_playwright_python.__file__).parent / "axe.min.js"


def violations(page: Page) -> list[str]:
    page.add_script_tag(path=axe_file())
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [f"{item['id']}: {node['html'][:200]}" for item in found["violations"] for node in item["nodes"]]


@pytest.mark.parametrize(("width", "scheme"), SCREENS)
@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_nothing(name: str, width: int, scheme: str, open_page: OpenPage) -> None:
    # The page's own policy would refuse axe: it is set aside here, and nowhere else.
    page = open_page(name, width, scheme, bypass_csp=True)
    page.evaluate("document.querySelectorAll('details').forEach(it => it.open = true)")
    assert violations(page) == []


def test_axe_sees_a_image_in_large_as_well(open_page: OpenPage) -> None:
    page = open_page("whole-run", 1440, "dark", bypass_csp=True)
    page.locator(".images a.enlarge").first.evaluate("it => it.click()")
    page.wait_for_function("document.querySelector('.images li:target') !== null")
    assert violations(page) == []


def test_axe_would_find_something(open_page: OpenPage) -> None:
    page = open_page("user-cells.ipynb", bypass_csp=True)
    page.evaluate("document.querySelector('img').removeAttribute('alt')")
    page.evaluate("document.querySelector('main p').style.color = '#bbb'")
    assert {line.split(":")[0] for line in violations(page)} == {"image-alt", "color-contrast"}
