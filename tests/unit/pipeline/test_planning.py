"""What is run again and why, on a run that real kernels have made: every test changes one thing and asks."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import nbformat
import pytest

from scenebook.core import source_code as sourcecode
from scenebook.core.errors import ScenebookError, SettingsError, StageError
from scenebook.core.run_directory import RunDirectory
from scenebook.core.settings import Settings, make_settings
from scenebook.core.source_code import PACKAGE, read_module
from scenebook.core.stages import STAGES, Stage
from scenebook.pipeline.keys import make_stage_key
from scenebook.pipeline.manifest import Manifest, StageOutcome
from scenebook.pipeline.notebooks import read_notebook
from scenebook.pipeline.planning import Decision, Planner, digest_images, stored_outcomes
from scenebook.pipeline.run_lock import hold_run
from scenebook.pipeline.running import run_pipeline

# Every stage reads what the one before it has written.
CODE = {
    "data": ("seed = 0", "seed"),
    "training": ("epochs = 1", "[run_dir.read_json('data/value.json'), epochs]"),
    "evaluation": ("", "run_dir.read_json('training/value.json')[1] > 0"),
    "samples": ("", "run_dir.read_json('data/value.json')"),
    "trust": ("", "run_dir.read_json('data/value.json')"),
    "ablations": ("", "run_dir.path('training/more.json').is_file()"),
    "conclusion": ("", "len(run_dir.read_json('manifest.json')['profile'])"),
}
"""The parameters of each stage's notebook, and what it writes."""


@dataclass
class Heard:
    """A listener that keeps which stages were run, and why."""

    started: dict[str, str] = field(default_factory=dict)

    @property
    def ran(self) -> list[str]:
        """In the order of the table: some start at the same time."""
        return [stage for stage in STAGES if stage in self.started]

    @property
    def reasons(self) -> list[str]:
        return [self.started[stage] for stage in self.ran]

    def stage_started(self, stage: str, reason: str) -> None:
        self.started[stage] = reason

    def stage_skipped(self, stage: str) -> None: ...

    def progress(self, stage: str, text: str) -> None: ...

    def stage_ended(self, outcome: StageOutcome) -> None: ...

    def time_left(self, seconds: float | None) -> None: ...


@dataclass
class Made:
    """A run, its notebooks, and how to ask about it."""

    run_dir: RunDirectory
    notebooks: Path

    def run(self, settings: Settings | None = None, **options: object) -> Heard:
        heard = Heard()
        run_pipeline(
            settings or make_settings({}), self.run_dir, profile="sample", listener=heard,
            notebooks_dir=self.notebooks, **options,  # type: ignore[arg-type]
        )  # fmt: skip
        return heard

    def ask(self, settings: Settings | None = None, **options: object) -> dict[str, tuple[str, ...]]:
        """Returns the stages that would run, with the reasons."""
        return {decision.stage: decision.reasons for decision in self.decide(settings, **options) if decision.run}

    def decide(self, settings: Settings | None = None, **options: object) -> list[Decision]:
        manifest, notebooks = Manifest(self.run_dir, "sample"), self.notebooks
        return Planner(settings or make_settings({}), manifest, notebooks=notebooks, **options).decide_all()  # type: ignore[arg-type]

    def edit(self, stage: str, change: Callable[[nbformat.NotebookNode], None]) -> None:
        path = self.notebooks / f"{STAGES[stage].notebook}.ipynb"
        notebook = nbformat.read(path, as_version=4)
        change(notebook)
        nbformat.write(notebook, path)


