"""What processes find in their environment: this command itself, and each that it starts.

A run depends on its settings and its files. Of the variables that somebody has set, only those are handed on that say
where things lie, who runs the command and how the network is reached; all others are left out, whatever their names.
Where a library looks for a file of settings in somebody's home, it is sent to an empty folder. Temporary files of a
command and of all that it starts lie in one folder, which ends with it.
"""

from __future__ import annotations

import atexit
import json
import os
import platform
import shutil
import site
import sys
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from importlib.machinery import PathFinder
from pathlib import Path

import scenebook
from scenebook.core.cache import cache_dir, private_folder
from scenebook.core.errors import InputError

HANDED_ON = {
    "where programs, libraries and compiled files lie": (
        *("PATH", "LD_LIBRARY_PATH", "LD_PRELOAD", "DYLD_LIBRARY_PATH", "DYLD_FALLBACK_LIBRARY_PATH", "VIRTUAL_ENV"),
        *("PYTHONHOME", "PYTHONUSERBASE", "PYTHONPYCACHEPREFIX", "PYTHONDONTWRITEBYTECODE"),
        "HDF5_USE_FILE_LOCKING",  # file systems that have no locks
    ),
    "who runs it, and where temporary files and caches go": (
        *("HOME", "USER", "LOGNAME", "USERNAME", "USERPROFILE", "TMPDIR", "TEMP", "TMP", "XDG_CACHE_HOME"),
    ),
    "what programs need on Windows": (
        *("SYSTEMROOT", "SYSTEMDRIVE", "WINDIR", "COMSPEC", "PATHEXT", "APPDATA", "LOCALAPPDATA", "PROGRAMDATA"),
        *("NUMBER_OF_PROCESSORS", "PROCESSOR_ARCHITECTURE"),
    ),
    "which graphics cards are used": (
        *("CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES"),
    ),
    "how the network is reached": (
        *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "all_proxy", "no_proxy"),
        *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"),
    ),
}
"""The variables that are handed on, as they are set, by what they are for."""
PREFIXES = {"SCENEBOOK_": "this program's own", "KAGGLE": "what Kaggle's client reads"}
"""Beginnings of the names of others."""
WITH_SCHEDULER = "DASK_"
"""Handed on only to reach a scheduler that was named: its certificates, say."""
TERMINAL = ("TERM", "COLORTERM", "COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR")
"""What the command itself may know of the terminal."""

ONEDNN = "TF_ENABLE_ONEDNN_OPTS"
"""Whether TensorFlow computes with oneDNN, which gives other last digits. Without it, TensorFlow decides by the
processor. It stays as it is where a notebook is run by hand and in tests; it counts as a version of a library does."""
THREADS = (
    *("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"),
    *("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"),
)
"""What libraries read, when they are imported, to know how many threads they may use."""

_AT_START = ("PYTHON", "GLIBC_TUNABLES")
"""Beginnings of what an interpreter reads before any code of ours."""
_MARK = "scenebook"
"""The option -X of an interpreter that was started by `clean_process`."""
_KERAS = {
    "KERAS_BACKEND": "tensorflow",
    **dict.fromkeys(("KERAS_MAX_EPOCHS", "KERAS_MAX_STEPS_PER_EPOCH", "KERAS_NNX_ENABLED"), ""),
}
_KERAS_FILE = {"floatx": ("float32", None), "epsilon": (1e-7, None), "image_data_format": ("channels_last", None)}
"""What changes Keras' numbers, with the values that do not."""
_TEMPORARY = f"scenebook-{zlib.crc32(platform.node().encode()) % 16**4:04x}-"
"""How names of temporary folders begin that commands on this machine have: `/tmp` may be shared with others."""
_FILES_AT_ONCE = 4096
_FEWEST_FILES = 200
"""Of kernels, workers and their connections; macOS allows 256 where nobody asks for more."""


