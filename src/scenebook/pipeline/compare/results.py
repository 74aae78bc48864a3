"""All results of a run against those of its repetition, a row a comparison."""

from __future__ import annotations

from collections.abc import Callable

from scenebook.core.errors import ScenebookError
from scenebook.core.run_directory import RunDirectory
from scenebook.core.wording import count_noun
from scenebook.pipeline.compare.evaluations import compare_confusions, compare_others, compare_reports, compare_scores
from scenebook.pipeline.compare.images import CLASSES, COLUMNS, SPLITS
from scenebook.pipeline.compare.reading import read_mapping
from scenebook.pipeline.compare.rows import Pair, Row
from scenebook.pipeline.compare.scores import METRICS, PREDICTIONS
from scenebook.pipeline.compare.tolerances import DIFFERENT, EQUAL, MISSING
from scenebook.pipeline.compare.trainings import compare_histories, compare_predictions

Compare = Callable[[Pair, str], list[Row]]


def compare_results(pair: Pair) -> list[Row]:
    """Returns a row a comparison: data, training, then evaluation.

    What cannot be read, whoever made it, is `different`; what one of the two lacks is `missing`. Tables of the
    evaluation that only the repetition has are not asked for.
    """
    named: dict[str, Compare] = {
        CLASSES: compare_digests,
        SPLITS: compare_splits,
        "training/history.csv": compare_histories,
        "training/test_predictions.csv": compare_predictions,
        METRICS: compare_scores,
        PREDICTIONS: compare_predictions,
        "evaluation/confusion_matrix.csv": compare_confusions,
        "evaluation/classification_report.csv": compare_reports,
    }
    others = [file for file in list_evaluated(pair.first) if file not in named]
    compares = named | dict.fromkeys(others, compare_others)
    return [row for file, compare in compares.items() for row in _compare_file(pair, file, compare)]


def _compare_file(pair: Pair, relative: str, compare: Compare) -> list[Row]:
    there = [(run_dir.root / relative).is_file() for run_dir in (pair.first, pair.second)]
    if not all(there):
        texts = ["there" if one else "missing" for one in there]
        return [pair.make_exact_row(relative, texts, MISSING)]
    try:
        return compare(pair, relative)
    except (ScenebookError, ValueError, TypeError, ArithmeticError) as error:
        return [Row(relative, "files that can be compared", str(error), "", DIFFERENT)]


def compare_digests(pair: Pair, relative: str) -> list[Row]:
    """Compares the digests of the data: bytes, splits and paths of all images."""
    digests = [str(read_mapping(run_dir, relative).get("digest")) for run_dir in (pair.first, pair.second)]
    status = EQUAL if digests[0] == digests[1] else DIFFERENT
    return [pair.make_exact_row(f"{relative}: digest", [digest[:16] for digest in digests], status)]


def compare_splits(pair: Pair, relative: str) -> list[Row]:
    """Compares the lists of images byte for byte: nothing in them depends on how a machine rounds."""
    texts = [count_noun(len(table), "image") for table in pair.read_tables(relative, *COLUMNS)]
    if pair.has_same_bytes(relative):
        return [pair.make_exact_row(relative, texts, EQUAL)]
    one, other = (set(run_dir.path(relative).read_bytes().splitlines()) for run_dir in (pair.first, pair.second))
    texts[1] += f"; {len(one - other):,} lines only in the run, {len(other - one):,} only in its repetition"
    return [pair.make_exact_row(relative, texts, DIFFERENT)]


def list_evaluated(run_dir: RunDirectory) -> list[str]:
    """Returns the tables of a run's evaluation, sorted."""
    found = sorted(run_dir.root.glob("evaluation/*.csv"))
    return [path.relative_to(run_dir.root).as_posix() for path in found if not path.name.startswith(".")]
