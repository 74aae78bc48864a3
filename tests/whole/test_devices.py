"""Several devices share a training, and it comes out as on one."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np

from scenebook.core.environment import build_environment
from scenebook.core.project import project_root


def test_a_training_that_two_devices_share_and_that_was_interrupted_is_that_of_one(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.whole.two_devices"]
    environment = build_environment() | {"SCENEBOOK_CACHE": str(tmp_path)}
    done = subprocess.run(command, cwd=project_root(), env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    one, two = json.loads(done.stdout.splitlines()[-1])
    assert (one["started"], two["started"]) == ([0, 1, 2], [1, 2])
    # Each of the two sums half of a batch, so that last digits differ, and each step makes more of it.
    np.testing.assert_allclose(two["numbers"], one["numbers"], rtol=0, atol=1e-4)
