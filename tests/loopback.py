"""A real HTTP server on this machine that misbehaves as it is told, for tests of downloads."""

from __future__ import annotations

import base64
import hashlib
import re
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

ASKED_OF_KAGGLE = "/api/v1/datasets.DatasetApiService/DownloadDataset"


@dataclass
class Loopback:
    """What the server serves and how it misbehaves.

    Attributes:
        url: Where it listens.
        files: Path to content.
        faults: Path to what goes wrong with the first requests for it, one a request. `cut N` and `stall N`: after N
            bytes; `hang`: before the first one; `wrong`: other bytes than the checksum says; a number: that status.
        redirects: Path to where it sends on.
        ranges: Whether it can start in the middle.
        checksums: Whether it sends a checksum along.
        asked: The method, path and headers of each request.
        sent: What came with each request.
    """

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    faults: dict[str, list[str]] = field(default_factory=dict)
    redirects: dict[str, str] = field(default_factory=dict)
    ranges: bool = True
    checksums: bool = True
    asked: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    sent: list[bytes] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)

    def starts(self, path: str) -> list[str]:
        """Returns the `Range` headers of the requests for a path; empty text where there was none."""
        return [headers.get("range", "") for method, asked, headers in self.asked if (method, asked) == ("GET", path)]


@contextmanager
def serve() -> Iterator[Loopback]:
    """Starts the server on a free port, and ends it and every stalled answer."""
    site = Loopback()

    class Handler(_Handler):
        loopback = site

    server = _Server(("127.0.0.1", 0), Handler)
    site.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield site
    finally:
        site.ended.set()
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Says nothing where the other side has left."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    loopback: Loopback

    def log_message(self, *arguments: Any) -> None:
        """Says nothing."""

    def do_GET(self) -> None:
        site = self.loopback
        site.sent.append(self.rfile.read(int(self.headers.get("Content-Length") or 0)))
        path = urlsplit(self.path).path  # a proxy is asked for whole addresses
        site.asked.append((self.command, path, {name.lower(): value for name, value in self.headers.items()}))
        waiting = site.faults.get(path, [])
        fault = waiting.pop(0) if waiting else ""
        if fault == "hang":
            site.ended.wait(10)
        elif fault.isdigit():
            self.send_error(int(fault))
        elif path in site.redirects:
            self.send_response(302)
            self.send_header("Location", site.redirects[path])
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif path in site.files:
            self._send_file(site.files[path], fault)
        else:
            self.send_error(404)

    do_POST = do_GET

    def _send_file(self, content: bytes, fault: str) -> None:
        site = self.loopback
        tag = f'"{hashlib.sha256(content).hexdigest()[:12]}"'
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        start = int(asked[1]) if asked and site.ranges and self.headers.get("If-Range", tag) == tag else 0
        if start and start >= len(content):
            self.send_error(416)
            return
        kind, _, number = fault.partition(" ")
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - start))
        if site.ranges:
            self.send_header("Accept-Ranges", "bytes")
        self.send_header("ETag", tag)
        if site.checksums:
            digest = base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode()
            self.send_header("X-Goog-Hash", f"crc32c=AAAAAA==,md5={digest}")
        self.end_headers()
        body = content[start:]
        if kind == "wrong":
            body = bytes(255 - byte for byte in body)
        self.wfile.write(body[: int(number)] if number else body)
        self.wfile.flush()
        if kind == "stall":
            site.ended.wait(10)
        # The connection is closed when this returns: HTTP/1.0.
