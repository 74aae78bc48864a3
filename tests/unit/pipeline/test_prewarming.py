"""Kernels that wait with their libraries imported, on real notebooks and real processes."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import nbformat
import psutil
import pytest
from nbformat import v4

from scenebook.core.run_directory import RunDirectory
from scenebook.pipeline.execution import execute_notebook
from scenebook.pipeline.kernels import Kernel, make_kernel_environment
from scenebook.pipeline.notebooks import NotebookFile, read_notebook
from scenebook.pipeline.prewarming import PrewarmedKernels, list_libraries

ROOT = Path(__file__).parents[3]

TELLS = """
import numpy

import os, sys
import matplotlib.pyplot as plt

left_out = {"SCENEBOOK_TOUCHED", "JPY_PARENT_PID", "IPYTHONDIR"}
print({name: value for name, value in sorted(os.environ.items()) if name not in left_out})
print(os.getcwd(), sys.path, sys.argv[0].endswith("kernel"), sys.stdin.isatty())
plt.plot([1, 2])
plt.show()
"""


def make(path: Path, *sources: str) -> NotebookFile:
    parameters = v4.new_code_cell("run = 'by-hand'", metadata={"tags": ["parameters"]})
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    cells = [parameters, *map(v4.new_code_cell, sources)]
    nbformat.write(v4.new_notebook(cells=cells, metadata={"kernelspec": kernel}), path)
    return read_notebook(path)


def execute(
    notebook: NotebookFile, run_dir: RunDirectory, prewarmed: PrewarmedKernels | None
) -> tuple[list[object], Kernel]:
    kernel, target = Kernel(), run_dir.path("notebooks/01-data.ipynb")
    execute_notebook(
        "data", notebook.path, target, {"run": run_dir.name}, run_dir.path("log/data.txt"), lambda text: None,
        runs_dir=run_dir.root.parent, kernel=kernel, prewarmed=prewarmed,
    )  # fmt: skip
    return read_notebook(target).cells[-1]["outputs"], kernel


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["import numpy as np\nfrom sklearn.metrics import f1_score", "import pandas"],
         ["numpy", "sklearn.metrics", "pandas"]),
        (["import os\nos.environ['TF_ENABLE_ONEDNN_OPTS'] = '0'\nimport tensorflow"], []),
        (["import numpy\nprint()", "import tensorflow"], ["numpy"]),
        (["import helper", "import matplotlib.pyplot"], ["matplotlib.pyplot"]),
        (["from scenebook.network import features"], ["scenebook.network", "scenebook.network.features"]),
        (["%env TF_ENABLE_ONEDNN_OPTS=0", "import tensorflow"], []),
    ],
)  # fmt: skip
def test_only_what_is_imported_before_anything_is_done_is_imported_ahead(
    tmp_path: Path, cells: list[str], expected: list[str]
) -> None:
    assert list_libraries(make(tmp_path / "one.ipynb", *cells)) == expected


def test_the_training_notebook_imports_tensorflow_before_it_does_anything() -> None:
    assert "tensorflow" in list_libraries(read_notebook(ROOT / "notebooks" / "02-training.ipynb"))


def test_a_notebook_sees_no_difference_whether_its_kernel_has_waited(tmp_path: Path, run_dir: RunDirectory) -> None:
    notebook, prewarmed = make(tmp_path / "one.ipynb", TELLS), PrewarmedKernels()
    others = {*psutil.Process().children()}
    prewarmed.prepare({"data": notebook, "training": notebook}, make_kernel_environment(run_dir.root.parent))
    waiting = {process.pid for process in {*psutil.Process().children()} - others}
    outputs, kernel = execute(notebook, run_dir, prewarmed)
    assert kernel.processes[0].pid in waiting
    prewarmed.close()
    assert not [pid for pid in waiting if psutil.pid_exists(pid)]
    cold, kernel = execute(notebook, run_dir, None)
    assert kernel.processes[0].pid not in waiting
    assert outputs == cold
    assert len(outputs) == 2


def test_a_kernel_that_has_waited_ends_when_its_command_is_killed(tmp_path: Path, run_dir: RunDirectory) -> None:
    folder, code = tmp_path / "work", f"import numpy, pathlib, time\npathlib.Path({str(tmp_path / 'ready')!r}).touch()"
    folder.mkdir()
    make(folder / "one.ipynb", f"{code}\ntime.sleep(60)")
    script = (
        "from tests.unit.pipeline.test_prewarming import *\n"
        f"notebook = read_notebook(Path({str(folder / 'one.ipynb')!r}))\n"
        f"run_dir = RunDirectory(Path({str(run_dir.root)!r}))\n"
        "prewarmed = PrewarmedKernels()\n"
        "prewarmed.prepare({'data': notebook}, make_kernel_environment(run_dir.root.parent))\n"
        "execute(notebook, run_dir, prewarmed)\n"
    )
    command = psutil.Popen([sys.executable, "-c", script], cwd=ROOT)
    try:
        until = time.monotonic() + 60
        while not (tmp_path / "ready").exists():
            assert command.poll() is None
            assert time.monotonic() < until
            time.sleep(0.1)
        kernels = command.children()
        assert len(kernels) == 1
    finally:
        command.kill()
        command.wait()
    _, alive = psutil.wait_procs(kernels, timeout=20)
    assert not alive


def test_a_process_that_has_died_or_waits_for_another_notebook_is_not_used(
    tmp_path: Path, run_dir: RunDirectory
) -> None:
    notebook, prewarmed = make(tmp_path / "one.ipynb", "import numpy\nprint(6 * 7)"), PrewarmedKernels()
    environment, others = make_kernel_environment(run_dir.root.parent), {*psutil.Process().children()}
    prewarmed.prepare({"data": notebook}, environment)
    [child] = {*psutil.Process().children()} - others
    # One that a stage takes in a moment does not count.
    prewarmed.prepare({"training": notebook, "samples": notebook}, environment)
    assert len({*psutil.Process().children()} - others) == 3
    child.kill()
    child.wait()  # a signal arrives a moment later
    outputs, kernel = execute(notebook, run_dir, prewarmed)
    assert "42" in str(outputs)
    assert kernel.processes[0].pid != child.pid
    prewarmed.prepare({"data": notebook}, environment)
    other = make(tmp_path / "one.ipynb", "import pandas")
    prewarmed.check("data", other, environment)
    assert prewarmed.take("data") is None
    prewarmed.close()
    assert not {*psutil.Process().children()} - others
