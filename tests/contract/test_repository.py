"""The rules of the repository."""

from __future__ import annotations

import ast
import itertools
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

import scenebook
from scenebook.core.environment import HANDED_ON, PREFIXES, TERMINAL, WITH_SCHEDULER
from scenebook.core.project import project_root

ROOT = project_root()


def pinned(name: str) -> dict[str, str]:
    """The pins of a lock file, name to version; one entry where markers give several."""
    return dict(re.findall(r"(?m)^([\w.-]+)==([^\s;]+)", (ROOT / name).read_text(encoding="utf-8")))


@pytest.mark.parametrize("name", sorted(path.name for path in ROOT.glob("requirements*.txt")))
def test_every_requirement_is_pinned_with_hashes(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    for block in re.split(r"(?m)^(?=[\w.-]+==)", text)[1:]:
        assert "--hash=sha256:" in block, block.splitlines()[0]
    assert not re.search(r"https?://", text), "a package index is named"


def test_both_lock_files_agree_and_hold_every_dependency() -> None:
    run, develop = pinned("requirements.txt"), pinned("requirements-dev.txt")
    assert run.items() <= develop.items()
    for extra in ("openvino", "onnx", "heif"):
        assert pinned(f"requirements-{extra}.txt").items() <= develop.items()
    cuda = pinned("requirements-cuda.txt")
    assert all(develop.get(name, version) == version for name, version in cuda.items())
    assert cuda["tensorflow"] == run["tensorflow"]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for requirement in project["dependencies"]:
        name = re.split(r"[<>=~!\[ ]", requirement)[0].replace("_", "-").lower()
        assert name in {key.replace("_", "-").lower() for key in run}, name


def test_the_build_backend_is_pinned_to_the_locked_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["build-system"]["requires"] == [f"hatchling=={pinned('requirements.txt')['hatchling']}"]


def test_the_version_is_the_same_everywhere() -> None:
    assert f"\nversion: {scenebook.__version__}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    latest = re.findall(r"(?m)^## (\S+)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"))[0]
    assert latest == scenebook.__version__


def test_every_dependency_has_its_reason_in_contributing() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").lower()
    extras = [name for names in project["optional-dependencies"].values() for name in names]
    for requirement in project["dependencies"] + extras:
        name = re.split(r"[<>=~!\[ ]", requirement)[0].lower()
        assert f"`{name}`" in text, name


def test_make_help_lists_every_target_in_one_line() -> None:
    rules = "".join((ROOT / name).read_text(encoding="utf-8") for name in ("template/report.mk", "Makefile"))
    declared = " ".join(re.findall(r"(?m)^\.PHONY: (.*)$", rules))
    shown = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert re.findall(r"(?m)^  make ([\w-]+)", shown) == re.findall(r"(?m)^([\w-]+):.*## ", rules)
    assert set(re.findall(r"(?m)^  make ([\w-]+)", shown)) == set(declared.split())


def tracked() -> list[str]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        pytest.skip("this is no git checkout")
    return [name for name in listed.stdout.split("\0") if name]


def test_no_tracked_file_is_larger_than_3_mb() -> None:
    files = [ROOT / name for name in tracked()]
    assert [path.name for path in files if path.is_file() and path.stat().st_size > 3_000_000] == []


def test_images_lie_nowhere_but_in_the_documentation() -> None:
    """Folders that somebody tried the program on are easily committed with the rest."""
    images = re.compile(r"\.(?:png|jpe?g|gif|bmp|tiff?|webp)$", re.IGNORECASE)
    assert [name for name in tracked() if images.search(name) and not name.startswith("docs/")] == []


def test_every_variable_that_is_handed_on_is_written_down() -> None:
    text = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")
    beginnings = (f"{name}..." for name in (*PREFIXES, WITH_SCHEDULER))
    for name in (*itertools.chain(*HANDED_ON.values()), *TERMINAL, *beginnings):
        assert f"`{name}`" in text, name


def test_every_process_is_started_with_an_environment_of_its_own() -> None:
    for path in (ROOT / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in {"subprocess.run", "subprocess.Popen", "Popen"}:
                given = [ast.unparse(keyword.value) for keyword in node.keywords if keyword.arg == "env"]
                assert given, f"{path}:{node.lineno}"
                assert "build_environment" in path.read_text(encoding="utf-8") or given == ["dict(environment)"], path


def test_no_pickles_and_no_eval_in_the_package() -> None:
    pattern = r"\bimport pickle|\bpickle\.|\beval\(|\bexec\(|allow_pickle=True|yaml\.load\(|safe_mode=False|shell=True"
    for path in Path(ROOT / "src").rglob("*.py"):
        # A run's recipe is the code of its notebook: whoever runs a study runs it, as whoever runs the notebook does.
        # The published weights of a backbone are pickled: their digest is compared first, and no name is looked up.
        allowed = {
            "recipe/source.py": {"exec("},
            "network/torch_files.py": {"import pickle", "pickle."},
        }.get("/".join(path.parts[-2:]), set())
        found = set(re.findall(pattern, path.read_text(encoding="utf-8")))
        assert not found - allowed, path
