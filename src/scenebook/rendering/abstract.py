"""The abstract that the front matter gives: its fields are filled from the run's artifacts when it is rendered."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from scenebook.core.errors import InputError, ReportError
from scenebook.core.run_directory import RunDirectory
from scenebook.core.sentences import Filled, Sourced, fill, has_fields
from scenebook.rendering.front_matter import FrontMatter, line_of

KEY = "abstract"

CollectFacts = Callable[[RunDirectory], Sourced]


def fill_abstract(front: FrontMatter, run_dir: Path, path: Path, collect_facts: CollectFacts) -> Filled:
    """Fills the fields of the abstract with what the last notebook's own abstract is made of, scores and settings.

    Args:
        front: Its abstract is given.
        run_dir: A run of which every stage is done.
        collect_facts: Returns what the abstract can tell of a run besides scores and settings. Only called where the
            abstract has fields.
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
        scores, recipe = run.read_json("evaluation/metrics.json"), run.read_json("training/recipe.json")
        return fill(text, (collect_facts(run), scores, recipe))
    except ReportError:
        raise
    except InputError as error:
        line = line_of(path, KEY, "{" + str(error.received.get("field", "")))
        received = {"file": path.name, "key": KEY, "line": line, **error.received}
        raise ReportError(error.expected, received=received, advice=error.advice) from None
