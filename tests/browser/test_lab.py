"""The notebooks as JupyterLab shows them: opened from its file browser and run by its menu, as by hand."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat
import numpy as np
import pytest
from PIL import Image

from scenebook.core.project import project_root
from scenebook.core.stages import STAGES

from ..integration.test_by_hand import SMALL, type_small_numbers

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

NOTEBOOKS = [stage.notebook for stage in STAGES.values()]
SETTINGS = {
    # Nothing is asked of jupyter.org, and every cell is in the page, not only those that are scrolled to.
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    "notebook-extension/tracker": {"windowingMode": "none"},
}
LIGHT, DARK = "JupyterLab Light", "JupyterLab Dark"
SECONDS = 300
"""The longest that a notebook may take on a busy machine."""
ALL_RUN = """() => {
  const cells = jupyterapp.shell.currentWidget.content.widgets.filter(it => it.model.type === 'code');
  const failed = it => it.model.outputs.toJSON().some(output => output.output_type === 'error');
  return cells.every(it => it.model.executionCount !== null) || cells.some(failed);
}"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the notebooks, in whose cells of parameters somebody has typed smaller numbers."""
    folder = tmp_path_factory.mktemp("lab")
    shutil.copytree(project_root() / "notebooks", folder / "notebooks", ignore=shutil.ignore_patterns(".*"))
    type_small_numbers(folder / "notebooks")
    for name, values in SETTINGS.items():
        file = folder / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(values), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def address(folder: Path) -> Iterator[str]:
    """Where `jupyter lab notebooks` answers, as `make lab` starts it, with nothing of whoever runs the tests."""
    own = {name: str(folder / name) for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR")}
    environment = {**os.environ, **own, "SCENEBOOK_RUNS": str(folder / "runs")}
    options = {
        "ServerApp.port": 0, "ServerApp.allow_root": True, "LabApp.open_browser": False,
        "LabApp.user_settings_dir": folder / "settings",
        "LabApp.workspaces_dir": folder / "workspaces", "LabApp.expose_app_in_browser": True,
    }  # fmt: skip
    command = [sys.executable, "-m", "jupyter", "lab", str(folder / "notebooks")]
    with (folder / "lab.log").open("w", encoding="utf-8") as log:
        server = subprocess.Popen(
            [*command, *(f"--{name}={value}" for name, value in options.items())],
            env=environment,
            stdout=log,
            stderr=log,
        )
        try:
            yield wait_for_address(folder / "JUPYTER_RUNTIME_DIR", server)
        finally:
            server.terminate()  # and with it its kernels
            server.wait(20)


def wait_for_address(runtime: Path, server: subprocess.Popen[bytes]) -> str:
    """Returns the page's address, as soon as the server has written it down and answers."""
    for _ in range(300):
        assert server.poll() is None
        for file in runtime.glob("jpserver-*.json"):
            told = json.loads(file.read_text(encoding="utf-8"))
            with suppress(OSError):
                urllib.request.urlopen(f"{told['url']}api", timeout=5)
                return f"{told['url']}lab?token={told['token']}"
        time.sleep(0.1)
    pytest.fail("JupyterLab does not answer.")


class Lab:
    """JupyterLab in a browser, with all notebooks run.

    Attributes:
        page: Its page.
        missed: Addresses elsewhere that it has asked for.
    """

    def __init__(self, browser: Browser, address: str, screenshots: Path) -> None:
        self.page: Page = browser.new_page(viewport={"width": 1280, "height": 1400})
        self.page.set_default_timeout(60_000)
        self.missed: list[str] = []
        self._screenshots = screenshots
        host = address.split("/lab")[0]
        self.page.on("request", lambda asked: self.missed.append(asked.url) if not _is_of(asked.url, host) else None)
        self.page.goto(address)
        for name in NOTEBOOKS:
            self.page.locator(".jp-DirListing-item", has_text=f"{name}.ipynb").dblclick()
            self.page.locator(".lm-TabBar-tab.lm-mod-current", has_text=f"{name}.ipynb").first.wait_for()
            self.run_all()

    @property
    def notebook(self) -> Locator:
        """The notebook in front."""
        return self.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)")

    def bring(self, name: str) -> Locator:
        """Brings a notebook that is open to the front."""
        self.page.locator(".lm-TabBar-tab", has_text=f"{name}.ipynb").first.click()
        return self.notebook

    def run_all(self) -> None:
        """Runs all cells, by the menu, and waits until all were run, or one has failed."""
        self.page.evaluate("jupyterapp.shell.currentWidget.sessionContext.ready")
        self.page.locator(".lm-MenuBar-item", has_text=re.compile(r"^Run$")).click()
        self.page.locator(".lm-Menu-item[data-command='runmenu:run-all']").click()
        self.page.wait_for_function(ALL_RUN, timeout=1000 * SECONDS)

    def set_theme(self, theme: str) -> None:
        """Chooses a theme."""
        self.page.evaluate("theme => jupyterapp.commands.execute('apputils:change-theme', {theme})", theme)
        light = str(theme == LIGHT).lower()
        body = f"body[data-jp-theme-light='{light}'][data-jp-theme-name='{theme}']"
        self.page.locator(body).wait_for(state="attached")
        self.page.locator("#jupyterlab-splash").wait_for(state="detached")  # it covers the page while a theme is loaded

    def keep(self, name: str) -> None:
        """Keeps a screenshot of the window."""
        self.page.screenshot(path=self._screenshots / f"lab-{name}.png")


