"""The process of a kernel: IPython's, without the start-up files and settings that a machine has for all its users.

Started by `kernels` with `-f` and the file of its connection; or by `prewarming` with names of modules: then it imports
them, waits until a notebook's turn comes, and is its kernel. One line of JSON on its standard input says what kind of
kernel it is to be; if the input ends before, so does the process.

Once everything registered for the end of an interpreter has run, the process ends at once: to free the memory of
TensorFlow would take another second.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import sys
from contextlib import suppress
from multiprocessing import active_children
from typing import Any


def _wait(modules: list[str]) -> None:
    """Imports modules, and waits for the order to be a kernel."""
    for name in (*modules, "ipykernel.kernelapp"):
        with suppress(Exception):  # the notebook's own import tells
            importlib.import_module(name)
    line = sys.stdin.readline()
    if not line:
        sys.exit()
    order = json.loads(line)
    os.environ.clear()
    os.environ.update(order["environment"])
    os.chdir(order["folder"])
    log = os.open(order["log"], os.O_WRONLY | os.O_APPEND)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    sys.argv = order["arguments"]


def _do_without_debugger() -> None:
    """Has the kernel find no debugger: nothing here asks for one, and to import it is a quarter of the start."""
    sys.modules["debugpy"] = None  # type: ignore[assignment]
    importlib.import_module("ipykernel.debugger")
    del sys.modules["debugpy"]


def _end() -> None:
    """Ends the process, after a kernel's orderly end: IPython has then let go of what the notebook held."""
    if _ended:
        gc.collect()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)


_ended: list[bool] = []

if __name__ == "__main__":
    # What is registered first is called last.
    atexit.register(_end)
    _do_without_debugger()
    if sys.argv[1:2] != ["-f"]:
        _wait(sys.argv[1:])
    # Of the modules beside a notebook; `-P` keeps those from the front that are called as a library is.
    sys.path.append(os.getcwd())

    from ipykernel.ipkernel import IPythonKernel
    from ipykernel.kernelapp import launch_new_instance
    from IPython.core.application import ENV_CONFIG_DIRS, SYSTEM_CONFIG_DIRS

    class Kernel(IPythonKernel):
        """A kernel that ends without waiting for what need not be waited for."""

        def do_shutdown(self, restart: bool) -> Any:
            # All processes that it has started have to end first. That which keeps account of the locks of pools
            # ignores being asked to, and ends with the last of those that have them.
            tracker = sys.modules.get("multiprocessing.resource_tracker")
            if tracker and not active_children():
                tracker._resource_tracker._stop()
            return super().do_shutdown(restart)

    ENV_CONFIG_DIRS.clear()
    SYSTEM_CONFIG_DIRS.clear()
    launch_new_instance(kernel_class=Kernel)
    _ended.append(True)
