"""What Prometheus does: reads `/metrics` once a second."""

import http.client
import threading
import time
from types import TracebackType
from typing import Self

from tasker_mp.config import WebConfig
from tasker_mp.errors import EngineError

_PERIOD = 1.0
_LIMIT = 30.0
_POLL = 0.05


class Scraper:
    """A context manager; a first scrape has succeeded when the block begins."""

    def __init__(self, web: WebConfig) -> None:
        self._web = web
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.scrapes = 0
        self._failure = ""

    def _run(self) -> None:
        while not self._closed.wait(_PERIOD):
            try:
                self._scrape()
            except (OSError, http.client.HTTPException, EngineError) as error:
                self._failure = f"/metrics could not be scraped: {error or type(error).__name__}"
                return

    def _scrape(self) -> None:
        """With a connection of its own, as a scraper that has only just been started."""
        connection = http.client.HTTPConnection(self._web.host, self._web.port, timeout=_LIMIT)
        try:
            connection.request("GET", "/metrics")
            answer = connection.getresponse()
            if answer.status != http.client.OK or b"tasker_info" not in answer.read():
                raise EngineError(f"status {answer.status}")
        finally:
            connection.close()
        self.scrapes += 1

    def check(self) -> None:
        """`EngineError` where a scrape has failed: then nobody watched."""
        if self._failure:
            raise EngineError(self._failure)

    def __enter__(self) -> Self:
        deadline = time.monotonic() + _LIMIT
        while True:
            try:
                self._scrape()
                break
            except (OSError, http.client.HTTPException) as error:  # it has only just been started
                if time.monotonic() > deadline:
                    raise EngineError(f"/metrics does not answer: {error}") from error
                time.sleep(_POLL)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._closed.set()
        self._thread.join()
