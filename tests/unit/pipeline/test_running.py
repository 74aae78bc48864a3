"""Real papermill and real kernels, on notebooks of a few lines."""

from __future__ import annotations

import ast
import itertools
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest

from scenebook.core.errors import InputError, SettingsError, StageError, WeightsError
from scenebook.core.run_directory import RunDirectory
from scenebook.core.settings import make_settings
from scenebook.core.stages import STAGES
from scenebook.pipeline.checks import resolve_paths
from scenebook.pipeline.execution import execute_notebook
from scenebook.pipeline.manifest import Manifest, StageOutcome, load_manifest
from scenebook.pipeline.notebooks import read_parameters
from scenebook.pipeline.planning import stored_outcomes
from scenebook.pipeline.running import run_pipeline
from tests.conftest import MakeFolder

FIXTURES = Path(__file__).parents[2] / "fixtures" / "notebooks"

# These notebooks import little; every test below starts at least one kernel.


class Heard:
    """A listener that keeps what it hears."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def stage_started(self, stage: str, reason: str) -> None:
        self.lines.append(f"start {stage}")

    def stage_skipped(self, stage: str) -> None:
        self.lines.append(f"skip {stage}")

    def progress(self, stage: str, text: str) -> None:
        self.lines.append(text)

    def stage_ended(self, outcome: StageOutcome) -> None:
        self.lines.append(f"{outcome.status} {outcome.name}")

    def time_left(self, seconds: float | None) -> None: ...


@pytest.fixture
def make_notebooks(tmp_path: Path) -> Callable[..., Path]:
    """Makes a notebooks folder in which each stage is a fixture; `writes-two-files` unless another is named."""

    def make(**stages: str) -> Path:
        folder = tmp_path / "notebooks"
        folder.mkdir(exist_ok=True)
        for stage, name in [(row.name, row.notebook) for row in STAGES.values()]:
            shutil.copy(FIXTURES / f"{stages.get(stage, 'writes-two-files')}.ipynb", folder / f"{name}.ipynb")
        return folder

    return make


def execute(fixture: str, run_dir: RunDirectory, **parameters: object) -> Path:
    """Executes one fixture as the stage `data`; returns the executed notebook's path."""
    target, log = run_dir.path("notebooks/01-data.ipynb"), run_dir.path("log/data.txt")
    execute_notebook(
        "data",
        FIXTURES / f"{fixture}.ipynb",
        target,
        {"run": run_dir.name, **parameters},
        log,
        lambda text: None,
        runs_dir=run_dir.root.parent,
    )
    return target


LOOK = """
import atexit, concurrent.futures, json, multiprocessing, os, pathlib, sys
import beside
import matplotlib as mpl
with concurrent.futures.ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
    pool.submit(abs, -1).result()
atexit.register(pathlib.Path("ended").touch)
json.dumps({
    "python": sys.executable, "defined": "weights" in globals(),
    "inline": "inline" in mpl.get_backend(), "size": mpl.rcParams["font.size"],
    "folder": os.getcwd(), "unwanted": sorted({"KERAS_MAX_EPOCHS", "TF_XLA_FLAGS"} & set(os.environ)),
    "names": sys.getfilesystemencoding(),
})
"""


def test_a_kernel_is_this_interpreter_with_nothing_of_what_the_user_has_set_for_jupyter(
    run_dir: RunDirectory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    startup = tmp_path / "ipython" / "profile_default" / "startup"
    kernels = tmp_path / "jupyter" / "kernels" / "python3"
    deep = tmp_path / ("d" * 100)
    for folder in (startup, kernels, deep):
        folder.mkdir(parents=True)
    (startup / "mine.py").write_text("weights = 'mine'")
    (tmp_path / "beside.py").touch()
    (tmp_path / "numpy.py").write_text("raise ImportError('no library')")
    (kernels / "kernel.json").write_text('{"argv": ["/bin/false"], "display_name": "x", "language": "python"}')
    (tmp_path / "ipython" / "matplotlibrc").write_text("font.size: 31")
    for name, value in {
        "IPYTHONDIR": tmp_path / "ipython",
        "JUPYTER_PATH": tmp_path / "jupyter",
        "MATPLOTLIBRC": tmp_path / "ipython",
        "MPLBACKEND": "agg",
        "KERAS_MAX_EPOCHS": 1,
        "TF_XLA_FLAGS": "--tf_xla_auto_jit=2",
        "PYTHONUTF8": 0,
    }.items():
        monkeypatch.setenv(name, str(value))
    monkeypatch.setattr(tempfile, "tempdir", str(deep))  # too long for the path of a socket
    notebook, target = tmp_path / "look.ipynb", tmp_path / "looked.ipynb"
    cells = [nbformat.v4.new_code_cell("", metadata={"tags": ["parameters"]}), nbformat.v4.new_code_cell(LOOK)]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), notebook)
    log = run_dir.path("log/data.txt")
    execute_notebook("data", notebook, target, {}, log, lambda text: None, runs_dir=run_dir.root.parent)
    (output,) = nbformat.read(target, as_version=4).cells[-1].outputs
    assert json.loads(ast.literal_eval(output["data"]["text/plain"])) == {
        "python": sys.executable,
        "defined": False,
        "inline": True,
        "size": 10.0,
        "folder": str(tmp_path),
        "unwanted": [],
        "names": "utf-8",
    }
    assert (tmp_path / "ended").exists(), "a kernel that has had a pool of processes is killed"
    assert not list(deep.iterdir())


