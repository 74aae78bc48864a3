"""What `report/front-matter.yaml` says: title, authors, layout. A typo in it is an error that names key and line."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo

from scenebook.core.errors import InputError, ReportError
from scenebook.core.fields import read_fields
from scenebook.core.run_directory import RunDirectory
from scenebook.core.run_files import FIELDS, RECIPE
from scenebook.core.sentences import Filled, Sourced, clean_text, fill, has_fields
from scenebook.core.validation import read_model
from scenebook.core.yaml_files import read_yaml
from scenebook.rendering.fonts import SYSTEM_FONTS

KEY = "abstract"
PLACEHOLDERS = {
    "title": "Transfer Learning for Image Classification: A Reproducible Report",
    "authors": "The scenebook developers",
    "course": "Course, assignment",
}
"""What the project's own front matter has until somebody changes it. Its address is on one of these hosts:"""
_NOWHERE = frozenset({"example.org", "example.com", "example.net"})
Line = Annotated[str, AfterValidator(lambda text: " ".join(clean_text(text).split())), Field(min_length=1)]


def _find_beside(name: object, info: ValidationInfo, kind: str = "file") -> Path:
    if not isinstance(name, str):
        raise ValueError(f"the name of a {kind} is text")
    try:
        path = (info.context or Path()) / Path(name).expanduser()
        found = path.is_file() if kind == "file" else path.is_dir()
    except (OSError, RuntimeError):  # a name longer than any file's, the home of nobody
        found = False
    if not found:
        raise ValueError(f"no {kind} {name!r} beside the front matter")
    return path


def _find_fonts(name: object, info: ValidationInfo) -> Path | str:
    return SYSTEM_FONTS if name == SYSTEM_FONTS else _find_beside(name, info, "folder")


def _check_link(link: str) -> str:
    if not link.startswith(("https://", "http://")):
        raise ValueError("a web address starts with https:// or http://")
    return link


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Author(_Strict):
    """One author; `id` is a student's number or an ORCID. All of it is printed as text."""

    name: Line
    id: Line | None = None
    affiliation: Line | None = None
    email: Line | None = None


class FrontMatter(_Strict):
    """The title block of the report and how its pages are laid out.

    Args:
        abstract: Markdown with fields, as `{accuracy:.1%}`, that `fill_abstract` fills; without it, the abstract is
            what the last notebook wrote from the run's numbers.
        license: Of the trained network, as Hugging Face calls it: `mit`, `cc-by-nc-4.0`. The model card states it.
        bibliography: A BibTeX file with the works that are cited; a relative path starts at the front matter's folder.
        citation_style: `numeric` is [1], in the order of first citation; `author-year` is (He et al., 2016).
        length: `short` is the main text with the appendix, `full` has the supplement too; the page always has all.
        layout: `ieee` is two columns with roman section numbers, `article` one column with arabic ones.
        fonts: Where to look for letters that the fonts of the PDF do not have, in this order: folders, and `system`.
    """

    title: Line
    subtitle: Line | None = None
    authors: list[Author] = Field(min_length=1)
    course: Line | None = None
    abstract: str | None = None
    keywords: list[Line] = Field(default_factory=list)
    repository: Annotated[Line, AfterValidator(_check_link)] | None = None
    license: Line | None = None
    bibliography: Annotated[Path, BeforeValidator(_find_beside, json_schema_input_type=str)] | None = None
    citation_style: Literal["numeric", "author-year"] = "numeric"
    length: Literal["short", "full"] = "short"
    layout: Literal["ieee", "article"] = "ieee"
    paper: Literal["a4", "letter"] = "a4"
    fonts: list[Annotated[Path | str, BeforeValidator(_find_fonts, json_schema_input_type=str)]] = [SYSTEM_FONTS]

    def list_placeholders(self) -> list[str]:
        """Names the keys whose values are still those that the project came with."""
        values = {"title": self.title, "course": self.course, "authors": " ".join(one.name for one in self.authors)}
        found = {key for key, value in values.items() if value == PLACEHOLDERS[key]}
        found |= {"repository"} if self.repository and urlsplit(self.repository).hostname in _NOWHERE else set()
        return [key for key in FrontMatter.model_fields if key in found]

    def without_placeholders(self) -> FrontMatter:
        """Returns the same without a course or an address that is a placeholder: neither is printed."""
        found = self.list_placeholders()
        return self.model_copy(update={key: None for key in ("course", "repository") if key in found})


def load_front_matter(path: Path) -> FrontMatter:
    """Reads the front matter.

    Raises:
        ReportError: The file is missing, is no YAML, or a key is missing, unknown or wrong; with the key and the line.
    """
    return read_model(read_yaml(path, "front matter", ReportError), FrontMatter, context=path.parent)


def fill_abstract(front: FrontMatter, run_dir: Path, path: Path) -> Filled:
    """Fills the fields of the abstract with what the Markdown of the last notebook may name, and with settings.

    Every stage of the run is done; `path` is the front-matter file, for messages.

    Raises:
        ReportError: A field names nothing that is known, or cannot be formatted so; with file, key and line.
        MissingArtifactError: The run lacks a file.
    """
    text = front.abstract or ""
    run = RunDirectory(run_dir)
    try:
        if not has_fields(text):
            return fill(text, ())
        run.require(FIELDS)
        recipe = Sourced(run.read_json(RECIPE), RECIPE)
        fields = read_fields(run)
        assert fields is not None
        return fill(text, (fields.values, recipe))
    except ReportError:
        raise
    except InputError as error:
        line = read_yaml(path, "front matter", ReportError).find_line((KEY,))
        below = path.read_text(encoding="utf-8").splitlines()[line - 1 :]
        wanted = "{" + str(error.received.get("field", ""))
        line += next((number for number, shown in enumerate(below) if wanted in shown), 0)
        received = {"file": path.name, "key": KEY, "line": line, **error.received}
        raise ReportError(error.expected, received=received, advice=error.advice) from None
