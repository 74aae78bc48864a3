"""Runs the notebooks in order, through papermill, and writes down what happened.

`run_pipeline` is the way in. `checks` looks at everything before a kernel starts, `keys` says what a stage depends on,
`planning` which stages have to run, `stages` runs them, `execution` one of them, `manifest` keeps what became of them,
`kept_settings` reads what a run was made with, `holding` keeps two commands from writing to the same run.
"""

from __future__ import annotations

from scenebook.pipeline.checks import list_keras_backbones, resolve_paths
from scenebook.pipeline.execution import execute_notebook, explain_os_error
from scenebook.pipeline.holding import hold_run
from scenebook.pipeline.kept_settings import read_settings
from scenebook.pipeline.manifest import (
    DONE,
    FAILED,
    NOT_RUN,
    STALE,
    Manifest,
    StageOutcome,
    load_manifest,
    stored_outcomes,
)
from scenebook.pipeline.notebooks import read_parameters
from scenebook.pipeline.planning import FIRST, Decision, check_stages
from scenebook.pipeline.rendered import REPORT_FILES
from scenebook.pipeline.stages import Listener, PipelineFailedError, explain_pipeline, run_pipeline

__all__ = [
    "DONE",
    "FAILED",
    "FIRST",
    "NOT_RUN",
    "REPORT_FILES",
    "STALE",
    "Decision",
    "Listener",
    "Manifest",
    "PipelineFailedError",
    "StageOutcome",
    "check_stages",
    "execute_notebook",
    "explain_os_error",
    "explain_pipeline",
    "hold_run",
    "list_keras_backbones",
    "load_manifest",
    "read_parameters",
    "read_settings",
    "resolve_paths",
    "run_pipeline",
    "stored_outcomes",
]
