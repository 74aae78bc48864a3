"""The same small run in friendly and in hostile surroundings: the same bytes."""

from __future__ import annotations

import json
import os
import shlex
import sys
from pathlib import Path

import pandas as pd
import pytest

from tests.processes import Finished, run_command

SETTINGS = "scenes_train_per_class=6 scenes_test_per_class=2 image_size=32 epochs=2 head_units=8 batch_size=8"
VARIABLES = """
HOME={home} TMPDIR={deep} LC_ALL=C PYTHONUTF8=0 PYTHONCOERCECLOCALE=0 TZ=Asia/Kathmandu COLUMNS=20
TERM=dumb FORCE_COLOR=1 PYTHONPATH={path} PYTHONSTARTUP={home}/startup.py PYTHONWARNINGS=error PYTHONOPTIMIZE=2
PYTHONHASHSEED=77 PYTHONSAFEPATH=1 KERAS_BACKEND=jax KERAS_HOME=/proc/x KERAS_MAX_EPOCHS=1 KERAS_MAX_STEPS_PER_EPOCH=1
MPLBACKEND=tkagg MATPLOTLIBRC={home}/.config/matplotlib/matplotlibrc MPLCONFIGDIR=/proc/x
IPYTHONDIR={home}/.ipython JUPYTER_PATH={home}/.local/share/jupyter JUPYTER_DATA_DIR={home}/.local/share/jupyter
JUPYTER_CONFIG_DIR={home}/.jupyter JUPYTER_DEFAULT_PROVISIONER_NAME=none
DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION=true DASK_SCHEDULER_ADDRESS=tcp://192.0.2.1:1
TF_ENABLE_ONEDNN_OPTS=0 TF_XLA_FLAGS=--tf_xla_auto_jit=2 TF_USE_LEGACY_KERAS=1 TF_NUM_INTRAOP_THREADS=1
OMP_NUM_THREADS=1 OPENBLAS_CORETYPE=PRESCOTT NPY_DISABLE_CPU_FEATURES=AVX2 ONEDNN_MAX_CPU_ISA=SSE41
PANDAS_FUTURE_INFER_STRING=0 SOURCE_DATE_EPOCH=0 GIT_DIR=/proc/x GHCRTS=-M1 CI=true GITHUB_ACTIONS=true
"""
EXACT = ("data/splits.csv", "evaluation/metrics.json", "evaluation/predictions.csv", "training/test_predictions.csv")


def make_hostile(folder: Path) -> dict[str, str]:
    """Writes the files that a user may have for other programs, and returns the variables that name them."""
    files = {
        "home/.keras/keras.json": json.dumps(
            {"floatx": "float16", "epsilon": 0.1, "backend": "torch", "image_data_format": "channels_first"}
        ),
        "home/.ipython/profile_default/startup/00-mine.py": "weights = epochs = print\nraise SystemExit",
        "home/.ipython/profile_default/ipython_config.py": "raise RuntimeError('ipython_config')",
        "home/.jupyter/jupyter_nbconvert_config.py": "raise RuntimeError('jupyter_nbconvert_config')",
        "home/.local/share/jupyter/kernels/python3/kernel.json": json.dumps(
            {"argv": ["/bin/false", "{connection_file}"], "display_name": "other", "language": "python"}
        ),
        "home/.config/matplotlib/matplotlibrc": "font.size: 31\nlines.linewidth: 9\nbackend: tkagg\n",
        "home/.config/dask/mine.yaml": "distributed:\n  comm:\n    require-encryption: true\n",
        "home/startup.py": "raise RuntimeError('PYTHONSTARTUP')",
        "path/numpy.py": "raise ImportError('shadowed')",
        "path/sitecustomize.py": "import warnings\nwarnings.simplefilter('error')",
        "here/statistics.py": "raise ImportError('shadowed')",
    }
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    deep = folder / ("deep" * 25)
    deep.mkdir()
    shadowing = os.pathsep.join([os.environ.get("PYTHONPATH", ""), str(folder / "path")])
    text = VARIABLES.format(home=folder / "home", deep=deep, path=shadowing)
    return dict(variable.split("=", 1) for variable in text.split())


@pytest.mark.skipif(os.name != "posix", reason="locales, umask and limits are those of POSIX")
def test_what_is_around_a_run_changes_no_byte_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def make(name: str, *before: str) -> Finished:
        folder = tmp_path / name
        (folder / "here").mkdir(parents=True, exist_ok=True)
        arguments = ("report", "--profile", "sample", "--run", "small", "--set", SETTINGS)
        done = run_command(folder, "small", *arguments, cwd=folder / "here", before=before)
        assert done.returncode == 0, done.output
        assert "Traceback" not in done.output
        return done

    clean = make("clean")
    for name, value in make_hostile(tmp_path / "hostile").items():
        monkeypatch.setenv(name, value)
    limit = f'umask 077; ulimit -S -n 64; exec {shlex.quote(sys.executable)} -O "${{@:2}}" < /dev/null'
    hostile = make("hostile", "bash", "-c", limit, "bash")
    for name in EXACT:
        assert hostile.run_dir.path(name).read_bytes() == clean.run_dir.path(name).read_bytes(), name
    one, other = (done.run_dir.read_csv("training/history.csv").drop(columns="seconds") for done in (clean, hostile))
    pd.testing.assert_frame_equal(other, one, check_exact=True)
    figures = {path.name: path.read_bytes() for path in (clean.run_dir.root / "figures").iterdir()}
    assert {path.name: path.read_bytes() for path in (hostile.run_dir.root / "figures").iterdir()} == figures
    assert (hostile.build_dir / "report.pdf").read_bytes() == (clean.build_dir / "report.pdf").read_bytes()
