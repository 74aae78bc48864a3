"""Kaggle's own client, in a process of its own: it has no time limits, and a process can be ended.

The client goes on with what a cut left, compares the checksum, and marks a folder that is complete. Run as a program,
this module downloads one data set and prints what became of it, as JSON.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from contextlib import redirect_stdout, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tenacity

from scenebook.core.environment import build_environment
from scenebook.core.errors import DownloadError
from scenebook.core.progress import BytesProgress

PASSING_STATUS = (429, 500, 502, 503, 504)


@dataclass(frozen=True)
class Limits:
    """When a download gives up: after so many seconds without a further byte, and so many tries that got no further.

    The pause before the second try, in seconds, is doubled before each further one.
    """

    silence: float = 13.0
    tries: int = 2
    pause: float = 0.5


@dataclass(frozen=True)
class KaggleFacts:
    """What a data set, `owner/name/versions/number`, must look like: images in each folder, and the most bytes in all.

    A sentence calls it by its name, in the plural. Stored credentials are sent along; none are needed.
    """

    name: str
    handle: str
    images: dict[str, int]
    max_bytes: int


class _CutError(Exception):
    """The client ended before the download was complete; another try may go on."""


@dataclass
class KaggleDownload:
    """A download with Kaggle's client, in as many attempts as it takes.

    What came before a cut stays in the client's cache. Of the last attempts, `fruitless` in a row got no further than
    `furthest`, the most bytes that were in it.
    """

    facts: KaggleFacts
    cache: Path
    limits: Limits
    fruitless: int = 0
    furthest: int = 0

    def run(self) -> Path:
        """Downloads the data set, or goes on with it, and returns its unpacked folder.

        Raises:
            DownloadError: Kaggle could not be reached, refused, or went on cutting or damaging the archive.
        """
        self.furthest = measure_folder(self.cache)
        again = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(_CutError),
            stop=lambda state: self.fruitless >= self.limits.tries,
            wait=tenacity.wait_exponential(self.limits.pause, max=10),
            reraise=True,
        )
        try:
            return again(self._attempt)
        except _CutError as error:
            raise DownloadError(self.facts.name, str(error), kept=measure_folder(self.cache)) from error

    def _attempt(self) -> Path:
        self.fruitless += 1
        with subprocess.Popen(
            [sys.executable, "-P", "-m", __name__, self.facts.handle],  # -P: not what lies in the working folder
            stdin=subprocess.PIPE,  # closed when this process ends, however that happens
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=build_environment() | {"KAGGLEHUB_CACHE": str(self.cache)},
            text=True,
        ) as client:
            try:
                self._watch(client)
                assert client.stdout is not None
                output = client.stdout.read()
            finally:
                client.kill()
        try:
            answer = json.loads(output)
        except ValueError:
            raise _CutError("Kaggle's client ended without an answer") from None
        if "folder" in answer:
            return Path(answer["folder"])
        if answer["again"]:
            raise _CutError(answer["reason"])
        raise DownloadError(self.facts.name, answer["reason"], status=answer["status"])

    def _watch(self, client: subprocess.Popen[str]) -> None:
        report = BytesProgress(self.facts.name, self.furthest)
        changed = time.monotonic()
        while True:
            with suppress(subprocess.TimeoutExpired):
                client.wait(min(0.5, self.limits.silence / 4))
            size = measure_folder(self.cache)
            if size > self.furthest:
                self.fruitless, self.furthest, changed = 0, size, time.monotonic()
                report(size)
            if size > self.facts.max_bytes:
                reason = f"it is larger than the {self.facts.max_bytes:,} bytes that were expected at most"
                raise DownloadError(self.facts.name, reason)
            if client.returncode is not None:
                return
            if time.monotonic() - changed > self.limits.silence:
                raise _CutError(f"Kaggle was silent for {self.limits.silence:g} s")


def measure_folder(folder: Path) -> int:
    """Returns how many bytes the files in a folder have."""
    size = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            with suppress(FileNotFoundError):  # the client removes the archive in the end
                size += os.stat(os.path.join(parent, name)).st_size
    return size


def explain_failure(error: Exception) -> dict[str, Any]:
    """Returns `reason`, `status` and `again`. Never the text of an error of HTTP: addresses may carry a signature."""
    import requests
    from kagglehub.exceptions import DataCorruptionError

    response = getattr(error, "response", None)
    if response is not None:
        status = response.status_code
        reason = f"the server answered {status} {response.reason}".rstrip()
        return {"reason": reason, "status": status, "again": status in PASSING_STATUS}
    reasons: tuple[tuple[type[Exception], str], ...] = (
        (requests.exceptions.ProxyError, "the proxy could not be reached"),
        (requests.exceptions.SSLError, "the server's certificate is not accepted"),
        (requests.exceptions.ChunkedEncodingError, "the connection was cut"),
        (requests.Timeout, "the server was silent"),
        (requests.RequestException, "there is no connection"),
        (DataCorruptionError, "what came does not have the checksum that the server gave"),
    )
    for kind, reason in reasons:
        if isinstance(error, kind):
            return {"reason": reason, "status": None, "again": True}
    text = " ".join(str(error).split())[:200].rstrip(".")
    return {"reason": text or type(error).__name__, "status": None, "again": False}


def run_client(handle: str) -> None:
    """Downloads a data set and prints `folder`, or what went wrong, as JSON."""

    def end_with_parent() -> None:
        sys.stdin.read()
        os._exit(1)

    threading.Thread(target=end_with_parent, daemon=True).start()
    answer: dict[str, Any]
    try:
        with redirect_stdout(sys.stderr):  # the client prints as well
            import kagglehub

            answer = {"folder": kagglehub.dataset_download(handle)}
    except Exception as error:
        answer = explain_failure(error)
    print(json.dumps(answer), flush=True)
    os._exit(0)  # the thread that waits for the parent's end would hold the interpreter's


if __name__ == "__main__":
    run_client(sys.argv[1])
