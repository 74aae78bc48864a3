"""The abstract that the front matter gives: its fields are filled from the run's artifacts when it is rendered."""

from __future__ import annotations

from pathlib import Path

from scenebook.artifacts import RunDirectory
from scenebook.errors import InputError, ReportError
from scenebook.rendering.front_matter import FrontMatter, line_of
from scenebook.sentences import Filled, fill, has_fields

KEY = "abstract"


def fill_abstract(front: FrontMatter, run_dir: Path, path: Path) -> Filled:
    """Fills the fields of the abstract with what the last notebook's own abstract is made of, scores and settings.

    Args:
        front: Its abstract is given.
        run_dir: A run of which every stage is done.
        path: The front-matter file, for messages.

    Raises:
        ReportError: A field names nothing that is known, or cannot be formatted so; with file, key and line.
        MissingArtifactError: The run lacks a file.
    """
    text = front.abstract or ""
    run = RunDirectory(run_dir)
    try:
        if not has_fields(text):
            return fill(text, ())
        # What the facts are computed with takes most of a second to import, and most reports have no such abstract.
        from scenebook import conclusions

        scores, recipe = run.read_json("evaluation/metrics.json"), run.read_json("training/recipe.json")
        return fill(text, (conclusions.collect_facts(run), scores, recipe))
    except ReportError:
        raise
    except InputError as error:
        line = line_of(path, KEY, "{" + str(error.received.get("field", "")))
        received = {"file": path.name, "key": KEY, "line": line, **error.received}
        raise ReportError(error.expected, received=received, advice=error.advice) from None
