"""The page's server: this machine only, by its own name only, and no more than it can take."""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest

from scenebook.core.errors import InputError
from scenebook.inference.serving.server import MOST_BYTES, serve_page

ABOUT = {"run": "<b>run", "classes": 2}


@contextmanager
def serving(answer: Callable[[bytes], dict[str, Any]]) -> Iterator[str]:
    """Serves the page in a thread, and yields `127.0.0.1:port`."""
    started: list[tuple[str, asyncio.AbstractEventLoop, asyncio.Task[None]]] = []
    is_ready = threading.Event()

    async def serve() -> None:
        def ready(address: str) -> None:
            task = asyncio.current_task()
            assert task is not None
            started.append((address, asyncio.get_running_loop(), task))
            is_ready.set()

        await serve_page(answer, ABOUT, 0, ready=ready)

    def run() -> None:
        with suppress(asyncio.CancelledError):
            asyncio.run(serve())

    thread = threading.Thread(target=run)
    thread.start()
    assert is_ready.wait(10)
    address, loop, task = started[0]
    try:
        yield address.removeprefix("http://").rstrip("/")
    finally:
        loop.call_soon_threadsafe(task.cancel)
        thread.join()


def ask(host: str, method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, bytes, Any]:
    connection = http.client.HTTPConnection(host, timeout=10)
    connection.request(method, path, body, headers)
    response = connection.getresponse()
    content = response.read()
    connection.close()
    return response.status, content, response.headers


def answer_length(content: bytes) -> dict[str, Any]:
    if content == b"no image":
        raise OSError("not a <JPEG>")
    return {"length": len(content)}


def test_the_page_and_the_answers_come_from_this_address_and_a_browser_may_ask_nothing_else() -> None:
    with serving(answer_length) as host:
        for path, kind in (("/", "text/html"), ("/page.js", "text/javascript"), ("/page.css", "text/css")):
            status, content, headers = ask(host, "GET", path)
            assert (status, headers["Content-Type"].split(";")[0]) == (200, kind)
            assert b"http://" not in content
            assert b"https://" not in content
            assert headers["Content-Security-Policy"].startswith("default-src 'none'")
            assert "unsafe" not in headers["Content-Security-Policy"]
        assert json.loads(ask(host, "GET", "/about")[1]) == {**ABOUT, "most_bytes": MOST_BYTES}
        assert json.loads(ask(host, "POST", "/classify", b"12345", Origin=f"http://{host}")[1]) == {"length": 5}
        assert ask(host, "GET", "/server.py")[0] == 404
        assert ask(host, "GET", "/../server.py")[0] == 404


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "127.0.0.1"},
        {"Host": "evil.example:80", "Origin": "http://evil.example"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
    ],
    ids=str,
)
def test_another_name_for_this_address_and_another_sites_page_are_refused(headers: dict[str, str]) -> None:
    asked: list[bytes] = []

    def answer(content: bytes) -> dict[str, Any]:
        asked.append(content)
        return {}

    with serving(answer) as host:
        for method, path in (("GET", "/"), ("GET", "/about"), ("POST", "/classify"), ("GET", "/nothing")):
            status, content, _ = ask(host, method, path, b"x" if method == "POST" else None, **headers)
            assert (status, b"only" in content) == (403, True)
    assert asked == []


def test_what_is_no_image_and_what_is_too_large_are_refused_with_a_reason() -> None:
    with serving(answer_length) as host:
        status, content, headers = ask(host, "POST", "/classify", b"no image")
        assert (status, headers["Content-Type"].split(";")[0]) == (422, "application/json")
        assert json.loads(content)["error"] == "The file cannot be read as an image: not a <JPEG>."
        with socket.create_connection(tuple(host.split(":")), timeout=10) as connection:  # type: ignore[arg-type]
            size = MOST_BYTES + 1
            connection.sendall(f"POST /classify HTTP/1.1\r\nHost: {host}\r\nContent-Length: {size}\r\n\r\n".encode())
            assert connection.recv(100).startswith((b"HTTP/1.1 400", b"HTTP/1.1 413", b""))
            assert b"200" not in connection.recv(100)
        assert ask(host, "POST", "/classify", b"1")[0] == 200


def test_of_many_images_at_once_a_few_wait_and_the_rest_are_told_to_come_again() -> None:
    release, statuses = threading.Event(), []

    def answer(content: bytes) -> dict[str, Any]:
        assert release.wait(10)
        return {}

    with serving(answer) as host:
        threads = [
            threading.Thread(target=lambda: statuses.append(ask(host, "POST", "/classify", b"x")[0])) for _ in range(9)
        ]
        for thread in threads:
            thread.start()
        while len(statuses) < 5:
            time.sleep(0.01)
        release.set()
        for thread in threads:
            thread.join()
    assert sorted(statuses) == [200] * 4 + [503] * 5


def test_it_listens_on_this_machine_only_and_says_when_its_port_is_taken() -> None:
    with serving(answer_length) as host:
        port = int(host.split(":")[1])
        with pytest.raises(InputError, match=f"port={port}"):
            asyncio.run(serve_page(answer_length, ABOUT, port, ready=lambda address: None))
        with pytest.raises(OSError):
            socket.create_connection(("127.0.0.2", port), timeout=1)
