"""The package's layers: imports only go down, and what must be quick never imports TensorFlow."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import scenebook

PACKAGE = Path(scenebook.__file__).parent
LAYERS = [
    {"environment", "errors", "config", "grids", "progress", "sentences", "wording", "yamllines"},
    {"artifacts", "bank", "cache", "keys", "provenance", "sourcecode", "scenes", "fractals", "transfer", "dataset"}
    | {"audit", "features"},
    {"inputs", "augmentation", "backbones", "embedded", "weightfiles", "weightdownloads", "classifier", "architecture"}
    | {"batchstatistics", "streaming", "trunk"},
    {"training", "checkpoints", "fitting", "variants", "metrics", "samples", "ablations", "claims", "conclusions"}
    | {"baselines", "projection", "gradcam", "heatmaps"},
    {"figures", "sweep"},
    {"notebook"},
    {"pipeline", "rendering", "prediction"},
    {"comparing"},
    {"terminal"},
    {"cli"},
    {"__main__"},
]
LAYER_OF = {name: number for number, names in enumerate(LAYERS) for name in names}

WITH_TENSORFLOW = {
    "inputs",
    "augmentation",
    "backbones",
    "batchstatistics",
    "embedded",
    "weightfiles",
    "classifier",
    "gradcam",
    "checkpoints",
    "training",
    "prediction",
    "fitting",
    "streaming",
    "trunk",
    "variants",
}

# Each heavy library has one home, so that a change of it is a change of one place.
HOMES = {
    "cv2": {"augmentation"},
    "dask": {"sweep"},
    "distributed": {"sweep"},
    "openvino": {"trunk"},
    "IPython": {"notebook"},
    "papermill": {"pipeline"},
    "nbclient": {"pipeline"},
    "nbconvert": {"rendering"},
    "typst": {"rendering"},
    "pypandoc": {"rendering"},
    "cleanlab": {"audit"},
    "imagehash": {"dataset"},
    "kagglehub": {"dataset"},
    "kagglesdk": {"dataset"},
    "requests": {"dataset", "transfer"},
    "tensorflow": WITH_TENSORFLOW,
    "keras": WITH_TENSORFLOW,
}


def list_modules() -> list[Path]:
    return sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def name_of(path: Path) -> str:
    """`scenebook/rendering/html.py` belongs to `rendering`."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def list_imports(path: Path) -> set[str]:
    """All modules that a file imports, wherever in it: `scenebook.errors`, `numpy`."""
    imported: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: a relative import"
            imported.add(node.module)
            imported |= {f"{node.module}.{alias.name}" for alias in node.names}
    return imported


def test_every_module_has_a_layer() -> None:
    assert {name_of(path) for path in list_modules()} == set(LAYER_OF)


@pytest.mark.parametrize("path", list_modules(), ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_imports_only_go_down(path: Path) -> None:
    mine = name_of(path)
    for imported in list_imports(path):
        parts = imported.split(".")
        if parts[0] == "scenebook" and len(parts) > 1 and parts[1] in LAYER_OF and parts[1] != mine:
            assert LAYER_OF[parts[1]] <= LAYER_OF[mine], f"{mine} imports {imported} from above"


@pytest.mark.parametrize("path", list_modules(), ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_each_heavy_library_stays_in_its_home(path: Path) -> None:
    for imported in list_imports(path):
        home = HOMES.get(imported.split(".")[0])
        assert home is None or name_of(path) in home, f"{path.name} imports {imported}"


QUICK = [
    *("bank", "cli", "pipeline", "rendering", "notebook", "figures", "dataset", "metrics", "claims", "conclusions"),
    *("baselines", "projection", "ablations", "sweep", "comparing"),
]
IMPORT = """
import importlib, sys
for name in sys.argv[1:]:
    importlib.import_module(f"scenebook.{name}")
    if {"tensorflow", "keras"} & set(sys.modules):
        sys.exit(name)
"""


def test_what_must_be_quick_never_imports_tensorflow() -> None:
    done = subprocess.run([sys.executable, "-c", IMPORT, *QUICK], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