def _is_of(address: str, host: str) -> bool:
    return address.startswith((host, host.replace("http", "ws"), "data:", "blob:"))


@pytest.fixture(scope="module")
def lab(browser: Browser, address: str, screenshots: Path) -> Iterator[Lab]:
    lab = Lab(browser, address, screenshots)
    yield lab
    lab.page.close()


def outputs(notebook: Locator, kind: str = "") -> Locator:
    of_kind = f"[data-mime-type='{kind}']" if kind else ""
    return notebook.locator(f".jp-OutputArea-output{of_kind}")


REFER_TO_NOTHING = {"05-ablations"}
"""Without an ablation, it shows no figure."""


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_runs_to_its_end_and_shows_its_figures_and_tables(name: str, lab: Lab) -> None:
    notebook = lab.bring(name)
    assert outputs(notebook, "application/vnd.jupyter.error").all_inner_texts() == []
    prompts = notebook.locator(".jp-CodeCell .jp-InputPrompt").all_inner_texts()
    assert [int(re.sub(r"\D", "", text)) for text in prompts] == list(range(1, len(prompts) + 1))
    shown = notebook.locator(".jp-OutputArea-output :is(figure > svg, img, table)").all()
    assert shown or name in REFER_TO_NOTHING
    for one in shown:
        box = one.bounding_box()
        assert box is not None
        assert min(box["width"], box["height"]) > 10
    loaded = notebook.locator("img").evaluate_all("all => all.map(it => it.complete && it.naturalWidth > 0)")
    assert all(loaded)
    captions = outputs(notebook).locator("figcaption").all_inner_texts()
    named = {found[0] for text in captions if (found := re.match(r"(?:Figure|Table) [a-z0-9-]+(?=\. )", text))}
    said = " ".join(outputs(notebook, "text/markdown").all_inner_texts())
    assert not re.search(r"\[@(fig|tbl):", said)
    # A notebook refers to its own figures and tables, and to a few of others.
    assert set(re.findall(r"\b(?:Figure|Table) [a-z][a-z0-9-]*\b", said)) & named or name in REFER_TO_NOTHING
    if captions:
        outputs(notebook).locator("figcaption").last.scroll_into_view_if_needed()
    lab.keep(name)


def test_progress_of_a_training_is_one_line(lab: Lab) -> None:
    lines = outputs(lab.bring("02-training"), "application/vnd.jupyter.stderr").all_inner_texts()
    epochs = [line for text in lines for line in text.splitlines() if "epoch" in line]
    assert len(epochs) == 1
    assert f"epoch {SMALL['epochs']}/{SMALL['epochs']}" in epochs[0]


def pixels(one: Locator) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(one.screenshot())).convert("RGB"), dtype=int)


def test_outputs_look_the_same_in_a_dark_theme_and_their_text_stands_out(lab: Lab) -> None:
    notebook = lab.bring("03-evaluation")
    figures = outputs(notebook).locator("figure > svg").all()
    light = [pixels(figure) for figure in figures]
    lab.set_theme(DARK)
    dark = [pixels(figure) for figure in figures]
    texts = outputs(notebook).locator("figcaption, td, th, p")
    contrasts: list[float] = texts.evaluate_all(CONTRASTS)
    lab.keep("dark")
    lab.set_theme(LIGHT)
    assert len(light) == len(dark) > 0
    for one, other in zip(light, dark, strict=True):
        assert np.abs(one - other).mean() < 1  # the frame may be drawn on half a pixel
    assert min(contrasts) > 4.5


CONTRASTS = """all => all.map(it => {
  const parse = text => text.match(/[\\d.]+/g).map(Number);
  const luminance = rgb => rgb.slice(0, 3).map(c => c / 255)
    .map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  let behind = it, back = [0, 0, 0, 0];
  while (behind && (back.length > 3 && back[3] === 0)) {
    back = parse(getComputedStyle(behind).backgroundColor);
    behind = behind.parentElement;
  }
  const [dark, light] = [luminance(parse(getComputedStyle(it).color)), luminance(back)].sort((a, b) => a - b);
  return (light + 0.05) / (dark + 0.05);
})"""
"""Of the text of elements on what is behind it, as WCAG 2.1 defines it."""


def test_a_cell_that_is_edited_shows_what_it_says_now(lab: Lab, folder: Path) -> None:
    cells = nbformat.read(folder / "notebooks" / "03-evaluation.ipynb", as_version=4).cells
    (source,) = [cell.source for cell in cells if "ConfusionDisplay.from_matrix" in cell.source]
    notebook = lab.bring("03-evaluation")
    cell = notebook.locator(".jp-CodeCell", has_text="ConfusionDisplay.from_matrix")
    cell.locator(".cm-content").click()
    lab.page.keyboard.press("ControlOrMeta+a")
    lab.page.keyboard.insert_text(re.sub(r'caption=f?"[^"]*"', 'caption="What is confused with what."', source))
    lab.page.keyboard.press("Shift+Enter")
    caption = cell.locator("figcaption", has_text="Figure confusion. What is confused with what.")
    caption.wait_for()
    assert cell.locator("figure > svg").is_visible()
    assert lab.missed == []
