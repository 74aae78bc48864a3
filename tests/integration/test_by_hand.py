"""Notebooks run by hand: mistakes are told in the cell that made them, and a report takes what was run as it is."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from rich.console import Console

from scenebook.cli import main
from scenebook.cli.making import report_by_hand
from scenebook.core.errors import InputError, SettingsError
from scenebook.core.run_directory import RunDirectory
from scenebook.core.settings import make_settings
from scenebook.core.stages import STAGES
from scenebook.core.yaml_files import read_yaml
from scenebook.pipeline.by_hand import collect_by_hand, list_overruled
from scenebook.pipeline.notebooks import is_executed
from scenebook.pipeline.saved_notebooks import check_notebooks


def run_by_hand(notebook: Path, folder: Path, *, save: bool = False) -> nbformat.NotebookNode:
    """Runs a notebook with its own defaults, as Jupyter does, in `folder`; `save` saves it, too, whatever happens."""
    loaded = nbformat.read(notebook, as_version=4)
    resources = {"metadata": {"path": str(folder)}}
    try:
        NotebookClient(loaded, timeout=300, kernel_name="python3", resources=resources).execute()
    finally:
        if save:
            nbformat.write(loaded, notebook)
    return loaded


SMALL = {"scenes_train_per_class": 12, "scenes_test_per_class": 6, "image_size": 48, "epochs": 2, "head_units": 8}


def type_small_numbers(folder: Path) -> None:
    """Changes the cells of parameters of the notebooks in a folder, as somebody who is in a hurry does."""
    for path in folder.glob("*.ipynb"):
        notebook = nbformat.read(path, as_version=4)
        for name, value in SMALL.items():
            notebook.cells[2].source = re.sub(rf"(?m)^{name} = \S+", f"{name} = {value}", notebook.cells[2].source)
        nbformat.write(notebook, path)


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where kernels that start now keep their runs."""
    monkeypatch.setenv("SCENEBOOK_RUNS", str(tmp_path / "runs"))
    return tmp_path / "runs"


def test_a_notebook_without_the_one_before_it_says_which_to_run(
    runs: Path, notebooks_dir: Path, tmp_path: Path
) -> None:
    with pytest.raises(CellExecutionError, match=r"Run notebooks/01-data\.ipynb first"):
        run_by_hand(notebooks_dir / "03-evaluation.ipynb", tmp_path)


def test_a_parameter_changed_by_hand_is_checked(runs: Path, notebooks_dir: Path, tmp_path: Path) -> None:
    notebook = nbformat.read(notebooks_dir / "01-data.ipynb", as_version=4)
    notebook.cells[2].source = notebook.cells[2].source.replace("image_size = 96", "image_size = 8")
    changed = tmp_path / "01-data.ipynb"
    nbformat.write(notebook, changed)
    with pytest.raises(CellExecutionError, match="Received: image_size=8"):
        run_by_hand(changed, tmp_path)


CELLS = {
    "01-data": ['dataset = "scenes"\nseed = 3', 'run_dir.write_json("data/classes.json", {"classes": ["a", "b"]})'],
    "02-training": [
        "epochs = 1 + 1\nseed = 3",
        'classes = run_dir.read_json("data/classes.json")["classes"]',
        "def train(epochs):\n    return 10 * epochs",
        'run_dir.write_json("training/summary.json", {"steps": train(epochs), "k": len(classes)})',
    ],
    "03-evaluation": [
        "seed = 3",
        'steps = run_dir.read_json("training/summary.json")["steps"]\n'
        'run_dir.write_json("evaluation/metrics.json", {"steps": steps})',
        'print("There were", steps, "steps.")',
    ],
    "06-conclusion": ['dataset = "scenes"', 'run_dir.read_json("evaluation/metrics.json")["steps"]'],
}
SUMMARY = 'run_dir.write_json("training/summary'
BEGIN = "from scenebook.notebook.display import begin\n\nrun_dir = begin(run)"


