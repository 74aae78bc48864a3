"""What a new project holds: the published notebooks, profiles and report, with title, authors and images filled in."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path
from string import Template
from tempfile import TemporaryDirectory

import scenebook
from scenebook.core.environment import build_environment
from scenebook.core.errors import InputError
from scenebook.core.project import OWN_PROFILE, published_root
from scenebook.core.provenance import sha256_bytes
from scenebook.core.sentences import clean_text, escape
from scenebook.core.stages import STAGES
from scenebook.rendering.front_matter import PLACEHOLDERS

_PLACES = {"gitignore": ".gitignore", "workflow.yml": ".github/workflows/test.yml"}
"""Where those templates go whose names would mean something in a checkout."""


def list_contents(*, title: str | None, authors: Sequence[str], dataset: str | None) -> dict[str, bytes]:
    """Returns the files of a new project by their paths in it, with forward slashes.

    Without authors, the placeholder stays. The images that the report is about are a path that is absolute or starts at
    the project; `None`: they are named later.
    """
    title = _check_line("title", title) if title is not None else None
    authors = [_check_line("author", name) for name in authors]
    root = published_root()
    files = {path.relative_to(root).as_posix(): path.read_bytes() for path in _list_published(root)}
    files |= {
        _PLACES.get(name, name): path.read_bytes()
        for path in _list_files(root / "template")
        if (name := path.relative_to(root / "template").as_posix())
    }
    front = "report/front-matter.yaml"
    files[front] = fill_front_matter(files[front].decode(), title, authors).encode()
    if dataset is not None:
        recommended = files["profiles/recommended.yaml"].decode()
        files[f"profiles/{OWN_PROFILE}.yaml"] = _write_profile(recommended, dataset).encode()
    values = {
        "title": escape(title or PLACEHOLDERS["title"]),
        "version": scenebook.__version__,
        "run": OWN_PROFILE if dataset is not None else "sample",
        "images": f", about the images of {escape(dataset)}" if dataset is not None else ", about drawn images",
    }
    files["README.md"] = Template(files["README.md"].decode()).substitute(values).encode()
    name, wheel = make_wheel()
    files[f"vendor/{name}"] = wheel
    locked = f"./vendor/{name} \\\n    --hash=sha256:{sha256_bytes(wheel)}\n"
    files["requirements.txt"] += locked.encode()
    conda = re.sub(r"(?m)^#.*\n", "", files["environment.yml"].decode())
    files["environment.yml"] = f"# conda env create -f environment.yml && conda activate scenebook\n{conda}".encode()
    return dict(sorted(files.items()))


def _list_published(root: Path) -> Iterator[Path]:
    """Yields the files that a project has as they are here; others that lie beside them in a checkout are left out."""
    yield from (root / "notebooks" / f"{stage.notebook}.ipynb" for stage in STAGES.values())
    yield from (root / "profiles").glob("*.yaml")
    yield from (root / "report" / name for name in ("front-matter.yaml", "claims.yaml", "references.bib"))
    yield from _list_files(root / "report" / "template")
    yield from (path for path in root.glob("requirements*.txt") if path.name != "requirements-dev.txt")
    yield root / "environment.yml"


def _list_files(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("[!.]*"):
        if path.is_file() and "__pycache__" not in path.parts:
            yield path


def fill_front_matter(text: str, title: str | None, authors: Sequence[str]) -> str:
    """Returns the published front matter with another title and other authors; comments stay."""
    if title is not None:
        text = re.sub(r"(?m)^title: .*$", lambda found: f"title: {_quote(title)}", text)
    if authors:
        first, *others = (f"  - name: {_quote(name)}\n" for name in authors)
        # The comments that follow the first author say what else may be said of one.
        text = re.sub(r"(?m)^  - name: .*\n((?:    #.*\n)*)", lambda found: first + found[1] + "".join(others), text)
    return text


def _quote(text: str) -> str:
    """Returns a text in double quotes, as YAML and JSON have in common."""
    return json.dumps(text, ensure_ascii=False)


def _write_profile(recommended: str, dataset: str) -> str:
    _, _, settings = recommended.partition("\n\n")
    header = (
        "# What `make report` starts from where neither PROFILE nor DATA is named: the recommended settings, on the\n"
        "# images of this report. A relative path starts at the folder of the project.\n\n"
    )
    return header + re.sub(r"(?m)^dataset: .*$", lambda found: f"dataset: {_quote(dataset)}", settings)


def _check_line(what: str, text: str) -> str:
    line = " ".join(clean_text(text).split())
    if not line:
        raise InputError(f"Expected the {what} to hold a letter.", received={what: text})
    if what == "author" and re.search(r"[,;\n]", text):
        advice = "Give --author once for each of them."
        raise InputError("Expected one name for each author.", received={what: text}, advice=advice)
    return line


# What whoever installed it has added.
_OF_INSTALLER = {"INSTALLER", "REQUESTED", "RECORD", "direct_url.json", "uv_cache.json", "uv_build.json"}


def make_wheel() -> tuple[str, bytes]:
    """Returns the name and the bytes of a wheel that installs this version of the package.

    An installed package is packed as it lies there, the same files to the same bytes; a checkout is built.
    """
    root = published_root()
    return _build(root) if (root / "pyproject.toml").is_file() else _pack()


def _build(checkout: Path) -> tuple[str, bytes]:
    with TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder]
        done = subprocess.run(
            command, cwd=checkout, env=build_environment(), capture_output=True, text=True, check=False
        )
        found = [*Path(folder).glob("*.whl")]
        if done.returncode or not found:
            problem = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:]
            raise InputError(
                "Expected the checkout to be built into a wheel.",
                received={"checkout": str(checkout), "problem": "".join(problem)},
                advice="`make setup` installs what that needs.",
            )
        return found[0].name, found[0].read_bytes()


def _pack() -> tuple[str, bytes]:
    try:
        installed = metadata.distribution("scenebook")
    except metadata.PackageNotFoundError:
        raise InputError("Expected scenebook to be installed, with pip or uv.") from None
    names = {
        file.as_posix(): Path(str(installed.locate_file(file)))
        for file in installed.files or ()
        # Scripts, which lie outside, are made anew wherever it is installed.
        if ".." not in file.parts and file.suffix != ".pyc" and file.name not in _OF_INSTALLER
    }
    stored, record = io.BytesIO(), io.StringIO()
    rows = csv.writer(record, lineterminator="\n")
    record_name = f"scenebook-{scenebook.__version__}.dist-info/RECORD"
    # Stored as it is: what another version of zlib compresses has other bytes. git compresses it.
    with zipfile.ZipFile(stored, "w", zipfile.ZIP_STORED) as archive:
        for name, path in sorted(names.items()):
            content = path.read_bytes()
            digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
            rows.writerow([name, f"sha256={digest}", len(content)])
            archive.writestr(zipfile.ZipInfo(name), content)
        rows.writerow([record_name, "", ""])
        archive.writestr(zipfile.ZipInfo(record_name), record.getvalue())
    return f"scenebook-{scenebook.__version__}-py3-none-any.whl", stored.getvalue()
