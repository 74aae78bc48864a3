"""A page for one user on one machine: it listens on 127.0.0.1 only, and nothing that it is given leaves the machine."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files
from typing import Any

from tornado.httpserver import HTTPServer
from tornado.web import Application, RequestHandler

from scenebook.core.errors import InputError

ADDRESS = "127.0.0.1"
MOST_BYTES = 32_000_000
"""The largest upload."""
_MOST_WAITING = 4
_TYPES = {"index.html": "text/html", "page.css": "text/css", "page.js": "text/javascript"}
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
"""What a browser lets the page do: nothing but what it came with, and ask this server."""
Answer = Callable[[bytes], dict[str, Any]]


async def serve_page(answer: Answer, about: dict[str, Any], port: int, *, ready: Callable[[str], None]) -> None:
    """Serves the page until it is cancelled.

    Args:
        answer: Takes the bytes of an image; `OSError`: it is none. It is called in one other thread, once at a time.
        about: What the page is told of the run: `run` and `classes`, how many.
        port: 0: any that is free.
        ready: Called with the page's address when it can be opened.

    Raises:
        InputError: Another program listens on this port.
    """
    try:
        listening = socket.create_server((ADDRESS, port))
    except OSError as error:
        raise InputError(
            "Expected a port that no other program listens on.",
            received={"port": port},
            advice=f"Choose another one: PORT=8766 or --port 8766. ({error.strerror})",
        ) from None
    listening.setblocking(False)
    port = listening.getsockname()[1]
    with ThreadPoolExecutor(max_workers=1) as pool:
        application = Application(
            [(r"/(|page\.css|page\.js)", _PageHandler), (r"/about", _AboutHandler), (r"/classify", _ClassifyHandler)],
            default_handler_class=_Handler,
            log_function=lambda handler: None,
            hosts={f"{ADDRESS}:{port}", f"localhost:{port}"},
            work=_Work(answer, pool),
            about={**about, "most_bytes": MOST_BYTES},
        )
        server = HTTPServer(
            application,
            max_body_size=MOST_BYTES,
            max_buffer_size=MOST_BYTES + 100_000,
            idle_connection_timeout=60,
            body_timeout=60,
        )
        server.add_socket(listening)
        try:
            ready(f"http://{ADDRESS}:{port}/")
            await asyncio.Event().wait()
        finally:
            server.stop()
            await server.close_all_connections()


class _Work:
    """Images that are classified, one after the other; a few may wait."""

    def __init__(self, answer: Answer, pool: ThreadPoolExecutor) -> None:
        self._answer, self._pool, self._waiting = answer, pool, 0

    async def do(self, content: bytes) -> dict[str, Any] | None:
        """Returns the answer; `None` where too many wait already."""
        if self._waiting >= _MOST_WAITING:
            return None
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, self._answer, content)
        finally:
            self._waiting -= 1


class _Handler(RequestHandler):
    """Answers only who asked for this address by its name; a page of a site whose name leads here is refused."""

    def set_default_headers(self) -> None:
        self.clear_header("Server")
        self.set_header("Content-Security-Policy", _POLICY)
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Referrer-Policy", "no-referrer")
        self.set_header("Cross-Origin-Resource-Policy", "same-origin")
        self.set_header("Cache-Control", "no-store")

    def prepare(self) -> None:
        origin, hosts = self.request.headers.get("Origin"), self.settings["hosts"]
        if self.request.host not in hosts or (origin and origin.removeprefix("http://") not in hosts):
            self.refuse(403, f"This page is at http://{ADDRESS} only.")
        elif type(self) is _Handler:
            self.refuse(404, "There is nothing here.")

    def refuse(self, status: int, reason: str) -> None:
        """Ends the request with a reason for people."""
        self.set_status(status)
        self.finish({"error": reason})

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        self.finish({"error": f"{status_code} {self._reason}"})


class _PageHandler(_Handler):
    def get(self, file: str) -> None:
        name = file or "index.html"
        self.set_header("Content-Type", f"{_TYPES[name]}; charset=utf-8")
        self.finish(files(__package__).joinpath(name).read_bytes())


class _AboutHandler(_Handler):
    def get(self) -> None:
        self.finish(self.settings["about"])


class _ClassifyHandler(_Handler):
    async def post(self) -> None:
        try:
            answer = await self.settings["work"].do(self.request.body)
        except OSError as error:
            self.refuse(422, f"The file cannot be read as an image: {error}.")
            return
        if answer is None:
            self.refuse(503, "Other images are being classified. Try again in a moment.")
            return
        self.finish(answer)
