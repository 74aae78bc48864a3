from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pytest

from scenebook.core.errors import MissingArtifactError, ReportError
from scenebook.core.fields import collect_fields, write_fields
from scenebook.core.run_directory import RunDirectory
from scenebook.core.sentences import Sourced
from scenebook.core.settings import make_settings
from scenebook.notebook.prose.conclusion import collect_facts
from scenebook.rendering.report import RenderedReport, StageNotebook
from tests.unit.rendering.conftest import FRONT, make_report, notebooks_of, page_of, part_of, pdf_text

GIVEN = """\
abstract: |
  Of {k} classes of *{name}*, {accuracy:.1%} ({accuracy.low:.1%} to {accuracy.high:.1%}) of {test:,}
  images; a rate of {learning_rate:g}, {backbone}. $\\\\frac{{1}}{{2}}$
"""


@pytest.fixture
def run(run_dir: RunDirectory) -> RunDirectory:
    """A run with the artifacts that an abstract can name."""
    run_dir.write_json("evaluation/metrics.json", {"n": 1350, "accuracy": {"value": 0.88, "low": 0.86, "high": 0.9}})
    run_dir.write_json("training/recipe.json", make_settings({}).model_dump())
    run_dir.write_json(
        "training/summary.json",
        {"backbone": "efficientnet-lite0", "trainable_base_layers": 3, "edited": [], "phases": [{}]},
    )
    run_dir.write_json("data/classes.json", {"name": "*b*", "kind": "images", "classes": ["a", "b"]})
    splits = ["train"] * 20 + ["test"] * 1350
    run_dir.write_csv("data/splits.csv", pd.DataFrame({"path": "x", "label": "a", "split": splits}))
    run_dir.write_csv(
        "training/history.csv", pd.DataFrame({"epoch": [1], "accuracy": 0.9, "val_accuracy": 0.8, "val_loss": 1.0})
    )
    run_dir.write_matrix("evaluation/confusion_matrix.csv", pd.DataFrame([[9, 1], [0, 8]], ["a", "b"], ["a", "b"]))
    scores = Sourced(run_dir.read_json("evaluation/metrics.json"), "evaluation/metrics.json")
    write_fields(run_dir, collect_fields([scores, collect_facts(run_dir)], {}))
    return run_dir


def render(
    run: RunDirectory, abstract: str, status: str = "done", formats: Sequence[str] = ("html",)
) -> RenderedReport:
    stages = [StageNotebook(path.stem, path, status) for path in notebooks_of("whole-run")]
    return make_report(run.root, stages, FRONT + abstract, formats=formats)


def test_fields_are_filled_from_the_run_in_both_files(run: RunDirectory) -> None:
    rendered = render(run, GIVEN.replace("\\\\", "\\"), formats=["html", "pdf"])
    said = "Of 2 classes of *b*, 88.0% (86.0% to 90.0%) of 1,350 images; a rate of 0.001, EfficientNet-Lite0"
    abstract = part_of(page_of(rendered), ".abstract")
    assert said in " ".join(abstract.get_text().split())
    assert abstract.find("mfrac")
    assert f"Abstract—{said}" in pdf_text(rendered.pdf.read_bytes())
    assert "evaluation/metrics.json: accuracy.low" in {value["title"] for value in abstract.find_all(class_="value")}


def test_another_front_matter_is_filled_from_the_same_run(run: RunDirectory) -> None:
    for written, shown in (("{k} classes", "2 classes"), ("{majority:.0%}", "56%")):
        page = page_of(render(run, f"abstract: '{written}'\n"))
        assert shown in part_of(page, ".abstract").get_text()


@pytest.mark.parametrize(
    ("abstract", "match"),
    [
        (
            "abstract: |\n  First.\n  {acuracy:.1%}\n",
            r"file='front\.yaml', key='abstract', line=7, field='acuracy'",
        ),
        (
            "abstract: '{acuracy}'\n",
            r"line=5.*Known: ablation_plan, ablations, accelerate, accuracy, .*augmented, .*learning_rate.*majority",
        ),
        ("abstract: '{accuracy.mean}'\n", r"line=5, field='accuracy\.mean'"),
        ("abstract: '{name:.1%}'\n", r"a format that fits.*line=5, field='name'"),
        ("abstract: '{k'\n", r"opened and closed.*key='abstract', line=5.*written \{\{"),
        ("abstract: 'costs $\\frac{1}{2}$'\n", r"field='1'"),
    ],
)
def test_a_wrong_field_names_file_key_line_and_what_is_known(run: RunDirectory, abstract: str, match: str) -> None:
    with pytest.raises(ReportError, match=match):
        render(run, abstract)
    assert not run.path("build").exists()


def test_an_abstract_without_fields_needs_no_run(run_dir: RunDirectory) -> None:
    assert "Plain." in part_of(page_of(render(run_dir, "abstract: Plain.\n")), ".abstract").get_text()


def test_a_whole_run_without_the_artifact_says_which_notebook_writes_it(run_dir: RunDirectory) -> None:
    with pytest.raises(MissingArtifactError, match=r"conclusion/fields\.json.*06-conclusion"):
        render(run_dir, "abstract: '{accuracy}'\n")


def test_an_incomplete_run_leaves_numbers_of_an_older_one_out(run: RunDirectory) -> None:
    rendered = render(run, "abstract: 'Reaches {accuracy:.1%}.'\n", status="interrupted")
    assert any("abstract" in warning and "left out" in warning for warning in rendered.warnings)
    assert "Reaches" not in Path(rendered.html).read_text(encoding="utf-8")
