"""HTTP steps against a real server that fails in every way."""

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from example_project import Example, Running

from tasker_mp.client.task import Step


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.asked: Counter[str] = Counter()
        self.release = threading.Event()


class _Answers(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        user = self.path.rpartition("/")[2]
        self.server.asked[user] += 1
        first = self.server.asked[user] == 1
        if user == "cut":
            self.connection.close()
        elif user == "hangs" and first:
            self.server.release.wait(30)
        elif user == "busy" and first:
            self._answer(503, {}, {"Retry-After": "1"})
        elif user == "nobody":
            self._answer(404, {})
        else:
            self._answer(200, {"name": user.title()})

    def _answer(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
        text = json.dumps(body).encode()
        self.send_response(status)
        kind = {"Content-Type": "application/json", "Content-Length": str(len(text))}
        for name, value in {**kind, **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_words: Any) -> None:
        pass


@contextmanager
def _serving() -> Iterator[_Server]:
    with _Server() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.release.set()
            server.shutdown()
            thread.join()


def _step(running: Running, user: str) -> Step:
    [step] = running.run("users/fetch", {"user": user}).steps
    return step


def test_a_service_that_fails(
    example: Callable[[str], Example], monkeypatch: pytest.MonkeyPatch
) -> None:
    with _serving() as server:
        monkeypatch.setenv("USERS_URL", f"http://127.0.0.1:{server.server_port}")
        with example("http_steps").running() as running:
            found = _step(running, "ada")
            assert (found.result, found.attempts) == ({"name": "Ada"}, 1)

            missing = _step(running, "nobody")
            assert (missing.state, missing.attempts) == ("error", 1)
            assert "404" in str(missing.error)

            began = time.monotonic()
            busy = _step(running, "busy")
            assert (busy.result, busy.attempts) == ({"name": "Busy"}, 2)
            assert time.monotonic() - began >= 0.85, "Retry-After, less the jitter, is waited for"

            late = _step(running, "hangs")
            assert (late.result, late.attempts) == ({"name": "Hangs"}, 2)

            cut = _step(running, "cut")
            assert (cut.state, cut.attempts) == ("error", 3)
            assert server.asked["cut"] >= 3
