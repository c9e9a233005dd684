"""The web server in this process, over snapshots made up here."""

import http.client
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from snapshots import NOW, SECOND, seen

from tasker_mp.errors import StatusPageError
from tasker_mp.observation import Observation
from tasker_mp.web import server as web
from tasker_mp.web.server import WebServer

_LIMIT = 10.0


class Site:
    """A server on some port of this host; `look` says what it sees."""

    def __init__(self, server: WebServer) -> None:
        self.server = server
        self.address = server.socket.getsockname()

    def get(self, path: str, method: str = "GET") -> tuple[int, str, bytes]:
        """(status, content type, body)"""
        connection = http.client.HTTPConnection(*self.address, timeout=_LIMIT)
        try:
            connection.request(method, path)
            answer = connection.getresponse()
            return answer.status, answer.headers["Content-Type"], answer.read()
        finally:
            connection.close()

    def get_in_time(self, path: str) -> tuple[int, str, bytes]:
        """The same, once a place is free: its holder is gone for us before the server knows."""
        deadline = time.monotonic() + _LIMIT
        while True:
            try:
                return self.get(path)
            except ConnectionError:
                assert time.monotonic() < deadline, "no place became free"
                time.sleep(0.01)

    def document(self, path: str) -> tuple[int, Any]:
        status, content_type, body = self.get(path)
        assert content_type == "application/json"
        return status, json.loads(body)

    def say(self, request: bytes) -> bytes:
        """All that the server answers to these bytes."""
        with self.connected() as client:
            client.sendall(request)
            client.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: client.recv(65_536), b""))

    def connected(self) -> socket.socket:
        return socket.create_connection(self.address, _LIMIT)


@contextmanager
def serving(look: Callable[[], Observation | None]) -> Iterator[Site]:
    server = WebServer(socket.create_server(("127.0.0.1", 0)), look)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield Site(server)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_well_supervisor() -> None:
    with serving(seen) as site:
        assert site.document("/health") == (200, {"status": "ok"})
        assert site.document("/health/live") == (200, {"live": True})
        assert site.document("/health/ready?verbose=1") == (
            200,
            {"ready": True, "state": "running"},
        )
        status, detailed = site.document("/health/detailed")
        assert (status, detailed["worker_id"]) == (200, "host-1")
        assert detailed["checks"]["workers"] == {"status": "ok", "message": "2 of 2 serve"}
        status, content_type, body = site.get("/metrics")
        assert (status, content_type) == (200, "text/plain; version=0.0.4; charset=utf-8")
        assert b"\ntasker_tasks_ended_total 20\n" in body


def test_a_paused_one_is_healthy_and_not_ready() -> None:
    with serving(lambda: seen(state="paused")) as site:
        assert site.document("/health") == (200, {"status": "degraded"})
        assert site.document("/health/ready") == (503, {"ready": False, "state": "paused"})


def test_one_that_hangs_is_not_live() -> None:
    with serving(lambda: seen(NOW + 11 * SECOND)) as site:
        assert site.document("/health/live") == (503, {"live": False})
        assert site.document("/health/detailed")[0] == 503
        assert site.get("/metrics")[0] == 200


def test_none_at_all() -> None:
    with serving(lambda: None) as site:
        for path in ("/health", "/health/live", "/health/ready", "/health/detailed", "/metrics"):
            assert site.get(path)[0] == 503
        assert b"no supervisor" in site.get("/metrics")[2]


def test_a_page_that_cannot_be_read_is_said_to_be() -> None:
    def look() -> Observation:
        raise StatusPageError("it is damaged")

    with serving(look) as site:
        assert site.document("/metrics") == (503, {"error": "it is damaged"})


@pytest.mark.parametrize("path", ["/", "/metrics/", "/../../etc/passwd", "/health%0a"])
def test_there_is_nothing_else(path: str) -> None:
    with serving(seen) as site:
        status, document = site.document(path)
        assert status == 404
        assert "/health/ready" in document["error"]


def test_other_methods_than_get_and_head() -> None:
    with serving(seen) as site:
        assert site.get("/health", "POST")[0] == 501
        status, _, body = site.get("/metrics", "HEAD")
        assert (status, body) == (200, b"")


@pytest.mark.parametrize(
    "request_bytes",
    [b"", b"\0" * 500, b"GET", b"GET / HTTP/9.9\r\n\r\n", b"GET /" + b"x" * 70_000, b"\r\n" * 100,
     b"GET /health HTTP/1.1\r\n" + b"a: b\r\n" * 200 + b"\r\n"],
)  # fmt: skip
def test_garbage_harms_nobody(request_bytes: bytes) -> None:
    with serving(seen) as site:
        answer = site.say(request_bytes)
        assert b" 200 " not in answer
        assert site.get("/health")[0] == 200


def test_silent_clients_lose_their_places(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "_CLIENTS", 4)
    monkeypatch.setattr(web._Handler, "timeout", 1.0)
    with serving(seen) as site:
        silent = [site.connected() for _ in range(4)]
        for client in silent:
            client.sendall(b"GET /hea")
        with site.connected() as late:  # no place: hung up on at once, and not after a second
            assert late.recv(100) == b""
        assert silent[0].recv(100) == b""
        for client in silent:
            client.close()
        assert site.get_in_time("/health")[0] == 200


def test_many_ask_at_the_same_time() -> None:
    answers: list[int] = []
    with serving(seen) as site:
        askers = [
            threading.Thread(target=lambda: answers.append(site.get("/metrics")[0]))
            for _ in range(16)
        ]
        for asker in askers:
            asker.start()
        for asker in askers:
            asker.join()
    assert answers == [200] * 16
