"""Runs the notebooks in order, through papermill, and writes down what happened.

`run_pipeline` is the way in. `checks` looks at everything before a kernel starts, `execution` runs one notebook,
`stages` runs all of them, `manifest` keeps what became of them.
"""

from __future__ import annotations

from scenebook.pipeline.checks import list_keras_backbones, read_parameters, resolve_paths
from scenebook.pipeline.execution import execute_notebook
from scenebook.pipeline.manifest import Manifest, StageOutcome, load_manifest, stored_outcomes
from scenebook.pipeline.stages import Listener, PipelineFailedError, run_pipeline

__all__ = [
    "Listener",
    "Manifest",
    "PipelineFailedError",
    "StageOutcome",
    "execute_notebook",
    "list_keras_backbones",
    "load_manifest",
    "read_parameters",
    "resolve_paths",
    "run_pipeline",
    "stored_outcomes",
]
