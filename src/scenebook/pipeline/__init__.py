"""Runs the notebooks in order, through papermill, and writes down what happened.

`running.run_pipeline` is the way in. `checks` looks at everything before a kernel starts, `keys` says what a stage
depends on, `planning` which stages have to run, `running` runs them, `execution` one of them, `manifest` keeps what
became of them, `run_lock` keeps two commands from writing to the same run.
"""