def build_environment(threads: int | None = None) -> dict[str, str]:
    """Returns all environment variables of a process that this one starts.

    Training with a large head takes and gives back arrays of hundreds of megabytes at every step. With glibc's ordinary
    pages of 4 kB most of that time is spent on page faults; with huge pages (`glibc.malloc.hugetlb=1`, which other
    systems ignore) it is not. The numbers are the same. Each library may use so many `threads`; `None`: one a core.
    """
    kept = {name: value for name, value in os.environ.items() if _is_kept(name)}
    cache = cache_dir()
    if not os.path.isabs(os.path.expanduser("~")):  # no HOME, and a user whom the system does not know
        kept["HOME"] = str(private_folder())
    if "KERAS_HOME" in os.environ:
        kept.setdefault("SCENEBOOK_KERAS_HOME", os.environ["KERAS_HOME"])  # which may hold weights
    return {
        **kept,
        "SCENEBOOK_CACHE": str(cache),
        # Names of files and text are UTF-8 whatever the locale, sets are in one order, and times are UTC.
        "PYTHONUTF8": "1",
        "LC_ALL": "C.UTF-8",
        "PYTHONHASHSEED": "0",
        "TZ": "UTC",
        # The package that runs, wherever another one is installed, and nothing else that would go before libraries.
        "PYTHONPATH": str(Path(scenebook.__file__).resolve().parents[1]),
        **({} if _user_site() and not _is_found_without(_user_site()) else {"PYTHONNOUSERSITE": "1"}),
        # Folders in which nobody keeps settings.
        "KERAS_HOME": str(cache / "keras"),
        "KERAS_BACKEND": "tensorflow",
        "MPLCONFIGDIR": str(cache / "matplotlib"),
        "IPYTHONDIR": str(cache / "ipython"),
        **{f"JUPYTER_{kind}_DIR": str(cache / "jupyter") for kind in ("CONFIG", "DATA", "RUNTIME")},
        "JUPYTER_PREFER_ENV_PATH": "1",
        # No notes of TensorFlow's C++ library at its start.
        "TF_CPP_MIN_LOG_LEVEL": "2",
        "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",
        # Stages run side by side; without this, the first takes all memory of a graphics card.
        "TF_FORCE_GPU_ALLOW_GROWTH": "true",
        # As the driver's own tool does, CUDA numbers cards by their places, not by their speed.
        "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
        **({} if threads is None else dict.fromkeys(THREADS, str(max(1, threads)))),
    }


def _is_kept(name: str) -> bool:
    prefixes = (*PREFIXES, *([WITH_SCHEDULER] if os.environ.get("SCENEBOOK_SCHEDULER") else []))
    return name == ONEDNN or name.startswith(prefixes) or any(name in names for names in HANDED_ON.values())


def _user_site() -> str:
    """Returns the folder in somebody's home whose packages go before those of the interpreter; none: an empty text."""
    folder = site.getusersitepackages() if site.ENABLE_USER_SITE else ""
    return folder if folder in sys.path else ""


def _is_found_without(folder: str) -> bool:
    """Returns whether this program's libraries lie elsewhere than in a folder: then those in it are for others."""
    return PathFinder.find_spec("papermill", [path for path in sys.path if path != folder]) is not None


def clean_process() -> None:
    """Gives this process, a command, the environment that `build_environment` describes.

    What an interpreter reads as it starts (a locale without UTF-8, `python -O`, PYTHONWARNINGS) cannot be changed
    afterwards: then it is started anew, in the same process, where the system can do that.
    """
    given = dict(os.environ)
    given.pop(ONEDNN, None)
    kept = {name: value for name, value in given.items() if name in TERMINAL or name.startswith(WITH_SCHEDULER)}
    if not kept.get("COLUMNS", "").strip("0"):  # of no width, nothing would be told
        kept.pop("COLUMNS", None)
    clean = build_environment() | kept
    clean.pop(ONEDNN, None)
    late = any(name.startswith(_AT_START) and clean.get(name) != value for name, value in given.items())
    late = late or sys.getfilesystemencoding() != "utf-8" or bool(sys.flags.optimize or sys.warnoptions)
    late = late or ("PYTHONNOUSERSITE" in clean and bool(_user_site()))
    if late and os.name == "posix" and sys.executable and _MARK not in sys._xoptions:
        sys.stdout.flush()
        command = [sys.executable, "-P", "-X", _MARK, "-m", "scenebook", *sys.argv[1:]]
        os.execve(sys.executable, command, clean)
    os.environ.clear()
    os.environ.update(clean)
    with suppress(OSError):  # full, or read-only: whoever needs a temporary file tells
        tempfile.tempdir = _make_temporary_folder()
        os.environ.update(dict.fromkeys(("TMPDIR", "TEMP", "TMP"), tempfile.tempdir))


