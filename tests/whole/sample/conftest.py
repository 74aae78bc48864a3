"""The sample report, made once: xdist gives all of this folder to one worker."""

from __future__ import annotations

import pytest

from tests.processes import Finished, find_isolation, run_command


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """`python -m scenebook report`, the sample profile as it is; without any network where that can be had."""
    isolation, _ = find_isolation()
    finished = run_command(tmp_path_factory.mktemp("sample"), "sample", "report", before=isolation)
    assert finished.returncode == 0, finished.output
    return finished
