"""Downloads over HTTP that end: with time limits, retries, resumption, and a file that is whole or not there.

Retries of a request are urllib3's, going on after a cut is tenacity's; what is here is where to go on, and when not to.
"""

from __future__ import annotations

import base64
import hashlib
import json
import queue
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
import tenacity
from filelock import FileLock, Timeout
from requests.adapters import HTTPAdapter
from urllib3.util.retry import Retry

from scenebook.core.errors import DownloadError
from scenebook.core.progress import BytesProgress, print_progress

PART = ".part"
"""What a file is called until all of it is there."""

CHUNK_BYTES = 2**14
"""Small: of a chunk that is cut, all is lost."""

PASSING_STATUS = (429, 500, 502, 503, 504)
LONGEST_PAUSE = 10.0  # seconds


@dataclass(frozen=True)
class Limits:
    """When a download gives up.

    Attributes:
        connect: Seconds for a connection to one address of a server.
        answer: Seconds until the head of an answer, with the look-up of the server's name and all retries in them.
        silence: Seconds without a byte after which a download counts as cut.
        tries: How often a request is sent, and how often a cut download is tried again without getting further.
        pause: Seconds before the second try, doubled before each further one.
        size: The largest file, in bytes.
    """

    connect: float = 3.0
    answer: float = 10.0
    silence: float = 15.0
    tries: int = 3
    pause: float = 0.5
    size: int = 2**30


Request = Callable[[requests.Session, Mapping[str, str]], requests.Response]
"""Asks for a file, in a session and with further headers, and returns the answer with its body unread."""


def request_url(url: str) -> Request:
    """Returns the request for what is at an address."""
    return lambda session, headers: session.get(url, headers=headers, stream=True)


class TimedAdapter(HTTPAdapter):
    """Sends each request with time limits, where the sender set none, and again after failures that may pass."""

    def __init__(self, limits: Limits) -> None:
        self._times = (limits.connect, limits.silence)
        again = Retry(
            total=limits.tries - 1,
            status_forcelist=PASSING_STATUS,
            allowed_methods=None,  # all: Kaggle is asked by POST for what is then downloaded
            backoff_factor=limits.pause,
            raise_on_status=False,
        )
        super().__init__(max_retries=again)

    def send(self, request: Any, *arguments: Any, **options: Any) -> requests.Response:
        options["timeout"] = options.get("timeout") or self._times
        return super().send(request, *arguments, **options)


def set_limits(session: requests.Session, limits: Limits) -> requests.Session:
    """Returns the session, with time limits and retries in whatever it sends."""
    session.mount("https://", TimedAdapter(limits))
    session.mount("http://", TimedAdapter(limits))
    return session


def fetch(request: Request, target: Path, *, what: str, limits: Limits | None = None) -> None:
    """Downloads a file. It appears under its name when all of it is there and its checksum, if one was sent, is right.

    What came before a cut stays beside it as `<name>.part`, and the next call goes on there, if the server still has
    the same file (by its ETag or its date). Not for two processes at once: see `locked`.

    Args:
        request: Asks for the file; called again after a cut.
        target: Where the file goes.
        what: What is downloaded, for people to read.
        limits: When to give up.

    Raises:
        DownloadError: The server could not be reached, refused, or went on cutting or damaging the file.
    """
    limits = limits or Limits()
    transfer = _Transfer(request, target, what, limits)
    again = tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(_CutError),
        stop=lambda state: transfer.fruitless >= limits.tries,
        wait=lambda state: min(LONGEST_PAUSE, limits.pause * 2**transfer.fruitless),
        reraise=True,
    )
    try:
        with set_limits(requests.Session(), limits) as session:
            again(transfer.attempt, session)
    except _CutError as error:
        raise DownloadError(what, error.reason, kept=transfer.part.size) from error.__cause__
    except OSError as error:
        raise DownloadError(what, f"writing to {target.parent} failed: {error.strerror or error}") from error


