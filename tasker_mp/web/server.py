"""Answers HTTP on the web address: metrics and health, read from the status page."""

import socket
import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

import msgspec

from tasker_mp.errors import StatusPageError
from tasker_mp.health import Health, judge
from tasker_mp.metrics import CONTENT_TYPE, prometheus
from tasker_mp.observation import Observation

_SLOW_SECONDS = 10.0
"""A client may take so long over its request, or over reading the answer."""
_CLIENTS = 32
_JSON = "application/json"

Look = Callable[[], Observation | None]


class Answer(NamedTuple):
    status: HTTPStatus
    body: bytes
    content_type: str = _JSON


def answer(path: str, look: Look) -> Answer:
    """What to say to a GET of `path`."""
    if path not in _PATHS:
        names = ", ".join(_PATHS)
        return Answer(HTTPStatus.NOT_FOUND, _json({"error": f"no {path}; there are {names}"}))
    try:
        return _PATHS[path](look())
    except StatusPageError as error:
        return Answer(HTTPStatus.SERVICE_UNAVAILABLE, _json({"error": str(error)}))


def _metrics(seen: Observation | None) -> Answer:
    if seen is None:
        body = b"# no supervisor is running\n"
        return Answer(HTTPStatus.SERVICE_UNAVAILABLE, body, CONTENT_TYPE)
    return Answer(HTTPStatus.OK, prometheus(seen).encode(), CONTENT_TYPE)


def _health(seen: Observation | None) -> Answer:
    health = judge(seen)
    return _verdict(health.status != "failed", {"status": health.status})


def _live(seen: Observation | None) -> Answer:
    live = judge(seen).live
    return _verdict(live, {"live": live})


def _ready(seen: Observation | None) -> Answer:
    health = judge(seen)
    document: dict[str, object] = {"ready": health.ready}
    if seen is not None:
        document["state"] = seen.snapshot.state
    return _verdict(health.ready, document)


def _detailed(seen: Observation | None) -> Answer:
    health: Health = judge(seen)
    document = msgspec.to_builtins(health)
    if seen is not None:
        document |= {"state": seen.snapshot.state, "worker_id": seen.snapshot.worker_id}
    return _verdict(health.status != "failed", document)


_PATHS: dict[str, Callable[[Observation | None], Answer]] = {
    "/metrics": _metrics,
    "/health": _health,
    "/health/live": _live,
    "/health/ready": _ready,
    "/health/detailed": _detailed,
}


def _verdict(good: bool, document: object) -> Answer:
    status = HTTPStatus.OK if good else HTTPStatus.SERVICE_UNAVAILABLE
    return Answer(status, _json(document))


def _json(document: object) -> bytes:
    return msgspec.json.encode(document) + b"\n"


class WebServer(ThreadingHTTPServer):
    """Serves on a socket that listens already, a thread a client, a bounded number of them."""

    daemon_threads = True

    def __init__(self, listener: socket.socket, look: Look) -> None:
        super().__init__(("", 0), _Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listener
        self._look = look
        self._looking = threading.Lock()
        self._places = threading.BoundedSemaphore(_CLIENTS)

    def look(self) -> Observation | None:
        with self._looking:  # it remembers from look to look
            return self._look()

    def process_request(self, request: object, client_address: object) -> None:
        """One more than there are places for is hung up on: it comes again."""
        if self._places.acquire(blocking=False):
            super().process_request(request, client_address)  # type: ignore[arg-type]
        else:
            self.shutdown_request(request)  # type: ignore[arg-type]

    def process_request_thread(self, request: object, client_address: object) -> None:
        try:
            super().process_request_thread(request, client_address)  # type: ignore[arg-type]
        finally:
            self._places.release()

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up in the middle is no news."""


class _Handler(BaseHTTPRequestHandler):
    timeout = _SLOW_SECONDS
    server: WebServer
    server_version = "tasker-mp"
    sys_version = ""

    def do_GET(self) -> None:
        self._reply(with_body=True)

    def do_HEAD(self) -> None:
        self._reply(with_body=False)

    def _reply(self, *, with_body: bool) -> None:
        found = answer(self.path.partition("?")[0], self.server.look)
        self.send_response(found.status)
        self.send_header("Content-Type", found.content_type)
        self.send_header("Content-Length", str(len(found.body)))
        self.end_headers()
        if with_body:
            self.wfile.write(found.body)

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
        """A scrape a second is not worth a line."""
