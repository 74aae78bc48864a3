"""The rules of the notebooks: what a reader and the pipeline may rely on."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path
from typing import Any

import nbformat
import pytest

import scenebook
from scenebook.core.project import project_root
from scenebook.core.published_cells import list_edits
from scenebook.core.run_directory import BY_HAND
from scenebook.core.settings import Settings
from scenebook.core.stages import STAGES
from scenebook.pipeline.notebooks import read_parameters

NOTEBOOKS = sorted((project_root() / "notebooks").glob("*.ipynb"))
TAGS = {"parameters", "notebook-only", "hide-input", "recipe", "appendix", "supplement", "if-shown"}
WITHOUT_TENSORFLOW = ("01-data", "03-evaluation", "05-ablations", "06-conclusion")

pytestmark = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


@cache
def load(path: Path) -> Any:
    return nbformat.read(path, as_version=4)


SOURCE = Path(scenebook.__file__).parents[1]


def code_cells(path: Path) -> list[Any]:
    return [cell for cell in load(path).cells if cell.cell_type == "code"]


def is_parameters(cell: Any) -> bool:
    return "parameters" in cell.metadata.get("tags", [])


def test_it_is_valid_and_committed_without_outputs(path: Path) -> None:
    nbformat.validate(load(path))
    for cell in code_cells(path):
        assert not cell.outputs
        assert cell.execution_count is None


def test_every_cell_has_an_id_of_its_own(path: Path) -> None:
    ids = [cell["id"] for cell in load(path).cells]
    assert len(set(ids)) == len(ids)


def test_its_tags_are_on_the_closed_list(path: Path) -> None:
    used = {tag for cell in load(path).cells for tag in cell.metadata.get("tags", [])}
    assert used <= TAGS


def test_the_title_is_an_h1_that_stays_out_of_the_report(path: Path) -> None:
    titles = [cell for cell in load(path).cells if cell.cell_type == "markdown" and re.search(r"(?m)^# ", cell.source)]
    assert len(titles) == 1
    assert titles[0] == load(path).cells[0]
    assert "notebook-only" in titles[0].metadata.tags


def count_lines(source: str) -> int:
    """Returns how many lines code has besides its imports."""
    statements = ast.parse(source).body
    imports = [node for node in statements if isinstance(node, (ast.Import, ast.ImportFrom))]
    return len(source.splitlines()) - sum(node.end_lineno - node.lineno + 1 for node in imports if node.end_lineno)


def test_cells_have_at_most_15_lines(path: Path) -> None:
    """What is imported does not count."""
    long = {cell["id"]: count_lines(cell.source) for cell in code_cells(path) if not is_parameters(cell)}
    assert {name: lines for name, lines in long.items() if lines > 15} == {}


def test_a_line_of_code_has_5_to_15_words_of_prose(path: Path) -> None:
    """Imports, parameters and blank lines do not count."""
    words = sum(len(cell.source.split()) for cell in load(path).cells if cell.cell_type == "markdown")
    code = [re.sub(r"\n\s*(?=\n)", "", cell.source) for cell in code_cells(path) if not is_parameters(cell)]
    assert 5 <= words / sum(map(count_lines, code)) <= 15


def test_no_more_than_two_cells_of_code_stand_without_prose(path: Path) -> None:
    kinds = "".join(cell.cell_type[0] for cell in load(path).cells[2:] if not is_parameters(cell))
    assert "ccc" not in kinds


def test_it_ends_with_edits_to_try_and_three_questions(path: Path) -> None:
    last = load(path).cells[-1]
    assert last.cell_type == "markdown"
    assert "notebook-only" in last.metadata.tags
    edits, questions = last.source.split("### Questions")
    assert edits.startswith("## Try it")
    assert re.findall(r"(?m)^\d", edits) in (["1", "2"], ["1", "2", "3"])
    assert re.findall(r"(?m)^\d", questions) == ["1", "2", "3"]


def test_its_code_keeps_the_rules_of_the_page(path: Path) -> None:
    for cell in code_cells(path):
        assert not re.search(r"(?m)^\s*[%!]", cell.source), "a magic or a shell line"
        for node in ast.walk(ast.parse(cell.source)):
            assert not isinstance(node, ast.ClassDef), "a class"
            assert not (isinstance(node, ast.ExceptHandler) and node.type is None), "a bare except"
            assert not (isinstance(node, ast.Attribute) and node.attr in {"filterwarnings", "simplefilter"})
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                assert not re.match(r"/\w|[A-Z]:\\", node.value), f"an absolute path: {node.value}"


def test_its_parameters_cell_is_second_after_the_title_and_the_installation(path: Path) -> None:
    cells = load(path).cells
    assert [is_parameters(cell) for cell in cells].index(True) == 2
    assert cells[1].source == load(NOTEBOOKS[0]).cells[1].source
    assert sum(is_parameters(cell) for cell in cells) == 1


def test_every_parameter_has_a_help_comment(path: Path) -> None:
    for line in load(path).cells[2].source.splitlines():
        assert re.fullmatch(r"\w+ = .+  # \w.+", line), line


def test_its_parameters_are_the_sample_profiles(path: Path) -> None:
    parameters = read_parameters(path)
    assert parameters.pop("run") == BY_HAND
    for name, value in parameters.items():
        assert value == Settings.model_fields[name].default, name
    for line in load(path).cells[2].source.splitlines()[1:]:
        name, help_text = line.split(" = ")[0], line.split("  # ", 1)[1]
        assert help_text == Settings.model_fields[name].description


def test_it_uses_every_parameter_that_it_lists(path: Path) -> None:
    code = "\n".join(cell.source for cell in code_cells(path) if not is_parameters(cell))
    nodes = list(ast.walk(ast.parse(code)))
    used = {node.id for node in nodes if isinstance(node, ast.Name)}
    used |= {node.attr for node in nodes if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "settings"}
    # Those that decide how images are batched and kept are read by what trains.
    of_training = {
        "augmentation_seed",
        "batch_size",
        "devices",
        "feature_cache_gb",
        "frozen_layers_runtime",
        "test_time_flip",
    }
    assert set(read_parameters(path)) - of_training <= used


def test_its_cells_are_noted_as_the_published_ones(path: Path) -> None:
    """A report names the cells that differ from these. After an edit that is meant for all: `make publish`."""
    assert list_edits(path) == []


def test_cells_of_the_recipe_hold_imports_and_functions_of_the_settings_alone(path: Path) -> None:
    for cell in code_cells(path):
        if "recipe" in cell.metadata.get("tags", []):
            for node in ast.parse(cell.source).body:
                assert isinstance(node, (ast.Import, ast.ImportFrom, ast.FunctionDef))


def test_it_imports_tensorflow_only_where_it_must(path: Path) -> None:
    imported = {
        (node.module if isinstance(node, ast.ImportFrom) else node.names[0].name)
        for cell in code_cells(path)
        for node in ast.walk(ast.parse(cell.source))
        if isinstance(node, (ast.Import, ast.ImportFrom))
    }
    heavy = {"tensorflow", "keras", *(f"scenebook.network.{name}" for name in ("training", "inputs", "backbones"))}
    assert path.stem not in WITHOUT_TENSORFLOW or not heavy & imported


def test_it_is_a_stage_of_the_report(path: Path) -> None:
    assert path.stem in {stage.notebook for stage in STAGES.values()}


def test_its_prose_does_not_name_what_a_run_may_not_have(path: Path) -> None:
    prose = "\n".join(cell.source for cell in load(path).cells if cell.cell_type == "markdown")
    prose = prose.replace("Use of Transfer Learning to Classify Nature Images Through ResNet50 CNN", "")
    assert not re.search(r"(?i)\bnature\b|\bsix classes\b|ResNet50", prose)


def test_the_conclusion_writes_no_number_of_its_own(path: Path) -> None:
    if path.stem != "06-conclusion":
        pytest.skip("only the conclusion promises this")
    prose = "\n".join(cell.source for cell in load(path).cells if cell.cell_type == "markdown")
    prose = re.sub(r"`[^`]*`", "", prose)  # code is no claim
    assert set(re.findall(r"\d+\.\d+|\d+(?:\.\d+)?\s?%", prose)) <= {"95%", "95 %"}


def test_every_work_that_it_cites_is_in_the_bibliography(path: Path) -> None:
    sources = "\n".join(cell.source for cell in load(path).cells)
    cited = set(re.findall(r"@(?!fig:|tbl:|eq:|sec:)([\w:.+/-]*\w)", "".join(re.findall(r"\[@[^\]]*\]", sources))))
    works = (project_root() / "report" / "references.bib").read_text(encoding="utf-8")
    assert cited <= set(re.findall(r"(?m)^@\w+\{([^,\s]+),", works))


def names_of(module: str) -> set[str]:
    """Returns what a module of the package defines or imports, without importing it."""
    tree = ast.parse(SOURCE.joinpath(*module.split(".")).with_suffix(".py").read_text(encoding="utf-8"))
    found: set[str] = set()
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            found.add(node.name)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            found |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found |= {name.id for target in targets for name in ast.walk(target) if isinstance(name, ast.Name)}
    return found


def test_what_it_takes_from_the_package_is_there(path: Path) -> None:
    nodes = [node for cell in code_cells(path) for node in ast.walk(ast.parse(cell.source))]
    modules = {}
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("scenebook."):
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                if SOURCE.joinpath(*name.split(".")).with_suffix(".py").is_file():
                    modules[alias.asname or alias.name] = name
                else:
                    assert alias.name in names_of(node.module), name
    for node in nodes:
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in modules:
            assert node.attr in names_of(modules[node.value.id]), f"{node.value.id}.{node.attr}"