def write_notebooks(folder: Path) -> None:
    folder.mkdir(parents=True)
    for stage, name in [(row.name, row.notebook) for row in STAGES.values()]:
        parameters, code = CODE[stage]
        cells = [
            nbformat.v4.new_code_cell(f'run = "by-hand"\n{parameters}', metadata={"tags": ["parameters"]}),
            nbformat.v4.new_code_cell("from scenebook.core.run_directory import open_run\n\nrun_dir = open_run(run)"),
            nbformat.v4.new_markdown_cell("It writes."),
            nbformat.v4.new_code_cell(f"run_dir.write_json('{stage}/value.json', {code})\nprint('written')"),
        ]
        kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
        nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel}), folder / f"{name}.ipynb")


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A whole run, made once."""
    root = tmp_path_factory.mktemp("planning")
    write_notebooks(root / "notebooks")
    made = Made(RunDirectory(root / "runs" / "test"), root / "notebooks")
    assert made.run().ran == list(STAGES)
    return made


@pytest.fixture
def made(original: Made, tmp_path: Path) -> Made:
    """A copy of it; file times are kept."""
    shutil.copytree(original.run_dir.root, tmp_path / "runs" / "test")
    shutil.copytree(original.notebooks, tmp_path / "notebooks")
    return Made(RunDirectory(tmp_path / "runs" / "test"), tmp_path / "notebooks")


def test_an_unchanged_run_runs_nothing_and_writes_nothing(made: Made) -> None:
    before = made.run_dir.path("manifest.json").read_bytes()
    assert made.ask() == {}
    assert made.run().ran == []
    assert made.run_dir.path("manifest.json").read_bytes() == before


def test_a_setting_runs_the_stages_that_read_it_and_says_both_values(made: Made) -> None:
    asked = made.ask(make_settings({"epochs": 5}))
    assert list(asked) == ["training", "evaluation"]
    assert asked["training"] == ("epochs: 8 -> 5",)
    assert asked["evaluation"] == ("reads what training writes, which runs before it",)


def test_the_backbone_counts_for_the_images_where_it_decides_on_their_size(made: Made) -> None:
    def read_settings(**changes: str) -> object:
        settings = make_settings({"weights": "random", **changes})
        given = settings.model_dump(include={"backbone", "image_size"})
        return make_stage_key("data", read_notebook(made.notebooks / "01-data.ipynb"), given, settings)["settings"]

    assert read_settings(backbone="ResNet50") == read_settings()
    assert read_settings(backbone="ResNet50", image_size="auto") != read_settings(image_size="auto")


def test_a_stage_whose_inputs_come_out_the_same_is_not_run_again(made: Made) -> None:
    def double(notebook: nbformat.NotebookNode) -> None:
        notebook.cells[3].source = notebook.cells[3].source.replace("epochs])", "epochs * 1])")

    made.edit("training", double)
    heard = made.run()
    assert heard.ran == ["training"]
    assert heard.reasons[0].startswith("code cell 2: ")


def test_prose_tags_and_comments_renew_the_executed_notebook_without_a_kernel(made: Made) -> None:
    def edit(notebook: nbformat.NotebookNode) -> None:
        notebook.cells[2].source = "It writes, *now*."
        notebook.cells[3].source += "  # a comment"
        notebook.cells[3].metadata["tags"] = ["hide-input"]

    made.edit("samples", edit)
    assert [decision.stage for decision in made.decide() if decision.prose] == ["samples"]
    assert made.run().ran == []
    executed = nbformat.read(made.run_dir.path("notebooks/04-visual-samples.ipynb"), as_version=4)
    nbformat.validate(executed)
    prose, code = executed.cells[-2:]
    assert prose.source == "It writes, *now*."
    assert code.source.endswith("# a comment")
    assert code.metadata["tags"] == ["hide-input"]
    assert code.outputs[0].text == "written\n"
    assert [cell.metadata.get("tags") for cell in executed.cells[:2]] == [["parameters"], ["injected-parameters"]]
    assert made.ask() == {}


def test_code_of_the_package_counts_but_not_its_comments(
    made: Made, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    package = tmp_path / "scenebook"
    shutil.copytree(PACKAGE, package, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(sourcecode, "PACKAGE", package)
    file = package / "core" / "run_directory.py"
    text = file.read_text(encoding="utf-8")

    def ask_with(changed: str) -> dict[str, tuple[str, ...]]:
        file.write_text(changed, encoding="utf-8")
        read_module.cache_clear()
        return made.ask()

    try:
        assert ask_with(f"# a comment\n{text.replace('The run directory', 'The folder of a run')}") == {}
        stages = package / "core" / "stages.py"
        stages.write_text(stages.read_text(encoding="utf-8") + "\nNEW = 1\n", encoding="utf-8")
        assert ask_with(text) == {}, "of the table of stages, rows count"
        asked = ask_with(text.replace('BY_HAND = "by-hand"', 'BY_HAND = "by-foot"'))
        assert asked["data"][0].startswith("code of scenebook.core.run_directory: ")
        assert list(asked) == list(STAGES)
    finally:
        read_module.cache_clear()


@pytest.fixture
def stages() -> Iterator[dict[str, Stage]]:
    """The table of stages, to be changed; it is put back, in its order."""
    before = dict(STAGES)
    yield STAGES
    STAGES.clear()
    STAGES.update(before)


def test_a_new_stage_is_no_reason_to_run_the_others(made: Made, stages: dict[str, Stage]) -> None:
    later = {name: stages.pop(name) for name in list(stages)[1:]}
    stages |= {"checks": Stage("checks", "07-checks", text_columns=("label", "epochs")), **later}
    shutil.copy(made.notebooks / "01-data.ipynb", made.notebooks / "07-checks.ipynb")
    assert made.ask() == {"checks": ("not run yet",)}


def test_a_changed_row_of_a_stage_runs_it_and_how_its_tables_are_read_runs_those_that_read_them(
    made: Made, stages: dict[str, Stage]
) -> None:
    stages["samples"] = replace(stages["samples"], kept=("samples/kept",))
    asked = made.ask()
    assert list(asked) == ["samples"]
    assert asked["samples"][0].startswith("row of stage samples: ")
    stages["samples"] = replace(stages["samples"], kept=(), bundled=(), less_memory="epochs")
    assert made.ask() == {}
    stages["training"] = replace(stages["training"], text_columns=("label",))
    asked = made.ask()
    assert list(asked) == ["training", "evaluation", "ablations"]
    assert asked["evaluation"][0].startswith("row of stage training: ")


def test_a_file_in_the_folder_of_another_stage_is_kept_with_that_of_the_stage_that_wrote_it(made: Made) -> None:
    """The evaluation, run again, neither removes nor claims what the appendix put beside its results."""
    file = "evaluation/label_issues.csv"
    made.edit("trust", lambda notebook: notebook.cells[-1].update(
        source=f"import pandas as pd\nrun_dir.write_csv({file!r}, pd.DataFrame({{'suggested': ['1']}}))"
    ))  # fmt: skip
    made.edit("conclusion", lambda notebook: notebook.cells[-1].update(source=f"run_dir.read_csv({file!r})"))
    assert made.run().ran == ["trust", "conclusion"]
    assert made.run(force=["evaluation"]).ran == ["evaluation"]
    assert made.run_dir.read_csv(file)["suggested"].tolist() == ["1"]
    made.run_dir.path(file).unlink()
    assert list(made.ask()) == ["trust", "conclusion"]


def test_a_module_beside_the_notebooks_runs_the_stages_that_use_it(made: Made) -> None:
    (made.notebooks / "tools").mkdir()
    for name in ("mine.py", "tools/inner.py", "unused.py", "04-visual-samples.py"):
        (made.notebooks / name).write_text("from tools import inner" if name == "mine.py" else "")
    assert made.ask() == {}
    made.edit("conclusion", lambda notebook: notebook.cells[3].update(source="import mine"))
    assert made.run().ran == ["conclusion"]
    assert made.ask() == {}
    (made.notebooks / "unused.py").write_text("1")
    assert made.ask() == {}
    (made.notebooks / "tools" / "inner.py").write_text("1")
    assert list(made.ask()) == ["conclusion"]


def test_another_notebook_of_a_stage_runs_it(made: Made, stages: dict[str, Stage]) -> None:
    shutil.copy(made.notebooks / "04-visual-samples.ipynb", made.notebooks / "04-samples.ipynb")
    stages["samples"] = replace(stages["samples"], notebook="04-samples")
    assert list(made.ask()) == ["samples"]


@pytest.mark.parametrize(
    ("file", "what"), [("training/value.json", "changed since"), ("notebooks/02-training.ipynb", "missing")]
)
def test_a_damaged_or_missing_artifact_is_made_again(made: Made, file: str, what: str) -> None:
    path = made.run_dir.path(file)
    before = path.stat()
    if what == "missing":
        path.unlink()
    else:  # of the same size, with the time of the last modification put back
        path.write_text(path.read_text(encoding="utf-8").replace("0", "7"), encoding="utf-8")
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        assert path.stat().st_size == before.st_size
    assert made.ask()["training"][0].startswith(f"{file}: {what}")
    assert made.run().ran == ["training"]
    assert made.run_dir.read_json("training/value.json") == [0, make_settings({}).epochs]


def test_a_file_that_was_looked_for_and_is_there_now_counts(made: Made) -> None:
    made.run_dir.write_json("training/more.json", 1)
    assert made.ask()["ablations"][0].startswith("training/more.json: absent -> ")


def test_the_same_bytes_under_another_time_are_the_same(made: Made) -> None:
    made.run_dir.path("data/value.json").touch()
    assert made.ask() == {}


def test_a_forced_training_is_done_again_and_not_loaded(made: Made) -> None:
    made.run_dir.write_json("training/fit.json", {})
    assert made.run(make_settings({"epochs": 5})).ran == ["training", "evaluation"]
    assert made.run_dir.path("training/fit.json").exists()
    assert made.run(make_settings({"epochs": 5}), force=["training"]).ran == ["training"]
    assert not made.run_dir.path("training/fit.json").exists()


def test_force_runs_a_stage_and_an_unknown_one_is_an_error(made: Made) -> None:
    assert made.ask(force=["samples"]) == {"samples": ("asked for",)}
    assert list(made.ask(force=["all"])) == list(STAGES)
    with pytest.raises(SettingsError, match=r"Expected names of stages: data, .*Received: force='sample'"):
        made.ask(force=["sample"])


def test_a_failure_leaves_later_results_as_stale_and_what_was_made_is_not_lost(made: Made) -> None:
    def fail(notebook: nbformat.NotebookNode) -> None:
        notebook.cells[1].source += "\nraise ValueError('no')"

    made.edit("training", fail)
    with pytest.raises(StageError, match="ValueError: no"):
        made.run(make_settings({"epochs": 5}))
    outcomes = {outcome.name: outcome for outcome in stored_outcomes(made.run_dir)}
    assert [outcome.status for outcome in outcomes.values()] == ["done", "failed", *["stale"] * (len(STAGES) - 2)]
    assert outcomes["evaluation"].note.startswith("made 20")
    assert "before stage training was started again" in outcomes["evaluation"].note
    assert made.run_dir.read_json("training/value.json") == [0, make_settings({}).epochs]
    # Mended and with the old setting, only what failed is run: the rest is as it was.
    write_notebooks(made.notebooks.with_name("mended"))
    made.notebooks = made.notebooks.with_name("mended")
    heard = made.run()
    assert heard.ran == ["training"]
    assert heard.reasons[0].startswith("failed last time: ValueError: no")
    assert {outcome.status for outcome in stored_outcomes(made.run_dir)} == {"done"}


def test_what_a_killed_command_leaves_is_stale_where_it_rests_on_something_else(made: Made) -> None:
    """As after a kill between two stages: training is new, what was made from it is not."""
    manifest = json.loads(made.run_dir.path("manifest.json").read_text(encoding="utf-8"))
    manifest["files"]["training/value.json"]["sha256"] = "0" * 64
    made.run_dir.write_json("manifest.json", manifest)
    outcomes = {outcome.name: outcome for outcome in stored_outcomes(made.run_dir)}
    assert [name for name, outcome in outcomes.items() if outcome.status == "stale"] == [
        "evaluation", "trust", "conclusion",
    ]  # fmt: skip
    assert "training/value.json: " in outcomes["evaluation"].note


def test_a_run_of_an_older_version_is_made_again(made: Made) -> None:
    manifest = json.loads(made.run_dir.path("manifest.json").read_text(encoding="utf-8"))
    for entry in manifest["stages"].values():
        for name in ("key", "source", "started"):
            del entry[name]
    made.run_dir.write_json("manifest.json", {**manifest, "format": 1})
    assert set(made.ask()) == set(STAGES)


@pytest.mark.parametrize("damage", [None, b"", b"a: [", b"dataset: \xff"])
def test_lost_settings_are_written_again(made: Made, damage: bytes | None) -> None:
    path = made.run_dir.path("settings.yaml")
    expected = path.read_bytes()
    path.unlink() if damage is None else path.write_bytes(damage)
    assert made.run().ran == []
    assert path.read_bytes() == expected


def test_code_that_is_edited_while_its_stage_runs_is_not_taken_for_what_was_run(made: Made) -> None:
    path = made.notebooks / "04-visual-samples.ipynb"
    text = path.read_text(encoding="utf-8").replace("print('written')", "print('edited')")
    made.edit("samples", lambda notebook: notebook.cells[1].update(
        source=f"import pathlib\npathlib.Path({str(path)!r}).write_text({text!r})\n{notebook.cells[1].source}"
    ))  # fmt: skip
    assert made.run().ran == ["samples"]
    assert "samples" in made.ask()


def test_what_a_killed_command_has_not_given_its_name_is_removed(made: Made) -> None:
    half = made.run_dir.path("samples/.value.json-abc.json")
    half.write_text("{", encoding="utf-8")
    made.run(force=["samples"])
    assert not half.exists()


def test_a_run_has_one_writer_and_the_second_is_told_who(made: Made) -> None:
    with hold_run(made.run_dir), pytest.raises(ScenebookError, match=r"held by process \d+ since 20"):
        made.run(force=["all"])
    assert made.run().ran == []
    # Whoever lists the folder of runs finds runs.
    assert list(made.run_dir.root.parent.glob(".*")) == []


def test_other_images_are_noticed_and_touched_ones_are_not(tmp_path: Path, make_folder: Callable[..., Path]) -> None:
    root = make_folder({"cat": 2, "dog": 2})
    settings, run_dir = make_settings({"dataset": str(root)}), RunDirectory(tmp_path / "run")
    old = digest_images(settings, run_dir, {})
    kept = {**old, "contents": "kept"}
    assert digest_images(settings, run_dir, kept) == kept, "the same listing: nothing is read"
    first, second = sorted((root / "cat").iterdir())
    first.touch()
    touched = digest_images(settings, run_dir, kept)
    assert touched["listing"] != old["listing"]
    assert touched["contents"] == old["contents"]
    shutil.copy(second, first)
    assert digest_images(settings, run_dir, old)["contents"] != old["contents"]