def name_scheduler(address: str | None) -> None:
    """Has this command and all that it starts use a dask scheduler; without one, they have no variables of dask's."""
    if address:
        os.environ["SCENEBOOK_SCHEDULER"] = address
    else:
        for name in [name for name in os.environ if name.startswith(WITH_SCHEDULER)]:
            del os.environ[name]


def _make_temporary_folder() -> str:
    """Makes the folder of this command's temporary files, which ends with it; removes those of commands that died."""
    made = Path(tempfile.mkdtemp(prefix=f".{_TEMPORARY}"))
    _lock(made)
    # Only now has it a name by which others look for it.
    folder = made.rename(made.with_name(made.name[1:]))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    for other in folder.parent.glob(f"{_TEMPORARY}*"):
        if (opened := _lock(other)) is not None:
            shutil.rmtree(other, ignore_errors=True)
            os.close(opened)
    return str(folder)


def _lock(folder: Path) -> int | None:
    """Opens a folder that no other process holds, and holds it, which programs that clean `/tmp` respect as well.

    `None` where another command has it, where it is somebody else's, and on Windows, which has no such locks.
    """
    if os.name != "posix":
        return None
    import fcntl

    opened = None
    try:
        opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        if opened is not None:
            os.close(opened)
        return None
    return opened


def lasting_folder() -> Path:
    """Returns where temporary files lie that are kept when this command ends."""
    folder = Path(tempfile.gettempdir())
    return folder.parent if folder.name.startswith(_TEMPORARY) else folder


@contextmanager
def hiding_modules(*names: str) -> Iterator[None]:
    """Has what is imported meanwhile do without packages that it can do without, as if they were not installed."""
    before = {name: sys.modules[name] for name in names if name in sys.modules}
    sys.modules.update(dict.fromkeys(names))  # type: ignore[arg-type]  # None: the documented way to make an import fail
    try:
        yield
    finally:
        for name in names:
            del sys.modules[name]
        sys.modules.update(before)


def check_surroundings() -> None:
    """Checks a process that this program has not started: the kernel of a notebook that is run by hand.

    Raises:
        InputError: Something around it would change numbers or names.
    """
    found = {name: os.environ[name] for name in _KERAS if os.environ.get(name, _KERAS[name]) != _KERAS[name]}
    file = Path(os.path.expanduser(os.environ.get("KERAS_HOME") or "~/.keras"), "keras.json")
    with suppress(OSError, ValueError, AttributeError):
        kept = json.loads(file.read_text(encoding="utf-8"))
        found |= {f"{name} in {file}": kept[name] for name in _KERAS_FILE if kept.get(name) not in _KERAS_FILE[name]}
    if sys.getfilesystemencoding() != "utf-8":
        found["encoding of file names"] = sys.getfilesystemencoding()
    if found:
        raise InputError(
            "Expected Keras and Python without settings that other programs need.",
            received=found,
            advice="Unset these variables and remove these lines (for an encoding set PYTHONUTF8=1), and start Jupyter "
            "again. `make report` reads none of them.",
        )


def check_clock() -> None:
    """Raises `InputError` where nobody has set the clock: Keras' files are archives, whose times begin in 1980."""
    now = datetime.now(UTC)
    if not 1980 < now.year < 2107:
        raise InputError("Expected a clock that is set.", received={"time": str(now)}, advice="Set it, and try again.")


def allow_files() -> None:
    """Lets this process, and those that it starts, have as many files open as the system allows them, up to a limit.

    Raises:
        InputError: The system allows so few that kernels would fail in the middle of their work.
    """
    if os.name == "posix":
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        most = _FILES_AT_ONCE if hard == resource.RLIM_INFINITY else min(_FILES_AT_ONCE, hard)
        if soft != resource.RLIM_INFINITY and soft < most:
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
        if most < _FEWEST_FILES:
            raise InputError(
                f"Expected a system that allows a process at least {_FEWEST_FILES} open files.",
                received={"ulimit -n": most},
                advice="Start the command from a shell with a higher limit.",
            )