def write_notebook(path: Path, parameters: str, *cells: str) -> None:
    make = nbformat.v4.new_code_cell
    content = [
        nbformat.v4.new_markdown_cell(f"# {path.stem}", metadata={"tags": ["notebook-only"]}),
        make(f'run = "by-hand"\n{parameters}', metadata={"tags": ["parameters"]}),
        make(BEGIN, metadata={"tags": ["notebook-only"]}),
        nbformat.v4.new_markdown_cell("## Results"),
        *map(make, cells),
    ]
    nbformat.write(nbformat.v4.new_notebook(cells=content), path)


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `runs` and `notebooks`, of which some were run in kernels, and saved."""
    folder = tmp_path_factory.mktemp("ran")
    notebooks = folder / "notebooks"
    notebooks.mkdir()
    for row in STAGES.values():
        write_notebook(notebooks / f"{row.notebook}.ipynb", *CELLS.get(row.notebook, ["seed = 3", "1 + 1"]))
    startup = folder / "ipython" / "profile_default" / "startup"
    startup.mkdir(parents=True)
    (startup / "mine.py").write_text("weights = object()\nseed = 3\nepochs = -1\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SCENEBOOK_RUNS", str(folder / "runs"))
        patch.setenv("IPYTHONDIR", str(folder / "ipython"))
        for name in CELLS:
            run_by_hand(notebooks / f"{name}.ipynb", folder, save=True)
    return folder


@pytest.fixture
def mine(ran: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of `ran`, whose run is that of this process."""
    shutil.copytree(ran, tmp_path, dirs_exist_ok=True)
    monkeypatch.setenv("SCENEBOOK_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("SCENEBOOK_BUILD", str(tmp_path / "build"))
    return tmp_path


Change = Callable[[nbformat.NotebookNode], None]


def change(folder: Path, name: str, edit: Change) -> None:
    path = folder / "notebooks" / f"{name}.ipynb"
    notebook = nbformat.read(path, as_version=4)
    edit(notebook)
    nbformat.write(notebook, path)


def collect(folder: Path) -> None:
    collect_by_hand(RunDirectory(folder / "runs" / "by-hand"), folder / "notebooks")


def find_cell(notebook: nbformat.NotebookNode, start: str) -> Any:
    return next(cell for cell in notebook.cells if cell.source.startswith(start))


def test_a_report_takes_what_was_run_by_hand_and_runs_nothing(mine: Path) -> None:
    run_dir = RunDirectory(mine / "runs" / "by-hand")
    before = {path: path.stat().st_mtime_ns for path in run_dir.root.rglob("*") if path.is_file()}
    assert report_by_hand(Console(), mine / "notebooks") == 0
    assert {path: path.stat().st_mtime_ns for path in before} == before
    page = (mine / "build" / "by-hand" / "report.html").read_text(encoding="utf-8")
    assert "There were 20 steps." in page
    assert "run by hand" in page
    assert "of an earlier run" not in page
    assert "make report RUN=by-hand" not in page
    assert (mine / "build" / "by-hand" / "report.pdf").read_bytes().startswith(b"%PDF")
    # The values of the parameters cells are the settings.
    settings = read_yaml(run_dir.path("settings.yaml"), "settings").content
    assert (settings["epochs"], settings["seed"]) == (2, 3)
    manifest = json.loads(run_dir.path("manifest.json").read_text(encoding="utf-8"))
    assert {name: entry["status"] for name, entry in manifest["stages"].items()} == {
        stage: "done" if row.notebook in CELLS else "not run" for stage, row in STAGES.items()
    }
    assert manifest["files"]["training/summary.json"]["stage"] == "training"


def test_prose_and_comments_may_change_after_a_run(mine: Path) -> None:
    def reword(notebook: nbformat.NotebookNode) -> None:
        find_cell(notebook, "## Results").source = "## Results\n\nOther words."
        find_cell(notebook, SUMMARY).source += "  # a comment"

    change(mine, "02-training", reword)
    collect(mine)


def _edit_a_cell(notebook: nbformat.NotebookNode) -> None:
    find_cell(notebook, "def train").source = "def train(epochs):\n    return 11 * epochs"


def _edit_a_parameter(notebook: nbformat.NotebookNode) -> None:
    cell = find_cell(notebook, "run =")
    cell.source = cell.source.replace("1 + 1", "1 + 2")


def _add_a_cell(notebook: nbformat.NotebookNode) -> None:
    notebook.cells.append(nbformat.v4.new_code_cell("1 + 1"))


def _run_a_cell_again(notebook: nbformat.NotebookNode) -> None:
    # As the file is when the first of them was run once more: what is below it is older.
    find_cell(notebook, "classes =").execution_count, find_cell(notebook, "def train").execution_count = 4, 3
    first, second = find_cell(notebook, "classes ="), find_cell(notebook, "def train")
    first.source, second.source = second.source, first.source
    notebook.cells.remove(first)
    notebook.cells.append(first)


def _fail(notebook: nbformat.NotebookNode) -> None:
    error = nbformat.v4.new_output("error", ename="ValueError", evalue="no", traceback=[])
    find_cell(notebook, "def train").outputs = [error]


def _run_in_two_kernels(notebook: nbformat.NotebookNode) -> None:
    find_cell(notebook, SUMMARY).execution_count = 40


def _lose_the_record(notebook: nbformat.NotebookNode) -> None:
    find_cell(notebook, "from scenebook").outputs = []


def _never_run(notebook: nbformat.NotebookNode) -> None:
    for cell in notebook.cells:
        if is_executed(cell):
            cell.execution_count, cell.outputs = None, []


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        (_edit_a_cell, r"cell 6 \(def train.* was edited"),
        (_edit_a_parameter, r"cell 2 .* was edited"),
        (_add_a_cell, r"cell 8 \(1 \+ 1\) was not run"),
        (_run_a_cell_again, r"cell \d"),
        (_fail, r"cell 6 .* failed"),
        (_run_in_two_kernels, r"cell 7 .* before the kernel was started anew"),
        (_lose_the_record, r".*no record"),
        (_never_run, r".*was not run as it is saved, and 03-evaluation has read"),
    ],
    ids=lambda value: value.__name__.strip("_") if callable(value) else "",
)
def test_what_cannot_be_taken_is_named_with_the_reason(mine: Path, edit: Change, told: str) -> None:
    change(mine, "02-training", edit)
    with pytest.raises(InputError, match=rf"Received: 02-training=.{told}") as caught:
        collect(mine)
    assert caught.value.exit_code == 2
    assert not (mine / "runs" / "by-hand" / "manifest.json").exists()


