"""What the notebooks show beside the report holds of a finished run whose notebook 02 was edited."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import numpy as np
import pytest

from scenebook.core.stages import STAGES
from tests.slow.project import Project

HALVED = ("    return preprocess_input(", "    return 0.5 * preprocess_input(")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project in whose recipe images are prepared in another way, with the run `sample` of it."""
    project = Project(tmp_path_factory.mktemp("teaching"))
    project.edit("training", HALVED)
    done = project.report()
    assert done.code == 0, done.output
    return project


def read_cells(project: Project, stage: str) -> list[nbformat.NotebookNode]:
    path = project.run_dir().path(f"notebooks/{STAGES[stage].notebook}.ipynb")
    return list(nbformat.read(path, as_version=4).cells)


def test_samples_are_prepared_as_the_recipe_does(project: Project) -> None:
    samples = project.run_dir().read_csv("samples/selection.csv").set_index("path")
    predictions = project.run_dir().read_csv("training/test_predictions.csv").set_index("path")
    probs, expected = (table.filter(regex="^p_") for table in (samples, predictions))
    np.testing.assert_allclose(probs, expected.loc[probs.index], atol=1e-5)


def test_the_map_that_the_page_computes_is_the_packages(project: Project) -> None:
    printed = [output.text for cell in read_cells(project, "samples") for output in cell.get("outputs", [])
               if output.output_type == "stream" and output.name == "stdout"]  # fmt: skip
    (difference,) = re.findall(r"largest difference (\S+)", "".join(printed))
    assert float(difference) < 1e-5


def test_a_variant_is_trained_by_the_code_that_notebook_05_gives(project: Project) -> None:
    path = Path(project.folder / "notebooks" / f"{STAGES['ablations'].notebook}.ipynb")
    cells = nbformat.read(path, as_version=4).cells
    code = re.findall(r"```python\n(.*?)```", "\n".join(cell.source for cell in cells), re.DOTALL)
    behind = next(number for number, cell in enumerate(cells) if "trials = list_trials" in cell.source) + 1
    take_out = project.insert("ablations", f"{code[0]}\nassert len(fit.history) == trial.settings.epochs", at=behind)
    done = project.report()
    take_out()
    assert done.code == 0, done.output