def test_a_whole_run_injects_settings_and_writes_a_manifest(
    run_dir: RunDirectory, make_notebooks: Callable[..., Path]
) -> None:
    heard = Heard()
    run_pipeline(
        make_settings({"epochs": 7}), run_dir, profile="sample", listener=heard, notebooks_dir=make_notebooks()
    )
    outcomes = stored_outcomes(run_dir)
    assert [outcome.status for outcome in outcomes] == ["done"] * len(STAGES)
    assert run_dir.read_json("data/classes.json") == {"epochs": 7}
    manifest = load_manifest(run_dir)
    # Every file of the run is listed with its digest and one stage; the last stage that wrote data/ is its producer.
    files = {path.relative_to(run_dir.root).as_posix() for path in run_dir.root.rglob("*") if path.is_file()}
    assert set(manifest["files"]) == files - {"manifest.json"}
    assert all(len(entry["sha256"]) == 64 and entry["bytes"] >= 0 for entry in manifest["files"].values())
    assert set(manifest["stages"]) == set(STAGES)
    assert manifest["stages"]["data"]["seconds"] > 0
    assert heard.lines[:3] == ["start data", "epoch 1/1: loss 0.5 (1.0 s)", "done data"]
    assert "only in the log" in run_dir.path("log/data.txt").read_text(encoding="utf-8")


def test_a_stage_that_fails_ends_the_run_and_is_in_the_manifest(
    run_dir: RunDirectory, make_notebooks: Callable[..., Path]
) -> None:
    with pytest.raises(StageError, match="the third cell"):
        run_pipeline(
            make_settings({}),
            run_dir,
            profile="sample",
            listener=Heard(),
            notebooks_dir=make_notebooks(training="raises"),
        )
    statuses = [outcome.status for outcome in stored_outcomes(run_dir)]
    assert statuses == ["done", "failed", *["not run"] * (len(STAGES) - 2)]


def test_an_interrupted_run_says_so_and_hides_what_an_earlier_one_left(
    run_dir: RunDirectory, make_notebooks: Callable[..., Path]
) -> None:
    class InterruptedAtTraining(Heard):
        def stage_started(self, stage: str, reason: str) -> None:
            if stage == "training":
                raise KeyboardInterrupt

    folder = make_notebooks()
    run_pipeline(make_settings({}), run_dir, profile="sample", listener=Heard(), notebooks_dir=folder)
    with pytest.raises(KeyboardInterrupt):
        run_pipeline(
            make_settings({}),
            run_dir,
            profile="sample",
            listener=InterruptedAtTraining(),
            notebooks_dir=folder,
            force=["all"],
        )
    statuses = [outcome.status for outcome in stored_outcomes(run_dir)]
    assert statuses == ["done", "interrupted", *["stale"] * (len(STAGES) - 2)]


def test_a_failing_cell_is_named_and_the_partial_notebook_is_kept(run_dir: RunDirectory) -> None:
    with pytest.raises(StageError, match=r"ValueError: the third cell") as caught:
        execute("raises", run_dir)
    error = caught.value
    assert error.notebook == run_dir.path("notebooks/01-data.ipynb")
    assert error.notebook is not None
    cells = nbformat.read(error.notebook, as_version=4).cells
    assert error.cell is not None
    assert "the third cell" in cells[error.cell - 1].source
    assert error.exit_code == 1
    assert "Traceback" in error.log.read_text(encoding="utf-8")