def test_a_notebook_that_was_not_run_is_named_where_a_report_needs_it(mine: Path) -> None:
    change(mine, "03-evaluation", _never_run)
    with pytest.raises(InputError, match="Received: 03-evaluation="):
        collect(mine)


@pytest.mark.parametrize(
    ("file", "told"),
    [
        ("data/classes.json", r"01-data=.data/classes\.json.*02-training=.cell 5 .* before"),
        ("training/summary.json", r"02-training=.training/summary\.json.*03-evaluation=.cell 5 "),
    ],
)
def test_files_that_were_made_anew_since_make_a_notebook_old(mine: Path, file: str, told: str) -> None:
    RunDirectory(mine / "runs" / "by-hand").write_json(file, {"steps": 7})
    with pytest.raises(InputError, match=told):
        collect(mine)


def test_code_that_was_run_and_is_gone_and_cells_out_of_order_are_noticed(mine: Path) -> None:
    path = mine / "notebooks" / "02-training.ipynb"
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(notebook, timeout=60, kernel_name="python3", resources={"metadata": {"path": str(mine)}})
    numbers = [number for number, cell in enumerate(notebook.cells) if is_executed(cell)]
    edited = numbers[-2]
    with client.setup_kernel():
        for number in numbers:
            client.execute_cell(notebook.cells[number], number)
        notebook.cells[edited].source = "def train(epochs):\n    return 12 * epochs"
        client.execute_cell(notebook.cells[edited], edited)
        nbformat.write(notebook, path)
        with pytest.raises(InputError, match=r"cell 7 .* was run before cell 6"):
            collect(mine)
        client.execute_cell(notebook.cells[-1], len(notebook.cells) - 1)
    nbformat.write(notebook, path)
    with pytest.raises(InputError, match=r"Received: 03-evaluation=.cell 5"):
        collect(mine)
    states = {one.name: one for one in check_notebooks(RunDirectory(mine / "runs" / "by-hand"), mine / "notebooks")}
    assert states["02-training"].is_taken
    assert states["02-training"].has_more
    assert not states["01-data"].has_more


