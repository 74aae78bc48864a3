"""Keras' downloads of pretrained weights, brought to an end: with time limits, retries and resumption.

Keras names, checks and caches what it downloads; only the way through the network, which has no time limit there, is
ours. urllib is made for that: whoever installs an opener decides how an address is opened.
"""

from __future__ import annotations

import hashlib
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from email.message import Message
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit
from urllib.response import addinfourl

from scenebook.core.cache import cache_dir
from scenebook.data.transfer import Limits, fetch, request_url


class FetchingHandler(urllib.request.BaseHandler):
    """Opens an address by downloading all of it to a file first.

    Args:
        folder: Where the file goes; what came before a cut stays there.
        what: What is downloaded, for people to read.
        limits: When to give up.

    Attributes:
        file_name: The name of the file that was last asked for.
    """

    handler_order = 50  # before urllib's own, and before its proxies: requests knows about them itself

    def __init__(self, folder: Path, what: str, limits: Limits) -> None:
        self.file_name = ""
        self._folder = folder
        self._what = what
        self._limits = limits
        self._finished: list[Path] = []

    def http_open(self, request: urllib.request.Request) -> addinfourl:
        url = request.full_url
        self.file_name = PurePosixPath(urlsplit(url).path).name
        self._folder.mkdir(parents=True, exist_ok=True)
        target = self._folder / f"{hashlib.sha256(url.encode()).hexdigest()[:8]}-{self.file_name}"
        fetch(request_url(url), target, what=self._what, limits=self._limits)
        self._finished.append(target)
        headers = Message()
        headers["Content-Length"] = str(target.stat().st_size)
        response = addinfourl(target.open("rb"), headers, url, 200)
        response.msg = "OK"  # type: ignore[attr-defined]
        return response

    https_open = http_open

    def discard_finished(self) -> None:
        """Removes what was handed over: Keras has a copy, or does not want it."""
        for path in self._finished:
            path.unlink(missing_ok=True)


@contextmanager
def robust_downloads(what: str, limits: Limits | None = None) -> Iterator[FetchingHandler]:
    """Within, what urllib opens over HTTP is downloaded by `transfer.fetch`, and its notes go to the error stream.

    Raises:
        DownloadError: A download failed.
    """
    handler = FetchingHandler(cache_dir() / "weights", what, limits or Limits())
    before = getattr(urllib.request, "_opener", None)  # there is no public way to ask which one is installed
    urllib.request.install_opener(urllib.request.build_opener(handler))
    try:
        with redirect_stdout(sys.stderr):  # a bar of progress is no part of a report
            yield handler
    finally:
        urllib.request.install_opener(before)
        handler.discard_finished()
