"""The thread in which subscribers are told of events, and the bounded queue before it."""

import contextvars
import logging
import threading
from collections.abc import Callable
from queue import SimpleQueue

from tasker_mp.domain_events.model import InProcessDomainEvent
from tasker_mp.domain_events.subscriber import DomainEventCallback, ErrorCallback

log = logging.getLogger("tasker_mp.domain_events")

CAPACITY = 10_000
"""Messages that may wait for a slow subscriber; the oldest make room for more."""


class InProcessDomainEventPoller:
    """Hands each message to all callbacks, in the order they came, in a daemon thread of its own.

    `offer` never waits, whatever the callbacks do.
    """

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._queue: SimpleQueue[bytes | Callable[[], None] | None] = SimpleQueue()
        self._event_callbacks: list[DomainEventCallback] = []
        self._error_callbacks: list[ErrorCallback] = []
        self._thread: threading.Thread | None = None
        self._stopping = False
        self._taken = 0
        self._processed = 0
        self._lagged = 0

    def on_event(self, callback: DomainEventCallback) -> None:
        """Have `callback(event)` called for every event, in the thread."""
        self._event_callbacks.append(callback)

    def on_error(self, callback: ErrorCallback) -> None:
        """Have `callback(error)` called for what callbacks raise and messages that are none."""
        self._error_callbacks.append(callback)

    def start(self, prepare: Callable[[], None] | None = None) -> None:
        """Start the thread, which calls `prepare` first; `RuntimeError` where it runs already."""
        if self.is_running:
            raise RuntimeError("the poller is running already")
        self._stopping = False
        context = contextvars.copy_context()  # what comes with every line of the log, for one
        self._thread = threading.Thread(
            target=context.run, args=(self._run, prepare), name="domain events", daemon=True
        )
        self._thread.start()

    def stop(self, timeout: float = 5.0) -> bool:
        """Let the thread finish what it is at, and end; False where it is not done in `timeout`
        seconds. What waits is dropped."""
        self._stopping = True
        thread, self._thread = self._thread, None
        if thread is None:
            return True
        self._queue.put(None)
        thread.join(timeout)
        return not thread.is_alive()

    @property
    def is_running(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    @property
    def waiting(self) -> int:
        """Messages that no callback has seen."""
        return self._queue.qsize()

    @property
    def stats(self) -> dict[str, int]:
        """`poll_count` (items taken from the queue), `events_processed`, and `events_lagged`
        (dropped, because the callbacks were too slow)."""
        return {
            "poll_count": self._taken,
            "events_processed": self._processed,
            "events_lagged": self._lagged,
        }

    def offer(self, item: bytes | Callable[[], None]) -> None:
        """Queue a message, or something to call in its turn; the oldest goes where it is full."""
        while self._queue.qsize() >= self._capacity:
            try:
                self._queue.get_nowait()
                self._lagged += 1
            except Exception:  # the thread was faster
                break
        self._queue.put(item)

    def _run(self, prepare: Callable[[], None] | None) -> None:
        if prepare is not None:
            self._guarded(prepare)
        while not self._stopping:
            item = self._queue.get()
            self._taken += 1
            if isinstance(item, bytes):
                self._guarded(lambda: self._tell(item))  # noqa: B023
            elif item is not None:
                self._guarded(item)

    def _tell(self, message: bytes) -> None:
        event = InProcessDomainEvent.from_message(message)
        self._processed += 1
        for callback in self._event_callbacks:
            self._guarded(lambda: callback(event))  # noqa: B023

    def _guarded(self, work: Callable[[], None]) -> None:
        """What goes wrong with one thing must not end the thread."""
        try:
            work()
        except BaseException as error:
            log.error("domain events: %s: %s", type(error).__name__, error)
            for callback in self._error_callbacks:
                try:
                    callback(error if isinstance(error, Exception) else RuntimeError(str(error)))
                except BaseException as second:
                    log.error(
                        "domain events: on_error raised %s: %s", type(second).__name__, second
                    )