def test_a_failing_command_of_ipython_is_named_in_a_notebook_as_other_programs_save_it(
    run_dir: RunDirectory, tmp_path: Path
) -> None:
    notebook = tmp_path / "own.ipynb"
    parameters = nbformat.v4.new_code_cell("", metadata={"tags": ["parameters"]})
    in_order = "print('x' * 400_000)\ndisplay(1)\nprint('after it')"
    cells = [parameters, *map(nbformat.v4.new_code_cell, (in_order, "%nosuch"))]
    # Metadata were stripped, and an editor has put a mark of UTF-8 in front.
    notebook.write_text(nbformat.writes(nbformat.v4.new_notebook(cells=cells)), encoding="utf-8-sig")
    before = time.process_time()
    with pytest.raises(StageError, match="`%nosuch` not found") as caught:
        execute_notebook(
            "data", notebook, tmp_path / "done.ipynb", {"run": run_dir.name}, run_dir.path("log/data.txt"),
            lambda text: None, runs_dir=run_dir.root.parent,
        )  # fmt: skip
    assert caught.value.cell is not None
    done = nbformat.read(tmp_path / "done.ipynb", as_version=4).cells
    outputs = next(cell.outputs for cell in done if cell.source == in_order)
    kinds = [kind for kind, _ in itertools.groupby(output.output_type for output in outputs)]
    assert kinds == ["stream", "display_data", "stream"]
    assert time.process_time() - before < 10, "a long line takes a time that grows with its square"


def test_exit_in_a_cell_is_a_failure_although_papermill_calls_it_done(run_dir: RunDirectory) -> None:
    with pytest.raises(StageError, match="ended before this cell was run"):
        execute("exits", run_dir)


def test_a_killed_kernel_is_a_failure(run_dir: RunDirectory) -> None:
    with pytest.raises(StageError, match=r"its kernel was killed.* Lower max_megapixels") as caught:
        execute("kills-its-kernel", run_dir)
    assert caught.value.was_killed
    assert caught.value.cell is not None


def test_our_own_errors_reach_the_user_in_their_own_words(run_dir: RunDirectory) -> None:
    with pytest.raises(StageError, match=r"failed in cell \d: Expected training/model\.keras in the run directory"):
        execute("raises-our-error", run_dir)


def test_a_path_with_braces_is_no_template(tmp_path: Path) -> None:
    run_dir = RunDirectory(tmp_path / "{runs}" / "test")
    assert execute("writes-two-files", run_dir).is_file()


def test_files_that_a_stage_no_longer_writes_are_removed(
    run_dir: RunDirectory, make_notebooks: Callable[..., Path]
) -> None:
    manifest = Manifest(run_dir, "sample")
    before = manifest.snapshot()
    run_dir.write_json("samples/old.json", 1)
    theirs = [run_dir.path("my notes.txt"), run_dir.path("predictions/holiday/predictions.csv")]
    for path in theirs:
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text("kept", encoding="utf-8")
    manifest.collect("samples", before)
    manifest.record(StageOutcome("samples", "04-visual-samples.ipynb", "done", ""))
    again = Manifest(run_dir, "sample")
    again.collect("samples", again.snapshot())
    assert not run_dir.path("samples/old.json").exists()
    assert all(path.exists() for path in theirs)


@pytest.mark.parametrize(
    "content",
    [
        [], {}, {"format": "two"}, {"format": 2, "stages": []}, {"format": 2, "files": {"a": 1}},
        {"format": 2, "stages": {"data": {"status": "done", "notebook": "x", "reason": "", "key": []}}},
        {"format": 2, "stages": {"data": {"status": 1, "notebook": "x", "reason": ""}}},
    ],
)  # fmt: skip
def test_a_manifest_of_another_shape_is_refused(run_dir: RunDirectory, content: object) -> None:
    run_dir.write_json("manifest.json", content)
    with pytest.raises(InputError, match="Expected a manifest as scenebook writes it"):
        stored_outcomes(run_dir)


def test_a_manifest_of_a_newer_version_is_refused(run_dir: RunDirectory) -> None:
    run_dir.write_json("manifest.json", {"format": 99})
    with pytest.raises(InputError, match="Update scenebook"):
        load_manifest(run_dir)


def test_relative_paths_start_where_the_command_was_typed(make_folder: MakeFolder) -> None:
    root = make_folder({"cat": 3, "dog": 3})
    settings = resolve_paths(make_settings({"dataset": root.name}), root.parent)
    assert settings.dataset == str(root)


def test_missing_weights_and_unknown_backbones_are_found_before_any_kernel_starts(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"existing \.weights\.h5 or \.keras file"):
        resolve_paths(make_settings({"weights": "none.weights.h5"}), tmp_path)
    with pytest.raises(SettingsError, match=r"Did you mean ResNet50\?"):
        resolve_paths(make_settings({"backbone": "resnet50"}), tmp_path)


def test_a_notebook_without_a_parameters_cell_is_refused(tmp_path: Path) -> None:
    nbformat.write(nbformat.v4.new_notebook(), tmp_path / "empty.ipynb")
    with pytest.raises(InputError, match="one cell with the tag `parameters`"):
        read_parameters(tmp_path / "empty.ipynb")
