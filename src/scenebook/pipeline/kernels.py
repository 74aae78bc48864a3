"""The process of a notebook's kernel: this interpreter's, with an environment, sockets and settings of its own."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from queue import Empty
from subprocess import Popen, TimeoutExpired
from tempfile import gettempdir
from typing import Any, TextIO

from scenebook.core.environment import build_environment
from scenebook.pipeline.prewarming import COMMAND, become_kernel

_PATIENCE = 2.0
"""Seconds that a kernel has to end by itself."""
_LONGEST_SOCKET = 100
"""Bytes of a socket's path: Linux allows 107, macOS 103."""
_SOCKET = "/kernel-12345678/k-5"


class Kernel:
    """The kernel of one notebook, as other threads see it.

    Attributes:
        processes: The process, as soon as it was started: how it ended, Jupyter does not tell.
        touched: The files of the run that it has asked for, to read or to write them; known when it has ended.
    """

    def __init__(self) -> None:
        self.processes: list[Popen[bytes]] = []
        self.touched: set[str] = set()
        self._stopped = False
        self._shut_down: Callable[[], object] = lambda: None

    def started(self, process: Popen[bytes] | None, shut_down: Callable[[], object]) -> None:
        """Notes its process, and how it is asked to end; raises where it should no longer have been started."""
        if process is not None:
            self.processes.append(process)
        self._shut_down = shut_down
        if self._stopped:
            raise RuntimeError("The command was interrupted.")

    def stop(self) -> None:
        """Asks the kernel to end, with the processes that it has started, whatever it is doing."""
        self._stopped = True
        self._shut_down()

    def kill(self) -> None:
        """Ends the process, if it has not ended."""
        for process in self.processes:
            with suppress(OSError, TimeoutExpired):
                process.kill()
                process.wait(_PATIENCE)


def choose_folder() -> str | None:
    """Returns where a kernel's folder is made: `None`, among the temporary files; `/tmp` if paths would be too long."""
    short = "/tmp"
    too_long = len(os.fsencode(gettempdir() + _SOCKET)) > _LONGEST_SOCKET
    return short if os.name == "posix" and too_long and os.access(short, os.W_OK | os.X_OK) else None


def configure_kernel(folder: str) -> dict[str, Any]:
    """Returns the settings of Jupyter's kernel manager; files and sockets of the kernel lie in its folder."""
    settings = {"shutdown_wait_time": _PATIENCE, "connection_file": f"{folder}/kernel.json"}
    if os.name == "posix" and len(os.fsencode(f"{folder}/k-5")) <= _LONGEST_SOCKET:
        # Without a path of its own, Jupyter puts the sockets of every run into the current folder, under one name.
        settings |= {"transport": "ipc", "ip": f"{folder}/k"}
    return settings


def make_kernel_environment(runs_dir: Path) -> dict[str, str]:
    """Returns the environment of all kernels of a run; `runs_dir` is the folder of all runs."""
    return build_environment() | {
        "SCENEBOOK_RUNS": str(runs_dir),
        # What a kernel sets when it starts, which matplotlib has to find where it is imported before.
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    }


def make_kernel_manager(
    log: TextIO,
    environment: Mapping[str, str],
    folder: Path,
    kernel: Kernel,
    *,
    take_waiting: Callable[[], Popen[bytes] | None],
) -> type:
    """Returns a kernel manager whose kernels start in a folder, with this environment, and write to the log.

    They are this interpreter's, whichever one Jupyter knows as `python3`. Where `take_waiting` finds a process, that
    becomes the kernel.

    TensorFlow's C++ prints notes before the kernel can catch them; they would end up between our lines of progress.
    The folder is not papermill's to set: it would change that of this process, which other threads share.
    """
    from jupyter_client.asynchronous.client import AsyncKernelClient
    from jupyter_client.kernelspec import KernelSpec
    from jupyter_client.manager import AsyncKernelManager
    from jupyter_client.provisioning.local_provisioner import LocalProvisioner

    class Client(AsyncKernelClient):
        async def wait_for_ready(self, timeout: float | None = None) -> None:
            """Waits as Jupyter's own does, which then listens for another 0.2 s; nbclient passes over what it hears."""
            end = time.monotonic() + (timeout or float("inf"))
            while time.monotonic() < end:
                self.kernel_info()
                with suppress(Empty):
                    await self.get_shell_msg(timeout=1)
                    await self.get_iopub_msg(timeout=0.2)  # both channels are connected
                    return
                if not await self.is_alive():
                    raise RuntimeError("The kernel died before it was ready.")
            raise RuntimeError(f"The kernel was not ready in {timeout} s.")

    class LoggingKernelManager(AsyncKernelManager):
        client_factory = Client
        kernel_spec = KernelSpec(argv=[*COMMAND, "-f", "{connection_file}"], display_name="Python 3", language="python")

        async def _async_start_kernel(self, **options: Any) -> None:
            options |= {"stdout": log, "stderr": log, "env": dict(environment), "cwd": str(folder)}
            await super()._async_start_kernel(**options)
            loop = asyncio.get_running_loop()

            def shut_down() -> None:
                asyncio.run_coroutine_threadsafe(self._async_shutdown_kernel(), loop)

            kernel.started(getattr(self.provisioner, "process", None), shut_down)

        async def _async_launch_kernel(self, kernel_cmd: list[str], **options: Any) -> None:
            waiting = take_waiting()
            if waiting is None or not become_kernel(waiting, kernel_cmd, **options):
                await super()._async_launch_kernel(kernel_cmd, **options)
                return
            assert isinstance(self.provisioner, LocalProvisioner)
            self.provisioner.process = waiting
            self.provisioner.pid = self.provisioner.pgid = waiting.pid
            self._reconcile_connection_info(self.provisioner.connection_info)

        start_kernel, _launch_kernel = _async_start_kernel, _async_launch_kernel

    return LoggingKernelManager