@contextmanager
def locked(path: Path, what: str) -> Iterator[None]:
    """Holds a lock file; waits, and says so, while another process holds it. The system frees it when a holder dies.

    Raises:
        DownloadError: The lock file cannot be made.
    """
    lock = FileLock(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            print_progress(f"{what}: waiting for another process that downloads the same")
            lock.acquire()
    except OSError as error:
        raise DownloadError(what, f"writing to {path.parent} failed: {error.strerror or error}") from error
    try:
        yield
    finally:
        lock.release()


class _CutError(Exception):
    """A download ended early, or wrongly, and may go on."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class _Part:
    """The first bytes of a file, and a note of which file they are of: its validator and its size in bytes."""

    def __init__(self, target: Path) -> None:
        self.path = target.with_name(target.name + PART)
        self._note = target.with_name(target.name + PART + ".json")

    @property
    def size(self) -> int:
        return self.path.stat().st_size if self.path.is_file() else 0

    def read_note(self) -> dict[str, Any]:
        """Returns `validator` and `total`; nothing where nothing can go on."""
        try:
            note = json.loads(self._note.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return note if isinstance(note, dict) and note.get("validator") and self.size else {}

    def start(self, note: dict[str, Any]) -> None:
        """Empties the part, so that a note never belongs to the bytes of another file."""
        self.discard()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.touch()
        self._note.write_text(json.dumps(note), encoding="utf-8")

    def discard(self) -> None:
        self.path.unlink(missing_ok=True)
        self._note.unlink(missing_ok=True)

    def complete(self, target: Path) -> None:
        self.path.replace(target)
        self._note.unlink(missing_ok=True)


class _Transfer:
    """One download in as many attempts as it takes. `fruitless` counts the last ones in a row that got no further."""

    def __init__(self, request: Request, target: Path, what: str, limits: Limits) -> None:
        self.part = _Part(target)
        self.fruitless = 0
        self._request = request
        self._target = target
        self._what = what
        self._limits = limits
        self._received = False
        self._furthest = self.part.size

    def attempt(self, session: requests.Session) -> None:
        """Asks for what is missing, and writes it.

        Raises:
            _CutError: It ended early, or what came is not what was asked for.
            DownloadError: Another attempt would not help.
        """
        self.fruitless += 1
        try:
            with closing(self._open(session)) as response:
                self._write(response)
                self._check(response)
        except requests.RequestException as error:  # while the body came
            raise _CutError(_explain(error, self._limits)) from error
        finally:
            # Bytes alone are no gain: a server that starts anew each time could be cut at the same place for ever.
            if self.part.size > self._furthest:
                self.fruitless, self._furthest = 0, self.part.size
        self.part.complete(self._target)

    def _open(self, session: requests.Session) -> requests.Response:
        note = self.part.read_note()
        headers = {"Accept-Encoding": "identity"}
        if note:
            headers |= {"Range": f"bytes={self.part.size}-", "If-Range": note["validator"]}
        try:
            response = _within(self._limits.answer, lambda: self._request(session, headers))
            if response.ok:
                return response
            if response.status_code == 416 and note:
                self.part.discard()
                response.close()
                raise _CutError("the server has no such part of the file")
            response.raise_for_status()
            raise requests.HTTPError(response=response)  # a redirect to nowhere is no error to requests
        except requests.RequestException as error:
            if error.response is not None:
                error.response.close()
            reason = _explain(error, self._limits)
            if self._received and not isinstance(error, requests.HTTPError):
                raise _CutError(reason) from error  # the network was there a moment ago
            status = error.response.status_code if error.response is not None else None
            raise DownloadError(self._what, reason, kept=self.part.size, status=status) from error

    def _write(self, response: requests.Response) -> None:
        start, total = self._find_place(response)
        if start == 0:
            self.part.start({"validator": _find_validator(response), "total": total})
        done = start
        report = BytesProgress(self._what, total, start)
        with self.part.path.open("ab") as file:
            for chunk in response.iter_content(CHUNK_BYTES):
                done += len(chunk)
                if max(done, total or 0) > self._limits.size:
                    break
                file.write(chunk)
                self._received = True
                report(done)
        if max(done, total or 0) > self._limits.size:
            self.part.discard()
            reason = f"the file is larger than the {self._limits.size:,} bytes that were expected at most"
            raise DownloadError(self._what, reason)
        if total is not None and done != total:
            raise _CutError(f"only {done:,} of {total:,} bytes came")

    def _find_place(self, response: requests.Response) -> tuple[int, int | None]:
        """Returns where in the file the answer begins, and the size of the whole file where the server says it.

        A server that ignores the range, or has another file by now, sends all of it: then it starts anew.
        """
        if response.status_code != 206:
            length = response.headers.get("Content-Length", "")
            return 0, int(length) if length.isdigit() and "Content-Encoding" not in response.headers else None
        note = self.part.read_note()
        place = re.fullmatch(r"bytes (\d+)-\d+/(\d+)", response.headers.get("Content-Range", ""))
        found = (int(place[1]), int(place[2]), _find_validator(response)) if place else None
        if not note or found != (self.part.size, note["total"], note["validator"]):
            self.part.discard()
            raise _CutError("the server sent another part of the file than it was asked for")
        return self.part.size, note["total"]

    def _check(self, response: requests.Response) -> None:
        expected = _find_md5(response)
        if expected is None:
            return
        with self.part.path.open("rb") as file:
            found = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).digest()
        if found != expected:
            self.part.discard()
            raise _CutError("what came does not have the checksum that the server gave")


def _within(seconds: float, call: Callable[[], requests.Response]) -> requests.Response:
    """Returns what the call returns. A time limit of a socket does not cover the look-up of a name: this one does."""
    answers: queue.SimpleQueue[requests.Response | BaseException] = queue.SimpleQueue()

    def work() -> None:
        try:
            answers.put(call())
        except BaseException as error:
            answers.put(error)

    # A daemon: a call that hangs does not keep the program from ending.
    threading.Thread(target=work, name="download", daemon=True).start()
    try:
        answer = answers.get(timeout=seconds)
    except queue.Empty:
        raise requests.Timeout(f"there was no answer within {seconds:g} s") from None
    if isinstance(answer, BaseException):
        raise answer
    return answer


def _find_validator(response: requests.Response) -> str | None:
    """Returns what tells this file from its successors: a strong ETag, or its date."""
    tag = response.headers.get("ETag", "")
    return tag if tag.startswith('"') else response.headers.get("Last-Modified")


def _find_md5(response: requests.Response) -> bytes | None:
    """Returns the MD5 that Google's storage, where Kaggle and Keras keep their files, sends along: 16 bytes."""
    found = re.search(r"\bmd5=([A-Za-z0-9+/]{22}==)", response.headers.get("X-Goog-Hash", ""))
    return base64.b64decode(found[1]) if found else None


def _explain(error: requests.RequestException, limits: Limits) -> str:
    """Says in a clause what went wrong. Never the error's own text: addresses in it may carry a signature."""
    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"the server answered {error.response.status_code} {error.response.reason}".rstrip()
    if "NameResolutionError" in repr(error):
        return "the server's name could not be looked up"
    reasons: tuple[tuple[type[Exception], str], ...] = (
        (requests.exceptions.ProxyError, "the proxy could not be reached"),
        (requests.exceptions.SSLError, "the server's certificate is not accepted"),
        (requests.ConnectTimeout, f"there was no connection within {limits.connect:g} s"),
        (requests.ReadTimeout, f"the server was silent for {limits.silence:g} s"),
        (requests.Timeout, f"there was no answer within {limits.answer:g} s"),
        (requests.exceptions.ChunkedEncodingError, "the connection was cut"),
    )
    for kind, reason in reasons:
        if isinstance(error, kind):
            return reason
    if "Read timed out" in str(error):  # requests has no type of its own for a body that stalls
        return f"the server was silent for {limits.silence:g} s"
    return "there is no connection" if isinstance(error, requests.ConnectionError) else type(error).__name__
