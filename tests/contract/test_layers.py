"""The package's rooms: imports only go down, and what must be quick never imports TensorFlow."""

from __future__ import annotations

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

import scenebook

PACKAGE = Path(scenebook.__file__).parent
ROOMS = (
    *("cli", "project", "pipeline", "notebook", "inference", "study"),
    *("evaluation", "network", "data", "rendering", "core"),
)
"""A room imports from those below it."""

WITH_TENSORFLOW = {"network", "evaluation.attribution.gradcam", "study.variants", "inference.model", "inference.export"}

# Each heavy library has one home, so that a change of it is a change of one place.
HOMES = {
    "cv2": {"network.augmentation", "data.measuring"},
    "dask": {"study"},
    "distributed": {"study"},
    "openvino": {"network.frozen"},
    "matplotlib": {"notebook", "evaluation.attribution.checks", "inference.contact_sheet", "rendering.fonts"},
    "polars": {"inference.shards", "data.user_tables"},
    "tornado": {"inference.serving"},
    "seaborn": {"notebook"},
    "IPython": {"notebook", "pipeline.kernel_process"},
    "papermill": {"pipeline"},
    "nbclient": {"pipeline"},
    "nbconvert": {"rendering"},
    "typst": {"rendering"},
    "pypandoc": {"rendering"},
    "cleanlab": {"data.audit"},
    "imagehash": {"data"},
    "kagglehub": {"data"},
    "requests": {"data"},
    "yaml": {"core.yaml_files"},
    "pydantic.ValidationError": {"core.validation"},
    "tensorflow": WITH_TENSORFLOW,
    "keras": WITH_TENSORFLOW,
}

WAYS_IN = {"cli", "rendering.report", "rendering.outputs", "network.recipe.running"}
"""Tests of what a whole room does may import only one of these."""


def list_modules() -> list[Path]:
    return sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def name_of(path: Path) -> str:
    """`scenebook/rendering/html.py` is `rendering.html`."""
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__")


def room_of(name: str) -> str:
    return name.split(".")[0]


def is_in(name: str, homes: set[str]) -> bool:
    return any(name == home or name.startswith(f"{home}.") for home in homes)


@cache
def list_imports(path: Path) -> set[str]:
    """All modules that a file imports, wherever in it: `scenebook.core.errors`, `numpy`."""
    imported: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: a relative import"
            imported.add(node.module)
            imported |= {f"{node.module}.{alias.name}" for alias in node.names}
    return imported


def test_every_module_is_in_a_room() -> None:
    assert {room_of(name_of(path)) for path in list_modules()} == {*ROOMS, "__main__"}


@pytest.mark.parametrize("path", list_modules(), ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_imports_only_go_down(path: Path) -> None:
    mine = room_of(name_of(path))
    for imported in list_imports(path):
        package, _, name = imported.partition(".")
        if package == "scenebook" and room_of(name) in ROOMS and mine in ROOMS:
            assert ROOMS.index(mine) <= ROOMS.index(room_of(name)), f"{mine} imports {imported} from above"


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("__init__.py")), ids=lambda path: path.parent.name)
def test_a_package_imports_nothing_so_that_no_key_holds_more_than_it_needs(path: Path) -> None:
    assert path.parent.name == "cli" or not list_imports(path)


@pytest.mark.parametrize("path", list_modules(), ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_each_heavy_library_stays_in_its_home(path: Path) -> None:
    for imported in list_imports(path):
        homes = HOMES.get(imported, HOMES.get(imported.split(".")[0]))
        assert homes is None or is_in(name_of(path), homes), f"{name_of(path)} imports {imported}"


QUICK = {
    *("core", "rendering", "data", "network.feature_cache", "evaluation", "study"),
    *("notebook", "pipeline", "project", "cli"),
}
"""Rooms, and packages of rooms, whose modules have to be there at once, but for those that are for training."""

IMPORT = """
import importlib, sys
for name in sys.argv[1:]:
    importlib.import_module(f"scenebook.{name}")
    if {"tensorflow", "keras"} & set(sys.modules):
        sys.exit(name)
"""


def test_what_must_be_quick_never_imports_tensorflow() -> None:
    names = map(name_of, list_modules())
    quick = [name for name in names if is_in(name, QUICK) and not is_in(name, WITH_TENSORFLOW)]
    done = subprocess.run([sys.executable, "-c", IMPORT, *quick], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("modules", "slow"),
    [
        ("scenebook.cli", "numpy pydantic yaml"),
        ("scenebook.cli.making, scenebook.cli.using", "numpy pandas PIL matplotlib nbformat nbconvert dask"),
    ],
    ids=["help", "unchanged"],
)
def test_a_command_that_computes_nothing_imports_nothing_slow(modules: str, slow: str) -> None:
    code = f"import sys, {modules}; sys.exit(' '.join(set({slow.split()}) & set(sys.modules)) or 0)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.strip()) == (0, "")


def test_a_command_that_reads_notebooks_builds_no_grammar_for_what_they_do_not_hold() -> None:
    """It takes longer than everything else that rendering imports."""
    code = """
import sys
from scenebook.cli import main
main(["params"])
import nbformat
sys.exit("lark" in sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode == 0


def test_a_public_name_means_one_thing_in_the_whole_package() -> None:
    """But for two entry points, and for the builders of networks, which the registry calls by one name."""
    homes: dict[str, list[str]] = {}
    for path in list_modules():
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
                defined = {node.name}
            elif isinstance(node, (ast.Assign, ast.AnnAssign)):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                defined = {part.id for target in targets for part in ast.walk(target) if isinstance(part, ast.Name)}
            else:
                continue
            for name in defined:
                homes.setdefault(name, []).append(name_of(path))
    twice = {name: found for name, found in homes.items() if len(found) > 1 and not name.startswith("_")}
    assert set(twice) <= {"main", "build"}, twice


def test_a_test_lies_as_its_module_does() -> None:
    """One that looks at several modules is called by what it looks at."""
    tests = Path(__file__).parents[1] / "unit"
    for path in tests.glob("*/**/test_*.py"):
        folder = PACKAGE / path.parent.relative_to(tests)
        assert folder.is_dir(), path
        name = path.stem.removeprefix("test_")
        if not (folder / f"{name}.py").exists() and not (folder / name).is_dir():
            modules = {imported.removeprefix("scenebook.") for imported in list_imports(path)}
            mine = {name_of(one) for one in folder.glob("*.py")} & modules
            assert len(mine) != 1 or mine <= WAYS_IN, f"{path}: it tests {mine}"