def test_settings_stand_in_the_parameters_cell_only(mine: Path) -> None:
    path = mine / "notebooks" / "03-evaluation.ipynb"
    change(mine, "03-evaluation", lambda notebook: notebook.cells.append(nbformat.v4.new_code_cell("seed = 4")))
    run_by_hand(path, mine, save=True)
    with pytest.raises(InputError, match=r"Received: 03-evaluation=.seed got another value"):
        collect(mine)


def test_notebooks_that_disagree_on_a_setting_are_refused(mine: Path) -> None:
    for record in (mine / "runs" / "by-hand" / "log").iterdir():
        text = record.read_text(encoding="utf-8")
        if "epochs" in text:
            record.write_text(re.sub(r'"seed": 3', '"seed": 4', text), encoding="utf-8")
    with pytest.raises(SettingsError, match="one value of seed"):
        collect(mine)


@pytest.mark.parametrize("content", ["", "[]", '{"cells": {"x": 1}}', '{"cells": {"1": {"code": "a"}}}'])
def test_a_damaged_record_is_none(mine: Path, content: str) -> None:
    for record in (mine / "runs" / "by-hand" / "log").iterdir():
        record.write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match="no record"):
        collect(mine)


@pytest.mark.parametrize(
    "words",
    [
        ["report", "--set", "epochs=2"],
        ["report", "--profile", "sample"],
        ["report", "--dataset", "scenes"],
        ["explain", "--force", "data"],
        ["run"],
        ["ablations"],
    ],
    ids=" ".join,
)
def test_commands_neither_run_nor_change_what_was_run_by_hand(
    mine: Path, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    assert main([*words, "--run", "by-hand"]) == 2
    assert "Received: " in capsys.readouterr().err
    assert not (mine / "runs" / "by-hand" / "settings.yaml").exists()


def test_other_commands_take_a_run_by_hand_as_its_report_was_made(
    mine: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    collect(mine)
    assert main(["render", "--run", "by-hand"]) == 0
    assert "run by hand" in (mine / "build" / "by-hand" / "report.html").read_text(encoding="utf-8")
    assert main(["diff", "by-hand", "by-hand"]) == 0
    capsys.readouterr()
    assert main(["bundle", "--run", "by-hand"]) == 2
    assert "not done" in capsys.readouterr().err
    RunDirectory(mine / "runs" / "by-hand").write_json("training/summary.json", {"steps": 7})
    assert main(["render", "--run", "by-hand"]) == 2
    assert "make report RUN=by-hand" in capsys.readouterr().err


def test_a_change_in_a_parameters_cell_that_a_command_does_not_follow_is_named(
    notebooks_dir: Path, tmp_path: Path
) -> None:
    shutil.copytree(notebooks_dir, tmp_path / "notebooks")
    notebook = tmp_path / "notebooks" / "02-training.ipynb"
    notebook.write_text(notebook.read_text("utf-8").replace('"epochs = 8 ', '"epochs = 2 '), "utf-8")
    assert list_overruled(make_settings({"epochs": 5, "max_per_class": 5}), notebooks_dir) == []
    assert list_overruled(make_settings({"epochs": 2}), notebook.parent) == []
    told = "epochs = 2 in the parameters cell of 02-training (used: 5)"
    assert list_overruled(make_settings({"epochs": 5}), notebook.parent) == [told]
