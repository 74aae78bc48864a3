"""A real Chromium, and pages that a real server on this machine hands out.

Without Chromium or playwright these tests skip and say why; with `SCENEBOOK_REQUIRE_BROWSER=1` they fail instead.
`SCENEBOOK_REPORTS` names folders with a finished `report.html` to look at as well, `SCENEBOOK_SCREENSHOTS` the folder
that keeps the screenshots.
"""

from __future__ import annotations

import functools
import http.server
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ..unit.rendering.conftest import Render, render  # noqa: F401 (a fixture)
from ..unit.rendering.hostile import NAMED, render_texts

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

ARGUMENTS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
REPORTS = [Path(name).resolve() for name in os.environ.get("SCENEBOOK_REPORTS", "").split(os.pathsep) if name]
PAGES = ["whole-run", "user-cells.ipynb", "hostile", *(f"report {path.name}" for path in REPORTS)]
WIDTHS = (320, 768, 1440)
# Colours change no widths, and widths no colours: the dark scheme is looked at on one screen.
SCREENS = [*((width, "light") for width in WIDTHS), (max(WIDTHS), "dark")]
HEIGHT = 900


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


def missing(reason: str) -> None:
    """Skips, or fails where the browser is asked for."""
    if os.environ.get("SCENEBOOK_REQUIRE_BROWSER"):
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


# Of the package, not the session: playwright keeps an event loop running, in which no other test could start a kernel.
@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """One Chromium for all tests, with a profile of its own."""
    executable = os.environ.get("SCENEBOOK_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if executable is None:
        missing("Expected Chromium as `chromium` on PATH. On Debian: apt-get install chromium.")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        missing("Expected the playwright package. `make setup-dev` installs it.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=list(ARGUMENTS))
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def report_of(render: Render, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:  # noqa: F811
    """The HTML file of each of `PAGES`, rendered when first asked for."""

    @functools.cache
    def path_of(name: str) -> Path:
        if name == "hostile":
            with pytest.MonkeyPatch.context() as patch:
                return render_texts(tmp_path_factory.mktemp("hostile"), NAMED, patch, RAW).html
        if name.startswith("report "):
            return next(path for path in REPORTS if path.name == name.removeprefix("report ")) / "report.html"
        return render(name).html

    return path_of


RAW = [name for name in NAMED if "@" not in name and "label{" not in name and "equation" not in name]
"""What is no reference and no label may stand in a Markdown cell as it is."""


@dataclass
class Served:
    """A page on a server, and every path that the server was asked for."""

    address: str
    asked: list[str] = field(default_factory=list)


@contextmanager
def serve(path: Path) -> Iterator[Served]:
    """Serves the folder of a file on loopback, and notes what is asked for."""
    served = Served("")

    class Handler(http.server.SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            served.asked.append(self.path)
            super().do_GET()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    handler = functools.partial(Handler, directory=str(path.parent))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        served.address = f"http://127.0.0.1:{server.server_port}/{path.name}"
        yield served
        server.shutdown()
        thread.join()


OpenPage = Callable[..., "Page"]


@pytest.fixture
def open_page(browser: Browser, report_of: Callable[[str], Path]) -> Iterator[OpenPage]:
    """Opens one of `PAGES` as a file, in a context of its own, with its folded parts open unless they are to stay."""
    contexts = []

    def open_page(
        name: str, width: int = 1440, scheme: str = "light", *, bypass_csp: bool = False, unfold: bool = True
    ) -> Page:
        context = browser.new_context(
            viewport={"width": width, "height": HEIGHT},
            color_scheme="dark" if scheme == "dark" else "light",
            bypass_csp=bypass_csp,
        )
        contexts.append(context)
        page: Page = context.new_page()
        page.goto(report_of(name).as_uri())
        if unfold:
            page.evaluate("document.querySelectorAll('.folded').forEach(it => it.open = true)")
        return page

    yield open_page
    for context in contexts:
        context.close()


@pytest.fixture(scope="package")
def screenshots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the screenshots go."""
    folder = Path(os.environ.get("SCENEBOOK_SCREENSHOTS") or tmp_path_factory.mktemp("screenshots"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder
