"""The last things that were logged, kept for the status page."""

import time
from collections import deque
from collections.abc import MutableMapping
from typing import Any

import structlog

from tasker_mp.snapshot import EVENTS_KEPT, Event

_LENGTH = 300
_LEVELS = ("info", "warning", "error", "critical")
_CONTEXT = frozenset({"event", "level", "timestamp", "exc_info", "worker_id", "pid"})


class EventTail:
    """A processor of structlog; `events` has the newest last."""

    def __init__(self) -> None:
        self.events: deque[Event] = deque(maxlen=EVENTS_KEPT)

    def follow(self) -> None:
        """Hear everything that is logged in this process from now on.

        In place: loggers keep the list of processors that they found at their first line.
        """
        processors = structlog.get_config()["processors"]
        processors[:] = [p for p in processors if not isinstance(p, EventTail)]
        at = 1 + next(
            (i for i, p in enumerate(processors) if p is structlog.processors.add_log_level), -1
        )
        processors.insert(at, self)

    def __call__(
        self, _logger: object, method: str, event: MutableMapping[str, Any]
    ) -> MutableMapping[str, Any]:
        level = str(event.get("level", method))
        if level in _LEVELS:
            self.events.append(Event(round(time.time(), 3), level, _text(event)))
        return event


def _text(event: MutableMapping[str, Any]) -> str:
    """On one line: what happened, and its fields."""
    fields = [f"{name}={event[name]}" for name in event if name not in _CONTEXT]
    return " ".join(" ".join([str(event["event"]), *fields]).split())[:_LENGTH]
