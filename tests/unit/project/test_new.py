"""`scenebook new`: a project that is whole, or nothing at all."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import subprocess
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from scenebook.cli import main
from scenebook.cli.loading import collect_settings
from scenebook.cli.parser import build_parser
from scenebook.core import project
from scenebook.core.errors import InputError
from scenebook.core.project import default_profile, project_root, published_root
from scenebook.project import contents
from scenebook.project.contents import make_wheel
from scenebook.rendering.front_matter import load_front_matter
from tests.conftest import write_image

TITLE = '"Scenes": what\'s #1? {x} \\ 🌊 <b>'
IDENTITY = "[user]\nname = Ada\nemail = ada@example.org\n"


@pytest.fixture(scope="module")
def wheel() -> tuple[str, bytes]:
    """The wheel of this checkout."""
    return make_wheel()


@pytest.fixture(autouse=True)
def built_once(
    wheel: tuple[str, bytes], monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[None]:
    monkeypatch.setattr(contents, "make_wheel", lambda: wheel)
    for name in ("PROFILE", "DATA", "WEIGHTS", "SET", "RUN"):
        monkeypatch.delenv(f"SCENEBOOK_{name}", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path_factory.mktemp("home")))  # of whoever has told git nothing
    project_root.cache_clear()
    yield
    project_root.cache_clear()


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "my images"
    for number, name in enumerate(3 * ["cat", "dog"]):
        write_image(folder / name / f"{number}.png", number)
    return folder


@pytest.fixture
def make(tmp_path: Path, images: Path) -> Callable[..., int]:
    """`scenebook new` with everything that can be said."""

    def call(folder: str = "my report", *words: str) -> int:
        given = ["--title", TITLE, "--author", "Ada Lovelace", "--author", 'O\'Neil: "Jo"', "--data", str(images)]
        return main(["new", str(tmp_path / folder), *(words or given)])

    return call


def test_a_project_holds_the_repositorys_own_files_and_what_it_was_told(
    make: Callable[..., int], tmp_path: Path
) -> None:
    Path(os.environ["HOME"], ".gitconfig").write_text(IDENTITY, encoding="utf-8")
    assert make() == 0
    mine, ours = tmp_path / "my report", published_root()
    names = {
        path.relative_to(mine).as_posix() for path in mine.rglob("*") if path.is_file() and ".git/" not in str(path)
    }
    assert {"Makefile", "README.md", ".gitignore", "environment.yml", ".github/workflows/test.yml"} <= names
    same = [
        name for name in names if (ours / name).is_file() and (mine / name).read_bytes() == (ours / name).read_bytes()
    ]
    for folder in ("notebooks", "profiles", "report/template"):
        assert set(tracked(folder)) <= set(same)
    assert (mine / "report.mk").read_bytes() == (ours / "template" / "report.mk").read_bytes()
    front = load_front_matter(mine / "report" / "front-matter.yaml")
    assert (front.title, [author.name for author in front.authors]) == (TITLE, ["Ada Lovelace", 'O\'Neil: "Jo"'])
    listed = subprocess.run(["git", "status", "--porcelain"], cwd=mine, capture_output=True, text=True, check=True)
    assert listed.stdout == ""
    log = subprocess.run(["git", "log", "--format=%an"], cwd=mine, capture_output=True, text=True, check=True)
    assert log.stdout == "Ada\n"


def tracked(folder: str) -> list[str]:
    listed = subprocess.run(
        ["git", "ls-files", folder], cwd=published_root(), capture_output=True, text=True, check=True
    )
    return listed.stdout.splitlines()


def test_its_lock_file_is_this_repositorys_and_the_wheel_with_its_digest(
    make: Callable[..., int], tmp_path: Path, wheel: tuple[str, bytes]
) -> None:
    assert make() == 0
    text = (tmp_path / "my report" / "requirements.txt").read_text(encoding="utf-8")
    assert text.startswith((published_root() / "requirements.txt").read_text(encoding="utf-8"))
    name, content = wheel
    digest = hashlib.sha256(content).hexdigest()
    assert text.split("\n")[-3:] == [f"./vendor/{name} \\", f"    --hash=sha256:{digest}", ""]
    assert (tmp_path / "my report" / "vendor" / name).read_bytes() == content
    assert "pytest==" in text


def test_the_wheel_holds_what_git_holds_and_nothing_else(wheel: tuple[str, bytes]) -> None:
    with zipfile.ZipFile(io.BytesIO(wheel[1])) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
        for name in names:
            source = name.removeprefix("scenebook/published/") if "/published/" in name else f"src/{name}"
            assert archive.read(name) == (published_root() / source).read_bytes()
    folders = ("notebooks", "profiles", "report", "template")
    locks = [name for name in tracked("requirements*.txt") if name != "requirements-dev.txt"]
    published = [*(name for folder in folders for name in tracked(folder)), *locks, "environment.yml"]
    expected = {f"scenebook/published/{name}" for name in published}
    assert names == expected | {name.removeprefix("src/") for name in tracked("src")}


def test_make_has_the_same_targets_in_a_project(make: Callable[..., int], tmp_path: Path) -> None:
    assert make() == 0
    command = ["make", "--no-print-directory", "help"]  # these tests may themselves be run by make
    shown = [
        subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout.splitlines()
        for folder in (tmp_path / "my report", published_root())
    ]
    mine, ours = ({line.split()[1]: line.split()[2:] for line in lines} for lines in shown)
    assert mine.pop("test")
    assert {"report", "lab", "bundle", "diff-notebooks", "clean", "setup"} <= mine.keys()
    assert mine.items() <= ours.items()


def test_a_report_in_a_project_starts_from_its_own_profile_and_images(
    make: Callable[..., int], tmp_path: Path, images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert make() == 0
    monkeypatch.chdir(tmp_path / "my report" / "notebooks")
    project_root.cache_clear()
    assert project_root() == tmp_path / "my report"
    settings, profile, run_dir = collect_settings(build_parser().parse_args(["report"]), Path.cwd())
    assert (Path(settings.dataset), profile) == (images, "default")
    assert settings.fine_tune_layers == 90  # of the recommended profile
    assert run_dir.root == tmp_path / "my report" / "runs" / "default"
    assert build_parser().parse_args(["bundle"]).run == "default"
    # The images lie beside the project, and both are moved.
    text = (tmp_path / "my report" / "profiles" / "default.yaml").read_text(encoding="utf-8")
    assert 'dataset: "../my images"\n' in text


def test_outside_of_any_project_an_installed_package_has_its_own_profiles_and_runs_go_to_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "site-packages" / "scenebook"
    for name in ("profiles", "report"):
        shutil.copytree(published_root() / name, package / "published" / name, ignore=shutil.ignore_patterns("build"))
    monkeypatch.setattr(project, "_PACKAGE", package)
    monkeypatch.chdir(tmp_path)
    project_root.cache_clear()
    assert project_root() == tmp_path
    assert project.project_folder("report") == package / "published" / "report"
    assert default_profile() == "sample"
    with pytest.raises(InputError, match="scenebook new"):
        project.project_folder("notebooks")


def test_a_second_run_writes_nothing_and_says_what_differs(
    make: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert make() == 0
    mine = tmp_path / "my report"
    (mine / "Makefile").unlink()
    (mine / "notebooks" / "01-data.ipynb").write_text("mine", encoding="utf-8")
    capsys.readouterr()
    assert make() == 0
    told = capsys.readouterr().out
    assert [line.split() for line in told.splitlines() if line.startswith("  ")] == [
        ["differs", "notebooks/01-data.ipynb"],
        ["missing", "Makefile"],
    ]
    assert not (mine / "Makefile").exists()
    assert (mine / "notebooks" / "01-data.ipynb").read_text(encoding="utf-8") == "mine"


def occupy(folder: Path) -> None:
    folder.mkdir()
    (folder / "thesis.txt").write_text("mine", encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "words", "before", "told"),
    [
        ("file", [], lambda path: path.write_text("x", encoding="utf-8"), "a folder, not a file"),
        ("full", [], occupy, "thesis.txt"),
        ("a/b/c", [], None, "around the new one"),
        ("new", ["--title", " \n"], None, "title"),
        ("new", ["--author", "Ada Lovelace, Charles Babbage"], None, "--author once for each"),
        ("new", ["--author", ""], None, "author"),
        ("new", ["--data", "nowhere"], None, "nowhere"),
    ],
)
def test_wrong_input_is_one_sentence_and_leaves_nothing(
    name: str, words: list[str], before: Callable[[Path], object] | None, told: str, make: Callable[..., int],
    tmp_path: Path, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    if before:
        before(tmp_path / name)
    there = sorted(tmp_path.rglob("*"))
    assert make(name, *(words or ["--title", "T"])) == 2
    assert told in capsys.readouterr().err
    assert sorted(tmp_path.rglob("*")) == there


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs a folder in which nobody can make one")
def test_a_folder_that_cannot_be_written_to(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["new", "/proc/self/my-report"]) == 2
    assert "Expected a folder that can be written to." in capsys.readouterr().err


def test_without_git_or_without_an_identity_the_project_is_there_and_the_command_says_what_is_left(
    make: Callable[..., int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert make("one") == 0
    assert "user.name" in capsys.readouterr().out
    monkeypatch.setenv("PATH", str(tmp_path))
    assert make("two") == 0
    assert "git is not installed" in capsys.readouterr().out
    assert (tmp_path / "two" / "Makefile").is_file()
    assert not (tmp_path / "two" / ".git").exists()


def test_a_project_inside_a_repository_is_left_to_that_repository(
    make: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    assert make() == 0
    assert "lies in the repository" in capsys.readouterr().out
    assert not (tmp_path / "my report" / ".git").exists()
